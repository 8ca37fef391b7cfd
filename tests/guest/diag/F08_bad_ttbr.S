// TTBR0_EL1 points outside RAM.
// bad: id=F08 exit=115
// good: exit=0
#include "diag.inc"
    tables
#ifndef GOOD
    ldr     x0, =0xc0000000
#endif
    mmu_registers
    mmu_on
    power_off
