// Sleeps with no timer armed.
// bad: id=F13 exit=114 verdict=deadlock
// bad: id=F13 exit=114 verdict=deadlock format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
#include "gic.inc"
    gic
    isb
    mov     x0, #1000
    msr     cntv_tval_el0, x0
    mov     x0, #1
#ifdef GOOD
    msr     cntv_ctl_el0, x0
#endif
    isb
    wfi
    power_off
