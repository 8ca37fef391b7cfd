/// PSTATE, exceptions, interrupts, life cycle. Arm ARM, "AArch64 Exception model".
#include "cpu/cpu.h"

#include <stdlib.h>

static const u64 sysreg_reset[SYSREG_COUNT] = {
#define SR(name, op0, op1, crn, crm, op2, access, reset, read, write) [SYSREG_##name] = reset,
#include "cpu/sysreg.def"
#undef SR
};

static struct mmuctx *ctx_new(u8 el, bool pan)
{
    struct mmuctx *x = xcalloc(1, sizeof *x);
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
    c->ctx_off = ctx_new(1, false);
    c->ctx_el1 = ctx_new(1, false);
    c->ctx_el1_pan = ctx_new(1, true);
    c->ctx_none = ctx_new(0, false);
    for (int k = 0; k < CTX_EL0_MAX; k++)
        c->ctx_el0[k] = ctx_new(0, false);
    c->budget = ~0ULL;
    c->rng = 0x9e3779b97f4a7c15ULL + index;
    cpu_reset(c);
    return c;
}

void cpu_free(struct cpu *c)
{
    if (c == NULL)
        return;
    free(c->ctx_off);
    free(c->ctx_el1);
    free(c->ctx_el1_pan);
    free(c->ctx_none);
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
    c->el = 1;
    c->sp_sel = 1;
    c->pan = c->ss = c->il = 0;
    c->fpcr = c->fpsr = 0;
    c->excl_va = EXCL_NONE;
    c->halted = 0;
    memset(c->timer_level, 0, sizeof c->timer_level);
    memset(&c->trail, 0, sizeof c->trail);
    tlb_flush_all(c);
    cpu_update_mode(c);
}

/// FPCR bits that change how instructions work, packed for the mode key.
static u32 fpcr_key(u32 fpcr)
{
    return (u32)(bits(fpcr, 26, 22) | bit(fpcr, 19) << 5);
}

void cpu_update_mode(struct cpu *c)
{
    u64 sctlr = c->sr[SYSREG_SCTLR_EL1], tcr = c->sr[SYSREG_TCR_EL1];
    unsigned fpen = (unsigned)bits(c->sr[SYSREG_CPACR_EL1], 21, 20);
    u32 m = 0;
    c->fp_ok_el1 = fpen & 1;
    c->fp_ok_el0 = fpen == 3;
    c->align_strict = (!bit(sctlr, 0) && !c->lenient) || bit(sctlr, 1) ? ~0u : 0;
    m |= c->el ? MODE_EL1 : 0;
    m |= c->sp_sel ? MODE_SPSEL : 0;
    m |= bit(sctlr, 0) ? MODE_MMU : 0;
    m |= c->align_strict ? MODE_ALIGN : 0;
    m |= cpu_fp_enabled(c) ? MODE_FP : 0;
    m |= bit(sctlr, c->el ? 3 : 4) ? MODE_SA : 0;
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
    tlb_select(c);
}

/// Software step applies at the current EL. Arm ARM, "Software Step exceptions".
bool cpu_step_enabled(const struct cpu *c)
{
    u64 mdscr = c->sr[SYSREG_MDSCR_EL1];
    if (LIKELY(!bit(mdscr, 0)) || bit(c->sr[SYSREG_OSLSR_EL1], 1))
        return false;
    return c->el == 0 || (bit(mdscr, 13) && !(c->daif & DAIF_D));
}

/// Makes the stack pointer of (el, sp_sel) the live one.
static void bank_sp(struct cpu *c, u8 el, u8 sp_sel)
{
    c->sp_bank[c->sp_sel ? c->el : 0] = c->x[REG_SP];
    c->el = el;
    c->sp_sel = sp_sel;
    c->x[REG_SP] = c->sp_bank[sp_sel ? el : 0];
}
void cpu_set_spsel(struct cpu *c, u8 sp_sel)
{
    bank_sp(c, c->el, sp_sel);
    cpu_update_mode(c);
}

u64 cpu_pstate(const struct cpu *c)
{
    return cpu_nzcv(c) | (u64)c->pan << 22 | (u64)c->ss << 21 | (u64)c->il << 20 | c->daif |
           (u64)c->el << 2 | c->sp_sel;
}

