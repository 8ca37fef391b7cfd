/// An MMIO device of the embedder's: a source of numbers, a result register, a byte register.
#include "example.h"

struct source {
    unsigned next;
    uint64_t result;
    uint8_t mark;
};

static bool source_read(void *ctx, uint64_t offset, unsigned size, uint64_t *value)
{
    struct source *s = ctx;
    if (offset != 0 || size != 4)
        return false; /* the guest gets an external abort */
    *value = s->next ? s->next-- : 0;
    return true;
}

static bool source_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct source *s = ctx;
    if (offset == 8 && size == 8)
        s->result = value;
    else if (offset == 16 && size == 1)
        s->mark = (uint8_t)value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct bruin_error err;
    struct bruin_exit x;
    struct source s = {.next = 100};
    const struct bruin_mmio ops = {.read = source_read, .write = source_write};
    bruin_vm *vm = bruin_vm_create(0x40000000, 1 << 20, &err);
    need(argc == 2 && vm, &err);
    need(bruin_mmio_add(vm, 0x0b000000, 0x1000, "numbers", &ops, &s, &err), &err);
    expect("a second device at the same place",
           bruin_mmio_add(vm, 0x0b000800, 16, "other", &ops, &s, &err), 0);
    printf("  %s\n", err.message);
    need(bruin_load_kernel(vm, argv[1], 0x40080000, &err), &err);
    bruin_exit_on_brk(vm, true);
    need(bruin_run(vm, &x, &err), &err);
    expect("sum of 1..100", s.result, 5050);
    expect("mark", s.mark, 0x5a);
    bruin_vm_free(vm);
    return 0;
}
