/// The explainer's centre: hooks, findings, and the decision that a machine is doomed. Hooks are called on the
/// threads of vCPUs; they lock what they share (explain_lock).
#include "debug/priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    VEC_LOWER_EL = 0x400,
    NESTED_SAME_MAX = 64,   ///< exceptions at one pc without a return between them
    NESTED_ANY_MAX = 4096,  ///< ... at any pc
    RETRY_MAX = 1000,       ///< returns to an instruction that faults in the same way each time
};
#define SAMPLE_NS 100000000ULL
enum { FINE = 5 }; ///< with a timeout, whose report shows where the time went, samples come so much more often

/* ---- findings ---- */

u64 said_bit(const char *id)
{
    unsigned n = id[0] ? (unsigned)strtoul(id + 1, NULL, 10) : 0;
    return 1ULL << (id[0] == 'L' ? 32 + n % 24 : id[0] == 'U' ? 56 + n % 8 : n % 32);
}

void explain_note(struct explain *x, const char *id, const char *text)
{
    if (x->note_count == NOTES_MAX)
        return;
    struct note *n = &x->note[x->note_count++];
    snprintf(n->id, sizeof n->id, "%s", id);
    snprintf(n->text, sizeof n->text, "%s", text);
}

void explain_say(struct explain *x, struct cpu *c, const char *id, bool once, const char *fmt, ...)
{
    char text[640];
    va_list ap;
    u64 seen = said_bit(id);
    explain_lock(x);
    if (x->cfg.lint == MACHINE_LINT_OFF || (once && (x->said & seen)) || x->note_count == NOTES_MAX) {
        explain_unlock(x);
        return;
    }
    x->said |= seen;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    explain_note(x, id, text);
    if (x->cfg.say)
        x->cfg.say(x->cfg.say_ctx, id, text);
    if (x->cfg.lint == MACHINE_LINT_ERROR && c)
        explain_doom(x, c, V_LINT);
    explain_unlock(x);
}

void explain_doom(struct explain *x, struct cpu *c, enum verdict v)
{
    explain_lock(x);
    if (!x->doomed) {
        x->doomed = true;
        x->verdict = v;
        x->verdict_cpu = c->index;
        c->exit.value = v == V_LINT    ? 116
                        : v == V_INPUT ? 124
                        : v == V_STUCK ? 114
                        : v == V_PANIC ? 112
                                       : 115;
        atomic_fetch_or(&c->attention, ATT_DOOM);
    }
    explain_unlock(x);
}

void explain_firmware(struct explain *x, const char *id, const char *text, bool fatal)
{
    struct cpu *c = machine_cpu(x->m, 0);
    explain_say(x, c, id, true, "%s", text);
    if (!fatal)
        return;
    snprintf(x->firmware_id, sizeof x->firmware_id, "%s", id);
    snprintf(x->firmware_text, sizeof x->firmware_text, "%s", text);
    explain_doom(x, c, V_FAULT);
}

/* ---- exceptions ---- */

void fault_registers(const struct cpu *c, struct fault *f)
{
    const u64 *sr = c->sr;
    const struct cpu_el_regs *el = &cpu_el_regs[c->el ? c->el : 1];
    const struct cpu_regime_regs *rr = &cpu_regime_regs[c->regime];
    f->el = c->el;
    f->sr_sctlr = sr[rr->sctlr];
    f->sr_tcr = cpu_tcr(c);
    f->sr_ttbr0 = sr[rr->ttbr0];
    f->sr_ttbr1 = c->regime == REGIME_EL2 ? 0 : sr[rr->ttbr1];
    f->sr_mair = sr[rr->mair];
    f->sr_vbar = sr[el->vbar];
    f->sr_cpacr = sr[c->el == 2 ? SYSREG_CPTR_EL2 : SYSREG_CPACR_EL1];
}

