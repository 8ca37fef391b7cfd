// DC ZVA with the MMU off, as a libc memset does it.
// bad: id=F03 exit=115
// good: exit=0
#include "diag.inc"
    stack
    adrp x0, __stack_bottom
#ifdef GOOD
    tables
    mmu_registers
    mmu_on
    adrp x0, __stack_bottom
#endif
    dc zva, x0
    power_off
