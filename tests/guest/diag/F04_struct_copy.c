// The compiler copies a structure with q registers.
// bad: id=F04 exit=115
typedef unsigned long u64;
struct big { u64 a[8]; };
struct big src, dst;
__attribute__((noinline)) void copy(struct big *d, const struct big *s) { *d = *s; __asm__ volatile("" ::: "memory"); }
__asm__(".section .text.start\n.global _start\n_start: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nbl kmain\nb .\n"
  ".section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_top\n.space 16384\n__stack_top:\n.text\n");
void kmain(void) { copy(&dst, &src); }
