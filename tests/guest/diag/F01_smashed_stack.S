// A local buffer ran over the saved return address.
// bad: id=F01 exit=115 trail=same
// good: exit=0
#include "diag.inc"
    stack
    bl f
    power_off
f:  stp x29, x30, [sp, #-32]!
    mov x29, sp
    movz x0, #0x4141
    movk x0, #0x4141, lsl #16
    mov x1, x0
    bfi x1, x0, #32, #32
#ifndef GOOD
    str x1, [sp, #8]
#endif
    str x1, [sp, #16]
    ldp x29, x30, [sp], #32
    ret
