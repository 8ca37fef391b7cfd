// A handler whose first instruction saves SIMD registers, entered by a system call.
// bad: id=F04 exit=115 cause=stp.*in_the_exception_handler_itself
// good: exit=0
#include "diag.inc"
    stack
    adr     x0, vectors
    msr     vbar_el1, x0
#ifdef GOOD
    mov     x0, #3 << 20
    msr     cpacr_el1, x0
#endif
    isb
    svc     #0
    power_off
    .balign 2048
vectors:
    .rept 16
    stp     q0, q1, [sp, #-32]!
    ldp     q0, q1, [sp], #32
    eret
    .balign 128
    .endr
