// CPU_OFF where CPU_ON was meant.
// bad: id=F13 exit=114 args=-c,2
#include "diag.inc"
    ldr w0, =0x84000002
    mov x1, #1
    adr x2, sec
    hvc #0
1:  wfe
    b 1b
sec: wfi
    b sec
