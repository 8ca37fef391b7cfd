// bad: id=F12 exit=115 args=--el,2
// good: exit=0 args=--el,2
#include "diag.inc"
    ldr     w0, =0x84000008
#ifdef GOOD
    smc     #0
#else
    hvc     #0
#endif
    b       .
