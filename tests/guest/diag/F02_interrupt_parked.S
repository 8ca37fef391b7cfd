// The interrupt vector is a branch to itself.
// bad: id=F02 exit=115 verdict=fatal-fault
#include "diag.inc"
#include "gic.inc"
    stack
    vectors vec
    gic_timer
    msr daifclr, #2
1:  wfi
    b 1b
    .balign 2048
vec: .rept 16
    b .
    .balign 128
    .endr
