// Waits for ever by calling a delay function.
// bad: id=F13 exit=114 verdict=stuck
// good: exit=0
#ifndef GOOD
#define GOOD 0
#endif
#define POWER_OFF __asm__ volatile("ldr w0, =0x84000008\nhvc #0");
volatile int sink;
__asm__(".section .text.start\n.global _start\n_start: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nbl kmain\nb .\n"
  ".section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_top\n.space 16384\n__stack_top:\n.text\n");
__attribute__((noinline)) void delay(volatile int n) { while (n--) ; }
void kmain(void) { for (int i = 0; !GOOD || i < 3000; i++) delay(1000); POWER_OFF }
