// The MMU is on and nothing is mapped below the stack.
// bad: id=F14 exit=115
// good: exit=0
#include "diag.inc"
    tables
    mmu_registers
    mmu_on
    ldr     x1, =0x40004000
    mov     sp, x1
    mov     x0, #10
    bl      down
    power_off
down:
    stp     x29, x30, [sp, #-32]!
#ifdef GOOD
    subs    x0, x0, #1
#else
    adds    x0, x0, #1
#endif
    b.eq    1f
    bl      down
1:  ldp     x29, x30, [sp], #32
    ret
