// PSCI, SMCCC and TRNG as a guest sees them.
    .include "lib.inc"
    .macro call fn
    ldr     x0, =\fn
    hvc     #0
    .endm
    begin
    call    0x84000000              // PSCI_VERSION
    check_eq x0, 0x10001
    call    0x80000000              // SMCCC_VERSION
    check_eq x0, 0x10001
    mov     x1, #0x8000
    movk    x1, #0x8000, lsl #16    // SMCCC_ARCH_WORKAROUND_1: not needed
    call    0x80000001
    check_eq x0, 1
    ldr     x1, =0x84000008
    call    0x8400000a              // PSCI_FEATURES(SYSTEM_OFF)
    check_eq x0, 0
    ldr     x1, =0xc4000008         // there is no 64-bit SYSTEM_OFF
    call    0x8400000a
    check_eq x0, -1
    call    0x84000006              // MIGRATE_INFO_TYPE
    check_eq x0, 2
    call    0x8400ffff              // unknown
    check_eq x0, -1
    mov     x1, #0
    mov     x2, #0
    call    0xc4000004              // AFFINITY_INFO(self): on
    check_eq x0, 0
    mov     x1, #7
    call    0xc4000004              // nobody
    check_eq x0, -2
    mov     x1, #0
    call    0xc4000003              // CPU_ON(self)
    check_eq x0, -4
    mov     x4, #0x44
    mov     x1, #128
    call    0xc4000053              // TRNG_RND: 128 bits in x3, x2
    check_eq x0, 0
    check_eq x1, 0
    check_eq x4, 0x44               // SMCCC 1.1 preserves x4..x17
    add     x28, x28, #1
    cmp     x2, x3
    b.eq    fail
    mov     x1, #193
    call    0xc4000053
    check_eq x0, -2
    // SMC is undefined without EL3: the handler skips it and leaves 0x77.
    ldr     x0, =0x84000000
    smc     #0
    check_eq x0, 0x77
    pass
sync_handler:
    mrs     x9, esr_el1
    lsr     x9, x9, #26
    cbnz    x9, fail
    mrs     x9, elr_el1
    add     x9, x9, #4
    msr     elr_el1, x9
    mov     x0, #0x77
    eret
    .balign 2048
vectors:
    .rept   4
    mov     x28, #99
    b       fail
    .balign 128
    .endr
    b       sync_handler
    .balign 128
    end_of_guest
