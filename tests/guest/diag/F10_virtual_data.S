// A literal holds the link address of data.
// bad: id=F10 exit=115
#include "diag.inc"
    stack
    ldr x0, =0xffff800010081000
    ldr x1, [x0]
    power_off
