// bad: id=F02 exit=115 args=--el,2
// good: exit=0 args=--el,2
#include "diag.inc"
// An exception that EL1 causes and HCR_EL2 sends to EL2, where nobody is.
#ifdef GOOD
    adrp    x0, handlers
    add     x0, x0, :lo12:handlers
    msr     vbar_el2, x0
#endif
    mov     x0, #1 << 31
    orr     x0, x0, #1 << 26        // TVM
    msr     hcr_el2, x0
    mov     x0, #0x3c5
    msr     spsr_el2, x0
    adr     x1, next
    msr     elr_el2, x1
    eret
next:
    msr     ttbr0_el1, xzr
    b       .
    .balign 2048
handlers:
    .rept   16
    ldr     w0, =0x84000008
    smc     #0
    b       .
    .balign 128
    .endr
