// Takes an interrupt from a redistributor that it never woke.
// bad: say=F13 exit=0 args=--lint=strict
// good: exit=0 args=--lint=strict
#include "diag.inc"
#include "gic.inc"
    stack
    vectors vec
    mov     x21, #0
#ifdef GOOD
    gic
#else
    gic wake=0
#endif
    timer
    msr     daifclr, #2
1:  cbz     x21, 1b
    power_off
    .balign 2048
vec: .rept 16
    mov     x21, #1
    msr     cntv_ctl_el0, xzr
    eret
    .balign 128
    .endr
