// What was unmapped is used, and no TLBI came between: silicon might not fault.
// bad: args=--lint=strict say=F17 id=F08 exit=115
// good: args=--lint=strict exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
    ldr     x3, =0x0060000040000705
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
    str     x3, [x0, #16]
    dsb     sy
    mmu_on
    ldr     x4, =0x80100000
    ldr     x5, [x4]
    str     xzr, [x0, #16]
    dsb     ish
    isb
#ifndef GOOD
    ldr     x5, [x4]
#endif
    power_off
