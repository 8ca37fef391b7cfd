/// PSTATE, exceptions, interrupts, life cycle. Arm ARM, "AArch64 Exception model".
#include "cpu/cpu.h"

#include <stdlib.h>

static const u64 sysreg_reset[SYSREG_COUNT] = {
#define SR(name, op0, op1, crn, crm, op2, access, reset, read, write) [SYSREG_##name] = reset,
#include "cpu/sysreg.def"
#undef SR
};

const struct cpu_regime_regs cpu_regime_regs[3] = {
    [REGIME_EL10] = {SYSREG_SCTLR_EL1, SYSREG_TCR_EL1, SYSREG_TTBR0_EL1, SYSREG_TTBR1_EL1, SYSREG_MAIR_EL1},
    [REGIME_EL2] = {SYSREG_SCTLR_EL2, SYSREG_TCR_EL2, SYSREG_TTBR0_EL2, SYSREG_TTBR0_EL2, SYSREG_MAIR_EL2},
    [REGIME_EL20] = {SYSREG_SCTLR_EL2, SYSREG_TCR_EL2, SYSREG_TTBR0_EL2, SYSREG_TTBR1_EL2, SYSREG_MAIR_EL2},
};
#define EL1_REGS {SYSREG_SPSR_EL1, SYSREG_ELR_EL1, SYSREG_ESR_EL1, SYSREG_FAR_EL1, SYSREG_VBAR_EL1, SYSREG_SCTLR_EL1}
#define EL2_REGS {SYSREG_SPSR_EL2, SYSREG_ELR_EL2, SYSREG_ESR_EL2, SYSREG_FAR_EL2, SYSREG_VBAR_EL2, SYSREG_SCTLR_EL2}
const struct cpu_el_regs cpu_el_regs[3] = {EL1_REGS, EL1_REGS, EL2_REGS};

static struct mmuctx *ctx_new(unsigned number, u8 el, bool pan)
{
    struct mmuctx *x = xcalloc(1, sizeof *x);
    x->number = (u8)number;
    x->el = el;
    x->pan = pan;
    x->used_r = x->used_w = x->used_x = ~0ULL;
    mmuctx_flush(x);
    return x;
}

struct cpu *cpu_new(struct mem *m, unsigned index)
{
    struct cpu *c = NULL;
    if (posix_memalign((void **)&c, 64, sizeof *c) != 0)
        abort();
    memset(c, 0, sizeof *c);
    c->mem = m;
    c->index = index;
    c->ctx_off = ctx_new(0, 1, false);
    c->ctx_el1 = ctx_new(1, 1, false);
    c->ctx_el1_pan = ctx_new(2, 1, true);
    c->ctx_none = ctx_new(5, 0, false);
    for (unsigned k = 0; k < CTX_EL0_MAX; k++)
        c->ctx_el0[k] = ctx_new(6 + k, 0, false);
    c->budget = ~0ULL;
    c->rng = 0x9e3779b97f4a7c15ULL + index;
    os_mutex_init(&c->inbox.lock);
    cpu_reset(c);
    return c;
}

void cpu_enable_el2(struct cpu *c, bool vhe)
{
    c->has_el2 = 1;
    c->has_vhe = vhe;
    if (c->ctx_el2 == NULL) {
        c->ctx_el2 = ctx_new(3, 2, false);
        c->ctx_el2_pan = ctx_new(4, 2, true);
    }
}

void cpu_free(struct cpu *c)
{
    if (c == NULL)
        return;
    free(c->ctx_off);
    free(c->ctx_el1);
    free(c->ctx_el1_pan);
    free(c->ctx_el2);
    free(c->ctx_el2_pan);
    free(c->ctx_none);
    free(c->tlb_stress);
    os_mutex_destroy(&c->inbox.lock);
    for (int k = 0; k < CTX_EL0_MAX; k++)
        free(c->ctx_el0[k]);
    free(c);
}

