// A null pointer is called after the MMU went on; page 0 is mapped, as a device.
// bad: id=F01 exit=115
// good: exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
    mov x9, #0
#ifndef GOOD
    blr x9
#endif
    power_off
