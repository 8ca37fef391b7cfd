// The timer is armed for a time that never comes.
// bad: id=F13 exit=114
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    gic
#ifdef GOOD
    mov     x0, #1
#else
    mov     x0, #-1
#endif
    msr     cntv_cval_el0, x0
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
    wfi
    power_off
