// The stack is mapped read-only.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables DEVICE_BLOCK, 0x0000000040000785
    mmu_registers
    mmu_on
    stp x29, x30, [sp, #-16]!
    power_off
