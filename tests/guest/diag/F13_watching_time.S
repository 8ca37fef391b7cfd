// Reads the time while it waits for a flag that nothing sets.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
    stack
    adrp x5, flag
    add x5, x5, :lo12:flag
1:  mrs x0, cntvct_el0
    ldr w1, [x5]
#ifdef GOOD
    tbz x0, #22, 1b
#else
    cbz w1, 1b
#endif
    power_off
    .bss
flag: .word 0
