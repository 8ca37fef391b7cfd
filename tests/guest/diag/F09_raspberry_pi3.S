// bad: id=F09 exit=115
// bad: id=F09 exit=115 format=flat
// good: exit=0
// good: exit=0 format=flat
#include "diag.inc"
    ldr     x1, =0x3f201000
#ifdef GOOD
    mov     x1, #UART
#endif
    mov     w0, #'A'
    strb    w0, [x1]
    power_off
