/// Loading a planned boot into a machine: copies, device tree, entry registers, lints.
#include "lib/lib.h"
#include "base/text.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>

static void say(void *ctx, const char *id, const char *msg)
{
    bruin_vm *vm = ctx;
    if (vm->explain)
        explain_note(vm->explain, id, msg);
    if (vm->message)
        vm->message(vm->message_ctx, id, msg);
}

/// The user's device tree against the board's own.
static void lint_dtb(bruin_vm *vm, const struct boot_job *job)
{
    struct machine_chosen chosen = {.bootargs = ""};
    struct err e;
    u64 size;
    u8 *own = xcalloc(1, BOOT_DTB_MAX);
    if (!vm->mc.bare && machine_fdt(vm->machine, &chosen, own, BOOT_DTB_MAX, &size, &e))
        dtb_lint(job->dtb.data, own, job->dtb.name, vm->mc.ram_base, vm->mc.ram_size, say, vm);
    free(own);
}

static void lint(bruin_vm *vm, const struct boot_job *job)
{
    struct boot_lint_in in = {.req = &job->req, .plan = &job->plan, .cmdline = job->cmdline,
                              .has_disk = vm->mc.disk_count != 0,
                              .is_strict = vm->mc.lint == MACHINE_LINT_STRICT};
    u64 mmfr0 = 0;
    if (vm->mc.lint == MACHINE_LINT_OFF || job->is_bbp)
        return;
    sysreg_get(machine_cpu(vm->machine, 0), "ID_AA64MMFR0_EL1", &mmfr0);
    in.mmfr0 = mmfr0;
    boot_lint(&in, say, vm);
    if (job->dtb.len)
        lint_dtb(vm, job);
}

/// The board's device tree, or the user's with /chosen brought up to date.
static bool load_dtb(bruin_vm *vm, struct boot_job *job, struct err *e)
{
    struct machine_chosen chosen = {.bootargs = job->cmdline, .initrd = job->plan.initrd,
                                    .initrd_size = job->plan.initrd_len};
    u64 room = job->plan.dtb_max, size = 0;
    u8 *buf = xcalloc(1, room);
    bool ok;
    if (job->dtb.len) {
        memcpy(buf, job->dtb.data, job->dtb.len);
        int r = machine_fdt_check(buf, job->dtb.len);
        ok = r == 0 || err_set(e, ERR_FORMAT, "%s: damaged device tree: %s", job->dtb.name, fdt_strerror(r));
        ok = ok && machine_fdt_fixup(vm->machine, &chosen, buf, room, &size, e);
    } else {
        ok = machine_fdt(vm->machine, &chosen, buf, room, &size, e);
    }
    ok = ok && (mem_load(machine_mem(vm->machine), job->plan.dtb, buf, size) ||
                err_set(e, ERR_FORMAT, "device tree at 0x%llx: not RAM", (unsigned long long)job->plan.dtb));
    free(buf);
    return ok;
}

bool vm_load(bruin_vm *vm, struct boot_job *job, struct err *e)
{
    if (job->is_bbp && !vm->mc.bare)
        return bbp_boot(vm, job, e);
    if (job->is_bbp && !boot_plan(&job->req, &job->plan, e))
        return false;
    if (!boot_load(&job->req, &job->plan, machine_mem(vm->machine), e))
        return false;
    vm->dtb_addr = 0;
    if (!vm->mc.bare || job->dtb.len) {
        if (!load_dtb(vm, job, e))
            return false;
        vm->dtb_addr = job->plan.dtb;
    }
    machine_set_entry(vm->machine, job->plan.entry, vm->dtb_addr, 0, 0, 0);
    struct text line = {0};
    text_add(&line, "%s%s%s", job->req.kernel.name ? job->req.kernel.name : "kernel", job->cmdline && *job->cmdline ? " " : "",
             job->cmdline ? job->cmdline : "");
    machine_set_command_line(vm->machine, line.s);
    text_free(&line);
    boot_job_describe(job, vm->loaded, sizeof vm->loaded);
    return true;
}

/// A kernel out of a pipe is kept: it is looked at more than once, and a reset loads it again.
static bool keep_stream(bruin_vm *vm, struct err *e)
{
    const char *kernel = bruin_config_get(vm->config, "kernel");
    struct blob b;
    if (vm->kernel_bytes || kernel == NULL || !os_file_is_stream(kernel))
        return true;
    if (!blob_open(&b, kernel, e))
        return false;
    vm->kernel_bytes = xcalloc(1, b.len + 1);
    memcpy(vm->kernel_bytes, b.data, b.len);
    vm->kernel_len = b.len;
    vm->kernel_entry = BRUIN_AUTO;
    free(vm->kernel_name);
    vm->kernel_name = xstrdup(kernel);
    blob_free(&b);
    return true;
}

