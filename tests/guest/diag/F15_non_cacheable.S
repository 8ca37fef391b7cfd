// A lock in memory that is mapped Normal Non-cacheable.
// bad: say=F15 exit=0 args=--lint,strict
// bad: say=F15 exit=0 args=--lint,strict cflags=-march=armv8.1-a;-DATOMIC
// good: exit=0
// good: exit=0 args=--lint,strict
#include "diag.inc"
    stack
#ifdef GOOD
    tables
#else
    tables  normal=0x0000000040000709
#endif
    mmu_registers
    dsb     sy
    tlbi    vmalle1
    dsb     sy
    isb
    mmu_on
    adrp    x0, lock
    add     x0, x0, :lo12:lock
    mov     w1, #1
    str     wzr, [x0]
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
