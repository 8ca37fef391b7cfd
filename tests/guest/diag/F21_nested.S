// The handler unmasks interrupts before it acknowledges its own.
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
    power_off
    .balign 2048
table:
    .space  0x280
    sub     sp, sp, #16
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    stp     x1, x2, [sp]
#ifndef GOOD
    msr     daifclr, #2
#endif
    mrs     x0, ICC_IAR1_EL1
    msr     cntv_ctl_el0, xzr
    msr     ICC_EOIR1_EL1, x0
    msr     daifset, #2
    ldp     x1, x2, [sp], #16
    msr     elr_el1, x1
    msr     spsr_el1, x2
    mov     x20, #1
    eret
