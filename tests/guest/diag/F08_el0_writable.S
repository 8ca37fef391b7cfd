// What EL0 may write, EL1 cannot execute.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables DEVICE_BLOCK, 0x0000000040000745
    mmu_registers
    mmu_on
    power_off
