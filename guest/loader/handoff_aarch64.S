// The last page of the loader: from the firmware's tables to the kernel's.
//
// It is one page of the image's own .text, which every firmware leaves executable and maps one to
// one, so the MMU may be switched off and on while it runs. Entered with DAIF masked and everything
// the kernel needs cleaned to the point of coherency. Arm Architecture Reference Manual, "The
// AArch64 Virtual Memory System Architecture" and "AArch64 Exception Model".
//
// x0 = struct handoff (loader.h). Every value is in a register before the MMU is touched.

#define HANDOFF_MMU_ON 0
#define HANDOFF_AT_EL2 1
#define HANDOFF_STAY_EL2 2
#define HANDOFF_VHE 3
#define HANDOFF_FPU 4
#define HANDOFF_GIC_SYSREGS 5

// SCTLR with every RES1 bit of ARMv8.0 set and nothing enabled.
#define SCTLR_EL1_OFF 0x30d00800
#define SCTLR_EL2_OFF 0x30c50830
#define SPSR_EL1H 0x3c5
#define SPSR_EL2H 0x3c9

#define ICC_SRE_EL2 s3_4_c12_c9_5
#define ICH_HCR_EL2 s3_4_c12_c11_0
#define SCTLR_EL12 s3_5_c1_c0_0

    .section .tramp, "xr"
    .p2align 12
    .globl handoff_page
handoff_page:
    ldp x1, x2, [x0]       // MAIR, TCR
    ldp x3, x4, [x0, #16]  // TTBR0, TTBR1
    ldp x5, x6, [x0, #32]  // SCTLR, entry
    ldp x7, x8, [x0, #48]  // SP, x0 of the kernel
    ldp x9, x10, [x0, #64] // flags, console as a physical address
    ldr x13, [x0, #80]     // console under the kernel's tables
    msr daifset, #15
    msr tpidr_el1, x10
    adr x15, handoff_vectors
    tbnz x9, #HANDOFF_AT_EL2, at_el2

    mrs x11, sctlr_el1
    mov x12, #5            // M and C
    bic x11, x11, x12
    msr sctlr_el1, x11
    isb
    msr vbar_el1, x15
    ldr x11, =SCTLR_EL1_OFF
    msr sctlr_el1, x11
    isb
    b mmu_is_off

at_el2:
    mrs x11, sctlr_el2
    mov x12, #5
    bic x11, x11, x12
    msr sctlr_el2, x11
    isb
    msr vbar_el2, x15
    tbnz x9, #HANDOFF_STAY_EL2, stay_at_el2

    mov x11, #0x80000000   // HCR_EL2.RW; drops TGE and, where it can be dropped, E2H
    msr hcr_el2, x11
    isb
    bl common_el2
    mrs x12, hcr_el2
    ldr x11, =SCTLR_EL1_OFF
    tbnz x12, #34, 1f      // E2H is RES1 on some CPUs: EL1 then goes by other names
    mrs x12, cnthctl_el2
    orr x12, x12, #3       // EL1 may use the physical timer
    msr cnthctl_el2, x12
    mov x12, #0x33ff       // no FP trap
    msr cptr_el2, x12
    msr sctlr_el1, x11
    msr vbar_el1, x15
    b 2f
1:  mrs x12, cnthctl_el2
    orr x12, x12, #(3 << 10)
    msr cnthctl_el2, x12
    mov x12, #(3 << 20)
    msr cptr_el2, x12
    msr SCTLR_EL12, x11
2:  mov x11, #SPSR_EL1H
    msr spsr_el2, x11
    adr x11, mmu_is_off
    msr elr_el2, x11
    isb
    eret

stay_at_el2:
    mov x11, #0x80000000
    tbz x9, #HANDOFF_VHE, 1f
    mov x12, #0x08000000   // TGE
    movk x12, #4, lsl #32  // E2H: EL1 register names now mean EL2
    orr x11, x11, x12
1:  msr hcr_el2, x11
    isb
    ldr x11, =SCTLR_EL2_OFF
    msr sctlr_el2, x11
    bl common_el2
    tbnz x9, #HANDOFF_VHE, mmu_is_off
    mov x12, #0x33ff
    msr cptr_el2, x12
    isb
    mov x11, #SPSR_EL2H    // EL2 without VHE: only with the MMU off
    msr spsr_el2, x11
    msr elr_el2, x6
    b enter

// What every kernel expects EL2 to have let go of. Clobbers x11, x12.
common_el2:
    dsb sy
    tlbi alle2
    tlbi alle1
    dsb nsh
    msr cntvoff_el2, xzr
    msr vttbr_el2, xzr
    msr hstr_el2, xzr
    mrs x11, midr_el1
    msr vpidr_el2, x11
    mrs x11, mpidr_el1
    msr vmpidr_el2, x11
    mrs x11, mdcr_el2
    and x11, x11, #0x1f    // keep HPMN, trap nothing
    msr mdcr_el2, x11
    tbz x9, #HANDOFF_GIC_SYSREGS, 1f
    mrs x11, ICC_SRE_EL2
    mov x12, #9            // SRE, Enable
    orr x11, x11, x12
    msr ICC_SRE_EL2, x11
    isb
    msr ICH_HCR_EL2, xzr
1:  isb
    ret

// EL1, or EL2 under its EL1 names.
mmu_is_off:
    ic iallu
    tlbi vmalle1
    dsb nsh
    isb
    mrs x14, currentel
    mov x11, #SPSR_EL1H
    mov x12, #SPSR_EL2H
    cmp x14, #8
    csel x11, x12, x11, eq
    msr spsr_el1, x11
    msr elr_el1, x6
    mov x11, #(3 << 20)    // CPACR_EL1.FPEN
    tbnz x9, #HANDOFF_FPU, 1f
    mov x11, #0
1:  msr cpacr_el1, x11
    msr mdscr_el1, xzr
    msr vbar_el1, x15
    isb
    tbz x9, #HANDOFF_MMU_ON, enter
    msr mair_el1, x1
    msr tcr_el1, x2
    msr ttbr0_el1, x3
    msr ttbr1_el1, x4
    isb
    msr sctlr_el1, x5
    isb
    msr tpidr_el1, x13

// SP and x0 as contracted, everything else zero; ERET jumps without keeping the address anywhere.
enter:
    msr spsel, #1
    mov sp, x7
    mov x0, x8
    mov x1, #0
    mov x2, #0
    mov x3, #0
    mov x4, #0
    mov x5, #0
    mov x6, #0
    mov x7, #0
    mov x8, #0
    mov x9, #0
    mov x10, #0
    mov x11, #0
    mov x12, #0
    mov x13, #0
    mov x14, #0
    mov x15, #0
    mov x16, #0
    mov x17, #0
    mov x18, #0
    mov x19, #0
    mov x20, #0
    mov x21, #0
    mov x22, #0
    mov x23, #0
    mov x24, #0
    mov x25, #0
    mov x26, #0
    mov x27, #0
    mov x28, #0
    mov x29, #0
    mov x30, #0
    eret
    .ltorg

// An exception before the kernel has vectors of its own: one '!' on the console, then stand still.
    .p2align 11
handoff_vectors:
    .rept 16
    .p2align 7
    mrs x0, tpidr_el1
    cbz x0, 2f
    mov w1, #'!'
    str w1, [x0]
    mov w1, #'\n'
    str w1, [x0]
2:  wfe
    b 2b
    .endr
    .p2align 12
