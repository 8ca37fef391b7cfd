// bad: id=F11 exit=115 args=--el,2
// good: exit=0 args=--el,2
#include "diag.inc"
#ifdef GOOD
    mrs     x0, id_aa64pfr0_el1
    tst     x0, #0xf000
    b.eq    1f
#endif
    mrs     x0, s3_6_c1_c1_0        // scr_el3
1:  ldr     w0, =0x84000008
    smc     #0
    b       .
