// The same RAM as Write-Back and, two gigabytes up, as Non-cacheable.
// bad: say=F16 exit=0
// bad: args=--lint=error id=F16 exit=116
// good: exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
#ifdef GOOD
    ldr     x3, =0x0060000040000705
#else
    ldr     x3, =0x0060000040000709
#endif
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
    str     x3, [x0, #16]
    dsb     sy
    mmu_on
    ldr     x4, =0x40100000
    ldr     x5, [x4]
    ldr     x4, =0x80100000
    str     x5, [x4]
    power_off
