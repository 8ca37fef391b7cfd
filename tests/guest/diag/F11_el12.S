// bad: id=F11 exit=115 args=--el,2
// bad: id=F11 exit=115 args=--el,2,--vhe,off
// good: exit=0 args=--el,2
#include "diag.inc"
#ifdef GOOD
    mov     x0, #1 << 31
    orr     x0, x0, #1 << 34
    msr     hcr_el2, x0             // E2H
    isb
#endif
    mrs     x1, s3_5_c1_c0_0        // sctlr_el12
    ldr     w0, =0x84000008
    smc     #0
    b       .
