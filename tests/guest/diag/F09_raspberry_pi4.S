// The mini UART of a Raspberry Pi 4 is polled.
// bad: id=F09 exit=115
// good: exit=0
#include "diag.inc"
    ldr     x1, =0xfe215040
#ifdef GOOD
    ldr     x1, =UART + 0x18
#endif
    ldr     w0, [x1, #0x14 - 0x14]
    power_off
