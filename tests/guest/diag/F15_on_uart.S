// bad: id=F15 exit=115
// good: exit=0
#include "diag.inc"
    tables
    mmu_registers
    mmu_on
    mov     x1, #UART
#ifdef GOOD
    ldr     w0, [x1, #0x18]
#else
    ldxr    w0, [x1]
#endif
    power_off