void fault_fill(struct explain *x, struct cpu *c, struct fault *f, u32 kind, u64 from_pc)
{
    const u64 *sr = c->sr;
    f->valid = true;
    f->cpu = c->index;
    f->kind = kind;
    f->vector = c->pc;
    f->pc = from_pc;
    const struct cpu_el_regs *el = &cpu_el_regs[c->el];
    f->el = c->el;
    f->esr = sr[el->esr];
    f->far = sr[el->far];
    f->elr = sr[el->elr];
    f->spsr = sr[el->spsr];
    f->full = kind < VEC_LOWER_EL || (!x->is_linux && bits(f->esr, 31, 26) != EC_SVC64 && !(kind & 0x180));
    f->bad = watch_of(x, c)->bad;
    if (!f->full)
        return;
    memcpy(f->x, c->x, sizeof f->x);
    unsigned from_el = (unsigned)bits(f->spsr, 3, 2);
    f->sp = !(f->spsr & 1) ? c->sp_bank[0] : from_el == c->el ? c->x[REG_SP] : c->sp_bank[from_el];
    fault_registers(c, f);
    f->icount = c->icount;
    f->trail = c->trail;
}

/// An exception came from EL1 before the last one returned: counts, and decides.
static void nested_exception(struct explain *x, struct cpu *c, struct cpu_watch *w, u64 from_pc)
{
    w->nested++;
    w->same_count = from_pc == w->same_pc ? w->same_count + 1 : 0;
    w->same_pc = from_pc;
    fault_fill(x, c, &w->last, 0x200, from_pc);
    bool vector_fetch = from_pc == c->pc; /* the vector itself cannot be fetched */
    if (vector_fetch || w->same_count >= NESTED_SAME_MAX || w->nested >= NESTED_ANY_MAX)
        explain_doom(x, c, V_LOOP);
}

/// The instruction faults again, elsewhere: the handler mapped what it wanted before, as one does that maps pages when
/// they are touched. The two pages of one access are no step.
static bool went_on(const struct cpu_watch *w, u32 ec, u64 far, u64 from_pc)
{
    enum { ACCESS_MAX = 64 };
    return ec == EC_DABT && from_pc == w->retry_pc && far - w->retry_far + ACCESS_MAX > 2 * ACCESS_MAX;
}

/// The instruction that the handler returned to faults at once: the same again, or the next when it skips.
static void retried_exception(struct explain *x, struct cpu *c, struct cpu_watch *w, u32 ec, u64 far, u64 from_pc)
{
    w->retry_moves |= w->retry_count && from_pc != w->retry_pc;
    if (w->retry_count == 0)
        w->retry_moves = false;
    w->retry_count = c->eret_pc == from_pc && !went_on(w, ec, far, from_pc) ? w->retry_count + 1 : 0;
    w->retry_pc = from_pc;
    w->retry_far = far;
    if (w->retry_count < RETRY_MAX)
        return;
    if (w->retry_moves && w->retried.valid)
        w->root = w->retried;
    explain_doom(x, c, V_LOOP);
}

static bool is_call(u64 esr)
{
    u32 ec = (u32)bits(esr, 31, 26);
    return ec == EC_SVC64 || ec == EC_HVC64 || ec == EC_SMC64;
}

/// What was taken before and not returned from is work that handlers do: an interrupt, a system call.
static bool is_at_work(const struct fault *root) { return (root->kind & 0x180) || is_call(root->esr); }

