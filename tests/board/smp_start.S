// Start of guests with several CPUs at EL1 (smp_litmus.c): a stack for each, and vectors that fail.
    .globl  _start, second_start, guest_exit
    .equ    STACK, 8192
_start:
    mov     x0, #0
    adrp    x9, stacks
    add     x9, x9, :lo12:stacks
    b       1f
second_start:                       // x0: its number
    adrp    x9, stacks
    add     x9, x9, :lo12:stacks
1:  add     x10, x0, #1
    mov     x11, #STACK
    madd    x9, x10, x11, x9
    mov     sp, x9
    adrp    x9, vectors
    add     x9, x9, :lo12:vectors
    msr     vbar_el1, x9
    isb
    bl      guest_main
    mov     w0, #97
guest_exit:                         // w0: status
    adr     x1, exit_block
    str     x0, [x1, #8]
    mov     w0, #0x18
    hlt     #0xf000
    b       .
    .balign 8
exit_block:
    .quad   0x20026, 0
    .balign 2048
vectors:
    .rept   16
    mov     w0, #99
    b       guest_exit
    .balign 128
    .endr
    .bss
    .balign 16
stacks: .skip 8 * STACK
