// Level 3 descriptors written as blocks.
// bad: id=F08 exit=115 trail=same
#include "diag.inc"
    stack
    adrp x0, l1_table
    add x0, x0, :lo12:l1_table
    ldr x1, =DEVICE_BLOCK
    adrp x3, l2
    add x3, x3, :lo12:l2
    orr x2, x3, #3
    stp x1, x2, [x0]
    adrp x4, l3
    add x4, x4, :lo12:l3
    orr x5, x4, #3
    str x5, [x3]
    ldr x6, =0x40000701
    mov x7, #512
1:  str x6, [x4], #8
    add x6, x6, #4096
    subs x7, x7, #1
    b.ne 1b
    dsb sy
    mmu_registers
    mmu_on
    power_off
    .section .tables, "aw", %nobits
    .balign 4096
l2: .space 4096
l3: .space 4096
