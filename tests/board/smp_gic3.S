// CPU_ON starts a second CPU, which answers by memory and SGI, and CPU_OFF ends it.
    .include "lib.inc"
    .equ    GICD, 0x08000000
    begin
    ldr     x1, =GICD
    mov     w2, #0x13
    str     w2, [x1]
    bl      gic_up
    mov     x1, #1
    adr     x2, second
    ldr     x3, =0x5a5a1234
    ldr     x0, =0xc4000003         // CPU_ON
    hvc     #0
    check_eq x0, 0
1:  wfi                             // the SGI of the second CPU
    mrs     x0, isr_el1
    cbz     x0, 1b
    mrs     x0, icc_iar1_el1
    check_eq x0, 2
    msr     icc_eoir1_el1, x0
    adr     x1, answer
    ldr     x0, [x1]
    check_eq x0, 0x5a5a1234
2:  mov     x1, #1
    mov     x2, #0
    ldr     x0, =0xc4000004         // AFFINITY_INFO until it is off
    hvc     #0
    cbz     x0, 2b
    check_eq x0, 1
    pass
gic_up:                             // of the CPU that calls
    mrs     x9, mpidr_el1
    and     x9, x9, #0xff
    ldr     x1, =0x080a0000
    add     x1, x1, x9, lsl #17
    str     wzr, [x1, #0x14]
    add     x1, x1, #0x10000
    mov     w2, #-1
    str     w2, [x1, #0x80]
    mov     w2, #0xffff
    str     w2, [x1, #0x100]
    mov     x2, #0xf0
    msr     icc_pmr_el1, x2
    mov     x2, #1
    msr     icc_igrpen1_el1, x2
    isb
    ret
second:
    adr     x1, answer
    str     x0, [x1]
    bl      gic_up
    dsb     sy
    ldr     x2, =(2 << 24 | 1)      // SGI 2 to CPU 0
    msr     icc_sgi1r_el1, x2
    ldr     x0, =0x84000002         // CPU_OFF
    hvc     #0
    b       .
    .balign 8
answer:
    .quad   0
irq_handler:
    mov     x28, #97
    b       fail
    make_vectors
    end_of_guest
