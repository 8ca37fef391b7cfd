// Two CPUs, and RAM mapped Non-shareable.
// bad: args=-c,2 say=F16 exit=0
// good: args=-c,2 exit=0
#include "diag.inc"
    stack
    ldr     w0, =0xc4000003
    mov     x1, #1
    adr     x2, second
    mov     x3, #0
    hvc     #0
#ifdef GOOD
    tables
#else
    tables DEVICE_BLOCK, 0x0000000040000405
#endif
    mmu_registers
    mmu_on
    ldr     x0, [sp, #-16]
    power_off
second:
    wfi
    b       second
