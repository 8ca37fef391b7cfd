// T0SZ leaves out the addresses in use.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers 34
    mmu_on
    power_off
