// ERET with ELR_EL1 still 0.
// bad: id=F01 exit=115
// good: exit=0
#include "diag.inc"
    mov x0, #0x3c5
    msr spsr_el1, x0
#ifdef GOOD
    adr x0, 1f
    msr elr_el1, x0
#else
    msr elr_el1, xzr
#endif
    isb
    eret
1:  power_off
