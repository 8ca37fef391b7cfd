// A table descriptor points outside RAM.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables DEVICE_BLOCK, 0x1000000003
    mmu_registers
    mmu_on
    power_off
