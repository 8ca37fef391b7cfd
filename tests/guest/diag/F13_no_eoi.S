// The handler acknowledges the timer and never ends the interrupt.
// bad: id=F13 exit=114 verdict=deadlock
// good: exit=0
#include "diag.inc"
    stack
    vectors vec
    ldr     x1, =0x080a0000
    str     wzr, [x1, #0x14]
    add     x1, x1, #0x10000
    mov     w2, #1 << 27
    mov     w3, #-1
    str     w3, [x1, #0x80]
    str     w2, [x1, #0x100]
    ldr     x4, =0x08000000
    mov     w5, #0x12
    str     w5, [x4]
    mov     x5, #0xff
    msr     S3_0_C4_C6_0, x5
    mov     x5, #1
    msr     S3_0_C12_C12_7, x5
    mov     x0, #1000
    msr     cntv_tval_el0, x0
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
    mov x21, #0
    msr daifclr, #2
1:  wfi
    cmp x21, #3
    b.lo 1b
    power_off
    .balign 2048
vec: .rept 16
    mrs x20, S3_0_C12_C12_0
    add x21, x21, #1
#ifdef GOOD
    msr S3_0_C12_C12_1, x20
#endif
    mov x0, #1000
    msr cntv_tval_el0, x0
    isb
    eret
    .balign 128
    .endr
