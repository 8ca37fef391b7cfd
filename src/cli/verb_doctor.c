/// bruin doctor: what this host offers, one line a fact, and what to do about what it lacks.
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/// True when a program of this name is in PATH.
static bool has_program(const char *name)
{
    const char *path = getenv("PATH");
    char file[512];
    for (const char *p = path ? path : ""; *p;) {
        size_t n = strcspn(p, ":");
        if (snprintf(file, sizeof file, "%.*s/%s", (int)n, p, name) < (int)sizeof file && access(file, X_OK) == 0)
            return true;
        p += n + (p[n] == ':');
    }
    return false;
}

static void line(bool good, const char *what, const char *advice)
{
    printf("%-5s %s%s%s\n", good ? "ok" : "-", what, good || !*advice ? "" : ": ", good ? "" : advice);
}

int verb_doctor(struct cli *cli)
{
    struct utsname u;
    struct bruin_error err;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (uname(&u) == 0)
        printf("host  %s %s, %ld cpus, %.1f GiB memory, %ld KiB pages\n", u.sysname, u.machine,
               sysconf(_SC_NPROCESSORS_ONLN), (double)pages * (double)page / (1 << 30), page >> 10);
    bruin_vm *vm = bruin_vm_new(cli->config, &err);
    line(vm != NULL, "a machine can be made", vm ? "" : err.message);
    if (vm)
        printf("ok    accelerator: %s\n", bruin_accel_name(vm));
    bruin_vm_free(vm);
    line(isatty(0) && isatty(1), "stdin and stdout are a terminal", "no Ctrl-A keys");
    line(has_program("dtc"), "dtc", "reads `bruin dtb dump` (package device-tree-compiler)");
    line(has_program("gdb-multiarch") || has_program("aarch64-linux-gnu-gdb"), "gdb for AArch64",
         "debugs guests (package gdb-multiarch)");
    line(has_program("aarch64-linux-gnu-gcc") || has_program("clang"), "a compiler for AArch64",
         "builds guests (package gcc-aarch64-linux-gnu)");
    return vm ? 0 : BRUIN_ERR_USAGE;
}
