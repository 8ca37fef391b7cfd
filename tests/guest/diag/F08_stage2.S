// HCR_EL2.VM is set and there are no tables of stage 2.
// bad: id=F08 exit=115 args=--el,2 cause=VTTBR_EL2
// good: exit=0 args=--el,2
#include "diag.inc"
#ifdef GOOD
    mov x0, #0
#else
    mov x0, #1
#endif
    orr x0, x0, #(1 << 31)
    msr hcr_el2, x0
    mov x0, #0x3c5
    msr spsr_el2, x0
    adr x0, 1f
    msr elr_el2, x0
    eret
1:  stack
    mov x1, #UART
    mov w0, #'a'
    str w0, [x1]
    ldr w0, =0x84000008
    smc #0
    b .
