// The instruction cache is invalidated, but the new code is still in the data cache.
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
#ifdef GOOD
    dc      cvau, x1
#endif
    dsb     ish
    ic      iallu
    dsb     ish
    isb
    blr     x1
    power_off
