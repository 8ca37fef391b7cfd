// A jump into RAM that holds zeros.
// bad: id=F01 exit=115
// good: exit=0
#include "diag.inc"
    ldr     x1, =0x44000000
    adr     x2, next
#ifdef GOOD
    mov     x1, x2
#endif
    br      x1
next:
    power_off
