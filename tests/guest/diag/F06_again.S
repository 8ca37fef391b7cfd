// Code is made, maintained as it should be, and run; so is all of its page once more. Then some of it is changed
// again: by a store, by an atomic access, in a line that held none, after all the code of the page is gone.
// bad: say=F06 exit=0
// bad: say=F06 exit=0 cflags=-DATOMIC;-march=armv8.1-a
// bad: say=F06 exit=0 cflags=-DOTHER_LINE
// bad: say=F06 exit=0 cflags=-DOTHER_LINE;-DGONE
// bad: say=F06 exit=0 cflags=-DOTHER_LINE;-DGONE;-DSTALE
// good: exit=0
// good: exit=0 cflags=-DATOMIC;-march=armv8.1-a
// good: exit=0 cflags=-DOTHER_LINE
// good: exit=0 cflags=-DOTHER_LINE;-DGONE
// good: exit=0 cflags=-DOTHER_LINE;-DGONE;-DSTALE
#include "diag.inc"
.macro  maintain at
    dc      cvau, \at
    dsb     ish
    ic      ivau, \at
    dsb     ish
    isb
.endm
    stack
    tables
    mmu_registers
    mmu_on
    ldr     x1, =0x40200000
    ldr     x2, =0xd65f03c0d503201f
    ldr     x6, =0xd65f03c052800040
    str     x2, [x1]
    maintain x1
    blr     x1
    mov     x3, x1
    mov     w4, #64
1:  maintain x3
    add     x3, x3, #64
    subs    w4, w4, #1
    b.ne    1b
    blr     x1
    mov     x5, x1
#ifdef GONE
    str     xzr, [x1]
#ifndef STALE
    maintain x1
#endif
#endif
#ifdef OTHER_LINE
    add     x5, x1, #192
#endif
#ifdef ATOMIC
    swp     x6, x7, [x5]
#else
    str     x6, [x5]
#endif
    dc      cvau, x5
    dsb     ish
#ifdef GOOD
    ic      ivau, x5
#endif
    dsb     ish
    isb
    blr     x5
    power_off
