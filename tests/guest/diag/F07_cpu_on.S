// CPU_ON with a virtual address.
// bad: args=-c,2 say=F07 id=F07 exit=115
// good: args=-c,2 exit=0
#include "diag.inc"
    ldr     w0, =0xc4000003
    mov     x1, #1
    adr     x2, second
#ifndef GOOD
    orr     x2, x2, #0xffff000000000000
#endif
    mov     x3, #0
    hvc     #0
    mov     x9, #0x400000
1:  subs    x9, x9, #1
    b.ne    1b
    power_off
second:
    wfi
    b       second
