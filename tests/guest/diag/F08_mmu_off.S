// The MMU is turned off by code that is not mapped one to one.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables
    mmu_registers 25
    ldr x2, =0x40000705
    str x2, [x0, #72]
    dsb sy
    mmu_on
    adr x0, hi
    movk x0, #0x2, lsl #32
    br x0
hi: mrs x1, sctlr_el1
    bic x1, x1, #1
    msr sctlr_el1, x1
    isb
    nop
    power_off
