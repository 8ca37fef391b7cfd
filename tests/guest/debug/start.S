// A guest to look at with a debugger: it builds tables that tables.c and console_tools.py know, goes to the upper half, and
// accesses `cell` in every way there is. Labels are where a debugger stops.
    .arch   armv8.1-a
    .section .text.start, "ax"
    .global _start
_start:
    adrp    x1, __stack_top
    add     x1, x1, :lo12:__stack_top
    mov     sp, x1
    ldr     x1, =vectors
#ifdef AT_EL2
    msr     vbar_el2, x1
    msr     cptr_el2, xzr
#else
    msr     vbar_el1, x1
    mov     x1, #3 << 20
    msr     cpacr_el1, x1
#endif
    isb
    bl      build_tables
    .global mmu_on
mmu_on:
    ldp     x1, x2, [x0]                // MAIR, TCR
    ldp     x3, x4, [x0, #16]           // TTBR0, TTBR1
    ldr     x5, =0x1005
    tlbi    vmalle1
#ifdef AT_EL2
    tlbi    alle2
    dsb     ish
    msr     mair_el2, x1
    msr     tcr_el2, x2
    msr     ttbr0_el2, x3
    isb
    ldr     x1, =0x30c50830
    orr     x1, x1, x5
    msr     sctlr_el2, x1
    isb
    b       accesses
#else
    dsb     ish
    msr     mair_el1, x1
    msr     tcr_el1, x2
    msr     ttbr0_el1, x3
    msr     ttbr1_el1, x4
    isb
    mrs     x1, sctlr_el1
    orr     x1, x1, x5
    msr     sctlr_el1, x1
    isb
    ldr     x1, =high_main
    br      x1
#endif

    .text
    .global accesses, finish, cell
accesses:
    ldr     x0, =cell
    ldr     x1, =0x1111111111111111
    ldr     x2, =0x2222222222222222
    ldr     x3, =0x3333333333333333
    ldr     x4, =0x4444444444444444
    ldr     x5, =0x5555555555555555
    mov     v0.d[0], x4
    mov     v0.d[1], x5
    mov     v1.d[0], x2
    mov     v1.d[1], x3
    add     x6, x0, #8
    .global w_str, w_stp, w_strq, w_st1, w_zva, w_excl, w_stxr, w_ldadd, w_cas, w_byte, w_cross, w_alias, r_ldr, r_ldp
w_str:  str     x1, [x0]
w_stp:  stp     x2, x3, [x0]
w_strq: str     q0, [x0]
w_st1:  st1     {v0.16b, v1.16b}, [x0]
w_zva:  dc      zva, x0
    mov     x10, #3
w_excl: ldxr    x8, [x0]
    add     x8, x8, #1
w_stxr: stxr    w9, x8, [x0]
    cbnz    w9, w_excl
    subs    x10, x10, #1
    b.ne    w_excl
w_ldadd: ldadd  x1, x7, [x0]
    ldr     x8, [x0]
w_cas:  cas     x8, x2, [x0]
w_byte: strb    w5, [x0, #3]
w_cross: stur   x4, [x0, #-4]
    ldr     x12, =cell + HIGH_ALIAS
w_alias: str    x3, [x12]
r_ldr:  ldr     x13, [x0]
r_ldp:  ldp     x13, x14, [x0, #-8]
    .global do_svc, after_svc
do_svc: svc     #7
after_svc:
    mov     x20, #1
    .global do_wfi
do_wfi: wfi                             // the debugger steps over it
    mov     x20, #2
finish:
    ldr     w0, =0x84000008
#ifdef AT_EL2
    smc     #0
#else
    hvc     #0
#endif
    b       .

    .balign 2048
    .global vectors, handler
vectors:
    .rept   16
    b       handler
    .balign 128
    .endr
handler:
    add     x21, x21, #1
    eret

    .section .high, "ax"
    .global high_main
high_main:
    nop
    ldr     x1, =accesses
    br      x1
    .ltorg

    .data
    .balign 64
    .quad   0, 0, 0, 0, 0, 0, 0, 0
cell:
    .quad   0x0101010101010101, 0x0202020202020202, 0, 0, 0, 0, 0, 0
    .global words, text_bytes
words:
    .word   0x00000041, 0xffffffff, 0x80000000, 0x3fc00000
    .quad   0x400921fb54442d18, accesses
text_bytes:
    .asciz  "first \"line\"\n"
    .asciz  "second"
