// The timer fires with no vectors installed.
// bad: id=F02 exit=115 verdict=exception-loop
// good: exit=0
#include "diag.inc"
#include "gic.inc"
    gic
    isb
    timer
#ifndef GOOD
    msr     daifclr, #2
#endif
    wfi
    power_off
