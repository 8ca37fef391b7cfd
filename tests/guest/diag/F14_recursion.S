// bad: id=F14 exit=115 trail=same
// bad: id=F14 exit=115 format=stripped
// good: exit=0
// good: exit=0 format=stripped
#include "diag.inc"
    stack
    mov     x0, #100
    bl      down
    power_off
down:
    stp     x29, x30, [sp, #-64]!
#ifdef GOOD
    subs    x0, x0, #1
#else
    adds    x0, x0, #1
#endif
    b.eq    1f
    bl      down
1:  ldp     x29, x30, [sp], #64
    ret
