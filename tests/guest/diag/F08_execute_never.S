// bad: id=F08 exit=115
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
    tables
#else
    tables DEVICE_BLOCK, 0x0020000040000705
#endif
    mmu_registers
    mmu_on
    power_off
