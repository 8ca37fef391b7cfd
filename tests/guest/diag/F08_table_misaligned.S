// A table that is not aligned to its size.
// bad: id=F08 exit=115 cause=not_a_multiple
// good: exit=0
#include "diag.inc"
    stack
    adrp    x0, my_table
    add     x0, x0, :lo12:my_table
    ldr     x1, =DEVICE_BLOCK
    ldr     x2, =NORMAL_BLOCK
    stp     x1, x2, [x0]
    dsb     sy
    mmu_registers
    mmu_on
    power_off
    .section .tables, "aw", %nobits
    .balign 4096
#ifndef GOOD
    .space 64
#endif
my_table: .space 4096
