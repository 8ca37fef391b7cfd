// A loop that nothing can end.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
    ldr     x1, =2000000
1:
#ifdef GOOD
    subs    x1, x1, #1
#else
    cmp     x1, #0
#endif
    b.ne    1b
    power_off
