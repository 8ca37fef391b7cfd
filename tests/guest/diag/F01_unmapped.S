// A jump to an address that the tables do not map, after the MMU went on well.
// bad: id=F01 exit=115
// good: exit=0
#include "diag.inc"
    tables
    mmu_registers
    mmu_on
    ldr     x3, =0x1280000000
    put     'a'
#ifdef GOOD
    adr     x3, next
#endif
    br      x3
next:
    power_off
