#define KV 0xffff800000000000
.macro la r, s
    adrp \r, \s
    add \r, \r, :lo12:\s
.endm
.macro pa_ r, s
    ldr \r, =\s - KV
.endm
.section .boot, "ax"
.global _entry
_entry:
    mov x19, x0
    msr daifset, #15
    ldr x1, =0xff04
    msr mair_el1, x1
#ifdef M_T1SZ
    ldr x1, =0x5b5193510
#elif defined M_TG1_BITS
    ldr x1, =0x535103510
#elif defined M_IPS0
    ldr x1, =0x0b5103510
#elif defined M_EPD1
    ldr x1, =0x5b5903510
#else
    ldr x1, =0x5b5103510
#endif
    msr tcr_el1, x1
    pa_ x2, boot_l0
    pa_ x3, boot_l1
    pa_ x4, boot_l2
    pa_ x5, boot_l3
#ifdef M_TBL_VA
    ldr x3, =boot_l1
#endif
    orr x6, x3, #3
    str x6, [x2]
#ifdef M_L0_HIGH_INDEX
    str x6, [x2, #511 * 8]
#else
    str x6, [x2, #256 * 8]
#endif
    pa_ x3, boot_l1
    ldr x6, =0x0060000000000401
    str x6, [x3]
    orr x6, x4, #3
    str x6, [x3, #8]
    mov x7, #0
    ldr x6, =0x40000701 | 1 << 2
    mov x8, #0x200000
1:  str x6, [x4, x7, lsl #3]
    add x6, x6, x8
    add x7, x7, #1
    cmp x7, #256
    b.lo 1b
    // the kernel's 2 MiB by pages
    ldr x6, =0x40400703 | 1 << 2
    mov x7, #0
1:
#ifdef M_TEXT_RO
    orr x9, x6, #1 << 7
    str x9, [x5, x7, lsl #3]
#elif defined M_PXN_ALL
    orr x9, x6, #1 << 53
    str x9, [x5, x7, lsl #3]
#else
    str x6, [x5, x7, lsl #3]
#endif
    add x6, x6, #4096
    add x7, x7, #1
    cmp x7, #512
    b.lo 1b
    orr x6, x5, #3
#ifdef M_L2_AS_BLOCK
    bic x6, x6, #2
#endif
    str x6, [x4, #16]
#ifdef M_BSS_AFTER
    pa_ x6, bss0
    pa_ x7, bss1
1:  str xzr, [x6], #8
    cmp x6, x7
    b.lo 1b
#endif
    dsb ish
    pa_ x2, boot_l0
#ifdef M_TTBR1_ONLY
    msr ttbr1_el1, x2
#elif defined M_TTBR0_ONLY
    msr ttbr0_el1, x2
#elif defined M_TTBR1_VA
    msr ttbr0_el1, x2
    ldr x3, =boot_l0
    msr ttbr1_el1, x3
#elif defined M_TTBR1_OTHER
    msr ttbr0_el1, x2
    pa_ x3, boot_l1
    msr ttbr1_el1, x3
#else
    msr ttbr0_el1, x2
    msr ttbr1_el1, x2
#endif
    isb
#ifdef M_JUMP_EARLY
    ldr x1, =khigh
    br x1
#endif
    mrs x1, sctlr_el1
    mov x3, #0x1005
    orr x1, x1, x3
#ifdef M_SCTLR_WXN
    orr x1, x1, #1 << 19
#endif
    msr sctlr_el1, x1
    isb
#ifdef M_SP_PHYS
    pa_ x1, bstack + 16384
    mov sp, x1
#endif
#ifdef M_JUMP_REL
    adr x1, _entry
    ldr x3, =khigh - 0x40400000
    sub x1, x3, x1
    br x1
#elif defined M_JUMP_BL
    mov x0, x19
    ldr x1, =khigh
    blr x1
    b .
#else
    ldr x1, =khigh
    br x1
#endif
.ltorg
.text
.global khigh
khigh:
#ifndef M_SP_PHYS
    ldr x1, =bstack + 16384
    mov sp, x1
#endif
#ifdef M_VBAR_PHYS
    pa_ x1, vtab
#else
    ldr x1, =vtab
#endif
#ifndef M_VBAR_NEVER
    msr vbar_el1, x1
    isb
#endif
#ifdef M_PERCPU
    mrs x1, tpidr_el1
    str x19, [x1, #8]
#endif
    mov x0, x19
    bl kernel_main
1:  wfi
    b 1b
.global user_code, user_code_end, enter_user
enter_user: // x0: entry, x1: stack
    msr elr_el1, x0
    msr sp_el0, x1
#ifdef M_USER_SPSR
    mov x2, #0x3c5
#else
    mov x2, #0
#endif
    msr spsr_el1, x2
    eret
.balign 4096
user_code:
#ifdef M_USER_STACK
    str x0, [sp, #-16]!
#endif
#ifdef M_USER_DATA
    adrp x0, kdata
    ldr x1, [x0]
#endif
#ifdef M_USER_SYSREG
    mrs x0, ttbr0_el1
#endif
#ifdef M_USER_NULL
    mov x0, #0
    ldr x1, [x0]
#endif
#ifdef M_USER_JUMP
    mov x0, #0x1000
    br x0
#endif
#ifdef M_USER_FP
    fmov d0, #1.0
#endif
#ifdef M_USER_HVC
    hvc #0
#endif
    mov x8, #1
    svc #0
    b .
user_code_end:
.macro ve k
    .balign 128
    sub sp, sp, #256
    stp x29, x30, [sp, #16]
    mov x29, #\k
    b common
.endm
.balign 2048
vtab:
    ve 0
    ve 1
    ve 2
    ve 3
    ve 4
    ve 5
    ve 6
    ve 7
    ve 8
    ve 9
    ve 10
    ve 11
    ve 12
    ve 13
    ve 14
    ve 15
    .balign 128
common:
    stp x0, x1, [sp, #32]
    stp x2, x3, [sp, #48]
    stp x4, x5, [sp, #64]
    stp x6, x7, [sp, #80]
    stp x8, x9, [sp, #96]
    stp x10, x11, [sp, #112]
    stp x12, x13, [sp, #128]
    stp x14, x15, [sp, #144]
    stp x16, x17, [sp, #160]
    stp x18, x19, [sp, #176]
    mov x0, x29
    mov x1, x8
#ifdef M_COMMON_PHYS
    pa_ x3, trap_handler
    blr x3
#else
    bl trap_handler
#endif
    ldp x0, x1, [sp, #32]
    ldp x2, x3, [sp, #48]
    ldp x4, x5, [sp, #64]
    ldp x6, x7, [sp, #80]
    ldp x8, x9, [sp, #96]
    ldp x10, x11, [sp, #112]
    ldp x12, x13, [sp, #128]
    ldp x14, x15, [sp, #144]
    ldp x16, x17, [sp, #160]
    ldp x18, x19, [sp, #176]
    ldp x29, x30, [sp, #16]
    add sp, sp, #256
#ifdef M_TRAP_RET
    ret
#else
    eret
#endif
.bss
.balign 4096
.global boot_l0, boot_l1, boot_l2, boot_l3, bstack
boot_l0: .space 4096
boot_l1: .space 4096
boot_l2: .space 4096
boot_l3: .space 4096
bstack: .space 16384
