// First instructions of the kernel on aarch64. Contract: docs/boot-protocol.md, "Entry".
//   MMU on:  x0 = information block in the direct map, at our link address (plus slide)
//   MMU off: x0 = its physical address, running at a physical address, data accesses uncached
// Everything here is PC-relative, so the same code serves both.

#define SCTLR_OFF 0x30d00800   // RES1 bits only
#define SCTLR_ON  0x30d0181d   // and M, C, SA, SA0, I

.macro address reg, symbol
    adrp \reg, \symbol
    add \reg, \reg, :lo12:\symbol
.endm

// Vectors first: without them the first mistake is the last sign of life. Then two stacks: the
// kernel runs on SP_EL0, exceptions on SP_EL1, so that a stack overflow can still be reported.
.macro own_vectors_and_stacks
    address x9, vectors
    msr vbar_el1, x9
    isb
    msr spsel, #1
    address x9, __exception_stack_top
    mov sp, x9
    msr spsel, #0
    address x9, __stack_top
    mov sp, x9
    mov x29, #0
    mov x30, #0
.endm

    .section .text.entry, "ax"
    .globl _start
_start:
    mrs x9, currentel
    cmp x9, #8
    b.ne 1f
    mrs x9, hcr_el2
    tbnz x9, #34, 1f          // VHE: the EL1 names mean EL2, nothing to do
    // EL2 without VHE, MMU off: go down to EL1, where this kernel lives.
    mov x9, #0x80000000
    msr hcr_el2, x9
    mrs x9, cnthctl_el2
    orr x9, x9, #3
    msr cnthctl_el2, x9
    msr cntvoff_el2, xzr
    ldr x9, =SCTLR_OFF
    msr sctlr_el1, x9
    mov x9, #0x3c5
    msr spsr_el2, x9
    adr x9, 1f
    msr elr_el2, x9
    isb
    eret
1:  own_vectors_and_stacks
    mrs x9, sctlr_el1
    tbnz x9, #0, 2f
    bl early_map              // ret x0 = struct early_tables
    ldp x1, x2, [x0]          // TTBR0, TTBR1
    ldp x3, x4, [x0, #16]     // TCR, MAIR
    ldp x5, x6, [x0, #32]     // virtual address of label 2, x0 for kmain
    tlbi vmalle1
    ic iallu
    dsb nsh
    msr mair_el1, x4
    msr tcr_el1, x3
    msr ttbr0_el1, x1
    msr ttbr1_el1, x2
    isb
    ldr x9, =SCTLR_ON
    msr sctlr_el1, x9
    isb
    mov x0, x6
    br x5                     // from the identity map to the higher half
    .globl entry_high
entry_high:
    own_vectors_and_stacks
2:  bl kmain
    brk #0xdead

// A second CPU: PSCI enters here with the MMU off, x0 = physical address of its own cache line.
    .globl secondary_entry
secondary_entry:
    mov w1, #0xbabe
    movk w1, #0xcafe, lsl #16
    str w1, [x0]
    dsb sy
    sev
1:  wfi
    b 1b

// u64 mmu_cycle(u64 phys_of_word, u64 sctlr_off): runs at its physical address in an identity-mapped
// page; switches translation off, loads the word, switches it on again. Returns the word.
    .globl mmu_cycle
mmu_cycle:
    mrs x2, sctlr_el1
    msr sctlr_el1, x1
    isb
    ldr w3, [x0]
    ic iallu
    tlbi vmalle1
    dsb nsh
    isb
    msr sctlr_el1, x2
    isb
    mov w0, w3
    ret

// u64 probe_load(u64 addr, u32 *out), u64 probe_store(u64 addr, u32 v)
    .globl probe_begin, probe_end, probe_fail, probe_load, probe_store
probe_begin:
probe_load:
    ldr w2, [x0]
    str w2, [x1]
    mov x0, #0
    ret
probe_store:
    str w1, [x0]
    mov x0, #0
    ret
probe_end:
probe_fail:
    mov x0, #0x17fa
    movk x0, #0xfa17, lsl #0
    movk x0, #0xfa17, lsl #16
    movk x0, #0xfa17, lsl #32
    movk x0, #0xfa17, lsl #48
    ret
    .ltorg

// --- exception vectors --------------------------------------------------------------------------
#define FRAME 304

.macro vector index
    .p2align 7
    sub sp, sp, #FRAME
    stp x0, x1, [sp]
    mov x0, #\index
    b save_and_handle
.endm

    .section .text, "ax"
    .p2align 11
    .globl vectors
vectors:
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

save_and_handle:
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
    mrs x1, sp_el0
    stp x30, x1, [sp, #240]
    mrs x1, elr_el1
    mrs x2, spsr_el1
    stp x1, x2, [sp, #256]
    mrs x1, esr_el1
    mrs x2, far_el1
    stp x1, x2, [sp, #272]
    mov x1, x0
    mov x0, sp
    bl trap
    ldp x1, x2, [sp, #256]
    msr elr_el1, x1
    msr spsr_el1, x2
    ldp x30, x1, [sp, #240]
    ldp x28, x29, [sp, #224]
    ldp x26, x27, [sp, #208]
    ldp x24, x25, [sp, #192]
    ldp x22, x23, [sp, #176]
    ldp x20, x21, [sp, #160]
    ldp x18, x19, [sp, #144]
    ldp x16, x17, [sp, #128]
    ldp x14, x15, [sp, #112]
    ldp x12, x13, [sp, #96]
    ldp x10, x11, [sp, #80]
    ldp x8, x9, [sp, #64]
    ldp x6, x7, [sp, #48]
    ldp x4, x5, [sp, #32]
    ldp x2, x3, [sp, #16]
    ldp x0, x1, [sp]
    add sp, sp, #FRAME
    eret
