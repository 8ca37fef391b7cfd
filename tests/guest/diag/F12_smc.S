// bad: id=F12 exit=115
// bad: id=F12 exit=115 format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
    ldr     w0, =0x84000008
#ifdef GOOD
    hvc     #0
#else
    smc     #0
#endif
    b       .
