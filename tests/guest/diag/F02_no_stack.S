// A push before SP was set.
// bad: id=F02 exit=115
// good: exit=0
#include "diag.inc"
#ifdef GOOD
    stack
#endif
    stp x29, x30, [sp, #-16]!
    power_off
