// Registers of a GICv2 on a machine with a GICv3.
// bad: id=F09 exit=115
// good: exit=114 verdict=deadlock args=--gic,2
#include "diag.inc"
    ldr     x1, =0x08000000
    mov w2, #1
    str w2, [x1]
    ldr x3, =0x08010000
    mov w4, #0xff
    str w4, [x3, #4]
    str w2, [x3]
    wfi
    power_off
