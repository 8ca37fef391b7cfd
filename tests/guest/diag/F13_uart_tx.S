// The UART asserts its interrupt, which the GIC does not let through.
// bad: id=F13 exit=114 cause=UART.*not_enabled
// good: exit=0
#include "diag.inc"
    stack
    vectors vec
    ldr x1, =0x080a0000
    str wzr, [x1, #0x14]
    ldr x4, =0x08000000
    mov w5, #0x12
    str w5, [x4]
    mov x5, #0xff
    msr S3_0_C4_C6_0, x5
    mov x5, #1
    msr S3_0_C12_C12_7, x5
    isb
    mov w0, #-1
    str w0, [x4, #0x84]
#ifdef GOOD
    mov w0, #2
    str w0, [x4, #0x104]
#endif
    mov x1, #UART
    mov w0, #0x301
    str w0, [x1, #0x30]
    mov w0, #0x20
    str w0, [x1, #0x38]
    mov w0, #'a'
    str w0, [x1]
    msr daifclr, #2
    adr x6, got
2:  ldr w7, [x6]
    cbnz w7, 3f
    wfi
    b 2b
3:
    power_off
    .balign 8
got: .word 0
    .balign 2048
vec: .rept 16
    adr x6, got
    mov w7, #1
    str w7, [x6]
    mov x1, #UART
    mov w7, #0x7ff
    str w7, [x1, #0x44]
    mrs x0, S3_0_C12_C12_0
    msr S3_0_C12_C12_1, x0
    eret
    .balign 128
    .endr
