// SPSR_EL1 names EL3.
// bad: id=F11 exit=115
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
#define SPSR 0x3c5
#else
#define SPSR 0x3cd
#endif
    mov x0, #SPSR     // EL3h
    msr spsr_el1, x0
    adr x0, 1f
    msr elr_el1, x0
    isb
    eret
1:  power_off
