// Pointer authentication on a CPU without it.
// bad: id=F02 exit=115
#include "diag.inc"
    .arch armv8.3-a
    stack
    pacda x0, sp
    pacga x0, x1, x2
    retaa
