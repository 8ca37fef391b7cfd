// SP was never set: the first instruction of the vector that a system call enters pushes.
// bad: id=F02 exit=115 cause=SP=0x0
// good: exit=0
#include "diag.inc"
#ifdef GOOD
    stack
#endif
    adr     x0, vectors
    msr     vbar_el1, x0
    isb
    svc     #0
    power_off
    .balign 2048
vectors:
    .rept 16
    stp     x0, x1, [sp, #-16]!
    ldp     x0, x1, [sp], #16
    eret
    .balign 128
    .endr
