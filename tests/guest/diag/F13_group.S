// The interrupt is in group 0, and only group 1 is on.
// bad: id=F13 exit=114 verdict=deadlock
// good: exit=0
#include "diag.inc"
#include "gic.inc"
#ifdef GOOD
    gic
#else
    gic group=0
#endif
    timer
    wfi
    power_off
