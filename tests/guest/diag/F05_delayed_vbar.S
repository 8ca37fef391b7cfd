// An SVC right after VBAR_EL1 was written: it goes to the old vectors.
// bad: args=--lint=strict id=F05 exit=115
// bad: say=F05 exit=0
// good: args=--lint=strict exit=0
#include "diag.inc"
    stack
    adrp    x0, table
    add     x0, x0, :lo12:table
    msr     vbar_el1, x0
#ifdef GOOD
    isb
#endif
    svc     #0
    power_off
    .balign 2048
table:
    .space  0x200
    eret
