// An output address above what IPS allows.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    tables DEVICE_BLOCK, NORMAL_BLOCK
    ldr x1, =0x44ff04
    msr mair_el1, x1
    ldr x1, =(25|0x3500)
    msr tcr_el1, x1
    ldr x2, =0x0000000400000705
    str x2, [x0, #16]
    msr ttbr0_el1, x0
    mmu_on
    mov x3, #0x80000000
    ldr x4, [x3]
    power_off
