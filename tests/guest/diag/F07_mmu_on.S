// A boot loader starts a kernel with the MMU on.
// bad: say=F07 exit=0
// good: exit=0
#include "diag.inc"
    mov     x20, x0
    stack
    tables
    mmu_registers
    mmu_on
    mrs     x1, sctlr_el1
#ifdef GOOD
    bic     x1, x1, #1
#endif
    bic     x1, x1, #4
    msr     sctlr_el1, x1
    isb
    mov     x0, x20
    mov     x1, xzr
    mov     x2, xzr
    mov     x3, xzr
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
