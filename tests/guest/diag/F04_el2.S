// bad: id=F04 exit=115 args=--el,2
// good: exit=0 args=--el,2
#include "diag.inc"
    mov     x0, #0x33ff
#ifndef GOOD
    orr     x0, x0, #1 << 10
#endif
    msr     cptr_el2, x0
    isb
    adrp    x1, __stack_bottom
    str     q0, [x1]
    ldr     w0, =0x84000008
    smc     #0
    b       .
