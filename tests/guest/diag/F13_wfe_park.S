// bad: id=F13 exit=114 verdict=deadlock
// good: exit=0
#include "diag.inc"
#ifdef GOOD
    sevl
    wfe
    power_off
#endif
1:  wfe
    b       1b