static void on_exception(void *ctx, struct cpu *c, u32 kind, u64 esr, u64 far, u64 from_pc)
{
    struct explain *x = ctx;
    struct cpu_watch *w = watch_of(x, c);
    bool same_el = kind < VEC_LOWER_EL, sync = (kind & 0x180) == 0, at_vector = from_pc == c->pc || (w->root.valid && from_pc == w->root.vector);
    if (c->stage2) /* taken by a guest of the guest */
        return;
    bool from_el0 = !same_el && bits(c->sr[cpu_el_regs[c->el].spsr], 3, 2) == 0;
    w->ran_el0 |= from_el0;
    if (from_el0 && !x->quiet)
        x->quiet = true;
    bool nested = same_el && sync && c->erets == w->erets_seen && w->root.valid;
    if (nested && (!is_at_work(&w->root) || at_vector || is_call(esr))) {
        nested_exception(x, c, w, from_pc);
    } else {
        if (same_el && sync && w->retry_count == 0 && c->eret_pc == from_pc)
            w->retried = w->root;
        fault_fill(x, c, &w->root, kind, from_pc);
        w->unsynced.is_root = false;
        w->nested = w->same_count = 0;
        w->same_pc = from_pc;
        if (same_el && sync)
            retried_exception(x, c, w, (u32)bits(esr, 31, 26), far, from_pc);
        else
            w->retry_count = 0;
        if (same_el && at_vector && sync) /* the first exception is the fetch of the vector */
            explain_doom(x, c, V_LOOP);
    }
    bool returned = c->erets != w->erets_seen;
    w->extra_erets += !sync && same_el && !x->is_linux && c->erets - w->erets_seen > 1;
    w->erets_seen = c->erets;
    w->bad.valid = false;
    if (!sync && is_strict(x))
        lint_waker(x, c);
    if (!sync)
        lint_interrupt(x, c, kind, from_pc, returned);
    else
        w->storm = 0;
    if (UNLIKELY(c->unsynced))
        lint_unsynced(x, c, kind, esr, from_pc);
    u32 ec = (u32)bits(esr, 31, 26);
    bool early = UNLIKELY(handoff_active(x)) || !x->is_linux || x->tables;
    if (early)
        explain_lock(x);
    if (x->tables && (ec == EC_DABT || ec == EC_IABT) && sync)
        lint_tables_fault(x, c, far, from_pc);
    if (UNLIKELY(handoff_active(x)))
        handoff_exception(x, c, kind, esr, far, from_pc);
    if (same_el && !x->is_linux)
        lint_stack_at(x, c, w->root.full ? w->root.sp : c->x[REG_SP], from_pc);
    if (early)
        explain_unlock(x);
}

static void on_bad_access(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size, bool write, u64 val)
{
    struct cpu_watch *w = watch_of(ctx, c);
    w->bad = (struct bad_access){true, write, va, pa, size, val};
}

/* ---- the other hooks hand over to the topics ---- */

static void vbar_write(struct explain *x, struct cpu *c, u64 val)
{
    char at[96];
    watch_of(x, c)->vbar_written = val & 0x7ff ? val : 0;
    if (val & 0x7ff)
        explain_say(x, c, "F02", true,
                    "VBAR_EL1 set to 0x%llx at %s: not a multiple of 2 KiB; the low bits are ignored and vectors are taken from 0x%llx",
                    (unsigned long long)val, name_full(x, c->pc, at, sizeof at), (unsigned long long)(val & ~0x7ffULL));
}

/// The register of the current level in terms of EL1, in which the checks think; SYSREG_COUNT when it
/// bears on another level only.
static u32 as_of_el1(const struct cpu *c, u32 sr)
{
    if (LIKELY(c->el < 2))
        return sr;
    switch (sr) {
    case SYSREG_SCTLR_EL2: return SYSREG_SCTLR_EL1;
    case SYSREG_TTBR0_EL2: return SYSREG_TTBR0_EL1;
    case SYSREG_TTBR1_EL2: return SYSREG_TTBR1_EL1;
    case SYSREG_TCR_EL2: return SYSREG_TCR_EL1;
    case SYSREG_MAIR_EL2: return SYSREG_MAIR_EL1;
    case SYSREG_VBAR_EL2: return SYSREG_VBAR_EL1;
    case SYSREG_CPTR_EL2: return c->sr[SYSREG_HCR_EL2] & HCR_E2H ? SYSREG_CPACR_EL1 : SYSREG_COUNT;
    default: return SYSREG_COUNT;
    }
}

