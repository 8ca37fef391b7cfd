// bad: id=F11 exit=115
// good: exit=0
#include "diag.inc"
#ifdef GOOD
    mov     x0, #0x3c5
#else
    mov     x0, #0x3c9
#endif
    msr     spsr_el1, x0
    adr     x1, next
    msr     elr_el1, x1
    eret
next:
    power_off
