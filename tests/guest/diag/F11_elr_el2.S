// ELR_EL2 is written at EL1, as the tail of an EL2 to EL1 switch does.
// bad: id=F11 exit=115
#include "diag.inc"
    adr x1, _start
    msr elr_el2, x1
    power_off
