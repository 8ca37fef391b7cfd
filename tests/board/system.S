// System instructions in hot loops, where the translator has them in line: the counter never runs backwards, however
// it is read, and EL0 reads it only where EL1 lets it.
    .include "lib.inc"
    .equ    ROUNDS, 200000
    .equ    EL0_ROUNDS, 5000
    .equ    EC_SVC64, 0x15
    .equ    EC_SYSREG, 0x18

    begin
    mov     x0, #3
    msr     cntkctl_el1, x0
    mov     x0, #0x7fffffff
    msr     cntv_cval_el0, x0
    msr     cntp_cval_el0, x0
    isb

    // CNTVCT, CNTPCT, and the counter as the timer sees it: CVAL - TVAL, 32 bits of it.
    ldr     x7, =ROUNDS
    mrs     x1, cntvct_el0
1:  mrs     x2, cntvct_el0
    cmp     x2, x1
    b.lo    backwards
    mrs     x1, cntpct_el0              // no offset without EL2
    cmp     x1, x2
    b.lo    backwards
    tst     x7, #63
    b.ne    2f
    mrs     x3, cntv_tval_el0
    sub     w3, w0, w3
    subs    w4, w3, w1
    b.mi    backwards
    mrs     x1, cntvct_el0
    subs    w4, w1, w3
    b.mi    backwards
    add     x28, x28, #0
2:  subs    x7, x7, #1
    b.ne    1b
    add     x28, x28, #1

    // The clock goes on: 2 ms take less than 2 s of reading it.
    mrs     x1, cntvct_el0
    ldr     x7, =100000000
    ldr     x8, =125000
1:  mrs     x2, cntvct_el0
    sub     x3, x2, x1
    cmp     x3, x8
    b.hs    2f
    subs    x7, x7, #1
    b.ne    1b
    b       fail
2:  add     x28, x28, #1

    // Flags live across it; its result in a register that has no home.
    mov     x7, #1000
    mov     x5, #0
1:  subs    x7, x7, #1
    mrs     x17, cntvct_el0
    cinc    x5, x5, ne
    b.ne    1b
    check_eq x5, 999

    // EL0: both while allowed, then neither (EC 0x18), each bit for one of them.
    adr     x9, user
    msr     elr_el1, x9
    mov     x9, #0x3c0
    msr     spsr_el1, x9
    mov     x20, #0                     // what the handler does: 0 next step on SVC
    eret

backwards:
    mov     x28, #90
    b       fail

    .balign 4096
user:
    mov     x6, #EL0_ROUNDS
1:  mrs     x1, cntvct_el0
    mrs     x2, cntpct_el0
    cmp     x2, x1
    b.lo    3f
    subs    x6, x6, #1
    b.ne    1b
    svc     #1                          // neither from now on
    mov     x6, #EL0_ROUNDS
    mov     x21, #0
1:  mrs     x1, cntvct_el0
    mrs     x2, cntpct_el0
    subs    x6, x6, #1
    b.ne    1b
    svc     #2                          // CNTPCT only
    mov     x6, #EL0_ROUNDS
    mov     x21, #0
1:  mrs     x1, cntvct_el0
    mrs     x2, cntpct_el0
    subs    x6, x6, #1
    b.ne    1b
    svc     #3                          // done
3:  svc     #4

from_el0:
    mrs     x9, esr_el1
    lsr     x10, x9, #26
    cmp     x10, #EC_SYSREG
    b.eq    trapped
    cmp     x10, #EC_SVC64
    mov     x28, #91
    b.ne    fail
    and     x9, x9, #0xffff
    cmp     x9, #1
    b.eq    step_1
    cmp     x9, #2
    b.eq    step_2
    cmp     x9, #3
    mov     x28, #92
    b.ne    fail
    mov     x28, #6
    check_eq x21, EL0_ROUNDS
    pass
step_1:
    msr     cntkctl_el1, xzr
    eret
step_2:
    mov     x28, #4
    check_eq x21, (2 * EL0_ROUNDS)
    mov     x9, #1
    msr     cntkctl_el1, x9
    eret
trapped:
    add     x21, x21, #1
    mrs     x9, elr_el1
    add     x9, x9, #4
    msr     elr_el1, x9
    eret

    .balign 2048
vectors:
    .rept   8
    mov     x28, #99
    b       fail
    .balign 128
    .endr
    b       from_el0
    .balign 128
    .rept   7
    mov     x28, #98
    b       fail
    .balign 128
    .endr
    end_of_guest
