// A second CPU unmasks its timer and has no vectors.
// bad: id=F02 exit=115 args=-c,2 cause=VBAR_EL1_is_0
#include "diag.inc"
#include "gic.inc"
    stack
    ldr w0, =0xc4000003
    mov x1, #1
    adr x2, second
    hvc #0
1:  wfi
    b 1b
second:
    ldr     x1, =0x080c0000
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
    msr     daifclr, #2
2:  wfi
    b 2b
