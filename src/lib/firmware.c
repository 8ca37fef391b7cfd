/// Booting through the tiny firmware: EFI applications, and kernels by their EFI stub. The firmware lies
/// at the top of RAM, the device tree and the initrd below it.
#include "lib/lib.h"
#include "boot/fwhost.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACPI_ROOM = 64 * KIB };

struct firmware {
    struct fwhost *host;
    bruin_vm *vm;
    bool acpi_only;
};

static void on_event(void *ctx, const u64 a[6], const char *name)
{
    struct firmware *f = ctx;
    if (f->vm->explain)
        explain_firmware_event(f->vm->explain, a, name);
}
static void before_write(void *ctx, gpa_t gpa, u64 len)
{
    struct firmware *f = ctx;
    if (f->vm->explain)
        explain_host_write(f->vm->explain, gpa, len);
}

/// The knobs of a chaos seed: what real firmware does differently, picked at random but repeatably.
static void make_chaos(struct firmware *f, struct fwhost_bootinfo *i, u64 seed)
{
    u64 s = seed * 0x9e3779b97f4a7c15ULL | 1;
    static const u32 sizes[4] = {48, 40, 56, 64};
    for (int k = 0; k < 8; k++)
        rng_next(&s);
    i->refuse_exits = (u32)(rng_next(&s) >> 32) % 4;
    i->descriptor_size = sizes[(rng_next(&s) >> 32) % 4];
    i->strict_nx = (rng_next(&s) >> 40) & 1;
    i->t0sz = 16 + (u32)(rng_next(&s) >> 32) % 13;
    i->poison = (rng_next(&s) >> 40) & 1;
    i->hole_count = (u32)(rng_next(&s) >> 32) % 4;
    for (u32 k = 0; k < i->hole_count; k++) {
        u64 size = (1 + (rng_next(&s) >> 32) % 4) * MIB;
        u64 at = (rng_next(&s) >> 33) % 3 == 0 ? 0 : (rng_next(&s) >> 20) % (i->ram_size / 2);
        i->hole[k][0] = i->ram_base + align_down(at, 2 * MIB) + k * 16 * MIB;
        i->hole[k][1] = size;
    }
    f->acpi_only = f->acpi_only || ((rng_next(&s) >> 40) & 1);
    i->no_gop = (rng_next(&s) >> 40) & 1;
    i->vhe = f->vm->mc.el == 2 && f->vm->mc.vhe && ((rng_next(&s) >> 40) & 1);
}

/// Says what a chaos seed has chosen.
static void describe_chaos(const struct firmware *f, const struct fwhost_bootinfo *i, char *text, size_t size)
{
    u64 ctr = f->vm->mc.ctr_el0;
    snprintf(text, size, " (chaos: EL%u%s, %s, T0SZ %u, descriptors of %u, %u exits refused, %u holes, lines of %u and %u%s%s%s)",
             f->vm->mc.el, i->vhe ? " with E2H" : "", f->acpi_only ? "ACPI" : "device tree", i->t0sz, i->descriptor_size, i->refuse_exits,
             i->hole_count, 4U << (ctr >> 16 & 15), 4U << (ctr & 15), i->strict_nx ? ", strict NX" : "", i->poison ? ", poison" : "",
             i->no_gop ? ", no graphics" : "");
}

/// What the machine itself is made of under chaos, unless the user said it: exception level, cache lines,
/// a framebuffer.
void firmware_chaos_machine(const bruin_config *c, struct machine_config *mc)
{
    u64 s = config_number(c, "chaos", 0) * 0xd1342543de82ef95ULL | 1;
    if (bruin_config_get(c, "chaos") == NULL)
        return;
    for (int k = 0; k < 8; k++)
        rng_next(&s);
    u32 level = (u32)(rng_next(&s) >> 32) % 3, data = 2 + (u32)(rng_next(&s) >> 32) % 5, code = 2 + (u32)(rng_next(&s) >> 32) % 5;
    if (!bruin_config_get(c, "el"))
        mc->el = level ? 2 : 1;
    if (!bruin_config_get(c, "vhe"))
        mc->vhe = level != 1;
    mc->ctr_el0 = 1ULL << 31 | 6U << 24 | 6U << 20 | data << 16 | 3U << 14 | code; /* 16 to 256 bytes */
    mc->ramfb = true;
}

/// Joins --append words, or takes --cmdline whole.
static void make_options(const bruin_vm *vm, bool is_linux, char *buf, size_t size)
{
    const char *whole = bruin_config_get(vm->config, "cmdline"), *part;
    size_t n = 0;
    buf[0] = '\0';
    if (whole) {
        snprintf(buf, size, "%s", whole);
        return;
    }
    if (is_linux)
        n = (size_t)snprintf(buf, size, "console=ttyAMA0 earlycon");
    for (size_t i = 0; (part = bruin_config_get_at(vm->config, "append", i)) != NULL && n < size; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? " " : "", part);
}

