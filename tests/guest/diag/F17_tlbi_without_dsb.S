// bad: args=--lint=strict say=F17 exit=0
// good: args=--lint=strict exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
    tlbi    vmalle1
#ifdef GOOD
    dsb     ish
#endif
    isb
    power_off
