// A lock that nobody will release.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
    stack
    mov     w1, #1
#ifdef GOOD
    mov     w1, #0
#endif
    str     w1, [sp, #-16]
1:  ldr     w0, [sp, #-16]
    cbnz    w0, 1b
    power_off
