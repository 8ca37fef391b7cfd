// Returns from a function that was entered by a branch.
// bad: id=F01 exit=115 cause=no_caller
__asm__(".section .text.start\n.global _start\n_start: adrp x0, __stack_top\nadd x0, x0, :lo12:__stack_top\nmov sp, x0\nb kmain\n.section .stack,\"aw\",%nobits\n.balign 16\n.global __stack_top\n.space 4096\n__stack_top:\n.text\n");
void kmain(void) { *(volatile unsigned *)0x09000000 = 'h'; }
