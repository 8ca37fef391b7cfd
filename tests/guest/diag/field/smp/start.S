#include "kern.h"
    .section .text.boot, "ax"
    .global _start
_start:
#if RAWIMG
    b   1f
    .word 0
    .quad 0
    .quad _image_size
    .quad 0xa
    .quad 0, 0, 0
    .word 0x644d5241
    .word 0
1:
#endif
#if M_DTB_CLOBBER
    mrs x0, CurrentEL
    mov x20, x0
#else
    mov x20, x0
#endif
    mrs x1, CurrentEL
    cmp x1, #8
    b.ne el1
#if !M_EL2_NODROP
    // EL2 -> EL1
#if M_HCR_RW
    mov x1, #0
#else
    mov x1, #(1 << 31)
#endif
    msr hcr_el2, x1
#if !M_CNTHCTL
    mov x1, #3
    msr cnthctl_el2, x1
#else
    msr cnthctl_el2, xzr
#endif
    msr cntvoff_el2, xzr
#if M_CPTR
    mov x1, #0x37ff
#else
    mov x1, #0x33ff
#endif
    msr cptr_el2, x1
    msr hstr_el2, xzr
    mrs x1, midr_el1
    msr vpidr_el2, x1
    mrs x1, mpidr_el1
    msr vmpidr_el2, x1
#if !M_ICC_SRE2
    mrs x1, id_aa64pfr0_el1
    ubfx x1, x1, #24, #4
    cbz x1, 2f
    mrs x1, S3_4_C12_C9_5
    orr x1, x1, #1
    orr x1, x1, #8
    msr S3_4_C12_C9_5, x1
    isb
2:
#endif
    ldr w1, =0x30d00800
    msr sctlr_el1, x1
#if M_SPSR_MODE
    mov x1, #0x3c0 + 9 + 4
#else
    mov x1, #0x3c5
#endif
    msr spsr_el2, x1
    adr x1, el1
    msr elr_el2, x1
    eret
#endif
el1:
#if M_HCR_AT_EL1
    mov x1, #(1 << 31)
    msr hcr_el2, x1
#endif
#if !M_NO_VBAR_EARLY
    adrp x1, early_vectors
    add x1, x1, :lo12:early_vectors
    msr vbar_el1, x1
    isb
#endif
#if !M_BSS_IN_C
    adrp x1, __bss_start
    add x1, x1, :lo12:__bss_start
#if M_BSS_OVER_DTB
    adrp x2, __bss_end
    mov x3, #0x8000000   // "round up generously"
    add x2, x2, x3
#else
    adrp x2, __bss_end
    add x2, x2, :lo12:__bss_end
#endif
1:  cmp x1, x2
    b.hs 2f
    stp xzr, xzr, [x1], #16
    b 1b
2:
#endif
    adrp x1, boot_stack_top
    add x1, x1, :lo12:boot_stack_top
#if M_SP_MISALIGN
    sub x1, x1, #8
#endif
    mov sp, x1
#if !M_SP_SEL
#endif
#if M_EL1T
    msr spsel, #0
    mov sp, x1
#endif
    mov x29, xzr
    mov x0, x20
    bl  boot_map
    bl  cpu_mmu_on
#if HIGH
#if M_NO_HIGH_JUMP_SP
    ldr x1, =high
    br  x1
high:
#else
    ldr x1, =high
    br  x1
high:
    ldr x1, =boot_stack_top
    mov sp, x1
#endif
#endif
    mov x0, x20
    bl  kmain
#if M_FALL_OFF
    // kmain should not return
#else
1:  wfi
    b 1b
#endif

    .balign 8
#if M_FALL_OFF
    .zero 64
#endif
    .global cpu_mmu_on
cpu_mmu_on:
    adrp x0, boot_cfg
    add x0, x0, :lo12:boot_cfg
    ldp x1, x2, [x0]        // mair, tcr
    ldp x3, x4, [x0, #16]   // ttbr0, ttbr1
    ldr x5, [x0, #32]       // sctlr
    msr mair_el1, x1
    msr tcr_el1, x2
    msr ttbr0_el1, x3
    msr ttbr1_el1, x4
#if !M_NO_ISB_TTBR
    isb
#endif
#if !M_NO_TLBI_ON
    tlbi vmalle1
    dsb nsh
    isb
#endif
#if M_SCTLR_EL2
    msr sctlr_el2, x5
#else
    msr sctlr_el1, x5
#endif
#if !M_NO_ISB_ON
    isb
#endif
    ret

    .global secondary_start
secondary_start:
    mov x20, x0             // cpu index
    mrs x1, CurrentEL
    cmp x1, #8
    b.ne 3f
    mov x1, #(1 << 31)
    msr hcr_el2, x1
    mov x1, #3
    msr cnthctl_el2, x1
    msr cntvoff_el2, xzr
    mov x1, #0x33ff
    msr cptr_el2, x1
    mrs x1, midr_el1
    msr vpidr_el2, x1
    mrs x1, mpidr_el1
    msr vmpidr_el2, x1
    mrs x1, id_aa64pfr0_el1
    ubfx x1, x1, #24, #4
    cbz x1, 2f
    mrs x1, S3_4_C12_C9_5
    orr x1, x1, #1
    orr x1, x1, #8
    msr S3_4_C12_C9_5, x1
    isb
2:  ldr w1, =0x30d00800
    msr sctlr_el1, x1
    mov x1, #0x3c5
    msr spsr_el2, x1
    adr x1, 3f
    msr elr_el2, x1
    eret
3:
#if M_SECOND_EXCL
    adrp x1, boot_lock
    add x1, x1, :lo12:boot_lock
4:  ldaxr w2, [x1]
    cbnz w2, 4b
    mov w2, #1
    stxr w3, w2, [x1]
    cbnz w3, 4b
    stlr wzr, [x1]
#endif
    adrp x1, second_stacks
    add x1, x1, :lo12:second_stacks
#if M_SECOND_STACK
    add x1, x1, #SECOND_STACK
#else
    mov x2, #SECOND_STACK
    madd x1, x20, x2, x1
#endif
    mov sp, x1
    mov x29, xzr
#if !M_SECOND_NOMMU
    bl cpu_mmu_on
#endif
#if HIGH
    ldr x1, =high2
    br x1
high2:
    mov x1, sp
    ldr x2, =KOFF
    add sp, x1, x2
#endif
    mov x0, x20
    bl smp_entry
5:  wfi
    b 5b

    .balign 2048
early_vectors:
    .rept 16
    b .
    .balign 128
    .endr

    .section .bss
    .balign 16
    .global boot_stack, boot_stack_top, second_stacks
boot_guard:
#if M_BOOT_STACK_SMALL
#endif
boot_stack:
    .zero BOOT_STACK
boot_stack_top:
second_stacks:
    .zero SECOND_STACK * MAXCPU
#if M_SECOND_EXCL
boot_lock: .word 0
#endif

#include "vectors.S"
#include "user.S"