void cpu_reset(struct cpu *c)
{
    memset(c->x, 0, sizeof c->x);
    memset(c->v, 0, sizeof c->v);
    memset(c->sp_bank, 0, sizeof c->sp_bank);
    memcpy(c->sr, sysreg_reset, sizeof c->sr);
    /* Affinity: 16 CPUs to a cluster, as GICv3 SGIs address them. */
    c->sr[SYSREG_MPIDR_EL1] = 0x80000000ULL | (c->index & 15) | (u64)(c->index >> 4) << 8;
    c->pc = 0;
    c->nzcv = 0;
    c->daif = DAIF_D | DAIF_A | DAIF_I | DAIF_F;
    c->sr[SYSREG_VMPIDR_EL2] = c->sr[SYSREG_MPIDR_EL1];
    c->el = c->has_el2 ? 2 : 1;
    c->sp_sel = 1;
    c->s2_fault.is_set = 0;
    c->pan = c->ss = c->il = 0;
    c->fpcr = c->fpsr = 0;
    c->excl_va = EXCL_NONE;
    c->pending_count = c->unsynced = 0;
    atomic_fetch_and(&c->irq_lines, ~(u32)CPU_LINE_HCR);
    memset(c->timer_level, 0, sizeof c->timer_level);
    memset(&c->trail, 0, sizeof c->trail);
    atomic_store(&c->asid, 0);
    tlb_flush_all(c);
    cpu_update_mode(c);
}

/// FPCR bits that change how instructions work, packed for the mode key.
static u32 fpcr_key(u32 fpcr)
{
    return (u32)(bits(fpcr, 26, 22) | bit(fpcr, 19) << 5);
}

u64 cpu_tcr(const struct cpu *c)
{
    u64 t = c->sr[cpu_regime_regs[c->regime].tcr];
    if (LIKELY(c->regime != REGIME_EL2))
        return t;
    return (t & 0xff3f) | 1u << 23 | bits(t, 18, 16) << 32 | bit(t, 20) << 37; /* EPD1: no upper half */
}

static bool cpacr_allows_fp(const struct cpu *c)
{
    unsigned fpen = (unsigned)bits(c->sr[SYSREG_CPACR_EL1], 21, 20);
    return c->el ? fpen & 1 : fpen == 3;
}
/// CPTR_EL2 has two layouts.
static bool cptr_allows_fp(const struct cpu *c)
{
    u64 cptr = c->sr[SYSREG_CPTR_EL2], hcr = c->sr[SYSREG_HCR_EL2];
    if (!(hcr & HCR_E2H))
        return !bit(cptr, 10);
    unsigned fpen = (unsigned)bits(cptr, 21, 20);
    return fpen == 3 || (fpen == 1 && !(c->el == 0 && hcr & HCR_TGE));
}
static bool uses_cpacr(const struct cpu *c) { return c->el < 2 && !cpu_in_host(c); }
int cpu_fp_trap(struct cpu *c)
{
    const u32 iss = 1u << 24 | 0xe << 20;
    if (!uses_cpacr(c) || cpacr_allows_fp(c))
        return cpu_raise_to(c, 2, EC_FP, iss, c->pc);
    return cpu_target_el(c) == 2 ? cpu_undef(c) : cpu_raise(c, EC_FP, iss, c->pc);
}

/// HCR_EL2 and MDCR_EL2 bits that trap system registers of EL1.
#define HCR_TRAPS (HCR_TID1 | HCR_TID2 | HCR_TID3 | HCR_TIDCP | HCR_TACR | HCR_TVM | HCR_TRVM | HCR_TDZ | HCR_TPC | HCR_TPU)
enum { MDCR_TRAPS = 0xe60 };

