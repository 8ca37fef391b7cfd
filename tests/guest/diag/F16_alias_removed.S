// RAM changes its type, but the first mapping is gone before the second is used.
// bad: args=--lint=strict say=F16 exit=0
// good: args=--lint=strict exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
    ldr     x3, =0x0060000040000709
    ldr     x6, =0x0060000040000705
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
    str     x3, [x0, #16]
    str     x6, [x0, #24]
    dsb     sy
    mmu_on
    ldr     x4, =0xc0100000
    ldr     x5, [x4]
#ifdef GOOD
    str     xzr, [x0, #24]
#endif
    dsb     ishst
    tlbi    vmalle1
    dsb     ish
    isb
    ldr     x4, =0x80100000
    str     x5, [x4]
    power_off
