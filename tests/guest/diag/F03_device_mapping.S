// The MMU is on, but RAM is mapped as Device.
// bad: id=F03 exit=115
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
    tables
#else
    tables DEVICE_BLOCK, 0x0000000040000701
#endif
    mmu_registers
    mmu_on
    sub     x1, sp, #63
    ldr     x0, [x1]
    power_off
