// Entry of the built-in guests: a stack, the device tree's address as the argument, then power off.
    .section .text.start, "ax"
    .global _start
_start:
    adrp    x1, stack_top
    add     x1, x1, :lo12:stack_top
    mov     sp, x1
    bl      main
    .global power_off
power_off:
    movz    x0, #0x8400, lsl #16        // PSCI SYSTEM_OFF
    movk    x0, #0x0008
    hvc     #0
1:  wfi
    b       1b

    .section .bss.stack, "aw", %nobits
    .balign 16
    .skip   8192
stack_top:
