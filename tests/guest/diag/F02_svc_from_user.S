// SVC from EL0 with no vectors.
// bad: id=F02 exit=115
#include "diag.inc"
    stack
    msr spsr_el1, xzr
    adr x0, user
    msr elr_el1, x0
    isb
    eret
user: mov x8, #64
    svc #0
    b user
