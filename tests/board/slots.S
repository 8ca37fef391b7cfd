// What translated code remembers of a page must not outlive its meaning: a load's page may refuse stores,
// a narrow access may end where a wide one goes on, one check may serve several accesses. Two pages side by
// side, A writable and B read-only; the same sequence at EL1 and at EL0, several rounds each.
    .include "lib.inc"
    .set    PAGE_A, 0x40200000
    .set    PAGE_B, 0x40201000

    .macro is reg, val
    add     x28, x28, #1
    cmp     \reg, #\val
    b.ne    bad
    .endm
    .macro faults n                 // as many so far in this round
    is      x27, \n
    .endm

    .text
    begin
    // Tables: code and data of these 2 MiB for EL1 (EL0 executes), then the two pages.
    adrp    x0, level1
    adrp    x1, level2
    adrp    x2, level3
    orr     x3, x1, #3
    str     x3, [x0, #8]
    mov     x3, #0x401              // block, AF
    movk    x3, #0x4000, lsl #16
    str     x3, [x1]
    orr     x3, x2, #3
    str     x3, [x1, #8]
    adrp    x4, page_a
    mov     x3, #0x443              // page, AF, EL0
    orr     x3, x3, x4
    str     x3, [x2]
    adrp    x4, page_b
    mov     x3, #0x4c3              // ... read-only
    orr     x3, x3, x4
    str     x3, [x2, #8]
    mov     x3, #0xff
    msr     mair_el1, x3
    mov     x3, #25                 // 39 bits, no TTBR1
    movk    x3, #0x80, lsl #16
    movk    x3, #2, lsl #32
    msr     tcr_el1, x3
    msr     ttbr0_el1, x0
    isb
    mrs     x3, sctlr_el1
    orr     x3, x3, #1
    msr     sctlr_el1, x3
    isb
    mov     x22, #0                 // EL1 first
again:
    mov     x23, #4                 // rounds
round:
    // Page A ends with 1, 2, 3 ... 16, page B begins with 17, 18 ...
    adrp    x0, page_a
    add     x0, x0, #4080
    mov     x1, #1
1:  strb    w1, [x0], #1
    add     x1, x1, #1
    cmp     x1, #33
    b.ne    1b
    mov     x27, #0
    mov     x28, #0
    cbnz    x22, 2f
    b       checks
2:  msr     spsr_el1, xzr
    adr     x0, checks
    msr     elr_el1, x0
    eret

    .balign 64
checks:
    .irp    base, x29, x10
    mov     x27, #0
    mov     x1, #7
    // A page that was read does not take stores, whatever was stored elsewhere.
    movz    \base, #PAGE_B >> 16, lsl #16
    movk    \base, #PAGE_B & 0xffff
    .irp    n, 1, 2, 3
    ldr     x0, [\base, #1024]
    str     x1, [\base, #1024]
    faults  \n * 2 - 1
    sub     \base, \base, #4096
    str     x1, [\base, #1024]
    add     \base, \base, #4096
    str     x1, [\base, #1024]
    faults  \n * 2
    .endr
    ldr     x0, [\base, #1024]
    is      x0, 0
    // Narrow, then wide over the end of page A.
    .irp    n, 1, 2
    ldrb    w0, [\base, #-1]
    is      x0, 16
    ldur    w0, [\base, #-4]
    ldurh   w0, [\base, #-1]
    lsr     x2, x0, #8
    is      x2, 17
    ldur    x0, [\base, #-4]
    lsr     x2, x0, #56
    is      x2, 20
    sturb   w1, [\base, #-1]
    sturh   w1, [\base, #-1]        // refused by page B: A is as before
    faults  \n + 6
    ldrb    w0, [\base, #-1]
    is      x0, 7
    mov     w0, #16
    sturb   w0, [\base, #-1]
    .endr
    // Several around one base: on a page, over its end, and with a store that is refused.
    .irp    n, 1, 2, 3
    ldur    x0, [\base, #-8]
    ldr     x2, [\base]
    ldr     x3, [\base, #8]
    and     x0, x0, #0xff
    is      x0, 9
    and     x2, x2, #0xff
    is      x2, 17
    and     x3, x3, #0xff
    is      x3, 25
    ldr     x0, [\base, #16]
    str     x1, [\base, #24]
    faults  8 + \n
    .endr
    .irp    n, 1, 2
    stur    x1, [\base, #-16]
    str     x1, [\base]
    faults  11 + \n
    ldur    x0, [\base, #-16]
    is      x0, 7
    movz    x0, #8
    stur    x0, [\base, #-16]
    ldur    x0, [\base, #-16]
    is      x0, 8
    .endr
    // The same with an index; flags live across the accesses.
    mov     x3, #-1
    movz    x4, #0
    .irp    n, 1, 2
    cmp     x3, x4
    ldr     x0, [\base, x4, lsl #3]
    str     x1, [\base, x4, lsl #3]
    cset    x5, lo
    faults  13 + \n
    is      x5, 0
    lsr     x0, x0, #56
    is      x0, 24
    cmp     x4, x3
    ldr     x0, [\base, x3, lsl #3]
    str     x1, [\base, x3, lsl #3]
    ldr     x2, [\base, x3, lsl #3]
    cset    x5, lo
    is      x2, 7
    is      x5, 1
    str     x0, [\base, x3, lsl #3]
    ldrh    w2, [\base, x3]        // over the end of page A
    lsr     x2, x2, #8
    is      x2, 17
    .endr
    sub     x11, \base, #64
    stp     x1, x1, [x11]
    ldp     x0, x2, [x11], #16
    str     x1, [x11]
    ldr     x3, [x11, #-16]
    is      x3, 7
    add     x0, x0, x2
    is      x0, 14
    .endr
    mov     x28, #0
bad:
    svc     #0

// After a round: x28 is 0 or the number of the check that failed.
done:
    cbnz    x28, fail
    sub     x23, x23, #1
    cbnz    x23, round
    add     x22, x22, #1
    cmp     x22, #2
    b.ne    again
    pass

    .balign 2048
vectors:
    .rept   4
    b       unexpected
    .balign 128
    .endr
    b       sync                    // EL1
    .balign 128
    .rept   3
    b       unexpected
    .balign 128
    .endr
    b       sync                    // EL0
    .balign 128
    .rept   7
    b       unexpected
    .balign 128
    .endr
unexpected:
    mov     x28, #99
    b       fail
sync:
    mrs     x21, esr_el1
    lsr     x20, x21, #26
    cmp     x20, #0x15
    b.eq    done
    and     x21, x21, #0x7f         // a store, refused by the last level
    cmp     x21, #0x4f
    b.ne    unexpected
    add     x27, x27, #1
    mrs     x21, elr_el1
    add     x21, x21, #4
    msr     elr_el1, x21
    eret
    end_of_guest
    .balign 4096
level1:
    .skip   4096
level2:
    .skip   4096
level3:
    .skip   4096
page_a:
    .skip   4096
page_b:
    .skip   4096
