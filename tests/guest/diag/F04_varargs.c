// What a compiler makes of a function with variable arguments: it saves q0..q7.
// bad: id=F04 exit=115
// good: exit=0 cflags=-mgeneral-regs-only
__asm__(".section .text.start,\"ax\"\n.global _start\n_start: adrp x0, __stack_top\n"
        "add x0, x0, :lo12:__stack_top\nmov sp, x0\nbl main\n"
        "ldr w0, =0x84000008\nhvc #0\nb .\n"
        ".section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_bottom\n__stack_bottom:\n.space 16384\n.global __stack_top\n__stack_top:\n.text\n");
static volatile int sink;
__attribute__((noipa)) int add_all(int n, __builtin_va_list ap)
{
    int sum = 0;
    while (n-- > 0)
        sum += __builtin_va_arg(ap, int);
    return sum;
}
__attribute__((noipa)) int add_up(int n, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, n);
    int sum = add_all(n, ap);
    __builtin_va_end(ap);
    return sum;
}
int main(void)
{
    sink = add_up(3, 1, 2, 3);
    return 0;
}
