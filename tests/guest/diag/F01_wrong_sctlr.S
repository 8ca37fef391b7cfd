// Turns the MMU of EL1 on while at EL2, and jumps to the upper half.
// bad: id=F01 exit=115 args=--el,2 cause=SCTLR_EL2
#include "diag.inc"
    stack
    tables
    mmu_registers
    msr ttbr1_el1, x0
    mmu_on
    ldr x0, =0xffffff8040080000
    br x0
