/// mkimage: makes boot images and checks what goes into them, with the loader's own code.
#include "espimg.h"
#include "../../guest/bridge/bbp_build.h"
#include "../../guest/bridge/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
    fputs("usage: mkimage create --esp DIR [--size MIB] [--label NAME] [--bare] OUT.img\n"
          "       mkimage check [loader.conf] [kernel.elf]...\n"
          "create  makes a GPT disk with one EFI system partition holding DIR (--bare: no GPT)\n"
          "check   runs the loader's configuration parser and kernel checks on this host\n",
          stderr);
    return 2;
}

static int create(int argc, char **argv)
{
    struct espimg_options o = {0};
    const char *dir = NULL, *out = NULL;
    char err[512];
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--esp") && i + 1 < argc)
            dir = argv[++i];
        else if (!strcmp(argv[i], "--size") && i + 1 < argc)
            o.size = strtoull(argv[++i], NULL, 0) << 20;
        else if (!strcmp(argv[i], "--label") && i + 1 < argc)
            o.label = argv[++i];
        else if (!strcmp(argv[i], "--bare"))
            o.bare = true;
        else if (argv[i][0] != '-' && !out)
            out = argv[i];
        else
            return usage();
    }
    if (!dir || !out)
        return usage();
    if (espimg_create(dir, out, &o, err, sizeof err))
        return 0;
    fprintf(stderr, "mkimage: %s\n", err);
    return 1;
}

static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return NULL;
    }
    char *data = NULL;
    size_t cap = 0;
    *len = 0;
    for (;;) {
        if (*len == cap) {
            cap = cap ? cap * 2 : 65536;
            char *more = realloc(data, cap);
            if (!more)
                break;
            data = more;
        }
        size_t n = fread(data + *len, 1, cap - *len, f);
        if (!n)
            break;
        *len += n;
    }
    fclose(f);
    return data;
}

static void print_warning(void *context, uint32_t line, const char *text)
{
    printf("%s:%u: warning: %s\n", (const char *)context, line, text);
}

static int check_config(const char *path, const char *data, size_t len)
{
    static struct conf c;
    struct br_why why;
    int faults = 0;
    c.warn = print_warning;
    c.context = (void *)(uintptr_t)path;
    if (!conf_parse(&c, data, len, "aarch64", &why)) {
        printf("%s: error: %s\n", path, why.msg);
        return 1;
    }
    for (int e = 0; e < (int)c.entries; e++) {
        if (c.entry[e].is_dir)
            continue;
        const char *p = conf_get(&c, e, "path", 0);
        struct conf_path parsed;
        if (!p || !conf_path_parse(p, &parsed, &why)) {
            printf("%s:%u: error: entry \"%s\": %s\n", path, c.entry[e].line, c.entry[e].title,
                   p ? why.msg : "no path");
            faults++;
        }
        const char *m;
        for (uint32_t n = 0; (m = conf_get(&c, e, "module_path", n)); n++)
            if (!conf_path_parse(m, &parsed, &why)) {
                printf("%s:%u: error: module_path: %s\n", path, c.entry[e].line, why.msg);
                faults++;
            }
    }
    printf("%s: %u entries, %u warnings, %d errors\n", path, c.entries, c.warnings, faults);
    return faults ? 1 : 0;
}

/// Every machine the kernel could be started on is assumed to offer everything.
static int check_kernel(const char *path, const char *data, size_t len)
{
    struct br_elf elf;
    struct br_why why;
    struct bbp_plan plan;
    if (!br_elf_check(data, len, 0, &elf, &why)) {
        printf("%s: error: %s\n", path, why.msg);
        return 1;
    }
    struct bbp_env env = {.arch = elf.arch,
                          .granules = 7,
                          .pa_range = 5,
                          .levels = 4,
                          .levels_other = 5,
                          .at_el2 = true,
                          .has_vhe = true,
                          .has_dtb = true,
                          .has_acpi = true,
                          .has_fb = true};
    if (!bbp_plan_make(&plan, data, len, &env, &why)) {
        printf("%s: error: %s\n", path, why.msg);
        return 1;
    }
    uint8_t *image = aligned_alloc(65536, (plan.image_len + 65535) & ~65535ULL);
    struct br_area area = {image, plan.needs_phys ? plan.phys : 1ULL << 30, plan.image_len};
    bool ok = image && bbp_place(&plan, area, &why);
    free(image);
    if (!ok) {
        printf("%s: error: %s\n", path, why.msg);
        return 1;
    }
    printf("%s: ok: BBP %u.%u for %s, %llu KiB, entry 0x%llx, %s, MMU %s\n", path, plan.want.major,
           plan.want.minor, elf.arch == BR_ARCH_AARCH64 ? "aarch64" : "x86_64",
           (unsigned long long)plan.image_len >> 10, (unsigned long long)elf.entry,
           elf.is_pie ? "PIE" : "fixed address", plan.mmu_on ? "on" : "off");
    return 0;
}

static int check(int argc, char **argv)
{
    int faults = 0;
    if (!argc)
        return usage();
    for (int i = 0; i < argc; i++) {
        size_t len = 0;
        char *data = read_file(argv[i], &len);
        if (!data)
            faults++;
        else if (len >= 4 && !memcmp(data, "\177ELF", 4))
            faults += check_kernel(argv[i], data, len);
        else
            faults += check_config(argv[i], data, len);
        free(data);
    }
    return faults ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && !strcmp(argv[1], "create"))
        return create(argc - 2, argv + 2);
    if (argc >= 2 && !strcmp(argv[1], "check"))
        return check(argc - 2, argv + 2);
    return usage();
}
