// PMR does not let the priority of the timer through.
// bad: id=F13 exit=114 verdict=deadlock
// good: exit=0
#include "diag.inc"
    ldr     x1, =0x080a0000
    str     wzr, [x1, #0x14]
    add     x1, x1, #0x10000
    mov     w2, #1 << 27
    mov     w3, #-1
    str     w3, [x1, #0x80]
    str     w2, [x1, #0x100]
    ldr     w3, =0xa0a0a0a0
    str     w3, [x1, #0x418]
    ldr     x4, =0x08000000
    mov     w5, #0x12
    str     w5, [x4]
#ifdef GOOD
    mov     x5, #0xff
#else
    mov     x5, #0x80
#endif
    msr     S3_0_C4_C6_0, x5
    mov     x5, #1
    msr     S3_0_C12_C12_7, x5
    mov     x0, #1000
    msr     cntv_tval_el0, x0
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
    wfi
    power_off
