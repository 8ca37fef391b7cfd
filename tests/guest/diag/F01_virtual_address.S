// A kernel linked high jumps to its virtual address before the MMU is on.
// bad: id=F01 exit=115
// good: exit=0
#include "diag.inc"
    adr     x1, next
#ifndef GOOD
    orr     x1, x1, #0xffff000000000000
#endif
    br      x1
next:
    power_off
