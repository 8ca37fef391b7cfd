// A panic function of its own: prints, and sleeps.
// bad: id=F13 exit=114 cause=mm.c:123
__asm__(".section .text.start\n.global _start\n_start: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nbl kmain\nb .\n.section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_top\n.space 4096\n__stack_top:\n.text\n");
typedef unsigned long u64;
__attribute__((noinline)) void put(const char *s) { while (*s) *(volatile unsigned *)0x09000000 = *s++; }
void panic(const char *s) { put("panic: "); put(s); put("\n"); for (;;) __asm__ volatile("wfi"); }
void kmain(void) { panic("assertion `x > 0' failed at mm.c:123"); }