static void on_sysreg_write(void *ctx, struct cpu *c, u32 sr, u64 old_val, u64 new_val)
{
    struct explain *x = ctx;
    sr = as_of_el1(c, sr);
    if (sr == SYSREG_COUNT || c->stage2) /* a guest of the guest answers to its own hypervisor */
        return;
    if (sr == SYSREG_SCTLR_EL1 && !bit(old_val, 0) && bit(new_val, 0)) {
        struct cpu_watch *w = watch_of(x, c);
        w->mmu_on_pc = c->pc;
        w->mmu_on_ttbr0 = c->sr[cpu_regime_regs[c->regime].ttbr0];
        w->mmu_on_old_sctlr = old_val;
    }
    if (sr == SYSREG_SCTLR_EL1 && bit(old_val, 0) && !bit(new_val, 0))
        watch_of(x, c)->mmu_off_pc = c->pc;
    if ((sr == SYSREG_TTBR0_EL1 || sr == SYSREG_TTBR1_EL1 || sr == SYSREG_TCR_EL1) && (c->mode & MODE_MMU))
        watch_of(x, c)->tables_pc = c->pc;
    explain_lock(x);
    if (UNLIKELY(handoff_active(x)))
        handoff_sysreg(x, c, sr, old_val, new_val);
    if (sr == SYSREG_VBAR_EL1)
        vbar_write(x, c, new_val);
    lint_sysreg_write(x, c, sr, old_val, new_val);
    explain_unlock(x);
}

static void tlb_filled(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh,
                       bool write, bool exec)
{
    if (exec && !watch_of(x, c)->checked_entry)
        lint_entry(x, c, va, pa);
    if (write && !x->quiet) {
        lint_code_fill(x, c, va, pa, attr);
        lint_stack_fill(x, c, va);
    }
    if (UNLIKELY(handoff_active(x)))
        handoff_fill(x, c, va, pa, write, exec);
    if (!(c->mode & MODE_MMU))
        return;
    if (exec)
        lint_table_registers(x, c, va);
    lint_alias(x, c, va, pa, attr, sh);
    if (x->cpus > 1)
        lint_share(x, c, va, pa, attr, sh);
    if (is_strict(x))
        lint_tables_fill(x, c, va);
}

static void on_tlb_fill(void *ctx, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh, bool write,
                        bool exec)
{
    explain_lock(ctx);
    tlb_filled(ctx, c, va, pa, attr, sh, write, exec);
    explain_unlock(ctx);
}

