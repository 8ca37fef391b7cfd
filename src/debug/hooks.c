/// The hooks of the vCPUs: exceptions are counted here and a machine is found doomed; all else is handed to the topics.
/// Hooks are called on the threads of vCPUs; they lock what they share (explain_lock).
#include "debug/priv.h"

enum {
    VEC_LOWER_EL = 0x400,
};
enum {
    FINE = 5
}; ///< with a timeout, whose report shows where the time went, samples come so much more often

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
    f->full = kind < VEC_LOWER_EL ||
              (!x->is_linux && (bits(f->esr, 31, 26) != EC_SVC64 || watch_of(x, c)->vbar_written) && !(kind & 0x180));
    f->bad.valid = false;
    if (watch_of(x, c)->bad.valid)
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

/// What was taken before and not returned from is work that handlers do: an interrupt, a system call.
static bool is_at_work(const struct fault *root)
{
    return (root->kind & 0x180) || is_call(root->esr);
}

/// The vector itself is not there: it cannot be fetched, or holds no instruction.
static bool is_no_vector(const struct cpu_watch *w, const struct cpu *c, u64 esr, u64 from_pc)
{
    u32 ec = (u32)bits(esr, 31, 26);
    bool no_code = ec == EC_IABT || ec == EC_PC_ALIGN || ec == EC_UNKNOWN;
    return no_code && (from_pc == c->pc || (w->root.valid && from_pc == w->root.vector));
}

/// The first exception since a return.
static inline void first_of_row(struct explain *x, struct cpu *c, struct cpu_watch *w, u32 kind, u64 from_pc)
{
    fault_fill(x, c, &w->root, kind, from_pc);
    w->unsynced.is_root = false;
    loop_begin(w, from_pc);
}

/// A system call of Linux after its first: of what follows in on_exception only the beginning of a row matters.
static inline bool is_plain_call(const struct explain *x, const struct cpu *c, const struct cpu_watch *w, u32 kind, u64 esr)
{
    return kind == VEC_LOWER_EL && bits(esr, 31, 26) == EC_SVC64 && w->ran_el0 && x->quiet && x->is_linux && !x->tables && !c->unsynced &&
           !c->has_el2;
}

