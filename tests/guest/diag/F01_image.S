// The same in an arm64 Image of another kernel than Linux.
// bad: id=F01 exit=115 format=flat ldflags=-Ttext=0
// good: exit=0 format=flat ldflags=-Ttext=0
.macro power_off
    ldr w0, =0x84000008
    hvc #0
.endm
    .section .text.start, "ax"
    .global _start
_start: b go
    .long 0
    .quad 0
    .quad 0x100000
    .quad 0xa
    .quad 0,0,0
    .ascii "ARM\x64"
    .long 0
go: adr x1, _start
    mov sp, x1
    mov x5, xzr
#ifdef GOOD
    power_off
#else
    blr x5
#endif
