// Sleeps with interrupts masked and asks ISR_EL1: nothing is wrong, unless the timer is never armed.
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
    mov     x21, #5
1:  ldr     x0, =1250000
    msr     cntv_tval_el0, x0
    mov     x0, #1
#ifdef GOOD
    msr     cntv_ctl_el0, x0
#endif
    isb
2:  wfi
    mrs     x0, isr_el1
    cbz     x0, 2b
    mrs     x0, S3_0_C12_C12_0
    msr     S3_0_C12_C12_1, x0
    subs    x21, x21, #1
    b.ne    1b
    power_off
