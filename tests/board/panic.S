// Prints what a kernel prints when it panics, then powers off: that is not a clean end.
    .include "lib.inc"
    begin
    ldr     x1, =0x09000000
    adr     x2, text
1:  ldrb    w3, [x2], #1
    cbz     w3, 2f
    strb    w3, [x1]
    b       1b
2:  ldr     x0, =0x84000008         // SYSTEM_OFF
    hvc     #0
    b       .
text:
    .asciz  "KeKernel panic - not syncing: test\n"
    .balign 4
irq_handler:
    b       fail
    make_vectors
    end_of_guest
