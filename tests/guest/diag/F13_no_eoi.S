// The handler acknowledges the timer and never ends the interrupt.
// bad: id=F13 exit=114 verdict=deadlock
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    stack
    vectors vec
    gic_timer
    mov x21, #0
    msr daifclr, #2
1:  wfi
    cmp x21, #3
    b.lo 1b
    power_off
    .balign 2048
vec: .rept 16
    mrs x20, ICC_IAR1_EL1
    add x21, x21, #1
#ifdef GOOD
    msr ICC_EOIR1_EL1, x20
#endif
    mov x0, #1000
    msr cntv_tval_el0, x0
    isb
    eret
    .balign 128
    .endr