static void on_stale_code(void *ctx, struct cpu *c, gpa_t pa)
{
    explain_lock(ctx);
    lint_code_run(ctx, c, pa);
    explain_unlock(ctx);
}
static void on_code_store(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size)
{
    explain_lock(ctx);
    ((struct explain *)ctx)->store_cpu = c;
    lint_code_store(ctx, c, pa);
    explain_unlock(ctx);
}
static void on_device_atomic(void *ctx, struct cpu *c, gva_t va, gpa_t pa)
{
    explain_lock(ctx);
    lint_atomic(ctx, c, va, pa);
    explain_unlock(ctx);
}
static void on_wrong_type(void *ctx, struct cpu *c, gva_t va, gpa_t pa, u8 attr, bool ram)
{
    explain_lock(ctx);
    lint_type(ctx, c, va, pa, attr, ram);
    if (ram)
        lint_alias(ctx, c, va, pa, attr, 2);
    explain_unlock(ctx);
}
static void on_cache_op(void *ctx, struct cpu *c, u32 enc, gva_t va)
{
    struct explain *x = ctx;
    bool is_cache = bits(enc, 10, 7) == 7;
    if (!is_cache && !is_strict(x) && LIKELY(!handoff_active(x)))
        return;
    explain_lock(x);
    if (UNLIKELY(handoff_active(x)))
        handoff_cache_op(x, c, enc);
    if (is_cache)
        lint_code_op(x, c, enc, va);
    else if (is_strict(x))
        lint_tables_op(x, c, enc, va);
    explain_unlock(x);
}
static void on_psci(void *ctx, struct cpu *c, u64 fn, bool smc)
{
    struct explain *x = ctx;
    if (smc) {
        struct cpu_watch *w = watch_of(x, c);
        w->smc_pc = c->pc - 4;
        w->smc_fn = fn;
    }
    explain_lock(x);
    lint_conduit(x, c, fn, smc);
    if (!smc && (fn & ~0x40000000ULL) == 0x84000003)
        lint_cpu_on(x, c);
    explain_unlock(x);
}
static void on_psci_done(void *ctx, struct cpu *c, u64 fn, u64 ret)
{
    struct cpu_watch *w = watch_of(ctx, c);
    bool query = (fn & 0xffff) == 0 || (fn & 0xffff) == 1 || (fn & 0xffff) == 0xa || (fn & 0xffff) >= 0x50;
    w->psci.failed = (s64)ret < 0 && !(query && fn >> 24 == 0x84);
    if (!w->psci.failed)
        return;
    w->psci.pc = c->pc - 4;
    w->psci.fn = fn;
    w->psci.arg = c->x[1];
    w->psci.entry = c->x[2];
    w->psci.ret = ret;
}
static void on_watched_load(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size)
{
    explain_lock(ctx);
    handoff_load(ctx, c, va, pa, size);
    explain_unlock(ctx);
}
static bool is_fine(const struct explain *x) { return machine_config(x->m)->timeout_ns != 0; }
static void on_sample(void *ctx, struct cpu *c)
{
    struct explain *x = ctx;
    explain_lock(x);
    hot_count(x, c);
    if (!is_fine(x) || watch_of(x, c)->ticks++ % FINE == FINE - 1)
        stuck_sample(x, c);
    explain_unlock(x);
}

static void install(struct explain *x, struct cpu *c)
{
    bool on = x->cfg.lint != MACHINE_LINT_OFF;
    c->lenient = x->cfg.lenient;
    c->delays_sysregs = is_strict(x);
    c->hooks = (struct cpu_hooks){
        .ctx = x,
        .exception = on_exception,
        .bad_access = on_bad_access,
        .sample = on_sample,
        .psci = on_psci,
        .psci_done = on_psci_done,
        .sysreg_write = on_sysreg_write,
        .tlb_fill = on ? on_tlb_fill : NULL,
        .stale_code = on ? on_stale_code : NULL,
        .code_store = on ? on_code_store : NULL,
        .device_atomic = on ? on_device_atomic : NULL,
        .wrong_type = on ? on_wrong_type : NULL,
        .cache_op = on ? on_cache_op : NULL,
        .watched_load = on ? on_watched_load : NULL,
    };
    cpu_update_mode(c);
}

/* ---- life ---- */

struct explain *explain_new(struct machine *m, const struct explain_config *cfg)
{
    struct explain *x = xcalloc(1, sizeof *x);
    struct cpu *c;
    x->m = m;
    x->cfg = *cfg;
    x->cpus = machine_config(m)->cpus;
    x->cpu = xcalloc(x->cpus, sizeof *x->cpu);
    os_mutex_init(&x->lock);
    os_mutex_init_recursive(&x->busy);
    os_cond_init(&x->wake);
    for (unsigned i = 0; (c = machine_cpu(m, i)) != NULL; i++)
        install(x, c);
    return x;
}

static void forget(struct explain *x)
{
    lint_code_free(x);
    lint_tables_free(x);
    lint_alias_free(x);
    handoff_free(x);
    free(x->text);
    free(x->json);
    free(x->log_tail);
    free(x->hot);
    x->hot = NULL;
    x->text = x->json = x->log_tail = NULL;
    x->line[0] = 0;
}

