// A switch of TTBR0 away from the tables that map the running code.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
    adrp x0, empty
    msr ttbr0_el1, x0
    isb
    tlbi vmalle1
    dsb sy
    isb
    power_off
    .section .tables, "aw", %nobits
    .balign 4096
empty: .space 4096
