// A failed assertion whose handler parks the CPU.
// bad: id=F02 exit=115 verdict=fatal-fault
// good: exit=0
#include "diag.inc"
    stack
    vectors table
#ifndef GOOD
    brk     #0x7
#endif
    power_off
    .balign 2048
table:
    .rept 16
1:  wfe
    b       1b
    .balign 128
    .endr
