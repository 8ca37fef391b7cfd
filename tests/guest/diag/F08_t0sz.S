// T0SZ says 48 bits, so the walk starts one level higher than the table was made for.
// bad: id=F08 exit=115
// good: exit=0
#include "diag.inc"
    stack
    tables
#ifdef GOOD
    mmu_registers
#else
    mmu_registers 16
#endif
    mmu_on
    power_off
