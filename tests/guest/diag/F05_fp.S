// bad: say=F05 exit=0
// good: exit=0
#include "diag.inc"
    stack
    mov     x0, #3 << 20
    msr     cpacr_el1, x0
#ifdef GOOD
    isb
#endif
    fmov    d0, #1.0
    power_off
