// A loop that counts but has no way out.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
    mov     x0, #0
1:  add     x0, x0, #1
#ifdef GOOD
    tbnz    x0, #20, 2f
#endif
    b       1b
2:  power_off
