/// Rehearsals: a second CPU in the state of the first executes what comes next, without effects. Serves
/// the proofs of prove.c and the look ahead of the lints.
#include "debug/priv.h"

void rehearse_begin(struct explain *x, struct cpu *c)
{
    if (x->sim == NULL)
        x->sim = cpu_new(machine_mem(x->m), c->index);
    struct cpu *s = x->sim;
    memcpy(s->x, c->x, sizeof s->x);
    memcpy(s->v, c->v, sizeof s->v);
    memcpy(s->sr, c->sr, sizeof s->sr);
    memcpy(s->sp_bank, c->sp_bank, sizeof s->sp_bank);
    s->pc = c->pc;
    s->nzcv = c->nzcv;
    s->daif = c->daif;
    s->fpcr = c->fpcr;
    s->fpsr = c->fpsr;
    if (c->has_el2)
        cpu_enable_el2(s, c->has_vhe);
    s->el = c->el;
    s->sp_sel = c->sp_sel;
    s->pan = c->pan;
    s->ss = s->il = 0;
    s->excl_va = c->excl_va;
    s->index = c->index;
    s->lenient = c->lenient;
    s->pending_count = 0;
    atomic_store(&s->attention, 0);
    tlb_flush_all(s);
    cpu_update_mode(s);
}

/// System instructions that only read what cannot change by itself.
static bool is_pure_system(const struct insn *i)
{
    switch (i->op) {
    case OP_DSB:
    case OP_DMB:
    case OP_ISB:
    case OP_HINT: return true;
    case OP_MRS:
        switch (sysreg_id((u32)i->imm)) {
        case SYSREG_MPIDR_EL1:
        case SYSREG_MIDR_EL1:
        case SYSREG_CurrentEL:
        case SYSREG_DAIF:
        case SYSREG_SCTLR_EL1:
        case SYSREG_ESR_EL1:
        case SYSREG_FAR_EL1:
        case SYSREG_ELR_EL1:
        case SYSREG_SPSR_EL1:
        case SYSREG_VBAR_EL1:
        case SYSREG_TPIDR_EL1:
        case SYSREG_SP_EL0: return true;
        default: return false;
        }
    default: return !(i->flags & END);
    }
}

static bool ends_itself(u16 op)
{
    return op == OP_SVC || op == OP_HVC || op == OP_SMC || op == OP_BRK || op == OP_HLT || op == OP_ERET ||
           op == OP_WFI || op == OP_WFE;
}

bool rehearse_step(struct explain *x, bool allow_store, enum rehearsal_end *end)
{
    struct cpu *s = x->sim;
    struct cpu_probe *probe = &x->sim_probe;
    struct insn i;
    u32 word;
    *probe = (struct cpu_probe){0};
    if ((s->pc & 3) || !mmu_debug_read(s, s->pc, &word, 4)) {
        *end = REH_FAULT;
        return false;
    }
    insn_decode(word, &i);
    *end = REH_IMPURE;
    if (ends_itself(i.op) || !is_pure_system(&i))
        return false;
    if ((i.flags & FP) && !cpu_fp_enabled(s)) {
        *end = REH_FAULT;
        return false;
    }
    u64 taken = s->exceptions;
    s->probe = probe;
    int st = i.fn(s, &i);
    s->probe = NULL;
    if (probe->blocked || (probe->stored && !allow_store) || st == EXEC_EXIT)
        return false;
    if (s->exceptions != taken) {
        *end = REH_FAULT;
        return false;
    }
    if (st == EXEC_NEXT)
        s->pc += 4;
    return true;
}

bool rehearse_over(struct explain *x, const struct insn *i)
{
    enum rehearsal_end end;
    struct cpu *s = x->sim;
    u64 pc = s->pc;
    if (i->op == OP_WFI || i->op == OP_WFE)
        return false;
    if (i->op == OP_MSR || i->op == OP_MSR_i || i->op == OP_SYS || (i->flags & FP)) {
        s->pc += 4;
        return true;
    }
    if (i->op == OP_MRS) {
        u64 v;
        if (sysreg_get(s, sysreg_name((u32)i->imm) ? sysreg_name((u32)i->imm) : "", &v))
            s->x[i->rd] = v;
        s->pc += 4;
        return true;
    }
    return rehearse_step(x, true, &end) && s->pc != pc;
}
