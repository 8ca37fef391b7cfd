/// F05: a system register was written, and instructions that depend on it run before a context
/// synchronisation event. Arm ARM, "Synchronization requirements for AArch64 System registers". Told by
/// rehearsing the instructions after the MSR.
#include "debug/priv.h"

#include <stdio.h>

enum { LOOK_AHEAD = 48 };

/// What a write makes later instructions depend on.
enum dependence { DEP_MMU_ON, DEP_MMU_OFF, DEP_TABLES, DEP_LOW_HALF, DEP_HIGH_HALF, DEP_FP, DEP_VECTORS };

struct look {
    unsigned steps;   ///< instructions between the write and the one found
    u64 pc;           ///< of the one found
    bool found;       ///< a dependent instruction came first
    bool never;       ///< no synchronisation within reach
};

static bool is_sync(u16 op)
{
    return op == OP_ISB || op == OP_ERET || op == OP_SVC || op == OP_HVC || op == OP_SMC || op == OP_BRK ||
           op == OP_HLT;
}

static bool sets_mmu(struct cpu *s, const struct insn *i)
{
    return i->op == OP_MSR && (i->imm & ~(4u << 11)) == SYSREG_ENC(3, 0, 1, 0, 0) && (s->x[i->rd] & 1); /* of EL1 or EL2 */
}

static bool depends(struct cpu *s, const struct insn *i, enum dependence dep)
{
    bool memory = i->flags & (LD | ST);
    bool to_register = i->op == OP_BR || i->op == OP_BLR || i->op == OP_RET;
    switch (dep) {
    case DEP_MMU_ON: return memory || (to_register && s->x[i->rn] >> 47);
    case DEP_MMU_OFF: return memory;
    case DEP_TABLES: return sets_mmu(s, i);
    case DEP_FP: return i->flags & FP;
    case DEP_VECTORS: return i->op == OP_SVC || i->op == OP_BRK || (i->op == OP_HVC && s->el == 2);
    default: return memory && bit(s->x[i->rn], 55) == (dep == DEP_HIGH_HALF);
    }
}

static void look_ahead(struct explain *x, struct cpu *c, enum dependence dep, struct look *l)
{
    struct insn i;
    u32 word;
    rehearse_begin(x, c);
    x->sim->pc += 4;
    *l = (struct look){0};
    for (; l->steps < LOOK_AHEAD; l->steps++) {
        l->pc = x->sim->pc;
        if (!mmu_debug_read(x->sim, l->pc, &word, 4)) {
            l->found = dep == DEP_MMU_ON; /* it goes on where only the new tables lead */
            return;
        }
        insn_decode(word, &i);
        if (depends(x->sim, &i, dep)) {
            l->found = true;
            return;
        }
        if (is_sync(i.op))
            return;
        if (!rehearse_over(x, &i))
            break;
    }
    l->never = true;
}

static void report(struct explain *x, struct cpu *c, const char *what, const char *need, const struct look *l)
{
    char at[96], dep[96], dis[80] = "";
    u32 word;
    name_full(x, c->pc, at, sizeof at);
    name_full(x, l->pc, dep, sizeof dep);
    if (mmu_debug_read(c, l->pc, &word, 4))
        insn_disas(word, l->pc, dis, sizeof dis);
    if (l->found)
        explain_say(x, c, handoff_id(x, "L3", "F05"), true,
                    "%s at %s, and no ISB or ERET before %s `%s`, %s: silicon may still use the old value; put "
                    "an isb after the msr",
                    what, at, dep, dis, need);
    else
        explain_say(x, c, handoff_id(x, "L3", "F05"), true,
                    "%s at %s; %u instructions ran and no context synchronisation (ISB, ERET) came: silicon may "
                    "still use the old value; put an isb after the msr",
                    what, at, l->steps);
}

static void check(struct explain *x, struct cpu *c, enum dependence dep, const char *what, const char *need)
{
    struct look l;
    look_ahead(x, c, dep, &l);
    if (l.found || (l.never && dep == DEP_MMU_ON))
        report(x, c, what, need, &l);
}

