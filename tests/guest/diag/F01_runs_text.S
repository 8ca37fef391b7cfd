// A jump to a string.
// bad: id=F01 exit=115 trail=same
#include "diag.inc"
    stack
    adr x0, str
    br x0
    .balign 8
str: .asciz "Hello, world! This is no code"
