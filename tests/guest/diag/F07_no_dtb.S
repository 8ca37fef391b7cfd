// A boot loader starts a kernel without telling it where the device tree is.
// bad: say=F07 exit=0
// good: exit=0
#include "diag.inc"
    mov     x5, x0
    mov     x1, xzr
    mov     x2, xzr
    mov     x3, xzr
#ifndef GOOD
    mov     x0, xzr
#endif
    ldr     x4, =kernel
    br      x4
    .section .text
    .balign 0x200000
kernel:
    b       1f
    nop
    .quad   0, 0x10000, 0xa, 0, 0, 0
    .ascii  "ARM\144"
    .long   0
1:  power_off
