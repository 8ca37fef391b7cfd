// bad: id=F03 exit=115
// good: exit=0
#include "diag.inc"
    stack
    sub     x1, sp, #64
#ifndef GOOD
    add     x1, x1, #1
#endif
    str     x0, [x1]
    power_off
