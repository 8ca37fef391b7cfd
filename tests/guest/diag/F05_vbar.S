// bad: say=F05 exit=0
// good: exit=0
#include "diag.inc"
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
    .rept 16
    eret
    .balign 128
    .endr
