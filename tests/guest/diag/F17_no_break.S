// A live block descriptor gets another output address in one store.
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
    ldr     x3, =0x0060000000000705
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
#ifdef GOOD
    str     xzr, [x0, #16]
    dsb     ishst
    tlbi    vmalle1
    dsb     ish
    isb
#endif
    str     x3, [x0, #16]
    dsb     ishst
    isb
    power_off
