// VBAR_EL1 holds a virtual address while the MMU is off.
// bad: id=F02 exit=115
#include "diag.inc"
    stack
    ldr x0, =0xffff800008010000
    msr vbar_el1, x0
    isb
    brk #0x800