bool bruin_boot(bruin_vm *vm, struct bruin_error *err)
{
    struct err e = {0};
    if (!keep_stream(vm, &e))
        return err_out(err, &e);
    struct boot_bytes bytes = {.kernel = vm->kernel_bytes, .kernel_len = vm->kernel_len,
                               .kernel_name = vm->kernel_name, .dtb = vm->dtb_bytes, .dtb_len = vm->dtb_len,
                               .entry = vm->kernel_entry};
    struct boot_job job;
    const char *flash = vm->mc.flash && !vm->kernel_bytes ? flash_file(vm->config) : NULL;
    if (flash) {
        vm->is_booted = true;
        return (flash_boot(vm, flash, &e) && diagnose_loaded(vm, NULL, &e)) || err_out(err, &e);
    }
    if (firmware_wanted(vm)) {
        vm->is_booted = true;
        return (firmware_boot(vm, &e) && diagnose_loaded(vm, NULL, &e)) || err_out(err, &e);
    }
    bool ok = boot_job_prepare(&job, vm->config, &bytes, &e) && vm_load(vm, &job, &e) &&
              diagnose_loaded(vm, &job, &e);
    if (ok) {
        if (!vm->is_booted)
            lint(vm, &job);
        vm->is_booted = true;
    }
    boot_job_free(&job);
    return ok || err_out(err, &e);
}

/// Replaces a configuration value that a call's argument stands for.
static bool override(bruin_vm *vm, const char *key, const char *value, struct bruin_error *err)
{
    return value == NULL || bruin_config_set(vm->config, key, value, err);
}

bool bruin_load_kernel(bruin_vm *vm, const char *path, uint64_t entry, struct bruin_error *err)
{
    free(vm->kernel_bytes);
    vm->kernel_bytes = NULL;
    vm->kernel_entry = entry;
    return override(vm, "kernel", path, err) && bruin_boot(vm, err);
}

bool bruin_load_kernel_bytes(bruin_vm *vm, const void *bytes, size_t len, const char *name, uint64_t entry,
                             struct bruin_error *err)
{
    free(vm->kernel_bytes);
    free(vm->kernel_name);
    vm->kernel_bytes = xcalloc(1, len + 1);
    memcpy(vm->kernel_bytes, bytes, len);
    vm->kernel_len = len;
    vm->kernel_name = xstrdup(name ? name : "kernel");
    vm->kernel_entry = entry;
    return bruin_boot(vm, err);
}

bool bruin_boot_linux(bruin_vm *vm, const char *kernel, const char *cmdline, uint64_t dtb_addr,
                      struct bruin_error *err)
{
    char text[32];
    snprintf(text, sizeof text, "0x%llx", (unsigned long long)dtb_addr);
    return override(vm, "cmdline", cmdline, err) &&
           override(vm, "dtb-addr", dtb_addr == BRUIN_AUTO ? NULL : text, err) &&
           bruin_load_kernel(vm, kernel, BRUIN_AUTO, err);
}

bool bruin_set_dtb_bytes(bruin_vm *vm, const void *bytes, size_t len, struct bruin_error *err)
{
    struct err e = {0};
    if (len > BOOT_DTB_MAX) {
        err_set(&e, ERR_FORMAT, "device tree of %zu bytes; kernels take at most 2 MiB", len);
        return err_out(err, &e);
    }
    free(vm->dtb_bytes);
    vm->dtb_bytes = xcalloc(1, len + 1);
    memcpy(vm->dtb_bytes, bytes, len);
    vm->dtb_len = len;
    return true;
}

uint64_t bruin_dtb_address(const bruin_vm *vm) { return vm->dtb_addr; }
const char *bruin_loaded(const bruin_vm *vm) { return vm->loaded; }

bool bruin_dtb_dump(bruin_vm *vm, void **dtb, size_t *len, struct bruin_error *err)
{
    struct machine_chosen chosen = {0};
    struct err e = {0};
    u64 size = 0;
    void *buf = xcalloc(1, BOOT_DTB_MAX);
    if (!machine_fdt(vm->machine, &chosen, buf, BOOT_DTB_MAX, &size, &e)) {
        free(buf);
        return err_out(err, &e);
    }
    *dtb = buf;
    *len = size;
    return true;
}
