// A program at EL0 waits for a flag with interrupts masked.
// bad: id=F13 exit=114 verdict=stuck cause=got
#include "diag.inc"
    stack
    vectors vec
    adr x0, user
    msr elr_el1, x0
    mov x0, #0x3c0
    msr spsr_el1, x0
    eret
user:
    adr x6, got
2:  ldr w7, [x6]
    cbz w7, 2b
    svc #0
    .balign 8
got: .word 0
    .balign 2048
vec: .rept 16
    b .
    .balign 128
    .endr
