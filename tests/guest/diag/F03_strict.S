// SCTLR_EL1.A forbids unaligned accesses to Normal memory too.
// bad: id=F03 exit=115
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
#define BITS 0x1005
#else
#define BITS 0x1007
#endif
    tables
    mmu_registers
    mmu_on BITS
    ldr x0, [sp, #-17]
    power_off
