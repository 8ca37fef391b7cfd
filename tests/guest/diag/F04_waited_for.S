// The second CPU traps on FP; the first waits for it.
// bad: id=F04 exit=115 args=-c,2
#include "diag.inc"
    stack
    ldr x0, =0xc4000003
    mov x1, #1
    adr x2, sec
    hvc #0
    adrp x5, flag
    add x5, x5, :lo12:flag
1:  wfe
    ldr w0, [x5]
    cbz w0, 1b
    power_off
sec: adrp x0, vec
    add x0, x0, :lo12:vec
    msr vbar_el1, x0
    isb
    fmov d0, x1
    adrp x5, flag
    str w0, [x5, :lo12:flag]
    sev
2:  b 2b
    .bss
flag: .word 0
    .text
    .balign 2048
vec: .rept 16
1:  wfe
    b 1b
    .balign 128
    .endr
