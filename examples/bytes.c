/// A kernel from memory, with a device tree of the embedder's. The guest reads the tree's header.
#include "example.h"

int main(int argc, char **argv)
{
    struct bruin_error err;
    struct bruin_exit x;
    static char kernel[65536];
    void *dtb;
    size_t dtb_len;
    uint64_t magic, size, x0;
    need(argc == 2, &err);
    FILE *f = fopen(argv[1], "rb");
    size_t len = f ? fread(kernel, 1, sizeof kernel, f) : 0;
    if (f)
        fclose(f);
    bruin_vm *vm = bruin_vm_new(NULL, &err);
    need(vm, &err);
    need(bruin_dtb_dump(vm, &dtb, &dtb_len, &err), &err); /* any tree would do; the board's own is at hand */
    need(bruin_set_dtb_bytes(vm, dtb, dtb_len, &err), &err);
    bruin_free(dtb);
    need(bruin_load_kernel_bytes(vm, kernel, len, "kernel in memory", 0x40080000, &err), &err);
    bruin_exit_on_brk(vm, true);
    need(bruin_run(vm, &x, &err), &err);
    need(bruin_get_reg(vm, 0, "x0", &x0, &err), &err);
    need(bruin_get_reg(vm, 0, "w1", &magic, &err), &err);
    need(bruin_get_reg(vm, 0, "w2", &size, &err), &err);
    expect("address of the device tree", x0, bruin_dtb_address(vm));
    expect("magic", magic, 0xd00dfeed);
    expect("size is plausible", size >= dtb_len && size < dtb_len + 65536, 1);
    expect("random bytes load",
           bruin_load_kernel_bytes(vm, "\xff\xff\xff\xff", 4, "bytes", BRUIN_AUTO, &err), 0);
    printf("  %s\n", err.message);
    bruin_vm_free(vm);
    return 0;
}
