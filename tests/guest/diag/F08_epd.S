// EPD0 turns walks off.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers (25|1<<7)
    mmu_on
    power_off
