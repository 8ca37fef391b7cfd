// The interrupt wakes WFI, but DAIF.I keeps its handler from running.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    stack
    vectors vec
    gic_timer
    mov x21, #0
#ifdef GOOD
1:  wfi                             // masked: wakes, and an interrupt before it is not lost
    msr daifclr, #2
    msr daifset, #2
#else
1:  wfi
#endif
    cbz x21, 1b
    power_off
    .balign 2048
vec: .rept 16
    mov x21, #1
    msr cntv_ctl_el0, xzr
    eret
    .balign 128
    .endr
