// Sets the vectors of EL1 while at EL2.
// bad: id=F02 exit=115 args=--el,2 cause=uses_VBAR_EL2
#include "diag.inc"
    stack
    vectors vec
    brk #7
    power_off
    .balign 2048
vec: .rept 16
    b .
    .balign 128
    .endr
