// A block moves by break and make, but nobody tells the TLB.
// bad: args=--lint=strict say=F17 exit=0
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
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
    str     xzr, [x0, #16]
    dsb     ishst
#ifdef GOOD
    tlbi    vmalle1
#endif
    dsb     ish
    isb
    ldr     x3, =0x0060000040000f05
    str     x3, [x0, #16]
    dsb     ishst
    isb
    ldr     x5, [x4]
    power_off
