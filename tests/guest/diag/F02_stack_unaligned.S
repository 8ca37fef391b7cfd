// SP is a multiple of 8 only.
// bad: id=F02 exit=115
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
#define SPOFF 16
#else
#define SPOFF 8
#endif
    sub sp, sp, #SPOFF
    stp x29, x30, [sp, #-16]!
    power_off
