// RAM that is mapped read-only as Write-Back, and written uncached.
// bad: say=F16 exit=0
// good: exit=0
#include "diag.inc"
    stack
    tables
    mmu_registers
    ldr     x3, =0x0060000040000785             // read-only
    ldr     x4, =0x0060000040000709
    stp     x3, x4, [x0, #16]
    dsb     sy
    mmu_on
    ldr     x4, =0x80100000
    ldr     x5, [x4]
    ldr     x4, =0xc0100000
    ldr     x5, [x4]                            // caches and memory agree
#ifndef GOOD
    str     x5, [x4]                            // now they need not
#endif
    power_off
