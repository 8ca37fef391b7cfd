// Spins on a flag that the handler of the timer sets.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    stack
    vectors vec
    gic
    timer 31250000
    mov x21, #0
#ifdef GOOD
    msr daifclr, #2
#endif
1:  cbz x21, 1b
    power_off
    .balign 2048
vec: .rept 16
    mrs x20, ICC_IAR1_EL1
    mov x21, #1
    msr cntv_ctl_el0, xzr
    msr ICC_EOIR1_EL1, x20
    eret
    .balign 128
    .endr