void lint_sysreg_write(struct explain *x, struct cpu *c, u32 sr, u64 old_val, u64 new_val)
{
    bool mmu = bit(cpu_sctlr(c), 0), early = !x->quiet && !x->is_linux;
    char what[64];
    if (x->cfg.lint == MACHINE_LINT_OFF || is_said(x, handoff_id(x, "L3", "F05")))
        return;
    switch (sr) {
    case SYSREG_SCTLR_EL1:
        if ((old_val ^ new_val) & 5)
            lint_code_op(x, c, 0);
        if (!bit(old_val, 0) && bit(new_val, 0))
            check(x, c, DEP_MMU_ON, c->el == 2 ? "SCTLR_EL2.M 0->1" : "SCTLR_EL1.M 0->1", "which needs the new translation");
        else if (bit(old_val, 0) && !bit(new_val, 0) && early && !handoff_active(x))
            check(x, c, DEP_MMU_OFF, c->el == 2 ? "SCTLR_EL2.M 1->0" : "SCTLR_EL1.M 1->0", "which is to run without translation");
        break;
    case SYSREG_CPACR_EL1:
        if (!bit(old_val, 20) && bit(new_val, 20))
            check(x, c, DEP_FP, c->el == 2 ? "CPTR_EL2.FPEN opened" : "CPACR_EL1.FPEN opened", "an FP/SIMD instruction");
        break;
    case SYSREG_VBAR_EL1:
        if (old_val != new_val)
            check(x, c, DEP_VECTORS, c->el == 2 ? "VBAR_EL2 written" : "VBAR_EL1 written", "which uses the vectors");
        break;
    case SYSREG_TTBR0_EL1:
    case SYSREG_TTBR1_EL1:
    case SYSREG_TCR_EL1:
    case SYSREG_MAIR_EL1:
        if (old_val == new_val)
            break;
        snprintf(what, sizeof what, "%s written", sysreg_id_name(c->el == 2 ? sysreg_redirect((enum sysreg_id)sr) : (enum sysreg_id)sr));
        if (!mmu)
            check(x, c, DEP_TABLES, what, "which turns the MMU on");
        else if (early || is_strict(x))
            check(x, c, sr == SYSREG_TTBR1_EL1 ? DEP_HIGH_HALF : DEP_LOW_HALF, what, "which is translated by it");
        break;
    default: break;
    }
}

/// An exception was taken while writes waited for a context synchronisation event: whatever it was, the
/// instruction before saw the old values. Only when strict: see cpu.delays_sysregs.
void lint_unsynced(struct explain *x, struct cpu *c, u32 kind, u64 esr, u64 from_pc)
{
    u32 ec = (u32)bits(esr, 31, 26);
    bool sync = (kind & 0x180) == 0, abort = sync && (ec == EC_DABT || ec == EC_IABT || ec == EC_DABT_LOW || ec == EC_IABT_LOW);
    char at[96], by[96];
    for (unsigned k = 0; k < c->unsynced; k++) {
        const struct sysreg_pending *p = &c->pending[k];
        bool fp = p->id == SYSREG_CPACR_EL1 || p->id == SYSREG_CPTR_EL2;
        bool vectors = p->id == SYSREG_VBAR_EL1 || p->id == SYSREG_VBAR_EL2;
        if (!vectors && !(fp && sync && ec == EC_FP) && (fp || !abort))
            continue;
        watch_of(x, c)->unsynced.is_root = true;
        watch_of(x, c)->unsynced.id = p->id;
        watch_of(x, c)->unsynced.pc = p->pc;
        watch_of(x, c)->unsynced.went_to = vectors ? c->pc : ~0ULL;
        explain_say(x, c, handoff_id(x, "L3", "F05"), true,
                    "%s was written at %s, and %s at %s %s: no ISB or ERET came between, so it had not taken effect; put "
                    "an isb after the msr",
                    sysreg_id_name((enum sysreg_id)p->id), name_full(x, p->pc, by, sizeof by),
                    sync ? "an exception" : "an interrupt", name_full(x, from_pc, at, sizeof at),
                    vectors ? "went to the old vectors" : fp ? "trapped by the old value" : "came from the old translation");
    }
}
