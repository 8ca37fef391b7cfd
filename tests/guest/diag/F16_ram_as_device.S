// bad: say=F16 exit=0
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
    tables
#else
    tables DEVICE_BLOCK, 0x0000000040000701
#endif
    mmu_registers
    mmu_on
    str     x0, [sp, #-16]
    power_off