bool cpu_set_pstate(struct cpu *c, u64 spsr)
{
    u8 el = (u8)bits(spsr, 3, 2), sel = (u8)bit(spsr, 0);
    bool ok = !bit(spsr, 4) && el <= 1 && !bit(spsr, 1) && !(el == 0 && sel) && el <= c->el;
    cpu_set_nzcv(c, (u32)spsr & 0xf0000000u);
    c->pan = (u8)bit(spsr, 22);
    c->daif = (u32)spsr & (DAIF_D | DAIF_A | DAIF_I | DAIF_F);
    c->il = ok ? (u8)bit(spsr, 20) : 1;
    if (ok)
        bank_sp(c, el, sel);
    c->ss = 0;
    if (bit(spsr, 21) && cpu_step_enabled(c))
        c->ss = 1;
    cpu_update_mode(c);
    return ok;
}

/// Vector offsets of the four kinds.
enum { VEC_SYNC = 0x000, VEC_IRQ = 0x080, VEC_FIQ = 0x100, VEC_SERROR = 0x180 };

static void take(struct cpu *c, u32 kind, u64 ret_pc)
{
    u64 from = c->pc;
    u32 base = c->el == 0 ? 0x400 : c->sp_sel ? 0x200 : 0x000;
    c->sr[SYSREG_SPSR_EL1] = cpu_pstate(c);
    c->sr[SYSREG_ELR_EL1] = ret_pc;
    if (!bit(c->sr[SYSREG_SCTLR_EL1], 23))
        c->pan = 1;
    bank_sp(c, 1, 1);
    c->daif = DAIF_D | DAIF_A | DAIF_I | DAIF_F;
    c->ss = c->il = 0;
    c->pc = c->sr[SYSREG_VBAR_EL1] + base + kind;
    cpu_update_mode(c);
    cpu_trail(c, from, c->pc);
    c->exceptions++;
    TRACE(c, TRACE_EXC, from, base + kind, c->sr[SYSREG_ESR_EL1], c->sr[SYSREG_FAR_EL1]);
    if (c->hooks.exception)
        c->hooks.exception(c->hooks.ctx, c, base + kind, c->sr[SYSREG_ESR_EL1], c->sr[SYSREG_FAR_EL1], from);
}

int cpu_raise(struct cpu *c, u32 ec, u32 iss, u64 ret_pc)
{
    c->sr[SYSREG_ESR_EL1] = (u64)ec << 26 | 1u << 25 | iss;
    take(c, VEC_SYNC, ret_pc);
    return EXEC_BRANCH;
}
int cpu_raise_far(struct cpu *c, u32 ec, u32 iss, u64 far, u64 ret_pc)
{
    c->sr[SYSREG_FAR_EL1] = far;
    return cpu_raise(c, ec, iss, ret_pc);
}
int cpu_undef(struct cpu *c) { return cpu_raise(c, EC_UNKNOWN, 0, c->pc); }

int cpu_eret(struct cpu *c)
{
    u64 from = c->pc, elr = c->sr[SYSREG_ELR_EL1];
    cpu_set_pstate(c, c->sr[SYSREG_SPSR_EL1]);
    /* A tagged return address loses its tag where TBI applies. */
    if (bit(elr, 55) ? c->mode & MODE_TBI1 : c->mode & MODE_TBI0)
        elr = (u64)sext(elr, 56);
    c->pc = elr;
    c->erets++;
    c->eret_pc = elr;
    c->excl_va = EXCL_NONE;
    atomic_store_explicit(&c->event, 1, memory_order_relaxed);
    cpu_trail(c, from, elr);
    TRACE(c, TRACE_ERET, from, elr, c->sr[SYSREG_SPSR_EL1], 0);
    if (atomic_load_explicit(&c->irq_lines, memory_order_relaxed))
        atomic_fetch_or(&c->attention, ATT_IRQ);
    if (UNLIKELY(c->il))
        return cpu_raise(c, EC_ILLEGAL, 0, c->pc);
    return EXEC_BRANCH;
}

bool cpu_take_interrupts(struct cpu *c)
{
    u32 lines = atomic_load_explicit(&c->irq_lines, memory_order_acquire);
    if ((lines & 2) && !(c->daif & DAIF_F)) {
        take(c, VEC_FIQ, c->pc);
        return true;
    }
    if ((lines & 1) && !(c->daif & DAIF_I)) {
        take(c, VEC_IRQ, c->pc);
        return true;
    }
    return false;
}

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
