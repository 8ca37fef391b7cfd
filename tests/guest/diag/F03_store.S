// bad: id=F03 exit=115
// bad: id=F03 exit=115 format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
    stack
    sub     x1, sp, #64
#ifndef GOOD
    add     x1, x1, #1
#endif
    str     x0, [x1]
    power_off