void explain_free(struct explain *x)
{
    struct cpu *c;
    if (x == NULL)
        return;
    explain_stop(x);
    for (unsigned i = 0; (c = machine_cpu(x->m, i)) != NULL; i++)
        c->hooks = (struct cpu_hooks){0}, c->delays_sysregs = false;
    forget(x);
    cpu_free(x->sim);
    os_cond_destroy(&x->wake);
    os_mutex_destroy(&x->lock);
    os_mutex_destroy(&x->busy);
    free(x->cpu);
    free(x);
}

/// Bounds of the boot stack by the names people give them.
static void find_stack(struct explain *x)
{
    static const char *const lo[] = {"__stack_bottom", "_stack_bottom", "stack_bottom", "__stack_start",
                                     "_stack_start", "stack_start", "__stack_lo", "__stack_limit", "_stack_limit",
                                     "__StackLimit", "boot_stack_bottom", "__boot_stack_bottom",
                                     "boot_stack_start", "_estack_bottom", "stack_low", "stack_base_low"};
    static const char *const hi[] = {"__stack_top", "_stack_top", "stack_top", "__stack_end", "_stack_end",
                                     "stack_end", "__stack_hi", "__stack", "__StackTop", "boot_stack_top",
                                     "__boot_stack_top", "boot_stack_end", "_estack", "stack_high"};
    x->stack_used = x->cfg.stack_hi != 0;
    x->stack_lo = x->cfg.stack_lo;
    x->stack_hi = x->cfg.stack_hi;
    if (x->stack_hi)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(lo) && !x->stack_lo; i++)
        name_find(x, lo[i], &x->stack_lo);
    for (unsigned i = 0; i < ARRAY_LEN(hi) && !x->stack_hi; i++)
        name_find(x, hi[i], &x->stack_hi);
    if (x->stack_hi <= x->stack_lo || x->stack_hi - x->stack_lo > 64 * MIB)
        x->stack_lo = x->stack_hi = 0;
}

void explain_loaded(struct explain *x, const struct boot_plan *plan, const char *cmdline)
{
    forget(x);
    memset(x->cpu, 0, x->cpus * sizeof *x->cpu);
    x->note_count = 0;
    x->said = 0;
    x->firmware_id[0] = 0;
    x->ring = 0;
    x->quiet = x->doomed = false;
    x->verdict = V_NONE;
    x->has_plan = plan != NULL;
    if (plan)
        x->plan = *plan;
    memset(x->dtb_head, 0, sizeof x->dtb_head);
    if (plan)
        (void)!mem_read(machine_mem(x->m), plan->dtb, x->dtb_head, sizeof x->dtb_head);
    x->is_linux = plan && plan->kind == BOOT_KIND_IMAGE && boot_is_linux_sized(plan);
    x->console_len = 0;
    x->console[0] = 0;
    find_stack(x);
    for (unsigned i = 0; i < x->cpus; i++)
        machine_cpu(x->m, i)->full_trail = TRAIL_FULL; /* until stuck_sample says otherwise */
}

void explain_console(struct explain *x, const u8 *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (x->console_len == CONSOLE_TAIL - 1) {
            x->console_len = CONSOLE_TAIL / 2;
            memmove(x->console, x->console + CONSOLE_TAIL / 2 - 1, CONSOLE_TAIL / 2);
        }
        x->console[x->console_len++] = data[i] ? (char)data[i] : ' ';
        x->console[x->console_len] = 0;
    }
    atomic_fetch_add_explicit(&x->console_bytes, len, memory_order_relaxed);
}

/* ---- the sampler ---- */

static void sampler_main(void *arg)
{
    struct explain *x = arg;
    os_mutex_lock(&x->lock);
    while (!x->stop) {
        os_cond_wait_until(&x->wake, &x->lock, os_now_ns() + SAMPLE_NS / (is_fine(x) ? FINE : 1));
        for (unsigned i = 0; i < x->cpus && !x->stop; i++)
            atomic_fetch_or(&machine_cpu(x->m, i)->attention, ATT_SAMPLE);
    }
    os_mutex_unlock(&x->lock);
}

