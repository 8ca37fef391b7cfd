// Nothing that touches memory comes, but no ISB either.
// bad: say=F05 exit=114
// good: exit=114
#include "diag.inc"
    stack
    tables
    mmu_registers
    isb
    mmu_on_without_isb
#ifdef GOOD
    isb
#endif
    nop
    nop
    b       .
