// New code, cleaned and invalidated, with one of the three barriers missing.
// bad: say=F06 exit=0 cflags=-DNO_DSB_1
// bad: say=F06 exit=0 cflags=-DNO_DSB_2
// bad: say=F06 exit=0 cflags=-DNO_ISB
// bad: say=F06 exit=0 cflags=-DNO_ISB args=--lint,strict
// good: exit=0
// good: exit=0 args=--lint,strict
// good: exit=0 cflags=-DBY_ERET
#include "diag.inc"
    stack
    tables
    mmu_registers
    mmu_on
    bl      publish
#if defined(BY_ERET)
    adr     x0, code
    msr     elr_el1, x0
    mov     x0, #0x3c5
    msr     spsr_el1, x0
    adr     x30, 9f
    eret
#endif
    adr     x0, code
    blr     x0
9:  power_off

/// Writes `nop; nop; ret` and makes it known, line by line.
publish:
    adr     x0, code
    ldr     w1, =0xd503201f
    ldr     w2, =0xd65f03c0
    stp     w1, w1, [x0]
    str     w2, [x0, #8]
    mov     x3, #2
1:  dc      cvau, x0
#if !defined(NO_DSB_1)
    dsb     ish
#endif
    ic      ivau, x0
    add     x0, x0, #64
    subs    x3, x3, #1
    b.ne    1b
#if !defined(NO_DSB_2)
    dsb     ish
#endif
#if !defined(NO_ISB) && !defined(BY_ERET)
    isb
#endif
    ret
    .ltorg
    .balign 64
code: .space 128
