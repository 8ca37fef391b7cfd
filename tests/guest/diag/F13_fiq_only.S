// Unmasks FIQ where IRQ was meant.
// bad: id=F13 exit=114 verdict=stuck cause=masked
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    stack
    vectors vec
    gic_timer
#ifdef GOOD
    msr daifclr, #2
#else
    msr daifclr, #1
#endif
    adr x6, got
2:  ldr w7, [x6]
    cbz w7, 2b
    power_off
    .balign 8
got: .word 0
    .balign 2048
vec: .rept 16
    adr x6, got
    mov w7, #1
    str w7, [x6]
    msr cntv_ctl_el0, xzr
    eret
    .balign 128
    .endr
