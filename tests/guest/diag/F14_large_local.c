// A local array larger than the stack, and than all below it.
// bad: id=F14 exit=115 trail=same
__asm__(".section .text.start\n.global _start\n_start: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nbl kmain\nb .\n"
  ".section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_top,__stack_bottom\n__stack_bottom: .space 4096\n__stack_top:\n.text\n");
extern char table[];
void use(volatile char *p);
void kmain(void) { volatile char buf[900000]; for (int i = 0; i < 900000; i++) buf[i] = 0; use(buf); }
void use(volatile char *p) { __asm__ volatile("" :: "r"(p)); }
