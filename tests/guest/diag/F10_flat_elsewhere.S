// A flat program linked for 0x80000 calls through absolute addresses.
// bad: ldflags=-Wl,-Ttext=0x80000 format=flat id=F10 exit=115
// good: format=flat exit=0
#include "diag.inc"
    ldr     x1, =next
    br      x1
next:
    power_off
