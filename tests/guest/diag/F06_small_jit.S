// A little code is made in fresh memory with the MMU off, and run without any maintenance.
// bad: say=F06 exit=0
// good: exit=0
#include "diag.inc"
    stack
    ldr     x1, =0x40200000
    ldr     x2, =0xd65f03c0d503201f
    str     x2, [x1]
#ifdef GOOD
    ic      iallu
#endif
    dsb     sy
    isb
    blr     x1
    power_off
