// Counts in memory while it waits for a flag.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#ifndef GOOD
#define GOOD 0
#endif
#define POWER_OFF __asm__ volatile("ldr w0, =0x84000008\nhvc #0");
volatile int flag, count;
__asm__(".section .text.start\n.global _start\n_start: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nbl kmain\nb .\n"
  ".section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_top\n.space 16384\n__stack_top:\n.text\n");
void kmain(void) { while (!flag && (!GOOD || count < 5000000)) count++; POWER_OFF }
