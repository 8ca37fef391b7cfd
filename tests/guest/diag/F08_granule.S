// TG0 says 64 KiB; the tables are made for 4 KiB.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers (25|1<<14)
    mmu_on
    power_off
