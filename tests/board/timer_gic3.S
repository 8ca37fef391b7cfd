// Virtual and physical timers through a GICv3, woken from WFI with interrupts masked and open.
    .include "lib.inc"
    .equ    GICD, 0x08000000
    .equ    GICR, 0x080a0000
    .equ    SGI, 0x080b0000
    begin
    mrs     x0, cntfrq_el0
    check_eq x0, 62500000
    ldr     x1, =GICR
    str     wzr, [x1, #0x14]        // wake
    ldr     x1, =GICD
    mov     w2, #0x13
    str     w2, [x1]
    ldr     x1, =SGI
    mov     w2, #-1
    str     w2, [x1, #0x80]         // group 1
    ldr     w2, =(1 << 27 | 1 << 30)
    str     w2, [x1, #0x100]
    mov     x2, #0xf0
    msr     icc_pmr_el1, x2
    mov     x2, #1
    msr     icc_igrpen1_el1, x2
    isb
    // Physical timer, interrupts masked: WFI must return when it fires.
    mrs     x19, cntpct_el0
    ldr     x2, =62500              // 1 ms
    msr     cntp_tval_el0, x2
    mov     x2, #1
    msr     cntp_ctl_el0, x2
    isb
1:  wfi
    mrs     x2, cntp_ctl_el0
    tbz     x2, #2, 1b
    mrs     x20, cntpct_el0
    sub     x20, x20, x19
    add     x28, x28, #1
    ldr     x9, =62500
    cmp     x20, x9
    b.lo    fail
    mrs     x0, icc_iar1_el1
    check_eq x0, 30
    mov     x2, #3                  // mask in the timer: the level falls
    msr     cntp_ctl_el0, x2
    isb
    msr     icc_eoir1_el1, x0
    mrs     x0, icc_iar1_el1
    check_eq x0, 1023
    // Virtual timer with interrupts open, three times by absolute compare.
    mov     x21, #0
    mrs     x22, cntvct_el0
    ldr     x2, =31250
    add     x22, x22, x2
    msr     cntv_cval_el0, x22
    mov     x2, #1
    msr     cntv_ctl_el0, x2
    msr     daifclr, #2
2:  wfi
    cmp     x21, #3
    b.lo    2b
    msr     daifset, #2
    mrs     x0, cntv_ctl_el0        // the next one has not come yet
    check_eq x0, 1
    msr     cntv_ctl_el0, xzr
    // An SGI to self is edge-triggered and comes once.
    ldr     x1, =SGI
    mov     w2, #1 << 3
    str     w2, [x1, #0x100]
    ldr     x2, =(3 << 24 | 1)
    msr     icc_sgi1r_el1, x2
    isb
    mrs     x0, isr_el1
    check_eq x0, 0x80
    mrs     x0, icc_iar1_el1
    check_eq x0, 3
    msr     icc_eoir1_el1, x0
    mrs     x0, icc_iar1_el1
    check_eq x0, 1023
    pass
irq_handler:
    mrs     x0, icc_iar1_el1
    cmp     x0, #27
    mov     x9, #98
    csel    x28, x28, x9, eq
    b.ne    fail
    add     x21, x21, #1
    ldr     x2, =31250
    cmp     x21, #3
    b.lo    3f
    ldr     x2, =625000000          // ten seconds
3:  add     x22, x22, x2
    msr     cntv_cval_el0, x22
    isb
    msr     icc_eoir1_el1, x0
    eret
    make_vectors
    end_of_guest
