/// Arguments go in through registers, results come out; the same machine runs several times. Also
/// what the library says to wrong addresses and names.
#include "example.h"

#include <string.h>

static uint64_t fibonacci(bruin_vm *vm, uint64_t n)
{
    struct bruin_error err;
    struct bruin_exit x;
    uint64_t result;
    need(bruin_set_reg(vm, 0, "x0", n, &err), &err);
    need(bruin_set_reg(vm, 0, "pc", 0x40080000, &err), &err);
    need(bruin_run(vm, &x, &err), &err);
    need(bruin_get_reg(vm, 0, "x0", &result, &err), &err);
    return result;
}

int main(int argc, char **argv)
{
    struct bruin_error err;
    uint64_t value;
    uint16_t half;
    uint8_t v[16], w[16];
    bruin_vm *vm = bruin_vm_create(0x40000000, 1 << 20, &err);
    need(argc == 2 && vm, &err);
    need(bruin_load_kernel(vm, argv[1], 0x40080000, &err), &err);
    bruin_exit_on_brk(vm, true);
    expect("fibonacci(10)", fibonacci(vm, 10), 55);
    expect("fibonacci(0)", fibonacci(vm, 0), 0);
    expect("fibonacci(90)", fibonacci(vm, 90), 2880067194370816120ULL);

    need(bruin_write32(vm, 0x400ffffc, 0x12345678, &err), &err);
    need(bruin_read16(vm, 0x400ffffe, &half, &err), &err);
    expect("upper half", half, 0x1234);
    expect("read across the end", bruin_read64(vm, 0x400ffffc, &value, &err), 0);
    printf("  %s\n", err.message);
    expect("write below RAM", bruin_write8(vm, 0x3fffffff, 1, &err), 0);
    expect("address that wraps", bruin_mem_write(vm, UINT64_MAX - 1, v, 16, &err), 0);
    expect("register x31", bruin_get_reg(vm, 0, "x31", &value, &err), 0);
    expect("register v0 as 64 bits", bruin_get_reg(vm, 0, "v0", &value, &err), 0);
    printf("  %s\n", err.message);
    expect("CPU 1", bruin_get_reg(vm, 1, "x0", &value, &err), 0);
    need(bruin_set_reg(vm, 0, "ttbr0_el1", 0x40001000, &err), &err);
    need(bruin_get_reg(vm, 0, "TTBR0_EL1", &value, &err), &err);
    expect("TTBR0_EL1", value, 0x40001000);
    memset(v, 0xa5, sizeof v);
    need(bruin_set_vreg(vm, 0, 31, v, &err), &err);
    need(bruin_get_vreg(vm, 0, 31, w, &err), &err);
    expect("v31 differs", (unsigned)memcmp(v, w, 16), 0);
    bruin_vm_free(vm);
    return 0;
}