static bool put_initrds(bruin_vm *vm, struct fwhost_bootinfo *i, gpa_t *top, struct err *e)
{
    u64 total = 0;
    const char *path;
    struct blob b[BOOT_INITRDS_MAX];
    unsigned n = 0;
    bool ok = true;
    while (ok && n < BOOT_INITRDS_MAX && (path = bruin_config_get_at(vm->config, "initrd", n)) != NULL) {
        ok = blob_open(&b[n], path, e);
        if (ok)
            total += align_up(b[n++].len, 4);
    }
    if (ok && total > *top - i->ram_base - 64 * MIB && total)
        ok = err_set(e, ERR_FORMAT, "initrd: %llu bytes do not fit below the firmware in %llu MiB of RAM",
                     (unsigned long long)total, (unsigned long long)(i->ram_size / MIB));
    if (ok && total) {
        *top = align_down(*top - total, 2 * MIB);
        i->initrd = *top;
        i->initrd_size = total;
        gpa_t at = *top;
        for (unsigned k = 0; k < n && ok; k++) {
            ok = mem_load(machine_mem(vm->machine), at, b[k].data, b[k].len) || err_set(e, ERR_FORMAT, "initrd: not RAM");
            at += align_up(b[k].len, 4);
        }
    }
    for (unsigned k = 0; k < n; k++)
        blob_free(&b[k]);
    return ok;
}

static bool put_dtb(bruin_vm *vm, struct fwhost_bootinfo *i, gpa_t *top, struct err *e)
{
    struct machine_chosen chosen = {0};
    void *buf = xcalloc(1, BOOT_DTB_MAX);
    u64 size = 0;
    bool ok = machine_fdt(vm->machine, &chosen, buf, BOOT_DTB_MAX, &size, e);
    *top = align_down(*top - align_up(size, 64 * KIB), 64 * KIB);
    ok = ok && (mem_load(machine_mem(vm->machine), *top, buf, size) || err_set(e, ERR_FORMAT, "device tree: not RAM"));
    i->dtb = *top;
    i->dtb_size = size;
    vm->dtb_addr = *top;
    free(buf);
    return ok;
}

static bool put_acpi(bruin_vm *vm, struct fwhost_bootinfo *i, gpa_t *top, struct err *e)
{
    u8 *buf = xcalloc(1, ACPI_ROOM);
    u64 size = 0;
    gpa_t base = align_down(*top - ACPI_ROOM, 64 * KIB);
    bool ok = machine_acpi(vm->machine, base, buf, ACPI_ROOM, &size, e) &&
              (mem_load(machine_mem(vm->machine), base, buf, size) || err_set(e, ERR_FORMAT, "ACPI tables: not RAM"));
    i->acpi = *top = base;
    i->acpi_size = size;
    free(buf);
    return ok;
}

bool firmware_takes_disk(const bruin_config *c)
{
    const char *kernel = bruin_config_get(c, "kernel");
    struct boot_disk d;
    struct blob b;
    struct err e;
    if (kernel == NULL || config_choice_is(c, "firmware", "none") || bruin_config_get(c, "flash") ||
        bruin_config_get(c, "load") || os_file_is_stream(kernel) || !blob_open(&b, kernel, &e))
        return false;
    bool takes = boot_detect(b.data, b.len, NULL) == BOOT_DISK && boot_disk_parse(&b, &d) && d.is_bootable;
    blob_free(&b);
    return takes;
}

static bool takes_application(const char *kernel)
{
    struct blob b;
    struct boot_pe pe;
    struct err e;
    if (kernel == NULL || !blob_open(&b, kernel, &e))
        return false;
    /* One for another processor is left to the planner, which refuses it by name. */
    bool efi = boot_detect(b.data, b.len, NULL) == BOOT_EFI && boot_pe_parse(&b, &pe, &e) && pe.machine == 0xaa64;
    blob_free(&b);
    return efi;
}

bool firmware_takes(const bruin_config *c)
{
    const char *kernel = bruin_config_get(c, "kernel");
    if (config_choice_is(c, "firmware", "none") || bruin_config_get(c, "flash") || kernel == NULL || os_file_is_stream(kernel))
        return false;
    return takes_application(kernel) || firmware_takes_disk(c);
}

bool firmware_wanted(const bruin_vm *vm)
{
    const char *kernel = bruin_config_get(vm->config, "kernel");
    if (vm->boots_disk || config_choice_is(vm->config, "firmware", "tiny") || (kernel == NULL && bruin_config_get(vm->config, "esp")))
        return true;
    return !bruin_config_get(vm->config, "firmware") && !vm->kernel_bytes && takes_application(kernel);
}

