#include "tiny.inc"
// A small real-time kernel: may be entered at EL2, drops to EL1, 48-bit VA, 2 MiB blocks, tasks with a tick.
    mov x20, x0
    mrs x1, mpidr_el1
    and x1, x1, #0xff
    cbnz x1, park
#ifdef M_DTB_LOST
    mov x20, #7
#endif
    mrs x1, currentel
    mov x21, #0
    cmp x1, #8
    b.ne at_el1
    mov x21, #1
#ifndef M_HCR_RW
    mov x1, #1
    lsl x1, x1, #31
#else
    mov x1, #0
#endif
#ifdef M_HCR_TGE
    orr x1, x1, #1 << 27
#endif
#ifdef M_HCR_TWI
    orr x1, x1, #1 << 13
#endif
#ifdef M_HCR_VM
    orr x1, x1, #1
#endif
#ifdef M_HCR_TSC
    orr x1, x1, #1 << 19
#endif
#ifdef M_HCR_IMO
    orr x1, x1, #1 << 4
#endif
    msr hcr_el2, x1
#ifndef M_CNTHCTL
    mov x1, #3
    msr cnthctl_el2, x1
#else
    msr cnthctl_el2, xzr
#endif
    msr cntvoff_el2, xzr
    mov x1, #0x33ff
    msr cptr_el2, x1
    msr hstr_el2, xzr
#ifndef M_SRE_EL2
    mrs x1, S3_4_C12_C9_5
    orr x1, x1, #1
    orr x1, x1, #8
    msr S3_4_C12_C9_5, x1
#endif
    ldr x1, =0x30d00800
    msr sctlr_el1, x1
#ifdef M_SPSR_EL2
    mov x1, #0x3c9
#elif defined M_SPSR_EL0
    mov x1, #0x3c0
#else
    mov x1, #0x3c5
#endif
    msr spsr_el2, x1
#ifdef M_ELR_EL1
    la x1, at_el1
    msr elr_el1, x1
#else
    la x1, at_el1
    msr elr_el2, x1
#endif
    eret
at_el1:
#ifndef M_SP_LATE
#ifdef M_SP_BOTTOM
    la x1, kstacks
#else
    la x1, kstacks + 8192
#endif
    mov sp, x1
#endif
    la x1, bss_begin
    la x2, bss_finish
#ifdef M_BSS_ALL
    la x2, image_end
#endif
#ifndef M_BSS_SKIP
1:  cmp x1, x2
    b.hs 2f
    str xzr, [x1], #8
    b 1b
#endif
2:
#ifdef M_VBAR_EL2
    la x1, kvec
    msr vbar_el2, x1
#elif !defined M_VBAR_NONE
    la x1, kvec
#ifdef M_VBAR_PLUS
    add x1, x1, #0x80
#endif
    msr vbar_el1, x1
    isb
#endif
    bl paging
    bl mmu_enable
#ifndef M_HVC_ALWAYS
    la x1, use_smc
    str x21, [x1]
#endif
    mov x0, x20
#ifdef M_SP_LATE
    la x1, kstacks + 8192
    mov sp, x1
#endif
    bl kmain
    b .

mmu_enable:
    la x0, pgd
    mmuregs
#ifdef M_SCTLR_ZERO
    mov x3, #5
    msr sctlr_el1, x3
    isb
    ret
#endif
    mmugo
    ret

.global secondary
secondary:
    mov x19, x0
#ifdef M_SEC_EL2
    mrs x1, hcr_el2
#endif
#ifndef M_SEC_SP
    la x1, kstacks + 8192
#ifndef M_SEC_SAMESP
    add x1, x1, #8192
#endif
    mov sp, x1
#endif
#ifndef M_SEC_VBAR
    la x1, kvec
    msr vbar_el1, x1
    isb
#endif
#ifndef M_SEC_MMU
    bl mmu_enable
#endif
    mov x0, x19
    bl smain
park:
    wfe
    b park

.text
.macro entry_ kind
    .balign 128
#ifdef M_VEC_SP0
    msr spsel, #0
#endif
    sub sp, sp, #272
    stp x0, x1, [sp]
    mov x0, #\kind
    b save
.endm
    .balign 2048
kvec:
#ifdef M_VEC_ORDER
    entry_ 4
    entry_ 5
    entry_ 6
    entry_ 7
    entry_ 0
    entry_ 1
    entry_ 2
    entry_ 3
#else
    entry_ 0
    entry_ 1
    entry_ 2
    entry_ 3
    entry_ 4
#ifdef M_IRQ_HANG
    .balign 128
    b .
#elif defined M_IRQ_RET
    .balign 128
    ret
#elif defined M_IRQ_ERET
    .balign 128
    eret
#else
    entry_ 5
#endif
    entry_ 6
    entry_ 7
#endif
    entry_ 8
    entry_ 9
    entry_ 10
    entry_ 11
    entry_ 12
    entry_ 13
    entry_ 14
    entry_ 15
    .balign 128
save:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x2, elr_el1
    mrs x3, spsr_el1
    stp x30, x2, [sp, #240]
    str x3, [sp, #256]
    mov x1, sp
#ifdef M_VEC_CALL_REG
    ldr x9, =handler_ptr
    ldr x9, [x9]
    blr x9
#else
    bl interrupt
#endif
#ifdef M_SWITCH_NULL
    mov x0, xzr
#endif
    mov sp, x0
    ldp x30, x2, [sp, #240]
    ldr x3, [sp, #256]
#ifndef M_RESTORE_ELR
    msr elr_el1, x2
#endif
#ifdef M_RESTORE_SWAP
    msr elr_el1, x3
    msr spsr_el1, x2
#else
    msr spsr_el1, x3
#endif
#ifdef M_RESTORE_X30
    mov x30, #0
#endif
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldp x0, x1, [sp]
#ifdef M_FRAME_LEAK
    add sp, sp, #256
#else
    add sp, sp, #272
#endif
    eret

.bss
.balign 4096
.global kstacks
kstacks: .space 8192 * 4
