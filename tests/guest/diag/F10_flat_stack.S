// The stack is to grow down from the link address.
// bad: id=F10 exit=115 format=flat ldflags=-Ttext=0x80000
#include "diag.inc"
    ldr x0, =_start
    mov sp, x0
    bl main
    b .
main: stp x29, x30, [sp, #-16]!
    ldp x29, x30, [sp], #16
    ret
