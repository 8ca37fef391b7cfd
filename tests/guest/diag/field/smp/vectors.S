#if M_VEC_SPACING
#define VALIGN 4
#else
#define VALIGN 128
#endif
    .text
.macro SAVE
    sub sp, sp, #272
    stp x0, x1, [sp]
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
    mrs x0, sp_el0
    stp x30, x0, [sp, #240]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x0, x1, [sp, #256]
.endm
.macro VENT n
    .balign VALIGN
    SAVE
    mov x1, #\n
    b vcommon
.endm
#if M_VEC_ALIGN
    .balign 256
    .space 256
#else
    .balign 2048
#endif
    .global vectors
vectors:
    VENT 0
    VENT 1
    VENT 2
    VENT 3
    VENT 4
    VENT 5
    VENT 6
    VENT 7
    VENT 8
    VENT 9
    VENT 10
    VENT 11
    VENT 12
    VENT 13
    VENT 14
    VENT 15
vcommon:
    mov x0, sp
    bl trap
    .global trap_return
trap_return:
    ldp x0, x1, [sp, #256]
#if !M_RET_NO_ELR
    msr elr_el1, x0
#endif
#if M_SPSR_FROM_ELR
    msr spsr_el1, x0
#else
    msr spsr_el1, x1
#endif
#if M_RET_SWAP
    ldp x0, x30, [sp, #240]
#else
    ldp x30, x0, [sp, #240]
#endif
    msr sp_el0, x0
    ldp x0, x1, [sp]
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
    add sp, sp, #272
    eret

    .global switch_to       // x0 = struct thread *from, x1 = to
switch_to:
    sub sp, sp, #112
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    mrs x2, daif
    str x2, [sp, #96]
    add x3, x0, #16
    add x4, x1, #16
    .irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    str q\r, [x3], #16
    .endr
    mov x2, sp
    str x2, [x0]
    ldr x2, [x1]
#if !M_SW_NO_SP
    mov sp, x2
#endif
#if !M_SW_NO_FP
    .irp r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ldr q\r, [x4], #16
    .endr
#endif
    ldp x19, x20, [sp]
#if M_SW_FORGET_X21
    ldr x22, [sp, #24]
#else
    ldp x21, x22, [sp, #16]
#endif
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
#if M_SW_FORGET_LR
    ldr x29, [sp, #80]
#else
    ldp x29, x30, [sp, #80]
#endif
    ldr x2, [sp, #96]
    msr daif, x2
    add sp, sp, #112
    ret

    .global thread_start
thread_start:
    bl thread_main
    brk #1

    .global user_enter      // x0 = entry, x1 = sp
user_enter:
    msr elr_el1, x0
#if M_USER_SP0
    msr sp_el0, xzr
#else
    msr sp_el0, x1
#endif
#if M_SPSR_ILLEGAL
    mov x2, #9              // EL2h
#elif M_SPSR_EL1T
    mov x2, #4
#else
    mov x2, #0
#endif
    msr spsr_el1, x2
    mov x0, xzr
    mov x1, xzr
    mov x29, xzr
    mov x30, xzr
    eret
