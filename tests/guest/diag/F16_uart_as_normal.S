// bad: say=F16 exit=0
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
    tables
#else
    tables 0x0060000000000705, NORMAL_BLOCK
#endif
    mmu_registers
    mmu_on
    put     'x'
    power_off
