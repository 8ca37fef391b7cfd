// The handler returns to the instruction that faulted instead of the next one.
// bad: id=F02 exit=115 verdict=exception-loop
// good: exit=0
#include "diag.inc"
    stack
    vectors table
    .inst   0x00c0ffee
    power_off
    .balign 2048
table:
    .rept 16
    mrs     x0, elr_el1
#ifdef GOOD
    add     x0, x0, #4
#endif
    msr     elr_el1, x0
    eret
    .balign 128
    .endr
