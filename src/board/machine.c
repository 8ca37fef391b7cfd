/// A machine: making it, taking it apart, what its owner asks of it between runs.
#include "board/priv.h"

#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_SEED 1
#define DETERMINISTIC_EPOCH_S 1700000000ULL

void machine_config_init(struct machine_config *c)
{
    *c = (struct machine_config){.ram_base = MACHINE_RAM_BASE,
                                 .ram_size = 512 * MIB,
                                 .cpus = 1,
                                 .threads = true,
                                 .gic = 3,
                                 .el = 1,
                                 .vhe = true,
                                 .accel = "auto",
                                 .lint = MACHINE_LINT_DEFAULT,
                                 .watch_panic = true,
                                 .detect_deadlock = true};
}

/* ---- exits ---- */

int machine_exit_status(const struct machine_exit *x)
{
    switch (x->kind) {
    case MACHINE_OFF: return x->code < 0 || x->code > 111 ? 111 : x->code;
    case MACHINE_PANIC: return 112;
    case MACHINE_RESET: return 113;
    case MACHINE_DEADLOCK: return 114;
    case MACHINE_DOOM: return x->code ? x->code : 115;
    case MACHINE_TIMEOUT: return 124;
    case MACHINE_STOPPED: return x->code;
    case MACHINE_BRK:
    case MACHINE_DEBUG: return 0;
    default: return ERR_USAGE;
    }
}

const char *machine_exit_name(enum machine_exit_kind k)
{
    static const char *const name[] = {
        [MACHINE_OFF] = "powered off",  [MACHINE_RESET] = "reset",
        [MACHINE_PANIC] = "panicked",   [MACHINE_DEADLOCK] = "deadlock",
        [MACHINE_DOOM] = "doomed",      [MACHINE_TIMEOUT] = "timed out",
        [MACHINE_STOPPED] = "stopped",  [MACHINE_BRK] = "breakpoint instruction",
        [MACHINE_DEBUG] = "debug stop", [MACHINE_FAIL] = "failed",
    };
    return k < ARRAY_LEN(name) ? name[k] : "?";
}

/* ---- wires and console ---- */

void machine_wake(struct machine *m)
{
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in sleep_until */
    if (!atomic_load_explicit(&m->sleepers, memory_order_relaxed))
        return;
    os_mutex_lock(&m->sleep_lock);
    os_cond_broadcast(&m->wake);
    os_mutex_unlock(&m->sleep_lock);
}

/// A wire from the interrupt controller: n = cpu * IRQ_WIRES + IRQ_WIRE_*.
static void set_wire(void *ctx, unsigned n, bool level)
{
    struct machine *m = ctx;
    unsigned cpu = n / IRQ_WIRES;
    cpu_set_wire(m->vcpu[cpu].cpu, n % IRQ_WIRES, level);
    if (!level)
        return;
    if (atomic_load_explicit(&m->on_threads, memory_order_relaxed)) {
        threads_wake(&m->vcpu[cpu]);
        return;
    }
    machine_wake(m);
    if (cpu != m->current)
        run_end_turn_soon(m);
}

void board_set_spi(void *ctx, unsigned spi, bool level)
{
    struct machine *m = ctx;
    m->chip->ops->set_line(m->chip, IRQ_SPI_BASE + spi, 0, level);
}

/// Advances a position in a pattern whose first character occurs in it once.
static bool match(const char *pattern, u8 *pos, u8 byte)
{
    if ((u8)pattern[*pos] != byte)
        *pos = 0;
    if ((u8)pattern[*pos] == byte && !pattern[++*pos]) {
        *pos = 0;
        return true;
    }
    return false;
}

void board_console_byte(void *ctx, u8 byte)
{
    struct machine *m = ctx;
    if (m->cfg.watch_panic) {
        m->saw_panic |= match("Kernel panic - not syncing", &m->panic_pos, byte);
        if (match("[ end Kernel panic", &m->panic_end_pos, byte))
            m->panic_ended = true; /* the rest of the line still comes */
        if (m->panic_ended && byte == '\n') {
            struct machine_exit x = {.kind = MACHINE_PANIC};
            m->panic_ended = false;
            machine_end(m, &x);
        }
    }
    if (m->tap)
        m->tap(m->tap_ctx, &byte, 1);
}

static void serial_ready(void *ctx)
{
    struct machine *m = ctx;
    os_mutex_lock(&m->lock);
    pl011_ready(m->uart);
    os_mutex_unlock(&m->lock);
}

static void lock_devices(void *ctx) { os_mutex_lock(&((struct machine *)ctx)->lock); }
static void unlock_devices(void *ctx) { os_mutex_unlock(&((struct machine *)ctx)->lock); }

/// Flash went into or out of command mode.
static void map_changed(void *ctx)
{
    struct machine *m = ctx;
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        if (atomic_load(&m->on_threads) && i != run_self(m))
            cpu_ask_flush(m->vcpu[i].cpu);
        else
            tlb_flush_all(m->vcpu[i].cpu);
}

static unsigned current_cpu(void *ctx) { return run_self(ctx); }

static u64 wall_s(void *ctx)
{
    struct machine *m = ctx;
    return m->cfg.deterministic ? m->epoch_s + board_now_ns(m) / 1000000000ULL : os_wall_s();
}

static void timers_changed(void *ctx) { os_poll_wake(((struct machine *)ctx)->poll); }

/* ---- making ---- */

enum { PA_BITS = 48 }; ///< ID_AA64MMFR0_EL1.PARange

static bool check_config(const struct machine_config *c, struct err *e)
{
    unsigned cpus_max = c->gic == 2 ? 8 : MACHINE_CPUS_MAX;
    if (c->gic != 2 && c->gic != 3)
        return err_set(e, ERR_USAGE, "GIC version %u: 2 or 3 is wanted", c->gic);
    if (c->cpus < 1 || c->cpus > cpus_max)
        return err_set(e, ERR_USAGE, "%u CPUs: GICv%u serves 1 to %u", c->cpus, c->gic, cpus_max);
    if (c->el != 1 && c->el != 2)
        return err_set(e, ERR_USAGE, "exception level %u: guests start at 1 or 2", c->el);
    if (!c->ram_size || c->ram_size > 1024 * GIB)
        return err_set(e, ERR_USAGE, "%llu GiB of RAM: 4 KiB to 1 TiB are possible",
                       (unsigned long long)(c->ram_size / GIB));
    if (!range_ok(c->ram_base, c->ram_size, 1ULL << PA_BITS))
        return err_set(e, ERR_USAGE, "RAM at 0x%llx: physical addresses have %d bits, it would end beyond them",
                       (unsigned long long)c->ram_base, PA_BITS);
    return true;
}

static void set_line_sizes(const struct machine *m, struct cpu *c)
{
    if (m->cfg.ctr_el0)
        c->sr[SYSREG_CTR_EL0] = m->cfg.ctr_el0;
}

static void make_cpu(struct machine *m, unsigned i)
{
    struct vcpu *v = &m->vcpu[i];
    struct cpu *c = cpu_new(m->mem, i);
    c->engine_opts = &m->engine_opts;
    *v = (struct vcpu){.m = m, .cpu = c, .state = VCPU_OFF, .deadline_ns = ~0ULL};
    os_cond_init(&v->wake);
    if (m->cfg.el == 2) {
        cpu_enable_el2(c, m->cfg.vhe);
        cpu_reset(c);
    }
    set_line_sizes(m, c);
    c->brk_exits = m->cfg.brk_exits;
    c->semihosting = m->cfg.semihosting;
    c->now_ns = board_now_ns;
    c->now_ctx = m;
    c->clock.on = m->cfg.cpus == 1 && !m->cfg.deterministic && os_cycles() != 0;
    c->timer_arm = run_timer_arm;
    c->timer_irq = run_timer_irq;
    c->timer_ctx = v;
    c->rng = rng_next(&m->rng) | 1;
    c->send_event = m->cfg.cpus > 1 ? threads_send_event : NULL;
    c->peers = m->cpus;
    c->peer_count = m->cfg.cpus > 1 ? m->cfg.cpus : 0;
    m->cpus[i] = c;
}

static void make_chip(struct machine *m)
{
    u64 mpidr[MACHINE_CPUS_MAX];
    struct irq_line wire[MACHINE_CPUS_MAX][IRQ_WIRES];
    struct irqchip_config cfg = {m->cfg.cpus, mpidr, wire, current_cpu, m};
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        mpidr[i] = m->vcpu[i].cpu->sr[SYSREG_MPIDR_EL1];
        for (unsigned n = 0; n < IRQ_WIRES; n++)
            wire[i][n] = (struct irq_line){set_wire, m, i * IRQ_WIRES + n};
    }
    m->chip = m->cfg.gic == 3 ? gicv3_new(&cfg) : gicv2_new(&cfg);
    for (unsigned i = 0; m->cfg.gic == 3 && i < m->cfg.cpus; i++)
        m->vcpu[i].cpu->icc = (struct cpu_icc_ops){gicv3_icc_read, gicv3_icc_write,
                                                   gicv3_icc(m->chip, i)};
}

static void seed(struct machine *m)
{
    m->rng = m->cfg.seed;
    if (!m->rng && m->cfg.deterministic)
        m->rng = DEFAULT_SEED;
    while (!m->rng)
        os_random(&m->rng, sizeof m->rng);
    m->epoch_s = m->cfg.deterministic ? DETERMINISTIC_EPOCH_S : os_wall_s();
    (void)rng_next(&m->rng); /* neighbouring seeds part ways */
}

static bool build(struct machine *m, struct err *e)
{
    if (!mem_add_ram(m->mem, m->cfg.ram_base, m->cfg.ram_size, "ram", e))
        return false;
    m->vcpu = xcalloc(m->cfg.cpus, sizeof *m->vcpu);
    m->cpus = xcalloc(m->cfg.cpus, sizeof *m->cpus);
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        make_cpu(m, i);
    m->cpu_timer = os_timer_new(m->poll, run_cpu_timer_fired, m, e);
    m->turn_timer = m->cpu_timer ? os_timer_new(m->poll, run_turn_fired, m, e) : NULL;
    if (!m->turn_timer)
        return false;
    if (m->cfg.bare)
        return true;
    make_chip(m);
    if (!virt_build(m, e))
        return false;
    return !m->cfg.serial || chr_attach(m->cfg.serial, m->cfg.deterministic ? NULL : m->poll,
                                        serial_ready, m, e);
}

struct machine *machine_new(const struct machine_config *cfg, struct err *e)
{
    if (!check_config(cfg, e))
        return NULL;
    const struct accel_ops *accel = accel_find(cfg->accel, e);
    if (accel && cfg->check && accel->report == NULL) {
        err_set(e, ERR_USAGE, "check: compares the translator with the interpreter; --accel %s has nothing to compare", accel->name);
        return NULL;
    }
    struct os_poll *poll = accel ? os_poll_new(e) : NULL;
    if (!poll)
        return NULL;
    struct machine *m = xcalloc(1, sizeof *m);
    m->cfg = *cfg;
    m->accel = accel;
    m->engine_opts = (struct cpu_engine_opts){.check = cfg->check, .profile = cfg->profile, .perf_map = cfg->perf_map};
    m->poll = poll;
    m->mem = mem_new();
    m->mem->smp = cfg->cpus > 1;
    m->timeout_at_ns = ~0ULL;
    m->armed_ns = m->turn_ends_ns = ~0ULL;
    os_mutex_init(&m->lock);
    os_mutex_init(&m->sleep_lock);
    os_mutex_init(&m->power_lock);
    os_cond_init(&m->wake);
    m->mem->lock = lock_devices;
    m->mem->unlock = unlock_devices;
    m->mem->lock_ctx = m;
    m->mem->map_changed = map_changed;
    m->mem->map_ctx = m;
    m->mem->late.ctx = m;
    m->mem->late.kick = run_code_written;
    if (!accel->has_threads || cfg->cpus < 2) /* else code may change while it runs */
        m->mem->late.is_foreign = run_is_foreign;
    m->host = (struct dev_host){m, board_now_ns, wall_s, timers_changed, NULL};
    seed(m);
    if (!build(m, e)) {
        machine_free(m);
        return NULL;
    }
    return m;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    free(m->semihost.command_line);
    atomic_store(&m->io_quit, true);
    os_poll_wake(m->poll);
    os_thread_join(&m->io_thread);
    if (m->cfg.serial && m->uart) {
        chr_flush(m->cfg.serial);
        chr_detach(m->cfg.serial);
    }
    if (m->hvc) {
        chr_flush(m->cfg.hvc);
        chr_detach(m->cfg.hvc);
    }
    for (unsigned i = 0; m->vcpu && i < m->cfg.cpus; i++) {
        if (m->vcpu[i].is_open && m->accel->vcpu_close)
            m->accel->vcpu_close(m->vcpu[i].cpu);
        cpu_free(m->vcpu[i].cpu);
        os_cond_destroy(&m->vcpu[i].wake);
    }
    for (unsigned i = 0; i < m->device_count; i++)
        m->device[i].free(m->device[i].dev);
    if (m->ramfb)
        ramfb_free(m->ramfb);
    if (m->chip)
        m->chip->ops->free(m->chip);
    os_timer_free(m->hvc_timer);
    os_timer_free(m->cpu_timer);
    os_timer_free(m->turn_timer);
    os_poll_free(m->poll);
    mem_free(m->mem);
    os_cond_destroy(&m->wake);
    os_mutex_destroy(&m->sleep_lock);
    os_mutex_destroy(&m->power_lock);
    os_mutex_destroy(&m->lock);
    free(m->vcpu);
    free(m->cpus);
    free(m);
}

/* ---- what owners ask ---- */

const struct machine_config *machine_config(const struct machine *m) { return &m->cfg; }
struct mem *machine_mem(struct machine *m) { return m->mem; }
struct cpu *machine_cpu(struct machine *m, unsigned index)
{
    return index < m->cfg.cpus ? m->vcpu[index].cpu : NULL;
}
const struct accel_ops *machine_accel(const struct machine *m) { return m->accel; }
u64 machine_first_run_ns(const struct machine *m) { return m->first_run_ns; }
void machine_set_names(struct machine *m, bool (*name)(void *ctx, gva_t va, char *buf, size_t size), void *ctx)
{
    m->engine_opts.name = name;
    m->engine_opts.name_ctx = ctx;
}
const char *machine_accel_report(const struct machine *m)
{
    const char *text = NULL;
    for (unsigned i = 0; m->accel->report && i < m->cfg.cpus && !text; i++)
        if (m->vcpu[i].is_open)
            text = m->accel->report(m->vcpu[i].cpu);
    return text;
}
const char *machine_error(const struct machine *m) { return m->error; }
bool machine_saw_panic(const struct machine *m) { return m->saw_panic; }
u64 machine_now_ns(struct machine *m) { return board_now_ns(m); }

void machine_set_console_tap(struct machine *m, void (*tap)(void *ctx, const u8 *data, size_t len),
                             void *ctx)
{
    os_mutex_lock(&m->lock);
    m->tap = tap;
    m->tap_ctx = ctx;
    os_mutex_unlock(&m->lock);
}

bool machine_add_mmio(struct machine *m, gpa_t base, u64 size, const char *name,
                      const struct mmio_ops *ops, void *dev, struct err *e)
{
    return mem_add_mmio(m->mem, base, size, name, ops, dev, e);
}

bool machine_screendump(struct machine *m, const char *path, struct err *e)
{
    u32 w = 0, h = 0;
    if (m->ramfb == NULL)
        return err_set(e, ERR_USAGE, "no framebuffer: the machine was started without --display ramfb");
    u8 *rgb = ramfb_picture(m->ramfb, m->mem, &w, &h, e);
    FILE *f = rgb ? fopen(path, "wb") : NULL;
    bool ok = f && fprintf(f, "P6\n%u %u\n255\n", w, h) > 0 && fwrite(rgb, 3, (size_t)w * h, f) == (size_t)w * h;
    if (f)
        ok = fclose(f) == 0 && ok;
    if (rgb && !ok)
        err_set(e, ERR_USAGE, "%s: cannot be written", path);
    free(rgb);
    return ok;
}

bool machine_add_ram(struct machine *m, gpa_t base, u64 size, const char *name, bool rom,
                     struct err *e)
{
    return rom ? mem_add_rom(m->mem, base, size, name, e) : mem_add_ram(m->mem, base, size, name, e);
}

bool machine_device(const struct machine *m, unsigned i, struct machine_device_info *info)
{
    if (i >= m->mem->region_count)
        return false;
    const struct mem_region *r = &m->mem->region[i];
    *info = (struct machine_device_info){r->name, r->base, r->size, -1};
    for (unsigned d = 0; d < m->device_count; d++)
        if (m->device[d].base == r->base && m->device[d].spi >= 0)
            info->intid = IRQ_SPI_BASE + m->device[d].spi;
    return true;
}

void machine_power_button(struct machine *m)
{
    os_mutex_lock(&m->lock);
    if (m->gpio)
        pl061_pulse(m->gpio, 3);
    os_mutex_unlock(&m->lock);
}

void vcpu_start(struct vcpu *v, gpa_t pc, u64 context)
{
    struct machine *m = v->m;
    cpu_reset(v->cpu);
    set_line_sizes(m, v->cpu);
    atomic_store(&v->deadline_ns, ~0ULL);
    for (unsigned t = 0; m->chip && t < TIMER_COUNT; t++)
        m->chip->ops->set_line(m->chip, run_timer_ppi[t], v->cpu->index, false);
    v->cpu->pc = pc;
    v->cpu->x[0] = context;
    v->state = VCPU_RUN;
}

void machine_set_entry(struct machine *m, gpa_t pc, u64 x0, u64 x1, u64 x2, u64 x3)
{
    vcpu_start(&m->vcpu[0], pc, x0);
    m->vcpu[0].cpu->x[1] = x1;
    m->vcpu[0].cpu->x[2] = x2;
    m->vcpu[0].cpu->x[3] = x3;
    for (unsigned i = 1; i < m->cfg.cpus; i++)
        m->vcpu[i].state = VCPU_OFF;
    m->current = 0;
}

void machine_reset(struct machine *m)
{
    os_mutex_lock(&m->lock);
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        vcpu_start(&m->vcpu[i], 0, 0);
        m->vcpu[i].state = VCPU_OFF;
    }
    if (m->chip)
        m->chip->ops->reset(m->chip);
    for (unsigned i = 0; i < m->device_count; i++)
        m->device[i].ops->reset(m->device[i].dev);
    if (m->ramfb)
        ramfb_reset(m->ramfb);
    m->saw_panic = m->panic_ended = false;
    m->panic_pos = m->panic_end_pos = 0;
    os_mutex_unlock(&m->lock);
}
