// Code is copied to fresh memory with caches on, and run.
// bad: say=F06 exit=0
// good: exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
    ldr     x1, =0x40200000
    ldr     x2, =0xd65f03c0d503201f
    str     x2, [x1]
    dc      cvau, x1
    dsb     ish
#ifdef GOOD
    ic      ivau, x1
#endif
    dsb     ish
    isb
    blr     x1
    power_off
