// bad: say=F05 exit=0 args=--el,2
// good: exit=0 args=--el,2
#include "diag.inc"
// EL2 turns its own MMU on; what it writes for EL1 does not concern it.
    mov     x0, #1
    msr     sctlr_el1, x0
    ldr     x1, =l1_table
    tables
    ldr     x0, =l1_table
    ldr     x1, =0x44ff04
    msr     mair_el2, x1
    ldr     x1, =(TCR_39_BITS | 0x3500 | 2 << 16 | 1 << 23 | 1 << 31)
    msr     tcr_el2, x1
    msr     ttbr0_el2, x0
    isb
    mrs     x1, sctlr_el2
    mov     x2, #0x1005
    orr     x1, x1, x2
    msr     sctlr_el2, x1
#ifdef GOOD
    isb
#endif
    ldr     x3, [x0]
    isb
    ldr     w0, =0x84000008
    smc     #0
    b       .