/// The regime of the current EL, whether stage 2 applies, and what else EL2 decides about it.
static u32 update_el2(struct cpu *c, bool *mmu_on)
{
    u64 hcr = c->sr[SYSREG_HCR_EL2], vm = VM_NONE;
    bool e2h = hcr & HCR_E2H;
    c->regime = c->el == 2 ? (e2h ? REGIME_EL20 : REGIME_EL2) : cpu_in_host(c) ? REGIME_EL20 : REGIME_EL10;
    c->stage2 = c->regime == REGIME_EL10 && hcr & (HCR_VM | HCR_DC) && !(hcr & HCR_TGE);
    *mmu_on = bit(cpu_sctlr(c), 0) && !(c->regime == REGIME_EL10 && hcr & (HCR_TGE | HCR_DC));
    if (c->stage2)
        vm = c->sr[SYSREG_VTTBR_EL2] | 1;
    else if (c->regime == REGIME_EL20)
        vm = VM_HOST;
    if (vm != c->user_vm && c->regime != REGIME_EL2) {
        c->user_vm = vm;
        c->ctx_user = NULL;
    }
    u32 m = c->el == 2 ? MODE_EL2 : 0;
    if (c->regime == REGIME_EL20)
        m |= MODE_E2H;
    if (cpu_el2_traps(c) && (hcr & HCR_TRAPS || bit(c->sr[SYSREG_CPTR_EL2], 31)))
        m |= MODE_TRAP;
    if (c->el < 2 && c->sr[SYSREG_MDCR_EL2] & MDCR_TRAPS)
        m |= MODE_TRAP;
    return m;
}

static void compute_mode(struct cpu *c)
{
    bool mmu_on;
    u32 m = 0;
    if (UNLIKELY(c->has_el2))
        m = update_el2(c, &mmu_on);
    else
        mmu_on = bit(c->sr[SYSREG_SCTLR_EL1], 0);
    u64 sctlr = cpu_sctlr(c), tcr = cpu_tcr(c);
    bool device = !mmu_on && !(c->stage2 && c->sr[SYSREG_HCR_EL2] & HCR_DC);
    c->align_strict = (device && !c->lenient) || bit(sctlr, 1) ? ~0u : 0;
    m |= c->el ? MODE_EL1 : 0;
    m |= c->sp_sel ? MODE_SPSEL : 0;
    m |= mmu_on ? MODE_MMU : 0;
    m |= c->align_strict ? MODE_ALIGN : 0;
    m |= (!uses_cpacr(c) || cpacr_allows_fp(c)) && (LIKELY(!c->has_el2) || cptr_allows_fp(c)) ? MODE_FP : 0;
    m |= bit(sctlr, c->el ? 3 : 4) ? MODE_SA : 0;
    m |= UNLIKELY(c->tells_uncached) && mmu_on && !bit(sctlr, 2) ? MODE_UNCACHED : 0;
    m |= bit(tcr, 37) ? MODE_TBI0 : 0;
    m |= bit(tcr, 38) ? MODE_TBI1 : 0;
    m |= cpu_step_enabled(c) || cpu_breakpoints_armed(c) || c->dbg_watching ? MODE_SS : 0;
    bool watching = c->dbg_watching || cpu_watchpoints_armed(c);
    if (UNLIKELY(watching != c->watch_armed)) {
        c->watch_armed = watching;
        tlb_flush_all(c);
    }
    m |= fpcr_key(c->fpcr) << MODE_FPCR_SHIFT;
    c->mode = m;
}

void cpu_update_mode(struct cpu *c)
{
    for (unsigned k = 0; k < ARRAY_LEN(c->known_mode); k++)
        c->known_mode[k].valid = false;
    compute_mode(c);
    tlb_select(c);
}