static void on_exception(void *ctx, struct cpu *c, u32 kind, u64 esr, u64 far, u64 from_pc)
{
    struct explain *x = ctx;
    struct cpu_watch *w = watch_of(x, c);
    if (c->stage2) /* taken by a guest of the guest */
        return;
    if (LIKELY(is_plain_call(x, c, w, kind, esr))) {
        first_of_row(x, c, w, kind, from_pc);
        loop_not_retried(c, w);
        w->erets_seen = c->erets;
        w->bad.valid = false;
        w->storm = 0;
        return;
    }
    bool same_el = kind < VEC_LOWER_EL, sync = (kind & 0x180) == 0, at_vector = is_no_vector(w, c, esr, from_pc);
    bool from_el0 = !same_el && bits(c->sr[cpu_el_regs[c->el].spsr], 3, 2) == 0;
    w->ran_el0 |= from_el0;
    if (from_el0 && !x->quiet)
        x->quiet = true;
    bool nested = same_el && sync && c->erets == w->erets_seen && w->root.valid;
    if (nested && (!is_at_work(&w->root) || at_vector || is_call(esr))) {
        loop_nested(x, c, from_pc);
    } else {
        bool retries = sync && (same_el || (from_el0 && !x->is_linux && !is_call(esr)));
        if (retries && w->loop.retry_count == 0 && c->eret_pc == from_pc)
            w->retried = w->root;
        first_of_row(x, c, w, kind, from_pc);
        if (retries)
            loop_retried(x, c, from_pc, far);
        else if (sync || c->eret_pc != from_pc) /* an interrupt at a retried instruction does not help it */
            loop_not_retried(c, w);
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

static void on_bad_access(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size, bool write,
                          u64 val)
{
    struct cpu_watch *w = watch_of(ctx, c);
    w->bad = (struct bad_access){true, write, va, pa, size, val};
    if (!w->first_bad.valid)
        w->first_bad = w->bad;
}

/* ---- the other hooks hand over to the topics ---- */

static void vbar_write(struct explain *x, struct cpu *c, u64 val)
{
    char at[96];
    watch_of(x, c)->vbar_written = val & 0x7ff ? val : 0;
    if (val & 0x7ff)
        explain_say(x, c, "F02",
                    true, "VBAR_EL1 set to 0x%llx at %s: not a multiple of 2 KiB; the low bits are ignored and vectors are taken from 0x%llx",
                    (unsigned long long)val, name_full(x, c->pc, at, sizeof at),
                    (unsigned long long)(val & ~0x7ffULL));
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
    if (UNLIKELY(handoff_active(x))) {
        explain_lock(x);
        handoff_other_level(x, c, sr, old_val, new_val);
        explain_unlock(x);
    }
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
    if ((sr == SYSREG_TTBR0_EL1 || sr == SYSREG_TTBR1_EL1 || sr == SYSREG_TCR_EL1) &&
        (c->mode & MODE_MMU))
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
    lint_alias(x, c, va, pa, attr, sh, write);
    if (x->cpus > 1)
        lint_share(x, c, va, pa, attr, sh);
    if (is_strict(x))
        lint_tables_fill(x, c, va);
}

/// From here on the same mapping of a page need not be told again when it is used for data: of the checks in tlb_filled
/// only lint_alias and lint_share are left, which look at nothing else.
static bool may_skip_fills(const struct explain *x)
{
    return (x->quiet || (x->is_linux && !x->stack_hi)) && !handoff_active(x) && !is_strict(x);
}

static void on_tlb_fill(void *ctx, struct cpu *c, gva_t va, gpa_t pa, u8 attr, u8 sh, bool write,
                        bool exec)
{
    struct explain *x = ctx;
    c->hook_calls++;
    explain_lock(x);
    tlb_filled(x, c, va, pa, attr, sh, write, exec);
    if (c->audited.pages == 0 && may_skip_fills(x))
        lint_alias_publish(x, c);
    explain_unlock(x);
}

static void on_stale_code(void *ctx, struct cpu *c, gpa_t pa)
{
    c->hook_calls++;
    explain_lock(ctx);
    lint_code_run(ctx, c, pa);
    explain_unlock(ctx);
}
static void on_code_store(void *ctx, struct cpu *c, gva_t va, gpa_t pa, unsigned size)
{
    c->hook_calls++;
    explain_lock(ctx);
    ((struct explain *)ctx)->store_cpu = c;
    lint_code_store(ctx, c, pa, size);
    explain_unlock(ctx);
}
static void on_device_atomic(void *ctx, struct cpu *c, gva_t va, gpa_t pa)
{
    c->hook_calls++;
    explain_lock(ctx);
    lint_atomic(ctx, c, va, pa);
    explain_unlock(ctx);
}
static void on_wrong_type(void *ctx, struct cpu *c, gva_t va, gpa_t pa, u8 attr, bool ram)
{
    c->hook_calls++;
    explain_lock(ctx);
    lint_type(ctx, c, va, pa, attr, ram);
    if (ram)
        lint_alias(ctx, c, va, pa, attr, 2, true);
    explain_unlock(ctx);
}
static void on_code_open(void *ctx, struct cpu *c, gpa_t pa)
{
    c->hook_calls++;
    explain_lock(ctx);
    lint_code_open(ctx, pa);
    explain_unlock(ctx);
}
static void on_cache_op(void *ctx, struct cpu *c, u32 enc)
{
    struct explain *x = ctx;
    c->hook_calls++;
    explain_lock(x);
    if (UNLIKELY(handoff_active(x)))
        handoff_cache_op(x, c, enc);
    lint_code_op(x, c, enc);
    explain_unlock(x);
}
static void on_cache_line(void *ctx, struct cpu *c, u32 enc, gpa_t pa)
{
    c->hook_calls++;
    explain_lock(ctx);
    lint_code_line(ctx, c, enc, pa);
    explain_unlock(ctx);
}
static void on_tlbi(void *ctx, struct cpu *c, u32 enc, u64 val)
{
    struct explain *x = ctx;
    c->hook_calls++;
    explain_lock(x);
    if (UNLIKELY(handoff_active(x)))
        handoff_cache_op(x, c, enc);
    if (is_strict(x))
        lint_tables_op(x, c, enc, val);
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
    if (!smc && (fn & ~0x40000000ULL) == 0x84000003)
        lint_cpu_on(x, c);
    explain_unlock(x);
}
static void on_psci_done(void *ctx, struct cpu *c, u64 fn, u64 ret)
{
    struct cpu_watch *w = watch_of(ctx, c);
    bool query = (fn & 0xffff) == 0 || (fn & 0xffff) == 1 || (fn & 0xffff) == 0xa ||
                 ((fn & 0xffff) >= 0x50 && (fn & 0xffff) < 0x60); /* TRNG */
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
static void on_sample(void *ctx, struct cpu *c)
{
    struct explain *x = ctx;
    explain_lock(x);
    if (x->meeting.open)
        stuck_meet(x, c);
    hot_count(x, c);
    if (!explain_is_fine(x) || watch_of(x, c)->ticks++ % FINE == FINE - 1)
        stuck_sample(x, c);
    explain_unlock(x);
}

void hooks_handoff(struct explain *x)
{
    struct cpu *c;
    for (unsigned i = 0; (c = machine_cpu(x->m, i)) != NULL; i++) {
        c->hooks.tlbi = c->hooks.cache_op ? on_tlbi : NULL;
        c->audited = (struct cpu_audited){0};
    }
}

void hooks_install(struct explain *x, struct cpu *c)
{
    bool on = x->cfg.lint != MACHINE_LINT_OFF;
    c->lenient = x->cfg.lenient;
    c->delays_sysregs = c->tells_uncached = is_strict(x);
    c->hooks = (struct cpu_hooks){
        .ctx = x,
        .exception = on_exception,
        .eret = loop_eret,
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
        .code_open = on ? on_code_open : NULL,
        .cache_op = on ? on_cache_op : NULL,
        .cache_line = on ? on_cache_line : NULL,
        .tlbi = is_strict(x) ? on_tlbi : NULL, /* or from hooks_handoff on */
        .watched_load = on ? on_watched_load : NULL,
    };
    cpu_update_mode(c);
}
