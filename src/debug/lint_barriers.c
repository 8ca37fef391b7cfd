/// F06, second half: new code was cleaned and invalidated, and the barriers between or behind are missing. Told, as F05, by
/// rehearsing what comes next. Arm ARM, "Concurrent modification and execution of instructions".
#include "debug/priv.h"

enum {
    LOOK_AHEAD = 64,
    LOOKS_MAX = 512, ///< rehearsals; a loader that moves itself invalidates thousands of lines
};

static bool is_instruction_cache_op(u32 enc)
{
    return enc == SYSREG_ENC(1, 3, 7, 5, 1) || enc == SYSREG_ENC(1, 0, 7, 5, 0) || enc == SYSREG_ENC(1, 0, 7, 1, 0);
}

static u32 op_encoding(u32 word) { return (u32)bits(word, 20, 5); }

static void say(struct explain *x, struct cpu *c, const char *what, u64 next, const char *barrier)
{
    char at[96], to[96];
    explain_say(x, c, handoff_id(x, "L2", "F06"), true, "%s at %s, and no %s before %s: silicon may run the old bytes; after writing code: "
                "dc cvau, dsb ish, ic ivau, dsb ish, isb", what, name_full(x, c->pc, at, sizeof at), barrier, name_full(x, next, to, sizeof to));
}

static bool is_new(const struct explain *x, gpa_t pa)
{
    for (unsigned k = 0; k < x->barriers.count; k++)
        if (x->barriers.line[k] == align_down(pa, 64))
            return true;
    return false;
}

/// The old bytes left the data cache at this DC: a DSB must come before the IC of the line.
static void after_clean(struct explain *x, struct cpu *c, gpa_t line)
{
    struct cpu *s = x->sim;
    struct insn i;
    u32 word;
    struct xlat w;
    for (unsigned n = 0; n < LOOK_AHEAD && mmu_debug_read(s, s->pc, &word, 4); n++) {
        insn_decode(word, &i);
        if (i.op == OP_DSB)
            return;
        bool ic = i.op == OP_SYS && is_instruction_cache_op(op_encoding(word));
        bool by_va = ic && op_encoding(word) == SYSREG_ENC(1, 3, 7, 5, 1);
        if (ic && (!by_va || (bits(word, 4, 0) != 31 && mmu_walk(s, s->x[bits(word, 4, 0)], &w) && align_down(w.pa, 64) == line))) {
            say(x, c, "DC of a line that was written", s->pc, "DSB");
            return;
        }
        if (!rehearse_over(x, &i))
            return;
    }
}

/// New code is in reach of fetches after this IC: a DSB and then an ISB must come before it runs.
static void after_invalidate(struct explain *x, struct cpu *c)
{
    struct cpu *s = x->sim;
    struct insn i;
    struct xlat w;
    u32 word;
    bool dsb = false;
    gpa_t here = mmu_walk(c, c->pc, &w) ? align_down(w.pa, 64) : 0; /* what runs may share a line with what was changed */
    for (unsigned n = 0; n < LOOK_AHEAD && mmu_debug_read(s, s->pc, &word, 4); n++) {
        insn_decode(word, &i);
        if (mmu_walk(s, s->pc, &w) && align_down(w.pa, 64) != here && is_new(x, w.pa)) {
            say(x, c, "IC of a line that was written", s->pc, dsb ? "ISB" : "DSB and ISB");
            return;
        }
        if (i.op == OP_SYS && is_instruction_cache_op(op_encoding(word)))
            dsb = false;
        dsb |= i.op == OP_DSB;
        bool event = i.op == OP_ISB || i.op == OP_ERET || i.op == OP_SVC || i.op == OP_HVC || i.op == OP_SMC;
        if (event && dsb) {
            x->barriers.count = 0;
            return;
        }
        if (i.op == OP_ISB) {
            s->pc += 4;
            continue;
        }
        if (event || !rehearse_over(x, &i))
            return;
    }
}

void lint_barriers(struct explain *x, struct cpu *c, gpa_t line, bool ic)
{
    if ((x->is_linux && !is_strict(x)) || is_said(x, handoff_id(x, "L2", "F06")) || x->barriers.looks >= LOOKS_MAX)
        return;
    x->barriers.looks++;
    if (ic && !is_new(x, line)) {
        memmove(x->barriers.line + 1, x->barriers.line, sizeof x->barriers.line - sizeof *x->barriers.line);
        x->barriers.line[0] = line;
        if (x->barriers.count < ARRAY_LEN(x->barriers.line))
            x->barriers.count++;
    }
    rehearse_begin(x, c);
    x->sim->pc += 4;
    if (ic)
        after_invalidate(x, c);
    else
        after_clean(x, c, line);
}
