// Clears more than a buffer: the code behind it.
// bad: id=F01 exit=115 cause=was_overwritten.*clear
// good: exit=0
#include "diag.inc"
    stack
    vectors vec
    adr x0, buffer
#ifdef GOOD
    mov x1, #64
#else
    mov x1, #4096
#endif
    bl clear
    bl later
    power_off
clear:
1:  str xzr, [x0], #8
    subs x1, x1, #8
    b.ne 1b
    ret
    .balign 16
buffer: .space 64
    .balign 64
later:
    mov x5, #1
    ret
    .space 8192
    .balign 2048
vec: .rept 16
    b .
    .balign 128
    .endr
