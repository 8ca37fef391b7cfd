// The guest has vectors; its handler only hangs.
// bad: id=F01 exit=115 verdict=fatal-fault
// good: exit=0
#include "diag.inc"
    stack
    vectors table
    mov     x1, #0
#ifdef GOOD
    adr     x1, next
#endif
    blr     x1
next:
    power_off
    .balign 2048
table:
    .rept 16
    b       .
    .balign 128
    .endr
