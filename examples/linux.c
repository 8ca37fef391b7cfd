/// Linux in one call. Prints the console until the kernel has found its processor.
#include "example.h"

#include <string.h>

struct watch {
    bruin_vm *vm;
    char line[512];
    size_t len;
};

static void on_console(void *ctx, const char *data, size_t len)
{
    struct watch *w = ctx;
    for (size_t i = 0; i < len; i++) {
        if (w->len + 1 < sizeof w->line)
            w->line[w->len++] = data[i];
        w->line[w->len] = 0;
        if (data[i] == '\n') {
            fputs(w->line, stdout);
            if (strstr(w->line, "Detected PIPT I-cache") ||
                strstr(w->line, "Dentry cache hash table"))
                bruin_stop(w->vm, 5);
            w->len = 0;
        }
    }
}

int main(int argc, char **argv)
{
    struct bruin_error err;
    struct bruin_exit x;
    if (argc != 2)
        return 1;
    FILE *f = fopen(argv[1], "rb");
    if (f == NULL)
        return 77; /* no kernel here: meson's code for "skipped" */
    fclose(f);
    bruin_vm *vm = bruin_vm_new(NULL, &err);
    need(vm, &err);
    struct watch w = {.vm = vm};
    bruin_on_console(vm, on_console, &w);
    need(bruin_boot_linux(vm, argv[1], "earlycon console=ttyAMA0 root=/dev/vda", 0x48000000, &err),
         &err);
    expect("device tree", bruin_dtb_address(vm), 0x48000000);
    need(bruin_run(vm, &x, &err), &err);
    expect("stopped by the callback", x.reason == BRUIN_STOPPED && x.status == 5, 1);
    bruin_vm_free(vm);
    return 0;
}
