// FP/SIMD is enabled and used before a context synchronisation event: strict keeps the old value until then.
// bad: args=--lint=strict id=F05 exit=115
// good: args=--lint=strict exit=0
#include "diag.inc"
    stack
    mov     x0, #3 << 20
    msr     cpacr_el1, x0
#ifdef GOOD
    isb
#endif
    fmov    d0, #1.0
    power_off
