// The entry point itself returns.
// bad: id=F01 exit=115 cause=no_caller
// good: exit=0
#include "diag.inc"
    mov     x0, #0
#ifdef GOOD
    power_off
#endif
    ret
