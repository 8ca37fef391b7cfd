// CPU_ON with an MPIDR that no CPU has; its error is ignored and the CPU waited for.
// bad: id=F07 exit=114 args=-c,2
// good: exit=0 args=-c,2
#include "diag.inc"
    stack
    ldr x0, =0xc4000003
#ifdef GOOD
    mov x1, #1
#else
    mov x1, #0x100
#endif
    adr x2, sec
    mov x3, #0
    hvc #0
    adrp x5, flag
    add x5, x5, :lo12:flag
1:  ldr w0, [x5]
    cbz w0, 1b
    power_off
sec: adrp x5, flag
    add x5, x5, :lo12:flag
    mov w1, #1
    str w1, [x5]
2:  wfi
    b 2b
    .bss
flag: .word 0
