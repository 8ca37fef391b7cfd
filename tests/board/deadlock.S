// WFI with nothing that can wake it: no interrupt is enabled although a timer runs.
    .include "lib.inc"
    begin
    mov     x2, #0x1000
    msr     cntv_tval_el0, x2
    mov     x2, #1
    msr     cntv_ctl_el0, x2
    isb
1:  wfi
    b       1b
irq_handler:
    b       fail
    make_vectors
    end_of_guest
