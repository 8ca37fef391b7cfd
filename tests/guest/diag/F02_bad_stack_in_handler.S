// The handler pushes registers onto a stack that is not there.
// bad: id=F02 exit=115 verdict=exception-loop
// good: exit=0
#include "diag.inc"
    stack
    vectors table
#ifndef GOOD
    mov     sp, #0x100000
#endif
    svc     #0
    power_off
    .balign 2048
table:
    .rept 16
    sub     sp, sp, #272
    stp     x0, x1, [sp]
    ldp     x0, x1, [sp]
    add     sp, sp, #272
    eret
    .balign 128
    .endr
