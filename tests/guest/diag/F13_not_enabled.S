// The timer runs, but its interrupt is not enabled in the GIC.
// bad: id=F13 exit=114 verdict=deadlock
// good: exit=0
#include "diag.inc"
#include "gic.inc"
#ifdef GOOD
    gic
#else
    gic enable=0
#endif
    timer
    wfi
    power_off
