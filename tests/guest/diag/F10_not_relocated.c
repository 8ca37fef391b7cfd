// A position-independent program whose pointers nobody relocated, as a raw binary.
// bad: id=F10 exit=115 format=flat ldflags=-Wl,-Ttext=0 cause=relocations
__asm__(".section .text.start\n.global _start\n_start: mov x0, #0x48000000\nmov sp, x0\nbl kmain\nb .\n.text\n");
static void hello(void) { *(volatile unsigned *)0x09000000 = 'h'; }
static void bye(void) { *(volatile unsigned *)0x09000000 = 'b'; }
void (*volatile table[2])(void) = {hello, bye};
void kmain(void) { table[0](); table[1](); }
