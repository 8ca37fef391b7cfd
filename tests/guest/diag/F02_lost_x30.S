// An interrupt handler that calls a function and does not keep x30.
// bad: exit=124 args=--timeout,600ms cause=x30
#include "diag.inc"
#include "gic.inc"
    stack
    vectors vec
    gic_timer
    msr daifclr, #2
    mov x21, #0
1:  bl work
    cmp x21, #50
    b.lo 1b
    power_off
work:
2:  add x3, x3, #1
    tst x3, #0xfff
    b.ne 2b
    ret
handle:
    mrs x20, ICC_IAR1_EL1
    add x21, x21, #1
    mov x0, #1000
    msr cntv_tval_el0, x0
    msr ICC_EOIR1_EL1, x20
    isb
    ret
    .balign 2048
vec: .rept 16
    bl handle
    eret
    .balign 128
    .endr
