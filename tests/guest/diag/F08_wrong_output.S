// The block maps RAM to where there is none.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables DEVICE_BLOCK, 0x0000000080000705
    mmu_registers
    mmu_on
    power_off
