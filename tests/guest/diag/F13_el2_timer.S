// bad: id=F13 exit=114 args=--el,2
// good: exit=0 args=--el,2
#include "diag.inc"
// EL2's own timer runs and its interrupt, PPI 26, is never enabled.
    mov     x0, #1000
    msr     cnthp_tval_el2, x0
    mov     x0, #1
    msr     cnthp_ctl_el2, x0
    isb
#ifdef GOOD
1:  mrs     x0, cnthp_ctl_el2
    tbz     x0, #2, 1b
    ldr     w0, =0x84000008
    smc     #0
#endif
    wfi
    b       .
