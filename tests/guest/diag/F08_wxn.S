// WXN makes the only block, writable, not executable.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on 0x81005
    power_off
