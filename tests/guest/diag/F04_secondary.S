// CPACR_EL1 was set on the first CPU only.
// bad: id=F04 exit=115 args=-c,2
#include "diag.inc"
    mov x0, #3 << 20
    msr cpacr_el1, x0
    isb
    movi v0.16b, #0
    ldr x0, =0xc4000003
    mov x1, #1
    adr x2, sec
    mov x3, #0
    hvc #0
1:  wfe
    b 1b
sec: movi v0.16b, #0
    b .
