// Nothing ends the program: behind its last instruction memory is empty.
// bad: id=F01 exit=115
// good: exit=0
#include "diag.inc"
    mov x0, #1
#ifdef GOOD
    power_off
#endif
