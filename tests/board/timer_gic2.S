// The virtual timer through a GICv2, and a UART that interrupts when it has sent.
    .include "lib.inc"
    .equ    GICD, 0x08000000
    .equ    GICC, 0x08010000
    .equ    UART, 0x09000000
    begin
    ldr     x19, =GICD
    ldr     x20, =GICC
    ldr     x21, =UART
    mov     w2, #1
    str     w2, [x19]
    str     w2, [x20]
    mov     w2, #0xf0
    str     w2, [x20, #4]
    ldr     w2, =1 << 27
    str     w2, [x19, #0x100]
    mov     w2, #2                  // INTID 33
    str     w2, [x19, #0x104]
    mov     w2, #1
    strb    w2, [x19, #0x800 + 33]
    mrs     x2, cntvct_el0
    add     x2, x2, #0x1000
    msr     cntv_cval_el0, x2
    mov     x2, #1
    msr     cntv_ctl_el0, x2
    isb
    mov     x22, #0
    msr     daifclr, #2
1:  wfi
    cbz     x22, 1b
    check_eq x22, 27
    mov     x22, #0
    mov     w2, #0x20               // TX interrupt
    str     w2, [x21, #0x38]
    mov     w2, #'!'
    str     w2, [x21]
2:  cbz     x22, 2b
    check_eq x22, 33
    pass
irq_handler:
    ldr     w0, [x20, #0xc]
    mov     x22, x0
    msr     cntv_ctl_el0, xzr
    isb
    str     wzr, [x21, #0x38]
    str     w0, [x20, #0x10]
    eret
    make_vectors
    end_of_guest
