// The vectors are not at a multiple of 2 KiB.
// bad: say=F02 exit=0
// good: exit=0
#include "diag.inc"
    stack
    vectors vec
    svc #7
    power_off
    .balign 2048
#ifndef GOOD
    .space 256
#endif
vec: .rept 16
    eret
    .balign 128
    .endr
