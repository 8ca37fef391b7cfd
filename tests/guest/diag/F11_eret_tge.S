// bad: id=F11 exit=115 args=--el,2
// good: exit=0 args=--el,2
#include "diag.inc"
    mov     x0, #1 << 31
#ifndef GOOD
    orr     x0, x0, #1 << 27        // TGE: there is no EL1
#endif
    msr     hcr_el2, x0
    mov     x0, #0x3c5
    msr     spsr_el2, x0
    adr     x1, next
    msr     elr_el2, x1
    eret
next:
    ldr     w0, =0x84000008
    smc     #0
    b       .
