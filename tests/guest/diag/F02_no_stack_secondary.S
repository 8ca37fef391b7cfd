// The second CPU has no stack.
// bad: id=F02 exit=115 args=-c,2
#include "diag.inc"
    stack
    ldr x0, =0xc4000003
    mov x1, #1
    adr x2, sec
    hvc #0
1:  wfi
    b 1b
sec: stp x29, x30, [sp, #-16]!
    bl _start
