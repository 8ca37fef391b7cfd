// PMR does not let the priority of the timer through.
// bad: id=F13 exit=114 verdict=deadlock
// good: exit=0
#include "diag.inc"
#include "gic.inc"
#ifdef GOOD
    gic
#else
    gic pmr=0x80
#endif
    ldr     w3, =0xa0a0a0a0
    str     w3, [x1, #0x418]
    timer
    wfi
    power_off
