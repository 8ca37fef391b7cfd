// Start, vectors and the few routines of good.h that C cannot say. EL1, or EL2 and down when it starts there.
    .section .text.start, "ax"
    .global _start
_start:
    mrs     x1, CurrentEL
    cmp     x1, #8
    b.ne    1f
#ifndef STAY_EL2
    mov     x1, #1 << 31
    msr     hcr_el2, x1
    mov     x1, #3
    msr     cnthctl_el2, x1
    msr     cntvoff_el2, xzr
    mov     x1, #0x33ff
    msr     cptr_el2, x1
    mrs     x1, S3_4_C12_C9_5       // ICC_SRE_EL2
    mov     x2, #9
    orr     x1, x1, x2
    msr     S3_4_C12_C9_5, x1
    ldr     x1, =0x30d00800
    msr     sctlr_el1, x1
    mov     x1, #0x3c5
    msr     spsr_el2, x1
    adr     x1, 1f
    msr     elr_el2, x1
    isb
    eret
#endif
1:  adrp    x1, __stack_top
    add     x1, x1, :lo12:__stack_top
    mov     sp, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    isb
    adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
2:  cmp     x1, x2
    b.hs    3f
    stp     xzr, xzr, [x1], #16
    b       2b
3:  mov     x29, #0
    mov     x30, #0
    bl      MAIN
    bl      finish
    b       .

    .global secondary_entry
secondary_entry:                    // x0: {stack, function, argument}
    ldp     x1, x2, [x0]
    ldr     x0, [x0, #16]
    mov     sp, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    isb
    mov     x29, #0
    blr     x2
9:  wfi
    b       9b

    .global psci
psci:
#ifdef HAS_EL2
    smc     #0
#else
    hvc     #0
#endif
    ret

    .macro  vector kind
    .balign 128
    sub     sp, sp, #288
    stp     x0, x1, [sp]
    mov     x0, #\kind
    b       save
    .endm
    .balign 2048
    .global vectors
vectors:
    .irp k, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector  \k
    .endr
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
    add     x1, sp, #288
    stp     x0, x1, [sp, #272]
    mov     x0, sp
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
    ldp     x0, x1, [sp], #288
    eret

    .macro  push_kept
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    .endm
    .macro  pop_kept
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    .endm

    .global run_user, leave_user
run_user:                           // x0 function, x1 its argument, x2 stack
    push_kept
    adrp    x3, kernel_sp
    mov     x4, sp
    str     x4, [x3, :lo12:kernel_sp]
    msr     sp_el0, x2
    msr     elr_el1, x0
    msr     spsr_el1, xzr
    mov     x0, x1
    eret
leave_user:
    adrp    x3, kernel_sp
    ldr     x4, [x3, :lo12:kernel_sp]
    mov     sp, x4
    pop_kept
    ret

    .global switch_to, switch_start
switch_to:                          // x0 where this stack goes, x1 the other stack
    push_kept
    mov     x2, sp
    str     x2, [x0]
    mov     sp, x1
    pop_kept
    ret
switch_start:                       // the first time: x19 function, x20 argument
    mov     x0, x20
    blr     x19
    b       .

    .global catch_here, throw_to
catch_here:
    stp     x19, x20, [x0]
    stp     x21, x22, [x0, #16]
    stp     x23, x24, [x0, #32]
    stp     x25, x26, [x0, #48]
    stp     x27, x28, [x0, #64]
    stp     x29, x30, [x0, #80]
    mov     x1, sp
    str     x1, [x0, #96]
    mov     x0, #0
    ret
throw_to:
    ldp     x19, x20, [x0]
    ldp     x21, x22, [x0, #16]
    ldp     x23, x24, [x0, #32]
    ldp     x25, x26, [x0, #48]
    ldp     x27, x28, [x0, #64]
    ldp     x29, x30, [x0, #80]
    ldr     x1, [x0, #96]
    mov     sp, x1
    mov     x0, #1
    ret

    .bss
    .balign 8
kernel_sp:
    .quad   0
    .section .stack, "aw", %nobits
    .balign 16
    .global __stack_bottom, __stack_top
__stack_bottom:
    .space  65536
__stack_top:
