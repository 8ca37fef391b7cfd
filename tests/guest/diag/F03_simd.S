// bad: id=F03 exit=115
// good: exit=0
#include "diag.inc"
    stack
    mov     x0, #3 << 20
    msr     cpacr_el1, x0
    isb
    sub     x1, sp, #64
#ifdef GOOD
    stur    q0, [x1, #16]
#else
    stur    q0, [x1, #7]
#endif
    power_off
