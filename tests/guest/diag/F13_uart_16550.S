// Polls the line status of a 16550 on a PL011.
// bad: id=F13 exit=114 verdict=stuck
#include "diag.inc"
    mov x1, #UART
1:  ldrb w0, [x1, #5]
    tbz w0, #5, 1b
    mov w0, #'H'
    strb w0, [x1]
    power_off
