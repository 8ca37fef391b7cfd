// The tables of the two halves are written to the registers of each other.
// bad: id=F08 exit=115 cause=are_swapped
// good: exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers 0x190019
    adrp    x2, high
    add     x2, x2, :lo12:high
    ldr     x3, =(NORMAL_BLOCK | 1 << 30)
    str     x3, [x2]
#ifdef GOOD
    msr     ttbr1_el1, x2
#else
    msr     ttbr1_el1, x0
    msr     ttbr0_el1, x2
#endif
    dsb     sy
    mmu_on
    power_off
    .section .tables, "aw", %nobits
    .balign 4096
high: .space 4096
