// The handler silences the timer only when the acknowledge register names it, which nobody reads.
// bad: id=F21 exit=115 verdict=interrupt-storm
// bad: id=F21 exit=115 verdict=interrupt-storm args=--gic,3
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    stack
    vectors table
    gic_timer
    mov     x20, #0
    mov     x0, #0
    msr     daifclr, #2
1:  cbz     x20, 1b
    power_off
    .balign 2048
table:
    .space  0x280
#ifdef GOOD
    mrs     x0, ICC_IAR1_EL1
#endif
    cmp     x0, #27
    b.ne    2f
    msr     cntv_ctl_el0, xzr
    msr     ICC_EOIR1_EL1, x0
    mov     x20, #1
2:  eret
