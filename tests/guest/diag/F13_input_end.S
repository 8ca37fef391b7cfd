// Polls the UART for a key, and the host has no input: its own ending, and nothing is wrong.
// good: exit=124 verdict=input-end
#include "diag.inc"
    mov x1, #UART
1:  ldr w0, [x1, #0x18]
    tbnz w0, #4, 1b
    power_off
