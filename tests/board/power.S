// Prints by semihosting and by UART, then resets the machine.
    .include "lib.inc"
    begin
    mov     w0, #4                  // SYS_WRITE0
    adr     x1, text
    hlt     #0xf000
    ldr     x1, =0x09000000
    mov     w2, #'U'
    strb    w2, [x1]
    ldr     x0, =0x84000009         // SYSTEM_RESET
    hvc     #0
    b       .
text:
    .asciz  "semihosting\n"
    .balign 4
irq_handler:
    b       fail
    make_vectors
    end_of_guest
