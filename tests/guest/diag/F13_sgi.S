// An SGI to a CPU that did not enable it: both sleep.
// bad: id=F13 exit=114 args=-c,2 cause=SGI.*not_enabled
#include "diag.inc"
    stack
    vectors vec
    ldr x1, =0x080a0000
    str wzr, [x1, #0x14]
    ldr x4, =0x08000000
    mov w5, #0x12
    str w5, [x4]
    ldr w0, =0xc4000003
    mov x1, #1
    adr x2, second
    mov x3, #0
    hvc #0
    adr x6, up
1:  ldr w7, [x6]
    cbz w7, 1b
    ldr x0, =0x1000002
    msr S3_0_C12_C11_5, x0
    isb
    adr x6, got
2:  wfi
    ldr w7, [x6]
    cbz w7, 2b
    power_off
second:
    mov x0, #0xff
    msr S3_0_C4_C6_0, x0
    ldr x1, =0x080d0000
    mov w3, #-1
    str w3, [x1, #0x80]
    mov w3, #0xffff
    str w3, [x1, #0x180]
    mov x0, #1
    msr S3_0_C12_C12_7, x0
    adr x1, vec
    msr vbar_el1, x1
    isb
    adr x6, up
    mov w7, #1
    str w7, [x6]
    msr daifclr, #2
3:  wfi
    b 3b
    .balign 8
up: .word 0
got: .word 0
    .balign 2048
vec: .rept 16
    adr x6, got
    mov w7, #1
    str w7, [x6]
    mrs x0, S3_0_C12_C12_0
    msr S3_0_C12_C12_1, x0
    eret
    .balign 128
    .endr
