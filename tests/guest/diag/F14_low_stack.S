// The stack lies below the program, as in many tutorials, and has no symbols; recursion runs out of RAM.
// bad: id=F14 exit=115
// bad: id=F14 exit=115 format=flat
// good: exit=0
#include "diag.inc"
    adr     x1, _start
    mov     sp, x1
    mov     x0, #10
    bl      down
    power_off
down:
    stp     x29, x30, [sp, #-128]!
    mov     x29, sp
#ifdef GOOD
    subs    x0, x0, #1
#else
    adds    x0, x0, #1
#endif
    b.eq    1f
    bl      down
1:  ldp     x29, x30, [sp], #128
    ret
