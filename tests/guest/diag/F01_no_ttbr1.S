// A jump to the upper half that no table was given.
// bad: id=F01 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
    ldr x0, =0xffffff8040080000
    br x0
