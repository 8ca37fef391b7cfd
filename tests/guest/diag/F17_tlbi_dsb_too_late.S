// bad: args=--lint=strict say=F17 exit=0
// good: args=--lint=strict exit=0
// A page is taken back; the program goes on with others, and comes back to that one before the DSB, or after it.
#include "diag.inc"
    stack
    vectors vector_table
    tables
    mmu_registers
    mmu_on
    adrp    x4, l1_table
    add     x4, x4, :lo12:l1_table
    ldr     x5, =NORMAL_BLOCK
    str     x5, [x4, #16]                       // 0x80000000 shows RAM, too
    dsb     ishst
    isb
    mov     x6, #0x80000000
    ldr     w7, [x6]
    str     xzr, [x4, #16]
    dsb     ishst
    tlbi    vmalle1
#ifdef GOOD
    dsb     ish
#endif
    isb
    str     x3, [sp, #-16]!                     // another translation: no harm
    bl      later
    power_off
later:
    ldr     x3, [sp], #16
    cbz     x6, later
    ldr     w7, [x6]                            // faults, or shows what the TLB still holds
    ret
    .balign 2048
vector_table:
    .rept   16
    .balign 128
    power_off
    .endr
