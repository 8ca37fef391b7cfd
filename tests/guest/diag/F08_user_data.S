// A program at EL0 reads a literal that is mapped for EL1 only.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
    msr spsr_el1, xzr
    adr x0, 1f
    msr elr_el1, x0
    eret
1:  nop
    power_off
