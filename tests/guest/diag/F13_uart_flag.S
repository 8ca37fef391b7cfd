// Waits for a UART flag that this UART never shows.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#include "diag.inc"
#ifdef GOOD
#define BIT 7
#else
#define BIT 8
#endif
    mov x1, #UART
1:  ldr w0, [x1, #0x18]
    tbz w0, #BIT, 1b
    power_off
