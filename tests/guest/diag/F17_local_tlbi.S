// Two CPUs share tables; one moves a page and invalidates its own TLB only.
// bad: args=-c,2,--lint=strict say=F17 exit=0
// good: args=-c,2,--lint=strict exit=0
#include "diag.inc"
    stack
    tables
    ldr     x3, =0x0060000040000705
    str     x3, [x0, #16]
    dsb     sy
    bl      registers_and_mmu
    ldr     w0, =0xc4000003
    mov     x1, #1
    adr     x2, second
    mov     x3, #0
    hvc     #0
    adr     x20, turn
1:  ldr     x1, [x20]               // until the other has used the page
    cmp     x1, #1
    b.ne    1b
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
    str     xzr, [x0, #16]
    dsb     ishst
#ifdef GOOD
    tlbi    vmalle1is
#else
    tlbi    vmalle1
#endif
    dsb     ish
    isb
    ldr     x3, =0x0060000040000f05
    str     x3, [x0, #16]
    dsb     ishst
    isb
    mov     x1, #2
    str     x1, [x20]
2:  ldr     x1, [x20]
    cmp     x1, #3
    b.ne    2b
    power_off
registers_and_mmu:
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
    mmu_registers
    mmu_on
    ret
second:
    bl      registers_and_mmu
    adr     x20, turn
    ldr     x4, =0x80100000
    ldr     x5, [x4]
    mov     x1, #1
    str     x1, [x20]
1:  ldr     x1, [x20]
    cmp     x1, #2
    b.ne    1b
    ldr     x5, [x4]
    mov     x1, #3
    str     x1, [x20]
3:  wfi
    b       3b
    .balign 4096
turn:
    .quad   0
