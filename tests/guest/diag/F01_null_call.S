// bad: id=F01 exit=115
// bad: id=F01 exit=115 format=flat
// good: exit=0
// good: exit=0 format=flat
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
