// Start, vectors of EL2 and EL1, and the way down: for guests that start at EL2 (el2.h).
    .globl  _start, run_at, vectors_el1
_start:
    mrs     x9, CurrentEL
    cmp     x9, #8
    b.ne    1f
    adrp    x9, vectors_el2
    add     x9, x9, :lo12:vectors_el2
    msr     vbar_el2, x9
1:  adrp    x9, stack_top
    add     x9, x9, :lo12:stack_top
    mov     sp, x9
    isb
    bl      guest_main
    adr     x1, exit_block
    str     x0, [x1, #8]
    mov     w0, #0x18
    hlt     #0xf000
    b       .

// u64 run_at(struct outcome *o, u64 spsr, u64 pc, u64 x0, u64 x1): ERET to (spsr, pc) with x0 and x1;
// the next exception to EL2 ends it.
run_at:
    stp     x29, x30, [sp, #-112]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x0, [sp, #96]
    adrp    x9, resume_sp
    mov     x10, sp
    str     x10, [x9, :lo12:resume_sp]
    msr     spsr_el2, x1
    msr     elr_el2, x2
    mov     x0, x3
    mov     x1, x4
    isb
    eret

// EL1 tells EL2: x12 vector + 0x1000, x13 ESR, x14 ELR, x15 FAR.
    .macro vector_el1 off
    .balign 128
    mov     x12, #0x1000 + \off
    b       from_el1
    .endm
    .macro vector_el2 off
    .balign 128
    mov     x11, #\off
    b       to_el2
    .endm
    .balign 2048
vectors_el1:
    .irp    k, 0, 0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x480, 0x500, 0x580, 0x600, 0x680, 0x700, 0x780
    vector_el1 \k
    .endr
    .balign 2048
vectors_el2:
    .irp    k, 0, 0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x480, 0x500, 0x580, 0x600, 0x680, 0x700, 0x780
    vector_el2 \k
    .endr
from_el1:
    mrs     x13, esr_el1
    mrs     x14, elr_el1
    mrs     x15, far_el1
    hvc     #0x7e
to_el2:
    adrp    x9, resume_sp
    ldr     x10, [x9, :lo12:resume_sp]
    msr     spsel, #1
    mov     sp, x10
    ldr     x9, [sp, #96]
    mrs     x10, esr_el2
    stp     x11, x10, [x9]          // vector, esr
    mrs     x11, elr_el2
    mrs     x10, far_el2
    stp     x11, x10, [x9, #16]     // elr, far
    mrs     x11, hpfar_el2
    mrs     x10, spsr_el2
    stp     x11, x10, [x9, #32]     // hpfar, spsr
    stp     x0, x1, [x9, #48]
    stp     x12, x13, [x9, #64]     // of EL1: vector, esr
    stp     x14, x15, [x9, #80]     // elr, far
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #112
    ret

    .balign 8
exit_block:
    .quad   0x20026, 0
    .bss
    .balign 16
resume_sp: .skip 16
    .skip   8192
stack_top:
