/// Machines behind opaque handles: creation, devices, console, running.
#include "lib/lib.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool err_from(struct bruin_error *out, const struct err *e) { return err_out(out, e); }

static enum machine_lint lint_level(const bruin_config *c)
{
    return config_choice_is(c, "lint", "off")      ? MACHINE_LINT_OFF
           : config_choice_is(c, "lint", "strict") ? MACHINE_LINT_STRICT
           : config_choice_is(c, "lint", "error")  ? MACHINE_LINT_ERROR
                                                   : MACHINE_LINT_DEFAULT;
}

/// FILE[,ro]: the path is copied, without its options.
static bool add_disk(bruin_vm *vm, const char *spec, struct err *e)
{
    struct machine_config *mc = &vm->mc;
    if (mc->disk_count == MACHINE_DISKS_MAX)
        return err_set(e, ERR_USAGE, "disk: more than %d disks", MACHINE_DISKS_MAX);
    struct machine_disk *d = &mc->disk[mc->disk_count];
    char *path = vm->disk_paths[mc->disk_count] = xstrdup(spec), *comma;
    while ((comma = strrchr(path, ',')) != NULL && (strcmp(comma, ",ro") == 0 || strcmp(comma, ",rw") == 0)) {
        d->read_only = comma[2] == 'o';
        *comma = 0;
    }
    if (!*path)
        return err_set(e, ERR_USAGE, "disk: \"%s\": wanted FILE[,ro]", spec);
    if (access(path, R_OK) != 0)
        return err_set(e, ERR_NOT_FOUND, "disk %s: %s", path, strerror(errno));
    d->read_only = d->read_only || (vm->boots_disk && mc->disk_count == 0 && access(path, W_OK) != 0);
    d->path = path;
    mc->disk_count++;
    return true;
}

static void add_forward(bruin_vm *vm, const char *rule)
{
    size_t n = vm->net_forward ? strlen(vm->net_forward) : 0;
    vm->net_forward = xrealloc(vm->net_forward, n + strlen(rule) + 2);
    if (n)
        vm->net_forward[n++] = ',';
    memcpy(vm->net_forward + n, rule, strlen(rule) + 1);
}

static bool to_machine_config(bruin_vm *vm, struct err *e)
{
    const bruin_config *c = vm->config;
    struct machine_config *mc = &vm->mc;
    const char *v;
    machine_config_init(mc);
    mc->ram_base = config_number(c, "ram-base", mc->ram_base);
    mc->ram_size = config_number(c, "memory", mc->ram_size);
    mc->cpus = (unsigned)config_number(c, "cpus", mc->cpus);
    mc->threads = !config_choice_is(c, "threads", "off");
    mc->gic = (unsigned)config_number(c, "gic", mc->gic);
    mc->el = (unsigned)config_number(c, "el", mc->el);
    mc->vhe = !config_choice_is(c, "vhe", "off");
    if ((v = bruin_config_get(c, "accel")) != NULL)
        mc->accel = v;
    mc->bare = config_flag(c, "bare");
    mc->check = config_flag(c, "check");
    mc->profile = config_flag(c, "stats");
    if (config_flag(c, "perf-map")) {
        snprintf(vm->perf_map, sizeof vm->perf_map, "/tmp/perf-%d.map", os_pid());
        mc->perf_map = vm->perf_map;
    }
    mc->deterministic = config_flag(c, "deterministic");
    mc->seed = config_number(c, "seed", mc->seed);
    mc->lint = lint_level(c);
    mc->brk_exits = config_flag(c, "brk-exits");
    mc->semihosting = config_flag(c, "semihosting");
    mc->virtio_legacy = config_flag(c, "virtio-legacy");
    mc->watch_panic = mc->detect_deadlock = true;
    mc->timeout_ns = config_number(c, "timeout", 0);
    if ((v = bruin_config_get(c, "net")) != NULL)
        mc->net = v;
    mc->ramfb = config_choice_is(c, "display", "ramfb");
    firmware_chaos_machine(c, mc);
    vm->boots_disk = firmware_takes_disk(c);
    if (vm->boots_disk && !add_disk(vm, bruin_config_get(c, "kernel"), e))
        return false;
    for (size_t i = 0; (v = bruin_config_get_at(c, "disk", i)) != NULL; i++)
        if (!add_disk(vm, v, e))
            return false;
    for (size_t i = 0; (v = bruin_config_get_at(c, "publish", i)) != NULL; i++)
        add_forward(vm, v);
    if (vm->net_forward && !bruin_config_get(c, "net"))
        mc->net = "user";
    if (vm->net_forward && strcmp(mc->net, "user") != 0)
        return err_set(e, ERR_USAGE, "publish: needs a network (--net user)");
    mc->net_forward = vm->net_forward;
    mc->flash = flash_file(c) != NULL;
    mc->flash_vars = bruin_config_get(c, "flash-vars");
    if (mc->flash_vars && !mc->flash)
        return err_set(e, ERR_USAGE, "flash-vars: needs firmware in flash (--flash FILE)");
    if (mc->cpus < 1 || mc->cpus > MACHINE_CPUS_MAX)
        return err_set(e, ERR_USAGE, "cpus: %u; 1 to %d are possible", mc->cpus, MACHINE_CPUS_MAX);
    return true;
}

static void console_tap(void *ctx, const u8 *data, size_t len)
{
    bruin_vm *vm = ctx;
    if (vm->explain)
        explain_console(vm->explain, data, len);
    if (vm->console)
        vm->console(vm->console_ctx, (const char *)data, len);
}

static bool escape_key(void *ctx, u8 key)
{
    bruin_vm *vm = ctx;
    return vm->key && vm->key(vm->key_ctx, (char)key);
}

static bool is_stdio(const char *spec) { return spec && strcmp(spec, "stdio") == 0; }

static bool open_consoles(bruin_vm *vm, struct err *e)
{
    const char *spec = bruin_config_get(vm->config, "serial"), *hvc = bruin_config_get(vm->config, "virtio-console");
    if (vm->mc.bare)
        return true;
    if (is_stdio(spec) && is_stdio(hvc))
        return err_set(e, ERR_USAGE, "virtio-console stdio: --serial has it; one of them must go elsewhere");
    vm->serial_is_ring = spec == NULL;
    vm->mc.serial = vm->serial = spec ? chr_open("serial", spec, e) : chr_ring_new(64 * KIB);
    if (vm->serial == NULL)
        return false;
    if (hvc && (vm->mc.hvc = vm->hvc = chr_open("virtio-console", hvc, e)) == NULL)
        return false;
    vm->mc.hvc_is_console = is_stdio(hvc);
    vm->keys = is_stdio(hvc) ? vm->hvc : vm->serial;
    chr_set_escape(vm->keys, escape_key, vm);
    return true;
}

bruin_vm *bruin_vm_new(const bruin_config *config, struct bruin_error *err)
{
    struct err e = {0};
    bruin_vm *vm = xcalloc(1, sizeof *vm);
    vm->created_ns = os_now_ns();
    vm->config = bruin_config_copy(config);
    vm->kernel_entry = BRUIN_AUTO;
    if (to_machine_config(vm, &e) && open_consoles(vm, &e))
        vm->machine = machine_new(&vm->mc, &e);
    if (vm->machine == NULL) {
        err_from(err, &e);
        bruin_vm_free(vm);
        return NULL;
    }
    machine_set_names(vm->machine, stats_name, vm);
    if (!vm->mc.bare)
        machine_set_console_tap(vm->machine, console_tap, vm);
    return vm;
}

bruin_vm *bruin_vm_create(uint64_t base, uint64_t size, struct bruin_error *err)
{
    bruin_config *c = bruin_config_new();
    char text[32];
    bruin_vm *vm = NULL;
    bool ok = bruin_config_set(c, "bare", "yes", err);
    snprintf(text, sizeof text, "0x%llx", (unsigned long long)base);
    ok = ok && bruin_config_set(c, "ram-base", text, err);
    snprintf(text, sizeof text, "%lluB", (unsigned long long)size);
    ok = ok && bruin_config_set(c, "memory", text, err);
    if (ok)
        vm = bruin_vm_new(c, err);
    bruin_config_free(c);
    return vm;
}

void bruin_vm_free(bruin_vm *vm)
{
    if (vm == NULL)
        return;
    diagnose_free(vm);
    debug_free(vm);
    machine_free(vm->machine);
    firmware_free(vm);
    if (vm->serial)
        chr_free(vm->serial);
    if (vm->hvc)
        chr_free(vm->hvc);
    bruin_config_free(vm->config);
    free(vm->kernel_bytes);
    free(vm->dtb_bytes);
    free(vm->kernel_name);
    free(vm->net_forward);
    for (unsigned i = 0; i < MACHINE_DISKS_MAX; i++)
        free(vm->disk_paths[i]);
    free(vm);
}

/// A terminal that nobody can find is of no use.
static void tell_pty(bruin_vm *vm, const char *option, const struct chr *c)
{
    const char *spec = bruin_config_get(vm->config, option);
    char text[160];
    if (c == NULL || spec == NULL || strcmp(spec, "pty") != 0)
        return;
    snprintf(text, sizeof text, "%s: %s", option, chr_where(c));
    vm->message(vm->message_ctx, "", text);
}

void bruin_on_message(bruin_vm *vm, void (*fn)(void *, const char *, const char *), void *ctx)
{
    vm->message = fn;
    vm->message_ctx = ctx;
    tell_pty(vm, "serial", vm->serial);
    tell_pty(vm, "virtio-console", vm->hvc);
}

void bruin_on_console(bruin_vm *vm, void (*fn)(void *, const char *, size_t), void *ctx)
{
    vm->console = fn;
    vm->console_ctx = ctx;
}

void bruin_console_input(bruin_vm *vm, const char *data, size_t len)
{
    if (vm->serial_is_ring)
        chr_ring_input(vm->serial, (const u8 *)data, len);
}

void bruin_on_key(bruin_vm *vm, bool (*fn)(void *, char), void *ctx)
{
    vm->key = fn;
    vm->key_ctx = ctx;
}

/* ---- devices of the embedder ---- */

static bool user_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct vm_mmio *d = dev;
    uint64_t v = 0;
    if (d->user.read == NULL || !d->user.read(d->ctx, off, size, &v))
        return false;
    *val = v;
    return true;
}

static bool user_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct vm_mmio *d = dev;
    return d->user.write && d->user.write(d->ctx, off, size, val);
}

bool bruin_mmio_add(bruin_vm *vm, uint64_t base, uint64_t size, const char *name,
                    const struct bruin_mmio *ops, void *ctx, struct bruin_error *err)
{
    struct err e = {0};
    if (vm->mmio_count == VM_MMIO_MAX) {
        err_set(&e, ERR_USAGE, "%s: more than %d devices added", name, VM_MMIO_MAX);
        return err_from(err, &e);
    }
    struct vm_mmio *d = &vm->mmio[vm->mmio_count];
    d->user = *ops;
    d->ctx = ctx;
    d->ops = (struct mmio_ops){.read = user_read, .write = user_write,
                               .min_size = (u8)(ops->min_size ? ops->min_size : 1),
                               .max_size = (u8)(ops->max_size ? ops->max_size : 8)};
    if (!machine_add_mmio(vm->machine, base, size, name, &d->ops, d, &e))
        return err_from(err, &e);
    vm->mmio_count++;
    return true;
}

/* ---- running ---- */

static enum bruin_reason reason_of(enum machine_exit_kind k)
{
    switch (k) {
    case MACHINE_OFF: return BRUIN_OFF;
    case MACHINE_RESET: return BRUIN_RESET;
    case MACHINE_PANIC: return BRUIN_PANIC;
    case MACHINE_DEADLOCK: return BRUIN_DEADLOCK;
    case MACHINE_DOOM: return BRUIN_DOOMED;
    case MACHINE_TIMEOUT: return BRUIN_TIMEOUT;
    case MACHINE_STOPPED: return BRUIN_STOPPED;
    case MACHINE_BRK: return BRUIN_BREAKPOINT;
    case MACHINE_DEBUG: return BRUIN_DEBUG;
    case MACHINE_FAIL: break;
    }
    return BRUIN_FAILED;
}

static void fill_exit(bruin_vm *vm, const struct machine_exit *x, int status, struct bruin_exit *out)
{
    struct cpu *c = machine_cpu(vm->machine, x->cpu);
    *out = (struct bruin_exit){.reason = reason_of(x->kind), .status = status, .cpu = x->cpu,
                               .pc = c ? c->pc : 0, .value = x->value, .address = x->addr,
                               .syndrome = x->syndrome};
    if (x->kind == MACHINE_BRK)
        snprintf(out->text, sizeof out->text, "brk #%llu at 0x%llx", (unsigned long long)x->value,
                 (unsigned long long)out->pc);
    else
        snprintf(out->text, sizeof out->text, "%s",
                 vm->explain && explain_line(vm->explain)[0] ? explain_line(vm->explain) : machine_exit_name(x->kind));
}

bool vm_boot_again(bruin_vm *vm, struct bruin_error *err)
{
    machine_reset(vm->machine);
    return bruin_boot(vm, err);
}

bool bruin_run(bruin_vm *vm, struct bruin_exit *exit, struct bruin_error *err)
{
    struct err e = {0};
    struct machine_exit x;
    int status = 0;
    enum debug_next next = DEBUG_RUN;
    if (!debug_start(vm, &e))
        return err_from(err, &e);
    if (debug_waits(vm))
        next = debug_first(vm, &x, &status);
    while (next != DEBUG_ENDED) {
        if (next == DEBUG_QUIT) {
            x = (struct machine_exit){.kind = MACHINE_STOPPED};
            status = 0;
            break;
        }
        if (next == DEBUG_RESET && !vm_boot_again(vm, err))
            return false;
        status = diagnose_run(vm, &x);
        next = debug_stopped(vm, &x, &status);
        if (next != DEBUG_ENDED)
            continue;
        if (x.kind != MACHINE_RESET || config_flag(vm->config, "no-reboot") || !vm->is_booted)
            break;
        next = DEBUG_RESET;
    }
    debug_ended(vm);
    fill_exit(vm, &x, status, exit);
    if (x.kind != MACHINE_FAIL)
        return true;
    err_set(&e, ERR_USAGE, "%s", machine_error(vm->machine));
    return err_from(err, &e);
}

void bruin_stop(bruin_vm *vm, int status) { machine_stop(vm->machine, status); }
void bruin_power_button(bruin_vm *vm) { machine_power_button(vm->machine); }

void bruin_exit_on_brk(bruin_vm *vm, bool on)
{
    struct cpu *c;
    for (unsigned i = 0; (c = machine_cpu(vm->machine, i)) != NULL; i++)
        c->brk_exits = on;
}

const char *bruin_report(const bruin_vm *vm, bool json)
{
    const char *own = json ? NULL : machine_accel_report(vm->machine);
    if (own || vm->explain == NULL)
        return own;
    return json ? explain_json(vm->explain) : explain_text(vm->explain);
}
const char *bruin_verdict(const bruin_vm *vm) { return vm->explain ? explain_verdict(vm->explain) : NULL; }
const char *bruin_explain_page(const char *id) { return explain_page(id); }
bool bruin_explain_entry(unsigned index, const char **id, const char **title)
{
    return explain_entry(index, id, title);
}
const char *bruin_accel_name(const bruin_vm *vm) { return machine_accel(vm->machine)->name; }
unsigned bruin_cpu_count(const bruin_vm *vm) { return vm->mc.cpus; }
uint64_t bruin_ram_size(const bruin_vm *vm) { return vm->mc.ram_size; }
