// bad: id=F08 exit=115
// bad: id=F08 exit=115 format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
    stack
#ifdef GOOD
    tables
#else
    tables DEVICE_BLOCK, 0
#endif
    mmu_registers
    mmu_on
    power_off
