// A program at EL0 faults; the kernel's handler parks.
// bad: id=F03 exit=115 verdict=fatal-fault
// good: exit=0
#include "diag.inc"
    stack
    vectors table
    msr     spsr_el1, xzr
    adr     x0, user
    msr     elr_el1, x0
    mov     x0, sp
    msr     sp_el0, x0
    eret
user:
#ifdef GOOD
    ldr     x0, [sp, #-16]
#else
    ldr     x0, [sp, #-15]
#endif
    svc     #0
    .balign 2048
table:
    .rept 8
    b       .
    .balign 128
    .endr
    mrs     x0, esr_el1
    lsr     x0, x0, #26
    cmp     x0, #0x15
    b.ne    .
    ldr     w0, =0x84000008
    hvc     #0
    .balign 128
    .rept 7
    b       .
    .balign 128
    .endr
