// The UART of another board.
// bad: id=F09 exit=115
#include "diag.inc"
    ldr x1, =0x30860040
    mov w0, #'H'
    str w0, [x1]
