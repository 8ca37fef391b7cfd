// Calls functions whose code somebody else writes all the time, as a device's DMA would (run_guest dma), until
// each returns the last value. No instruction cache maintenance: a store to known code is seen sooner or later.
    .include "lib.inc"
    .equ    FUNCTIONS, 32
    .equ    LAST, 0x7777
    begin
    ldr     x20, =LAST
1:  adr     x19, functions
    mov     x21, #FUNCTIONS
    mov     x22, #0
2:  blr     x19
    cmp     x0, x20
    cinc    x22, x22, eq
    add     x19, x19, #64
    subs    x21, x21, #1
    b.ne    2b
    cmp     x22, #FUNCTIONS
    b.ne    1b
    pass
irq_handler:
    b       fail
    make_vectors
    .org    0x1000
functions:
    .rept   FUNCTIONS
    mov     w0, #1
    mov     w1, #20                 // a loop of its own
3:  subs    w1, w1, #1
    b.ne    3b
    ret
    .balign 64
    .endr
    end_of_guest
