// bad: id=F11 exit=115 args=--el,1
// good: exit=0 args=--el,2
#include "diag.inc"
// The same code, where EL2 is and where it is not.
    mov     x0, #1 << 31
    msr     hcr_el2, x0
    isb
    ldr     w0, =0x84000008
    smc     #0
    b       .
