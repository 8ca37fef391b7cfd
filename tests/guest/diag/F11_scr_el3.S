// bad: id=F11 exit=115
// good: exit=0
#include "diag.inc"
    mov     x0, #0x501
#ifndef GOOD
    msr     scr_el3, x0
#endif
    power_off
