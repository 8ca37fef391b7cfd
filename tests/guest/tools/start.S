    .section .text.start, "ax"
    .global _start, semihost, power_off, reset
_start:
    adrp    x1, __stack_top
    add     x1, x1, :lo12:__stack_top
    mov     sp, x1
    bl      start_c
    b       .
semihost:
    hlt     #0xf000
    ret
power_off:
    ldr     w0, =0x84000008
    hvc     #0
reset:
    ldr     w0, =0x84000009
    hvc     #0
    .section .stack, "aw", %nobits
    .space  16384
    .global __stack_top
__stack_top:
