// TTBR0_EL1 gets a table that maps one block more, which is used at once.
// bad: args=--lint=strict id=F05 exit=115
// good: args=--lint=strict exit=0
#include "diag.inc"
    stack
    tables
    adrp    x5, second_table
    add     x5, x5, :lo12:second_table
    stp     x1, x2, [x5]
    str     x2, [x5, #16]
    dsb     sy
    mmu_registers
    mmu_on
    msr     ttbr0_el1, x5
#ifdef GOOD
    isb
#endif
    ldr     x4, =0x80100000
    ldr     x4, [x4]
    power_off
.section .tables, "aw", %nobits
    .balign 4096
second_table:
    .space  4096
