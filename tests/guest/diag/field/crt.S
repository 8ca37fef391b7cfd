// Start-up code of the C guests. -DVEC: vectors that tell and halt; -DVECRET: that only return.
.section .init, "ax"
.global entry
entry:
    adrp x1, boot_stack
    add x1, x1, :lo12:boot_stack
    mov sp, x1
#ifndef NO_BSS
    adrp x1, bss_begin
    add x1, x1, :lo12:bss_begin
    adrp x2, bss_finish
    add x2, x2, :lo12:bss_finish
1:  cmp x1, x2
    b.hs 2f
    stp xzr, xzr, [x1], #16
    b 1b
2:
#endif
#if defined VEC || defined VECRET || defined VECC
    adrp x1, vecs
    add x1, x1, :lo12:vecs
    msr vbar_el1, x1
    isb
#endif
#ifdef FPON
    mov x1, #3 << 20
    msr cpacr_el1, x1
    isb
#endif
    mov x29, xzr
    bl cmain
#ifndef NO_OFF
    ldr x0, =0x84000008
    hvc #0
#endif
3:  wfi
    b 3b
.text
    .balign 2048
vecs:
    .rept 16
#if defined VECRET
    eret
#elif defined VECC
    sub sp, sp, #256
    stp x0, x1, [sp]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x30, [sp, #144]
    mov x0, sp
    b vec_common
#else
    b halt_all
#endif
    .balign 128
    .endr
halt_all:
    mov x8, #0x09000000
    mov w9, #'!'
    str w9, [x8]
4:  wfe
    b 4b
#ifdef VECC
vec_common:
    bl trap
    ldp x0, x1, [sp]
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x30, [sp, #144]
    add sp, sp, #256
    eret
#endif