bool explain_start(struct explain *x)
{
    struct err e;
    if (x->cfg.lint == MACHINE_LINT_ERROR && x->note_count) {
        x->doomed = true;
        x->verdict = V_LINT;
        return false;
    }
    x->doomed = false;
    x->stop = false;
    if (!os_thread_start(&x->sampler, "bruin-explain", sampler_main, x, &e))
        x->sampler.is_running = false; /* no sampler: loops without exceptions go unnoticed */
    return true;
}

void explain_stop(struct explain *x)
{
    os_mutex_lock(&x->lock);
    x->stop = true;
    os_cond_broadcast(&x->wake);
    os_mutex_unlock(&x->lock);
    os_thread_join(&x->sampler);
    x->sampler.is_running = false;
}

/* ---- the end ---- */

const char *verdict_name(enum verdict v)
{
    static const char *const name[] = {
        [V_NONE] = "none", [V_OFF] = "off", [V_RESET] = "reset", [V_PANIC] = "panic",
        [V_DEADLOCK] = "deadlock", [V_STUCK] = "stuck", [V_LOOP] = "exception-loop",
        [V_FAULT] = "fatal-fault", [V_LINT] = "lint", [V_TIMEOUT] = "timeout", [V_STOPPED] = "stopped",
        [V_OTHER] = "other", [V_STORM] = "interrupt-storm", [V_INPUT] = "input-end",
    };
    return name[v];
}

static enum verdict verdict_of(const struct explain *x, const struct machine_exit *e)
{
    switch (e->kind) {
    case MACHINE_OFF: return x->doomed && x->verdict == V_LINT ? V_LINT : V_OFF; /* off before it stopped */
    case MACHINE_RESET: return x->doomed && x->verdict == V_LINT ? V_LINT : V_RESET;
    case MACHINE_PANIC: return V_PANIC;
    case MACHINE_DEADLOCK: return V_DEADLOCK;
    case MACHINE_DOOM: return x->verdict;
    case MACHINE_TIMEOUT: return V_TIMEOUT;
    case MACHINE_STOPPED: return V_STOPPED;
    default: return V_OTHER;
    }
}

/// An exception that was taken on this CPU and never returned from, of a kind that means a mistake.
static const struct fault *outstanding(struct explain *x, unsigned cpu)
{
    const struct cpu_watch *w = &x->cpu[cpu];
    const struct cpu *c = machine_cpu(x->m, cpu);
    bool call = (w->root.kind & 0x180) == 0 && is_call(w->root.esr);
    if (!w->root.valid || !w->root.full || c->erets != w->erets_seen || (call && !w->nested))
        return NULL;
    return &w->root;
}

static const struct fault *decide_fault(struct explain *x)
{
    const struct fault *f = outstanding(x, x->verdict_cpu);
    if (x->verdict == V_LOOP || x->verdict == V_FAULT)
        return x->cpu[x->verdict_cpu].root.valid ? &x->cpu[x->verdict_cpu].root : NULL;
    if (x->verdict != V_DEADLOCK && x->verdict != V_STUCK && x->verdict != V_TIMEOUT)
        return NULL;
    for (unsigned i = 0; i < x->cpus && (f == NULL || (f->kind & 0x180)); i++)
        if (outstanding(x, i) && !(outstanding(x, i)->kind & 0x180))
            f = outstanding(x, i);
    const struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    bool parked = x->verdict == V_STUCK || (x->verdict == V_DEADLOCK && f && c->pc - 4 - f->sr_vbar < 0x800);
    if (f && (f->kind & 0x180) && !parked) /* sleeping in an interrupt handler is no fault */
        return NULL;
    if (f && x->verdict != V_TIMEOUT)
        x->verdict = V_FAULT;
    if (f)
        x->verdict_cpu = f->cpu;
    return f;
}

