/// The smallest machine: RAM, one CPU, a program that adds and stops at a BRK.
#include "example.h"

int main(int argc, char **argv)
{
    struct bruin_error err;
    struct bruin_exit x;
    uint64_t x0, pc;
    bruin_vm *vm = bruin_vm_create(0x40000000, 1 << 20, &err);
    need(argc == 2 && vm, &err);
    need(bruin_load_kernel(vm, argv[1], 0x40080000, &err), &err);
    bruin_exit_on_brk(vm, true);
    need(bruin_run(vm, &x, &err), &err);
    need(bruin_get_reg(vm, 0, "x0", &x0, &err), &err);
    need(bruin_get_reg(vm, 0, "pc", &pc, &err), &err);
    expect("reason is a breakpoint", x.reason == BRUIN_BREAKPOINT, 1);
    expect("immediate", x.value, 7);
    expect("pc", pc, 0x4008000c); /* at the BRK, not after it */
    expect("x0", x0, 42);
    bruin_vm_free(vm);
    return 0;
}
