// bad: id=F14 exit=115 trail=same
// bad: id=F14 exit=115 format=stripped
// good: exit=0
// good: exit=0 format=stripped
__asm__(".section .text.start,\"ax\"\n.global _start\n_start: adrp x0, __stack_top\n"
        "add x0, x0, :lo12:__stack_top\nmov sp, x0\nbl main\n"
        "ldr w0, =0x84000008\nhvc #0\nb .\n"
        ".section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_bottom\n__stack_bottom:\n.space 16384\n.global __stack_top\n__stack_top:\n.text\n");
static volatile int sink;
__attribute__((noinline)) int depth(int n)
{
    volatile char local[100];
    local[0] = (char)n;
    if (n == 0)
        return 0;
#ifdef GOOD
    return depth(n - 1) + local[0];
#else
    return depth(n + 1) + local[0];
#endif
}
int main(void)
{
    sink = depth(20);
    return 0;
}