/// The same after a change of level and stack pointer alone, as exceptions and returns make them, mostly to and fro: what
/// was computed from these registers before is taken, without EL2 and where nobody debugs.
static void enter_level(struct cpu *c)
{
    struct cpu_known_mode *k = &c->known_mode[(c->el & 1) << 1 | c->sp_sel];
    u64 sctlr = c->sr[SYSREG_SCTLR_EL1], tcr = c->sr[SYSREG_TCR_EL1], cpacr = c->sr[SYSREG_CPACR_EL1];
    bool plain = !(c->sr[SYSREG_MDSCR_EL1] & 0x8001) && !c->has_el2 && !c->dbg_watching && !c->watch_armed;
    if (LIKELY(k->valid && plain && k->sctlr == sctlr && k->tcr == tcr && k->cpacr == cpacr && k->fpcr == c->fpcr)) {
        c->mode = k->mode;
        c->align_strict = k->align_strict;
    } else {
        compute_mode(c);
        *k = (struct cpu_known_mode){sctlr, tcr, cpacr, c->fpcr, c->mode, c->align_strict, plain};
    }
    tlb_select(c);
}

/// Software step applies at the current EL. Arm ARM, "Software Step exceptions".
bool cpu_step_enabled(const struct cpu *c)
{
    return UNLIKELY(bit(c->sr[SYSREG_MDSCR_EL1], 0)) && cpu_debug_enabled(c);
}

/// Makes the stack pointer of (el, sp_sel) the live one.
static void bank_sp(struct cpu *c, u8 el, u8 sp_sel)
{
    unsigned old = c->sp_sel ? c->el : 0, now = sp_sel ? el : 0;
    c->sp_bank[old] = c->sp_left[old] = c->x[REG_SP];
    c->sp_set_bank[old] = c->sp_set;
    c->el = el;
    c->sp_sel = sp_sel;
    c->x[REG_SP] = c->sp_bank[now];
    c->sp_set = c->sp_left[now] == c->sp_bank[now] ? c->sp_set_bank[now] : c->sp_bank[now]; /* MSR SP_ELx came between */
}
void cpu_set_spsel(struct cpu *c, u8 sp_sel)
{
    bank_sp(c, c->el, sp_sel);
    enter_level(c);
}

u64 cpu_pstate(const struct cpu *c)
{
    return cpu_nzcv(c) | (u64)c->pan << 22 | (u64)c->ss << 21 | (u64)c->il << 20 | c->daif |
           (u64)c->el << 2 | c->sp_sel;
}

bool cpu_set_pstate(struct cpu *c, u64 spsr)
{
    u8 el = (u8)bits(spsr, 3, 2), sel = (u8)bit(spsr, 0);
    bool ok = !bit(spsr, 4) && !bit(spsr, 1) && !(el == 0 && sel) && el <= c->el;
    if (el == 1 && cpu_target_el(c) == 2 && c->sr[SYSREG_HCR_EL2] & HCR_TGE)
        ok = false;
    cpu_set_nzcv(c, (u32)spsr & 0xf0000000u);
    c->pan = (u8)bit(spsr, 22);
    c->daif = (u32)spsr & (DAIF_D | DAIF_A | DAIF_I | DAIF_F);
    c->il = ok ? (u8)bit(spsr, 20) : 1;
    if (ok)
        bank_sp(c, el, sel);
    c->ss = 0;
    if (bit(spsr, 21) && cpu_step_enabled(c))
        c->ss = 1;
    enter_level(c);
    return ok;
}

/// Vector offsets of the four kinds.
enum { VEC_SYNC = 0x000, VEC_IRQ = 0x080, VEC_FIQ = 0x100, VEC_SERROR = 0x180 };

/// PSTATE.PAN is set on the way to a level that has unprivileged accesses, unless SPAN says no.
static bool sets_pan(const struct cpu *c, unsigned el)
{
    bool has_user = el == 1 || (c->sr[SYSREG_HCR_EL2] & HCR_HOST) == HCR_HOST;
    return has_user && !bit(c->sr[cpu_el_regs[el].sctlr], 23);
}

