// Floating point in loops of one block, where a translator keeps registers: upper parts of V
// registers, NaNs that appear on the way, values seen by memory accesses and by the code after.
    .include "lib.inc"
    .macro check_v n, lo, hi
    fmov    x10, d\n
    check_eq x10, \lo
    fmov    x10, v\n\().d[1]
    check_eq x10, \hi
    .endm
    .macro rounds fpcr, fpsr, fpsr_after
    ldr     x0, =\fpcr
    msr     fpcr, x0
    mov     x0, #\fpsr
    msr     fpsr, x0
    mov     x0, #3 << 20
    // Left before the first write: the register keeps all its bits.
    movi    v4.16b, #0x11
    mov     v6.16b, v4.16b
    fmov    d0, #1.0
    fmov    s1, #1.0
    mov     x1, #0
1:  cbz     x1, 2f
    fadd    d4, d0, d4
    fadd    s6, s1, s6
    sub     x1, x1, #1
    b       1b
2:  check_v 4, 0x1111111111111111, 0x1111111111111111
    check_v 6, 0x1111111111111111, 0x1111111111111111

    // The same loop taken: scalar writes clear the rest.
    fmov    d4, #2.0
    mov     v4.d[1], x0
    movi    v6.16b, #0
    mov     v6.s[1], w0
    mov     x1, #3
3:  cbz     x1, 4f
    fadd    d4, d0, d4
    fadd    s6, s1, s6
    sub     x1, x1, #1
    b       3b
4:  check_v 4, 0x4014000000000000, 0
    check_v 6, 0x40400000, 0

    // A NaN made in the third round: the default one, positive; kept from then on.
    fmov    d2, #3.0
    fmov    d3, #1.0
    fmov    d5, xzr
    mov     x1, #6
5:  fsub    d2, d2, d3
    fdiv    d7, d2, d2              // 0 / 0 in the third round
    fadd    d5, d5, d7
    fmadd   d16, d5, d3, d7
    subs    x1, x1, #1
    b.ne    5b
    check_v 5, 0x7ff8000000000000, 0
    check_v 16, 0x7ff8000000000000, 0
    check_v 7, 0x3ff0000000000000, 0
    mrs     x10, fpsr
    check_eq x10, \fpsr_after

    // Stores and loads inside the loop, vector accumulators beside scalars.
    adrp    x2, stack_top
    add     x2, x2, :lo12:stack_top
    sub     x2, x2, #2048
    movi    v17.4s, #0
    fmov    v18.4s, #1.0
    fmov    v19.4s, #2.0
    fmov    d20, xzr
    mov     x1, #0
6:  fmla    v17.4s, v18.4s, v19.4s
    str     q17, [x2]
    ldr     q21, [x2]
    fadd    v22.4s, v21.4s, v17.4s
    scvtf   d23, x1
    fadd    d20, d20, d23
    str     d20, [x2, #32]
    ldr     d24, [x2, #32]
    add     x1, x1, #1
    cmp     x1, #100
    b.ne    6b
    check_v 17, 0x4348000043480000, 0x4348000043480000
    check_v 22, 0x43c8000043c80000, 0x43c8000043c80000
    check_v 20, 0x40b3560000000000, 0
    check_v 24, 0x40b3560000000000, 0
    ldr     x10, [x2, #32]
    check_eq x10, 0x40b3560000000000

    // Comparison, selection and conversion carried around the loop.
    fmov    d25, #0.5
    fmov    d26, #10.0
    fmov    d27, xzr
    mov     x3, #0
7:  fadd    d27, d27, d25
    fcmp    d27, d26
    fcsel   d28, d27, d26, mi
    fcvtzs  x4, d28
    add     x3, x3, x4
    b.ls    7b
    check_v 27, 0x4025000000000000, 0
    check_v 28, 0x4024000000000000, 0
    check_eq x3, 110
    .endm
    begin
    mov     x0, #3 << 20
    msr     cpacr_el1, x0
    isb

    rounds  0, 0, 1                 // default
    rounds  0x01000000, 0, 1        // FZ: bodies first, until something is inexact
    rounds  0x01000000, 0x10, 0x11  // FZ
    pass
irq_handler:
    b       fail
    make_vectors
    end_of_guest
