// The handler acknowledges and ends the timer's interrupt, but leaves the deadline in the past.
// bad: id=F21 exit=115 verdict=interrupt-storm
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    stack
    vectors table
    gic_timer
    mov     x20, #0
    msr     daifclr, #2
1:  cbz     x20, 1b
    add     x21, x21, #1
    power_off
    .balign 2048
table:
    .space  0x280
    mrs     x0, ICC_IAR1_EL1
#ifdef GOOD
    msr     cntv_ctl_el0, xzr
#endif
    msr     ICC_EOIR1_EL1, x0
    add     x20, x20, #1
    eret
