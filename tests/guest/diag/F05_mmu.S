// bad: say=F05 exit=0
// bad: say=F05 exit=0 format=stripped
// bad: args=--lint=error id=F05 exit=116
// good: exit=0
// good: exit=0 format=stripped
#include "diag.inc"
    stack
    tables
    mmu_registers
    isb
    mmu_on_without_isb
#ifdef GOOD
    isb
#endif
    ldr     x3, [sp, #-8]
    power_off
