// bad: say=F15 exit=0
// good: exit=0
#include "diag.inc"
    stack
    sub     x1, sp, #64
#ifdef GOOD
    ldr     w0, [x1]
    str     w0, [x1]
#else
1:  ldxr    w0, [x1]
    stxr    w2, w0, [x1]
    cbnz    w2, 1b
#endif
    power_off
