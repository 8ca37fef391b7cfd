// bad: id=F12 exit=115
// good: exit=0
#include "diag.inc"
    ldr     w0, =0x84000008
#ifdef GOOD
    hvc     #0
#else
    smc     #0
#endif
    b       .
