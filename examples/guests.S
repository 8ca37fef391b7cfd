// The guests of the examples: small programs, one a section. build.sh links one of them as a flat
// binary for 0x40080000.

#ifdef GUEST_add
    mov     x1, #40
    mov     x2, #2
    add     x0, x1, x2
    brk     #7
#endif

#ifdef GUEST_fibonacci
    // x0 = n on entry, the n-th Fibonacci number at the end
    mov     x1, #0
    mov     x2, #1
1:  cbz     x0, 2f
    add     x3, x1, x2
    mov     x1, x2
    mov     x2, x3
    sub     x0, x0, #1
    b       1b
2:  mov     x0, x1
    brk     #0
#endif

#ifdef GUEST_device
    // Reads bytes of the device until it has no more, doubles the count, hands the sum back.
    movz    x1, #0x0b00, lsl #16
    mov     x2, #0
1:  ldr     w3, [x1]            // next value, 0 at the end
    cbz     w3, 2f
    add     x2, x2, w3, uxtw
    b       1b
2:  str     x2, [x1, #8]        // the result register has 64 bits
    mov     w4, #0x5a
    strb    w4, [x1, #16]       // and there is one of 8
    brk     #0
#endif

#ifdef GUEST_uart
    movz    x1, #0x0900, lsl #16
    adr     x2, text
1:  ldrb    w3, [x2], #1
    cbz     w3, 2f
    str     w3, [x1]
    b       1b
2:  movz    x0, #0x8400, lsl #16 // PSCI SYSTEM_OFF
    movk    x0, #0x0008
    hvc     #0
text:
    .asciz  "Hello from the guest\n"
#endif

#ifdef GUEST_dtb
    // x0 = device tree on entry: reads its magic and its size, which are big-endian
    ldr     w1, [x0]
    rev     w1, w1
    ldr     w2, [x0, #4]
    rev     w2, w2
    brk     #0
#endif

#ifdef GUEST_count
    // Counts in x0 for ever, so that stopping it is the embedder's business
1:  add     x0, x0, #1
    cmp     x0, x1
    b.ne    1b
    brk     #0
#endif

#ifdef GUEST_reset
    // Counts its starts in RAM, which a reset keeps, prints the count; resets twice, then powers off
    movz    x1, #0x4700, lsl #16
    ldr     w2, [x1]
    add     w2, w2, #1
    str     w2, [x1]
    movz    x3, #0x0900, lsl #16
    add     w4, w2, #'0'
    str     w4, [x3]
    movz    x0, #0x8400, lsl #16
    movk    x0, #0x0009         // PSCI SYSTEM_RESET
    cmp     w2, #3
    b.ne    1f
    movk    x0, #0x0008         // PSCI SYSTEM_OFF
1:  hvc     #0
#endif
