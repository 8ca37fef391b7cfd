// Recursion runs over the code.
// bad: id=F14 exit=115
__asm__(".section .text.start\n.global _start\n_start: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nbl kmain\nb .\n"
  ".section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_top\n.space 4096\n__stack_top:\n.text\n");
__attribute__((noinline)) int f(volatile int *p) { volatile int b[64]; for (int i = 0; i < 64; i++) b[i] = *p + 0x5a5a5a5a; return f(b) + b[3]; }
void kmain(void) { volatile int x = 1; f(&x); }
