// The kernel jumps to its upper half, which is mapped execute-never.
// bad: id=F08 exit=115
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
#define HIGH 0x0000000040000705
#else
#define HIGH 0x0060000040000705
#endif
    tables
    adrp x3, l1b
    add x3, x3, :lo12:l1b
    ldr x2, =HIGH
    str x2, [x3, #8]
    dsb sy
    msr ttbr1_el1, x3
    mmu_registers (25 | 25<<16 | 2<<30)
    mmu_on
    adr x1, hi
    movz x2, #0xff80, lsl #32
    movk x2, #0xffff, lsl #48
    orr x1, x1, x2
    br x1
hi: power_off
    .section .tables, "aw", %nobits
    .balign 4096
l1b: .space 4096
