// The block that maps RAM ends in 0b11, as a table does: the device tree at the start of RAM is read as descriptors.
// bad: id=F08 exit=115 cause=AF_set.*0b11,_a_table
// good: exit=0
#include "diag.inc"
    stack
    adrp    x0, l1_table
    add     x0, x0, :lo12:l1_table
    ldr     x1, =DEVICE_BLOCK
#ifdef GOOD
    ldr     x2, =0x40000705
#else
    ldr     x2, =0x40000707
#endif
    stp     x1, x2, [x0]
    dsb     sy
    mmu_registers
    mmu_on
    power_off