static void take(struct cpu *c, unsigned el, u32 kind, u64 ret_pc)
{
    const struct cpu_el_regs *r = &cpu_el_regs[el];
    u64 from = c->pc;
    u32 base = c->el < el ? 0x400 : c->sp_sel ? 0x200 : 0x000;
    c->sr[r->spsr] = cpu_pstate(c);
    c->sr[r->elr] = ret_pc;
    if (sets_pan(c, el))
        c->pan = 1;
    bank_sp(c, (u8)el, 1);
    c->daif = DAIF_D | DAIF_A | DAIF_I | DAIF_F;
    c->ss = c->il = 0;
    c->pc = c->sr[r->vbar] + base + kind;
    c->unsynced = c->pending_count;
    cpu_context_sync(c);
    enter_level(c);
    cpu_trail(c, from, c->pc);
    c->exceptions++;
    TRACE(c, TRACE_EXC, from, base + kind, c->sr[r->esr], c->sr[r->far]);
    if (c->hooks.exception)
        c->hooks.exception(c->hooks.ctx, c, base + kind, c->sr[r->esr], c->sr[r->far], from);
}

int cpu_raise_to(struct cpu *c, unsigned el, u32 ec, u32 iss, u64 ret_pc)
{
    c->sr[cpu_el_regs[el].esr] = (u64)ec << 26 | 1u << 25 | iss;
    take(c, el, VEC_SYNC, ret_pc);
    return EXEC_BRANCH;
}
int cpu_raise_far_to(struct cpu *c, unsigned el, u32 ec, u32 iss, u64 far, u64 ret_pc)
{
    c->sr[cpu_el_regs[el].far] = far;
    return cpu_raise_to(c, el, ec, iss, ret_pc);
}
int cpu_raise(struct cpu *c, u32 ec, u32 iss, u64 ret_pc)
{
    return cpu_raise_to(c, cpu_target_el(c), ec, iss, ret_pc);
}
int cpu_raise_far(struct cpu *c, u32 ec, u32 iss, u64 far, u64 ret_pc)
{
    return cpu_raise_far_to(c, cpu_target_el(c), ec, iss, far, ret_pc);
}
int cpu_raise_debug(struct cpu *c, u32 ec, u32 iss, u64 ret_pc)
{
    unsigned el = cpu_debug_el(c);
    return cpu_raise_to(c, el > c->el ? el : c->el, ec, iss, ret_pc);
}
int cpu_undef(struct cpu *c) { return cpu_raise(c, EC_UNKNOWN, 0, c->pc); }

int cpu_eret(struct cpu *c)
{
    const struct cpu_el_regs *r = &cpu_el_regs[c->el];
    u64 from = c->pc, elr = c->sr[r->elr], spsr = c->sr[r->spsr];
    cpu_context_sync(c);
    cpu_set_pstate(c, spsr);
    /* A tagged return address loses its tag where TBI applies. */
    if (bit(elr, 55) ? c->mode & MODE_TBI1 : c->mode & MODE_TBI0)
        elr = (u64)sext(elr, 56);
    c->pc = elr;
    c->erets++;
    c->eret_pc = elr;
    c->eret_spsr = spsr;
    c->excl_va = EXCL_NONE;
    atomic_store_explicit(&c->event, 1, memory_order_relaxed);
    cpu_trail(c, from, elr);
    TRACE(c, TRACE_ERET, from, elr, spsr, 0);
    if (atomic_load_explicit(&c->irq_lines, memory_order_relaxed))
        c->eret_irq = c->erets;
    if (UNLIKELY(c->watches_eret))
        c->hooks.eret(c->hooks.ctx, c);
    cpu_look_for_interrupts(c);
    if (UNLIKELY(c->il))
        return cpu_raise(c, EC_ILLEGAL, 0, c->pc);
    return EXEC_BRANCH;
}

