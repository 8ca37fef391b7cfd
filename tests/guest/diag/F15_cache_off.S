// A lock is taken with the MMU on and the data cache off.
// bad: say=F15 exit=0 args=--lint,strict
// bad: say=F15 exit=0 args=--lint,strict cflags=-march=armv8.1-a;-DATOMIC
// good: exit=0
// good: exit=0 args=--lint,strict
#include "diag.inc"
    stack
    tables
    mmu_registers
    dsb     sy
    tlbi    vmalle1
    dsb     sy
    isb
#ifdef GOOD
    mmu_on
#else
    mmu_on  0x1001
#endif
    adrp    x0, lock
    add     x0, x0, :lo12:lock
    mov     w1, #1
#ifdef ATOMIC
    swpa    w1, w2, [x0]
#else
1:  ldaxr   w2, [x0]
    stxr    w3, w1, [x0]
    cbnz    w3, 1b
#endif
    power_off
    .section .tables, "aw", %nobits
    .balign 4096
lock: .space 4096