static int status_of(const struct explain *x, const struct machine_exit *e)
{
    switch (x->verdict) {
    case V_PANIC: return 112;
    case V_DEADLOCK:
    case V_STUCK: return 114;
    case V_LOOP:
    case V_STORM:
    case V_FAULT: return 115;
    case V_LINT: return 116;
    case V_INPUT: return 124;
    default: return machine_exit_status(e);
    }
}

bool explain_has_panic(struct explain *x)
{
    return x->is_linux && !strstr(x->console, "reboot: Restarting system") && linux_has_panic(x, true);
}

/// The device tree that was loaded is gone: what young kernels clear or write without looking.
static bool note_lost_dtb(struct explain *x)
{
    static const u8 magic[] = {0xd0, 0x0d, 0xfe, 0xed};
    u8 now[8];
    char text[240];
    if (!x->has_plan || memcmp(x->dtb_head, magic, sizeof magic) || !mem_read(machine_mem(x->m), x->plan.dtb, now, sizeof now) ||
        memcmp(now, x->dtb_head, sizeof now) == 0)
        return false;
    snprintf(text, sizeof text,
             "The device tree at 0x%llx was overwritten (it now begins with %02x %02x %02x %02x): a cleared .bss, tables, a stack or a copy lies "
             "over it.", (unsigned long long)x->plan.dtb, now[0], now[1], now[2], now[3]);
    explain_note(x, "F07", text);
    return true;
}

int explain_finish(struct explain *x, const struct machine_exit *e)
{
    struct why w = {0};
    const struct fault *f;
    x->verdict = verdict_of(x, e);
    if (!x->doomed)
        x->verdict_cpu = e->cpu < x->cpus ? e->cpu : 0;
    bool explains = x->verdict != V_OFF && x->verdict != V_STOPPED && x->verdict != V_OTHER && x->verdict != V_INPUT;
    if (x->cfg.symbols)
        symbols_allow_search(x->cfg.symbols, explains);
    f = decide_fault(x);
    for (unsigned i = 0; i < x->cpus; i++) {
        x->cpu[i].trail = machine_cpu(x->m, i)->trail;
        trail_resolve(machine_cpu(x->m, i), &x->cpu[i].trail);
        trail_resolve(machine_cpu(x->m, i), &x->cpu[i].root.trail);
    }
    bool lost_dtb = explains && x->verdict != V_TIMEOUT && !x->quiet && note_lost_dtb(x);
    if (x->verdict == V_PANIC)
        why_panic(x, &w);
    else if (x->verdict == V_STORM)
        why_storm(x, &w);
    else if (f)
        why_fault(x, &x->cpu[f->cpu], f, &w);
    else if (x->verdict == V_DEADLOCK || x->verdict == V_STUCK || x->verdict == V_TIMEOUT)
        why_idle(x, &w);
    if (lost_dtb && !f && w.cause[0])
        snprintf(w.cause + strlen(w.cause), sizeof w.cause - strlen(w.cause), " %s", x->note[x->note_count - 1].text);
    if (x->firmware_id[0] && f) { /* the firmware knows the image, the entry knows the fault */
        char why[sizeof w.cause];
        snprintf(why, sizeof why, "%s", w.cause);
        snprintf(w.cause, sizeof w.cause, "%.300s. %.480s", x->firmware_text, why);
        snprintf(w.id, sizeof w.id, "%s", x->firmware_id);
        snprintf(why, sizeof why, "exception in an EFI application: %.80s", w.title);
        snprintf(w.title, sizeof w.title, "%.119s", why);
    }
    int status = status_of(x, e);
    report_write(x, e, status, &w, f);
    if (x->cfg.symbols)
        symbols_allow_search(x->cfg.symbols, false);
    return status;
}

const char *explain_line(const struct explain *x) { return x->line; }
const char *explain_verdict(const struct explain *x) { return verdict_name(x->verdict); }
const char *explain_text(const struct explain *x) { return x->text; }
const char *explain_json(const struct explain *x) { return x->json; }
