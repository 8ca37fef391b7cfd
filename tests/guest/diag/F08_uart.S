// Code is mapped, the UART is not.
// bad: id=F08 exit=115
// good: exit=0
#include "diag.inc"
    stack
#ifdef GOOD
    tables
#else
    tables 0, NORMAL_BLOCK
#endif
    mmu_registers
    mmu_on
    put     'x'
    power_off
