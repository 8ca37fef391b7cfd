// bad: say=F15 exit=0
// good: exit=0
    .arch   armv8.1-a
#include "diag.inc"
    stack
    tables
    mmu_registers
#ifdef GOOD
    mmu_on
#else
    isb
#endif
    mov     w2, #1
    sub     x1, sp, #64
    str     wzr, [x1]
    ldadd   w2, w0, [x1]
    power_off
