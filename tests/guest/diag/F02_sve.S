// SVE on a CPU without it.
// bad: id=F02 exit=115
#include "diag.inc"
    .arch armv8.2-a+sve
    mov x0, #3 << 20
    msr cpacr_el1, x0
    isb
    ptrue p0.b
    cntb x0
