// Sleeps with interrupts masked and asks ISR_EL1: nothing is wrong, unless the timer is never armed.
// bad: id=F13 exit=114
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    gic
    mov     x21, #5
1:  ldr     x0, =1250000
    msr     cntv_tval_el0, x0
    mov     x0, #1
#ifdef GOOD
    msr     cntv_ctl_el0, x0
#endif
    isb
2:  wfi
    mrs     x0, isr_el1
    cbz     x0, 2b
    mrs     x0, ICC_IAR1_EL1
    msr     ICC_EOIR1_EL1, x0
    subs    x21, x21, #1
    b.ne    1b
    power_off
