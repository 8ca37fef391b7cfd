// Clears memory that holds the tables, with the MMU on.
// bad: id=F08 exit=115 cause=lost_its_mapping
// good: exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
#ifdef GOOD
    adrp x0, spare
#else
    adrp x0, l1_table
#endif
    add x1, x0, #4096
1:  stp xzr, xzr, [x0], #16
    cmp x0, x1
    b.lo 1b
    dsb sy
    tlbi vmalle1
    dsb sy
    isb
    power_off
    .section .tables, "aw", %nobits
    .balign 4096
spare: .space 4096
