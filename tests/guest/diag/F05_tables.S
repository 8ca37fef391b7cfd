// TTBR0_EL1 is written right before the MMU goes on.
// bad: say=F05 exit=0
// good: exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
#ifdef GOOD
    isb
#endif
    mmu_on_without_isb
    isb
    power_off
