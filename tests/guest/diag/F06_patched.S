// A function runs, is patched, and runs again.
// bad: say=F06 exit=0
// bad: say=F06 exit=0 format=stripped
// good: exit=0
// good: exit=0 format=stripped
#include "diag.inc"
    stack
    bl      function
    adr     x1, function
    ldr     w2, new_code
    str     w2, [x1]
    dc      cvau, x1
    dsb     ish
#ifdef GOOD
    ic      ivau, x1
#endif
    dsb     ish
    isb
    bl      function
    power_off
new_code:
    mov     w0, #2
function:
    mov     w0, #1
    ret
