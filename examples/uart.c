/// The virt board, its UART in the embedder's hands, power-off by PSCI.
#include "example.h"

#include <string.h>

static void on_console(void *ctx, const char *data, size_t len) { strncat(ctx, data, len); }

int main(int argc, char **argv)
{
    struct bruin_error err;
    struct bruin_exit x;
    char text[256] = "";
    bruin_config *config = bruin_config_new();
    need(argc == 2, &err);
    need(bruin_config_set(config, "memory", "64M", &err), &err);
    expect("a wrong key", bruin_config_set(config, "memori", "64M", &err), 0);
    printf("  %s\n", err.message);
    bruin_vm *vm = bruin_vm_new(config, &err);
    bruin_config_free(config);
    need(vm, &err);
    bruin_on_console(vm, on_console, text);
    need(bruin_load_kernel(vm, argv[1], 0x40080000, &err), &err);
    need(bruin_run(vm, &x, &err), &err);
    printf("the guest said: %s", text);
    expect("text differs", strcmp(text, "Hello from the guest\n") != 0, 0);
    expect("reason is power-off", x.reason == BRUIN_OFF, 1);
    expect("exit status", (unsigned)x.status, 0);
    bruin_vm_free(vm);
    return 0;
}
