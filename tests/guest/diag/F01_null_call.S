// bad: id=F01 exit=115
// good: exit=0
#include "diag.inc"
    stack
    adrp    x1, handler
    add     x1, x1, :lo12:handler
#ifndef GOOD
    mov     x1, #0
#endif
    blr     x1
handler:
    power_off
