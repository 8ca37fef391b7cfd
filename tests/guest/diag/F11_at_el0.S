// A register of EL1 is read at EL0.
// bad: id=F11 exit=115
#include "diag.inc"
    stack
    msr spsr_el1, xzr
    adr x0, 1f
    msr elr_el1, x0
    eret
1:  mrs x0, sctlr_el1
    b .
