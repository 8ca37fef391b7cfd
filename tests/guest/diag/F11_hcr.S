// bad: id=F11 exit=115
// bad: id=F11 exit=115 format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
    mrs     x0, CurrentEL
#ifdef GOOD
    cmp     x0, #8
    b.ne    1f
#endif
    mrs     x1, hcr_el2
1:  power_off