static bool is_linux_image(const char *path)
{
    struct blob b;
    struct err e;
    if (path == NULL || !blob_open(&b, path, &e))
        return false;
    enum boot_format f = boot_detect(b.data, b.len, NULL);
    blob_free(&b);
    return f == BOOT_IMAGE || f == BOOT_ZBOOT;
}

/// The firmware would say so too, but only once it runs.
static bool is_application(const char *path, struct err *e)
{
    struct blob b;
    struct boot_pe pe;
    if (!blob_open(&b, path, e))
        return false;
    bool ok = boot_pe_parse(&b, &pe, e);
    blob_free(&b);
    return ok;
}

static bool add_device(struct firmware *f, const struct fwhost_config *cfg, struct err *e)
{
    struct fwhost *host = fwhost_new(machine_mem(f->vm->machine), cfg, e);
    if (host == NULL)
        return false;
    if (f->host) { /* a reset: the device stays on the bus, its state is new */
        fwhost_swap(f->host, host);
        fwhost_free(host);
        return true;
    }
    f->host = host;
    return machine_add_mmio(f->vm->machine, FWHOST_BASE, FWHOST_SIZE, "firmware-host", &fwhost_mmio, host, e);
}

bool firmware_boot(bruin_vm *vm, struct err *e)
{
    const char *kernel = vm->boots_disk ? NULL : bruin_config_get(vm->config, "kernel");
    const char *chaos = bruin_config_get(vm->config, "chaos");
    const char *dir = bruin_config_get(vm->config, "esp");
    struct fwhost_config cfg = {.dir = dir, .app_file = kernel, .event = on_event, .before_write = before_write};
    struct fwhost_bootinfo *i = &cfg.info;
    size_t len;
    const u8 *image = firmware_image(&len);
    char *own_dir = NULL;
    if (firmware_span() == 0)
        return err_set(e, ERR_USAGE, "firmware: this build has none (clang and lld were missing)");
    if (kernel == NULL && dir == NULL && vm->mc.disk_count == 0)
        return err_set(e, ERR_USAGE, "firmware: nothing to boot: name an EFI application, a disk image, or --esp DIR");
    if (vm->firmware == NULL)
        vm->firmware = xcalloc(1, sizeof *vm->firmware);
    struct firmware *f = vm->firmware;
    *f = (struct firmware){.host = f->host, .vm = vm};
    cfg.event_ctx = f;
    i->ram_base = vm->mc.ram_base;
    i->ram_size = vm->mc.ram_size;
    i->seed = vm->mc.seed ? vm->mc.seed : 0x42;
    gpa_t base = align_down(i->ram_base + i->ram_size - firmware_span(), 64 * KIB), top = base;
    if (i->ram_size < 64 * MIB)
        return err_set(e, ERR_FORMAT, "firmware: %llu MiB of RAM; 64 MiB are wanted", (unsigned long long)(i->ram_size / MIB));
    if (kernel && !is_application(kernel, e))
        return false;
    if (kernel) {
        char *copy = xstrdup(kernel);
        snprintf(i->app, sizeof i->app, "/%s", basename(copy));
        free(copy);
        if (dir == NULL) {
            copy = xstrdup(kernel);
            own_dir = xstrdup(dirname(copy));
            cfg.dir = own_dir;
            free(copy);
        }
    }
    make_options(vm, is_linux_image(kernel), i->options, sizeof i->options);
    f->acpi_only = config_flag(vm->config, "acpi");
    if (chaos)
        make_chaos(f, i, config_number(vm->config, "chaos", 0));
    for (unsigned k = 0; k < vm->mc.disk_count; k++) {
        cfg.disk[cfg.disk_count] = vm->mc.disk[k].path;
        cfg.disk_read_only[cfg.disk_count++] = vm->mc.disk[k].read_only;
    }
    bool ok = (f->acpi_only ? put_acpi(vm, i, &top, e) : put_dtb(vm, i, &top, e)) && put_initrds(vm, i, &top, e) && add_device(f, &cfg, e) &&
              (mem_load(machine_mem(vm->machine), base, image, len) || err_set(e, ERR_FORMAT, "firmware: not RAM"));
    free(own_dir);
    if (ok) {
        machine_set_entry(vm->machine, base, base, 0, 0, 0);
        int n = snprintf(vm->loaded, sizeof vm->loaded, "EFI application %.100s by the tiny firmware",
                         kernel ? kernel : dir ? "of the ESP" : vm->mc.disk[0].path);
        if (chaos)
            describe_chaos(f, i, vm->loaded + n, sizeof vm->loaded - (size_t)n);
    }
    return ok;
}

void firmware_free(bruin_vm *vm)
{
    if (vm->firmware)
        fwhost_free(vm->firmware->host);
    free(vm->firmware);
}