/// Interrupts of a CPU with EL2. Arm ARM, "Asynchronous exception routing" and "... masking": what goes
/// to EL2 cannot be masked below it, and what goes to EL1 is not taken in EL2.
static bool take_routed(struct cpu *c, u32 lines)
{
    u64 hcr = c->sr[SYSREG_HCR_EL2];
    bool tge = hcr & HCR_TGE, low = c->el < 2;
    bool irq2 = tge || hcr & HCR_IMO, fiq2 = tge || hcr & HCR_FMO;
    if (lines & CPU_LINE_FIQ && (fiq2 ? low || !(c->daif & DAIF_F) : low && !(c->daif & DAIF_F))) {
        take(c, fiq2 ? 2 : 1, VEC_FIQ, c->pc);
        return true;
    }
    if (lines & CPU_LINE_IRQ && (irq2 ? low || !(c->daif & DAIF_I) : low && !(c->daif & DAIF_I))) {
        take(c, irq2 ? 2 : 1, VEC_IRQ, c->pc);
        return true;
    }
    if (!low || tge)
        return false;
    if (hcr & HCR_AMO && hcr & HCR_VSE && !(c->daif & DAIF_A)) {
        c->sr[SYSREG_HCR_EL2] &= ~HCR_VSE;
        if (!(hcr & (HCR_VI | HCR_VF)))
            atomic_fetch_and(&c->irq_lines, ~(u32)CPU_LINE_HCR);
        c->sr[SYSREG_ESR_EL1] = (u64)EC_SERROR << 26 | 1u << 25;
        take(c, 1, VEC_SERROR, c->pc);
        return true;
    }
    if (hcr & HCR_FMO && (lines & CPU_LINE_VFIQ || hcr & HCR_VF) && !(c->daif & DAIF_F)) {
        take(c, 1, VEC_FIQ, c->pc);
        return true;
    }
    if (hcr & HCR_IMO && (lines & CPU_LINE_VIRQ || hcr & HCR_VI) && !(c->daif & DAIF_I)) {
        take(c, 1, VEC_IRQ, c->pc);
        return true;
    }
    return false;
}

static bool take_lines(struct cpu *c, u32 lines)
{
    if (UNLIKELY(c->has_el2))
        return take_routed(c, lines);
    if ((lines & CPU_LINE_FIQ) && !(c->daif & DAIF_F)) {
        take(c, 1, VEC_FIQ, c->pc);
        return true;
    }
    if ((lines & CPU_LINE_IRQ) && !(c->daif & DAIF_I)) {
        take(c, 1, VEC_IRQ, c->pc);
        return true;
    }
    return false;
}

bool cpu_take_interrupts(struct cpu *c)
{
    if (UNLIKELY(c->single)) { /* a debugger's step is one of what is being looked at, not of a handler */
        cpu_look_for_interrupts(c);
        return false;
    }
    return take_lines(c, atomic_load_explicit(&c->irq_lines, memory_order_acquire));
}
bool cpu_take_spurious(struct cpu *c) { return take_lines(c, CPU_LINE_IRQ); }

void cpu_set_wire(struct cpu *c, unsigned wire, bool level)
{
    TRACE(c, TRACE_IRQ, c->pc, wire, level, 0);
    if (level) {
        atomic_fetch_or(&c->irq_lines, 1u << wire);
        atomic_fetch_or(&c->attention, ATT_IRQ);
    } else {
        atomic_fetch_and(&c->irq_lines, ~(1u << wire));
    }
}
void cpu_kick(struct cpu *c) { atomic_fetch_or(&c->attention, ATT_KICK); }

bool cpu_serve_attention(struct cpu *c)
{
    u32 att = atomic_exchange(&c->attention, 0);
    if (att & ATT_PEER)
        cpu_serve_peers(c);
    if (att & ATT_CODE)
        mem_serve_late(c->mem);
    if (att & ATT_TIMER)
        cpu_timer_update(c);
    if ((att & ATT_SAMPLE) && c->hooks.sample) {
        c->hooks.sample(c->hooks.ctx, c);
        att |= atomic_load_explicit(&c->attention, memory_order_relaxed) & ATT_DOOM;
    }
    if (att & ATT_DOOM) {
        c->exit.kind = EXIT_DOOM;
        return false;
    }
    cpu_take_interrupts(c);
    if (att & ATT_KICK) {
        c->exit.kind = EXIT_KICK;
        return false;
    }
    return true;
}
