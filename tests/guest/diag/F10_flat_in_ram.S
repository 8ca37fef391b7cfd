// A raw binary linked for another address in RAM than it is loaded at.
// bad: id=F10 exit=115 format=flat ldflags=-Wl,-Ttext=0x40200000 cause=linked_for_0x40200000
// good: exit=0 format=flat ldflags=-Wl,-Ttext=0x40080000
#include "diag.inc"
    ldr x0, =__stack_top
    mov sp, x0
    ldr x0, =go
    br x0
    .balign 64
go: mov x0, #0
    power_off
