// VBAR_EL1 points to zeros.
// bad: id=F02 exit=115
#include "diag.inc"
    stack
    vectors vec
    svc #3
    power_off
    .balign 2048
vec: .space 2048
