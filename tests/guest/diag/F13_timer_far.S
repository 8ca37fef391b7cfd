// The timer is armed for a time that never comes.
// bad: id=F13 exit=114
// good: exit=0
#include "diag.inc"
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
#ifdef GOOD
    mov     x0, #1
#else
    mov     x0, #-1
#endif
    msr     cntv_cval_el0, x0
    mov     x0, #1
    msr     cntv_ctl_el0, x0
    isb
    wfi
    power_off
