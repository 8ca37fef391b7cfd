// One store walks through 2048 pages that its handler maps when they are touched, with no interrupt between.
// The bad handler forgets the valid bit: the same page faults for ever.
// bad: id=F08 exit=115 verdict=exception-loop
// good: exit=0
#include "diag.inc"
#define WINDOW 0x80000000
#define PAGES 2048
    stack
    vectors table
    tables
    adrp    x3, l2_table        // l1_table[2]
    orr     x4, x3, #3
    str     x4, [x0, #16]
    adrp    x4, l3_tables
    orr     x4, x4, #3
    mov     x5, #(PAGES / 512)
1:  str     x4, [x3], #8
    add     x4, x4, #4096
    subs    x5, x5, #1
    b.ne    1b
    dsb     sy
    mmu_registers
    mmu_on
    mov     x3, #WINDOW
    mov     x5, #PAGES
2:  str     x5, [x3]            // each faults once
    add     x3, x3, #4096
    subs    x5, x5, #1
    b.ne    2b
    power_off
    .balign 2048
table:
    .rept 16
    b       map
    .balign 128
    .endr
map:
    stp     x0, x1, [sp, #-16]!
    stp     x2, x3, [sp, #-16]!
    mrs     x0, far_el1
    ubfx    x0, x0, #12, #11    // WINDOW is aligned to more than it is long
    adrp    x1, l3_tables
    add     x1, x1, x0, lsl #3
    adrp    x2, frame
    mov     x3, #0x707          // AF, Inner Shareable, Normal, page
    movk    x3, #0x60, lsl #48
#ifndef GOOD
    bic     x3, x3, #1
#endif
    orr     x2, x2, x3
    str     x2, [x1]
    dsb     ishst
    isb
    ldp     x2, x3, [sp], #16
    ldp     x0, x1, [sp], #16
    eret
.section .tables
l2_table:
    .space  4096
l3_tables:
    .space  4096 * (PAGES / 512)
frame:
    .space  4096
