// A lock that nobody will release, tried with SWP.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
    .arch armv8.1-a
    stack
    tables
    mmu_registers
    mmu_on
    adrp x2, lock
    add x2, x2, :lo12:lock
    mov w3, #1
#ifndef GOOD
    str w3, [x2]
#endif
1:  swpa w3, w0, [x2]
    cbnz w0, 1b
    power_off
    .bss
    .balign 8
lock: .word 0
