// A register reads back as written at once, also while its effect waits: no ISB is needed for that.
// good: args=--lint=strict exit=0
#include "diag.inc"
    stack
    mov     x0, #3 << 20
    msr     cpacr_el1, x0
    mrs     x1, cpacr_el1
    cmp     x0, x1
    b.ne    .
    isb
    fmov    d0, #1.0
    power_off
