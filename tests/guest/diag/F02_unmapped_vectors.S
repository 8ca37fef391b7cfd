// VBAR_EL1 keeps a physical address that the tables do not map.
// bad: id=F02 exit=115 verdict=exception-loop
// good: exit=0
#include "diag.inc"
    stack
    vectors table
    tables
    mmu_registers
    mmu_on
    ldr     x1, =0x80000000
#ifdef GOOD
    adrp    x1, table
#endif
    msr     vbar_el1, x1
    isb
    svc     #0
    power_off
    .balign 4096
table:
    .rept 16
    eret
    .balign 128
    .endr
