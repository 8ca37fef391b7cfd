// Loops that have long been hot: their code is changed, by themselves, by a callee and by an interrupt;
// and they notice interrupts soon, whatever they are made of. The MMU is on.
    .include "lib.inc"
    .equ    GICD, 0x08000000
    .equ    GICR, 0x080a0000
    .equ    SGI, 0x080b0000
    .equ    ROUNDS, 20000               // before the change, far more than make a loop hot
    .equ    SOON, 62500                 // ticks of the timer: 1 ms
    .equ    LATE, 12500000              // 200 ms: the host may be busy; hanging takes longer

// The word at x1 becomes w2, as the architecture wants it done. Clobbers x9.
    .macro patch
    str     w2, [x1]
    dc      cvau, x1
    dsb     ish
    ic      ivau, x1
    dsb     ish
    isb
    .endm
// w2 <- the instruction at the label
    .macro word_at label
    adr     x9, \label
    ldr     w2, [x9]
    .endm

    begin
    bl      mmu_on
    bl      gic_on

    // The loop changes an instruction of its own, in its own block.
    mov     x5, #0
    mov     x6, #0
    ldr     x7, =ROUNDS
    adr     x1, 2f
    word_at add_16
1:  add     x6, x6, #1
2:  add     x5, x5, #1                  // becomes add x5, x5, #16
    cmp     x6, x7
    b.ne    3f
    patch
3:  cmp     x6, x7, lsl #1
    b.ne    1b
    check_eq x5, (ROUNDS + 16 * ROUNDS)

    // A callee on another page does it, and puts it back in the next round of that; ten times.
    adr     x1, 2f
    mov     x5, #0
    mov     x8, #10
    mov     x10, #0                     // what is expected
1:  mov     x6, #0
2:  add     x5, x5, #16                 // 1, 16, 1, ...
    add     x6, x6, #1
    cmp     x6, x7
    b.ne    2b
    bl      toggle
    subs    x8, x8, #1
    b.ne    1b
    check_eq x5, (5 * ROUNDS + 5 * 16 * ROUNDS)

    // A store in every round next to the code, on its page and line.
    mov     x5, #0
    mov     x6, #0
    adr     x1, data_here
1:  str     x5, [x1]
    add     x6, x6, #1
    ldr     x10, [x1]
    add     x5, x10, #3
    cmp     x6, x7
    b.ne    1b
    check_eq x5, (3 * ROUNDS)
    b       4f
    .balign 8
data_here:
    .quad   0
4:
    // The loop stores the branch at its end in every round, at last a NOP, and does nothing more about it:
    // some round has to see it.
    adr     x1, 2f
    word_at a_nop
    ldr     w3, [x1]
    mov     x6, #0
1:  add     x6, x6, #1
    cmp     x6, #2000
    csel    w4, w2, w3, hs
    str     w4, [x1]
2:  b       1b

    // The way out of the loop is patched in by an interrupt: the branch at its end becomes a NOP.
    adr     x20, patch_it
    adr     x1, 2f
    word_at a_nop
    mov     x5, #0
    bl      arm
1:  add     x5, x5, #1
2:  b       1b
    bl      check_time

    // Interrupts end loops of every make: the handler sets x21.
    adr     x20, say_so
    .macro  loop_ends
    mov     x21, #0
    bl      arm
    .endm
    loop_ends
1:  cbz     x21, 1b
    bl      check_time
    loop_ends
    fmov    d1, #1.0
    movi    v0.2d, #0
    movi    v2.2d, #0
1:  ldr     x6, [sp, #-16]
    fadd    d0, d0, d1
    add     v2.4s, v2.4s, v2.4s
    str     x6, [sp, #-16]
    add     x5, x5, #1
    cbz     x21, 1b
    bl      check_time
    loop_ends
1:  add     x5, x5, #1                  // two ways, by turns
    tbnz    x5, #0, 2f
    add     x6, x6, #1
    b       3f
2:  sub     x6, x6, #1
3:  cbz     x21, 1b
    bl      check_time
    loop_ends
1:  mov     x6, #10                     // a loop in a loop
2:  subs    x6, x6, #1
    b.ne    2b
    cbz     x21, 1b
    bl      check_time
    loop_ends
    adr     x7, callee
1:  blr     x7
    cbz     x21, 1b
    bl      check_time
    loop_ends
1:  bl      callee
    cbz     x21, 1b
    bl      check_time
    loop_ends
    adr     x7, 1f
    adr     x6, 2f
1:  cmp     x21, #0
    csel    x8, x7, x6, eq              // an indirect jump to itself
    br      x8
2:  bl      check_time
    loop_ends
1:  b       1f                          // over a page
    .balign 4096
    nop
1:  add     x5, x5, #1
    cbz     x21, far_back
    bl      check_time
    pass
far_back:
    b       1b

add_16:
    add     x5, x5, #16
a_nop:
    nop

callee:
    add     x5, x5, #1
    ret

// Between add x5, x5, #1 and #16 at x1.
    .balign 4096
toggle:
    ldr     w2, [x1]
    mov     w3, #(1 ^ 16) << 10
    eor     w2, w2, w3
    patch
    ret

// An interrupt of the virtual timer comes SOON; x22 is when.
arm:
    mrs     x22, cntvct_el0
    ldr     x9, =SOON
    add     x22, x22, x9
    msr     cntv_cval_el0, x22
    mov     x9, #1
    msr     cntv_ctl_el0, x9
    isb
    msr     daifclr, #2
    ret
// x23: when it came
check_time:
    add     x28, x28, #1
    sub     x9, x23, x22
    ldr     x24, =LATE
    cmp     x9, x24
    b.hs    fail
    ret
irq_handler:
    mrs     x23, cntvct_el0
    mrs     x0, icc_iar1_el1
    cmp     x0, #27
    mov     x9, #98
    csel    x28, x28, x9, eq
    b.ne    fail
    msr     cntv_ctl_el0, xzr
    isb
    msr     icc_eoir1_el1, x0
    br      x20
say_so:
    mov     x21, #1
    eret
patch_it:
    patch
    eret

gic_on:
    ldr     x1, =GICR
    str     wzr, [x1, #0x14]
    ldr     x1, =GICD
    mov     w2, #0x13
    str     w2, [x1]
    ldr     x1, =SGI
    mov     w2, #-1
    str     w2, [x1, #0x80]
    mov     w2, #1 << 27
    str     w2, [x1, #0x100]
    mov     x2, #0xf0
    msr     icc_pmr_el1, x2
    mov     x2, #1
    msr     icc_igrpen1_el1, x2
    isb
    ret

// Two blocks of a gigabyte: devices, and memory.
mmu_on:
    adrp    x0, table
    ldr     x1, =(0x0000000000000001 | 1 << 10 | 1 << 2 | 1 << 54 | 1 << 53)
    str     x1, [x0]
    ldr     x1, =(0x0000000040000001 | 1 << 10 | 3 << 8)
    str     x1, [x0, #8]
    ldr     x1, =0x00ff                 // 0: write-back; 1: device
    msr     mair_el1, x1
    mov     x1, #25                     // 39 bits, no TTBR1
    movk    x1, #0x80, lsl #16
    movk    x1, #2, lsl #32
    msr     tcr_el1, x1
    msr     ttbr0_el1, x0
    isb
    mrs     x1, sctlr_el1
    mov     x2, #0x1005                 // M, C, I
    orr     x1, x1, x2
    msr     sctlr_el1, x1
    mov     x1, #3 << 20
    msr     cpacr_el1, x1
    isb
    ret

    make_vectors
    end_of_guest
    .balign 4096
table:
    .skip   4096
