// A block descriptor at a level that has none with 64 KiB granules.
// bad: id=F08 exit=115
#include "diag.inc"
    stack
    adrp x0, t64
    add x0, x0, :lo12:t64
    ldr x2, =0x0000000000000705
    str x2, [x0]
    dsb sy
    ldr x1, =0x44ff04
    msr mair_el1, x1
    ldr x1, =(16 | 1<<14 | 0x3500 | 2 << 32)
    msr tcr_el1, x1
    msr ttbr0_el1, x0
    mmu_on
    power_off
    .section .tables, "aw", %nobits
    .balign 65536
t64: .space 65536
