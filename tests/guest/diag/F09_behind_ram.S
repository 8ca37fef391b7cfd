// Believes that there is more RAM.
// bad: id=F09 exit=115 args=-m,128M cause=behind_the_end_of_RAM
// good: exit=0 args=-m,512M
#include "diag.inc"
    stack
    ldr x0, =0x50000000
    str x0, [x0]
    power_off
