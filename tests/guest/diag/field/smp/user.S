// The program of the user processes, position independent; copied to UVA_CODE.
    .section .rodata
    .balign 16
    .global user_prog, user_prog_end
user_prog:
    mov x19, #UVA_DATA
    ldr w20, [x19]          // my id
    mov x8, #1              // sys_hello(id)
    mov x0, x20
    svc #0
    mov x21, #5
    fmov d8, #1.0
    scvtf d9, w20
1:  fadd d8, d8, d9
    stp x21, x20, [sp, #-16]!
    mov x8, #2              // sys_yield
    svc #0
    ldp x21, x20, [sp], #16
    subs x21, x21, #1
    b.ne 1b
    // 1 + 5 * id?
    mov w0, #5
    mul w0, w0, w20
    add w0, w0, #1
    scvtf d0, w0
    fcmp d0, d8
    b.ne 3f
    // heap on demand
    mov x9, #UVA_HEAP
    str x20, [x9]
    ldr x10, [x9]
    cmp x10, x20
    b.ne 3f
    mov w0, #0
    b 4f
3:  mov w0, #1
4:  mov x8, #3              // sys_exit(status)
    svc #0
    b .
user_prog_end:

// long fp_work(int n): the sum of 1/k for k to n, times 1000
    .text
    .global fp_work
fp_work:
    movi d0, #0
    fmov d1, #1.0
1:  scvtf d2, w0
    fdiv d3, d1, d2
    fadd d0, d0, d3
    subs w0, w0, #1
    b.gt 1b
    mov w1, #1000
    scvtf d1, w1
    fmul d0, d0, d1
    fcvtzs x0, d0
    ret
