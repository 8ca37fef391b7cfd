// SVC with VBAR_EL1 at its reset value.
// bad: id=F02 exit=115 verdict=exception-loop
// bad: id=F02 exit=115 verdict=exception-loop format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
    adrp    x0, table
    add     x0, x0, :lo12:table
#ifdef GOOD
    msr     vbar_el1, x0
#endif
    isb
    svc     #0
    power_off
    .balign 2048
table:
    .rept 16
    eret
    .balign 128
    .endr
