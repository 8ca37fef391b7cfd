// Two CPUs hold a lock each and spin on the other one.
// bad: id=F13 exit=114 args=-c,2
#include "diag.inc"
    stack
    ldr x0, =0xc4000003
    mov x1, #1
    adr x2, sec
    hvc #0
    adrp x10, la
    add x10, x10, :lo12:la
    add x11, x10, #64
    b both
sec: adrp x11, la
    add x11, x11, :lo12:la
    add x10, x11, #64
both:
    mov w3, #1
    str w3, [x10]
    dmb sy
2:  ldr w0, [x11]
    cbz w0, 2b
3:  ldr w0, [x11]
    cbnz w0, 3b
    power_off
    .bss
    .balign 64
la: .space 128
