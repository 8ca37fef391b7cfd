// The start of a small kernel as people write it: any EL, primary and secondary CPUs, tables, upper half. Each
// BUG_ is one mistake; none is a kernel that works.
#include "young.h"
    .section .head, "ax"
    .global _start
_start:
entry:
#ifdef BUG_DTB_LOST
    mrs     x0, mpidr_el1
    and     x0, x0, #0xff
#endif
#ifdef BUG_DTB_LOST_SP
    adrp    x0, stack_top
    add     x0, x0, :lo12:stack_top
#endif
    mov     x19, x0
#ifdef BUG_EARLY_C
    bl      early_console
#endif
#ifdef BUG_EARLY_PUSH
    stp     x29, x30, [sp, #-16]!
#endif
    mrs     x1, mpidr_el1
    and     x1, x1, #0xff
    cbz     x1, primary
park: wfe
    b       park
primary:
    mov     x20, #0
common:
    adrp    x1, stack_top
    add     x1, x1, :lo12:stack_top
    cbz     x20, 1f
    adrp    x1, stack_top1
    add     x1, x1, :lo12:stack_top1
1:
#ifdef BUG_SP_ODD
    sub     x1, x1, #8
#endif
#ifdef BUG_SP_VIRT
    ldr     x1, =stack_top
#endif
#ifdef BUG_SP_BEYOND_RAM
    mov     x1, #0xc0000000
#endif
#ifdef BUG_SP_ZERO_SECOND
    cbnz    x20, 2f
#endif
    mov     sp, x1
2:
#ifdef BUG_EL2_ASSUMED
    mov     x2, #1 << 31
    msr     hcr_el2, x2
#endif
#ifdef BUG_EL3_ASSUMED
    mov     x2, #0x5b1
    msr     scr_el3, x2
#endif
    mrs     x1, CurrentEL
    cmp     x1, #8
#ifndef BUG_EL2_STAY
    b.ne    at_el1
#else
    b       at_el1
#endif
    mov     x2, #1 << 31
#ifdef BUG_HCR_TGE
    ldr     x2, =0x88000000
#endif
    msr     hcr_el2, x2
#ifndef BUG_CNTHCTL
    mov     x2, #3
    msr     cnthctl_el2, x2
#else
    msr     cnthctl_el2, xzr
#endif
    msr     cntvoff_el2, xzr
    mov     x2, #0x33ff
#ifdef BUG_CPTR_TFP
    mov     x2, #0x37ff
#endif
    msr     cptr_el2, x2
    msr     hstr_el2, xzr
    mrs     x2, S3_4_C12_C9_5       // ICC_SRE_EL2
    mov     x3, #9
    orr     x2, x2, x3
    msr     S3_4_C12_C9_5, x2
    isb
    ldr     x2, =0x30d00800
    msr     sctlr_el1, x2
    mov     x2, #0x3c5
#ifdef BUG_SPSR_EL3
    mov     x2, #0x3cd
#endif
#ifdef BUG_SPSR_EL1T
    mov     x2, #0x3c4
#endif
#ifdef BUG_SPSR_A32
    mov     x2, #0x1d3
#endif
#ifdef BUG_SPSR_EL0
    mov     x2, #0
#endif
    msr     spsr_el2, x2
    adr     x2, at_el1
#ifdef BUG_ELR_LINK
    ldr     x2, =at_el1
#endif
#ifndef BUG_ELR_FORGOTTEN
    msr     elr_el2, x2
#endif
    mov     x3, sp
    msr     sp_el1, x3
#ifdef BUG_SP_EL1_FORGOTTEN
    msr     sp_el1, xzr
#endif
    eret
at_el1:
#ifndef BUG_NO_FPEN
    mov     x1, #3 << 20
#ifdef BUG_FPEN_01
    mov     x1, #1 << 20
#endif
    msr     cpacr_el1, x1
#ifndef BUG_FP_NO_ISB
    isb
#endif
#endif
#if defined BUG_FP_NO_ISB || defined BUG_NO_FPEN
    fmov    d0, #1.0
#endif
    cbnz    x20, vec
    adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
#ifdef BUG_BSS_LINKADDR
    ldr     x1, =__bss_start
    ldr     x2, =__bss_end
#endif
#ifdef BUG_BSS_SIZE_AS_END
    sub     x2, x2, x1
#endif
3:  cmp     x1, x2
#ifdef BUG_BSS_SIZE_AS_END
    b.eq    vec
#else
    b.hs    vec
#endif
    stp     xzr, xzr, [x1], #16
    b       3b
vec:
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
#ifdef BUG_VBAR_LINK
    ldr     x1, =vectors
#endif
#ifdef BUG_VBAR_ODD
    add     x1, x1, #0x80
#endif
#ifndef BUG_NO_VBAR
    msr     vbar_el1, x1
    isb
#endif
#ifdef BUG_EARLY_SVC
    svc     #0
#endif
#ifdef BUG_EARLY_BRK
    brk     #0x400
#endif
#ifdef BUG_EARLY_LITERAL
    ldr     x1, =kernel_state
    ldr     x1, [x1]
#endif
    cbnz    x20, 4f
    bl      tables_build
4:  bl      mmu_on
#ifdef HIGH
    ldr     x1, =VOFF
    add     sp, sp, x1
#ifdef BUG_SP_TWICE
    add     sp, sp, x1
#endif
    ldr     x1, =vectors
#ifndef BUG_VBAR_STAYS_LOW
    msr     vbar_el1, x1
    isb
#endif
    ldr     x1, =high
    br      x1
high:
#endif
    mov     x29, #0
    mov     x30, #0
    mov     x0, x19
    cbnz    x20, 5f
    bl      kmain
    b       .
5:  bl      second_main
    b       .

mmu_on:
    ldr     x1, =MAIR
    msr     mair_el1, x1
    ldr     x1, =TCR
    msr     tcr_el1, x1
    adrp    x1, table0
    add     x1, x1, :lo12:table0
#ifdef BUG_TTBR_LINK
    ldr     x1, =table0
#endif
#ifdef BUG_TTBR_ODD
    add     x1, x1, #0x800
#endif
#ifdef BUG_TTBR_SECOND
    cbz     x20, 6f
    mov     x1, #0
6:
#endif
    msr     ttbr0_el1, x1
#if defined HIGH && !defined BUG_NO_TTBR1
    msr     ttbr1_el1, x1
#endif
#ifndef BUG_NO_ISB_BEFORE
    isb
#endif
    tlbi    vmalle1
    dsb     nsh
#ifndef BUG_NO_ISB_BEFORE
    isb
#endif
    mrs     x1, sctlr_el1
#ifdef BUG_SCTLR_ABSOLUTE
    mov     x1, #0
#endif
    ldr     x2, =SCTLR_SET
    orr     x1, x1, x2
    msr     sctlr_el1, x1
#ifndef BUG_NO_ISB_AFTER
    isb
#endif
    ret

    .global second_entry
second_entry:
    mov     x20, #1
    mov     x19, x0
    b       common

    .section .text, "ax"
.macro vector kind
    .balign 128
    sub     sp, sp, #288
    stp     x0, x1, [sp]
    mov     x0, #\kind
    b       save
.endm
    .balign 2048
    .global vectors
vectors:
#ifdef BUG_VECTORS_32
    .rept 16
    b       save
    .endr
#endif
    vector 0
    vector 1
    vector 2
    vector 3
    vector 4
    vector 5
    vector 6
    vector 7
    vector 8
    vector 9
    vector 10
    vector 11
    vector 12
    vector 13
    vector 14
    vector 15
save:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    stp     x30, x1, [sp, #240]
    mrs     x3, sp_el0
    stp     x2, x3, [sp, #256]
    mov     x1, sp
    bl      exception
    ldp     x2, x3, [sp, #256]
    msr     spsr_el1, x2
    msr     sp_el0, x3
    ldp     x30, x1, [sp, #240]
    msr     elr_el1, x1
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldp     x0, x1, [sp]
#ifdef BUG_FRAME_LEAK
    add     sp, sp, #272
#else
    add     sp, sp, #288
#endif
    eret

    .global user_start, user_end, to_user, psci_call
psci_call:
#ifdef BUG_CONDUIT
    smc     #0
#else
    hvc     #0
#endif
    ret
to_user:        // x0 entry, x1 stack
    msr     elr_el1, x0
    msr     sp_el0, x1
#ifdef BUG_USER_SPSR
    mov     x2, #5
    msr     spsr_el1, x2
#else
    msr     spsr_el1, xzr
#endif
    mov     x0, #7
    eret
    .section .user, "ax"
    .balign 4096
user_start:
    sub     sp, sp, #16
    str     x0, [sp]
    ldr     x0, [sp]
#ifdef BUG_USER_PRIV
    mrs     x1, ttbr0_el1
#endif
#ifdef BUG_USER_KDATA
    ldr     x1, =kernel_state
    ldr     x1, [x1]
#endif
    mov     x8, #1
    svc     #0
    b       .
    .ltorg
    .balign 4096
user_end:
    .section .stacks0, "aw", %nobits
    .global stack_top, stack_top1
    .balign 65536
#ifdef STACK_NAMES
    .global stack_bottom
stack_bottom:
#endif
    .space 16384
stack_top:
    .space 8192
stack_top1:
