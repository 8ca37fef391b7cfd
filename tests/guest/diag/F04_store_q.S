// bad: id=F04 exit=115
// bad: id=F04 exit=115 format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
    stack
    mov     x0, #3 << 20
#ifdef GOOD
    msr     cpacr_el1, x0
#endif
    isb
    str     q0, [sp, #-16]
    power_off
