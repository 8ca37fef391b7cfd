// Conditional selection and comparison. Arm ARM, "Data processing - register".
#include "jit/int.h"

#define B (&j->b)

static int emit_csel(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    unsigned cond = (unsigned)i->imm;
    if (cond >= 14)
        return 0;
    bool zeros = i->rn == REG_ZR && i->rm == REG_ZR;
    unsigned cc = jit_cond(j, cond);
    if (i->op == OP_CSINC && zeros) { // cset
        x_setcc(B, cc ^ 1, xr(RAX));
        int d = jit_xwrite(j, i->rd, RAX);
        x_rm(B, XI_MOVZX8, d, xr(RAX));
        jit_xdone(j, i->rd, d);
        return 1;
    }
    if (i->op == OP_CSINC && i->rn == i->rm && (cc == CC_B || cc == CC_AE) && !j->live_out[j->k]) { // the carry is added
        int d = jit_xwrite(j, i->rd, RAX);
        mov_rm(j, w, d, jit_xop(j, i->rn));
        x_alu_i(B, cc == CC_B ? ALU_SBB : ALU_ADC, w, xr(d), cc == CC_B ? -1 : 0);
        jit_xdone(j, i->rd, d);
        j->fl = FL_NONE;
        j->origin = NULL;
        return 1;
    }
    xrm n = src(j, i->rn, RDX);
    int d = jit_xwrite(j, i->rd, RAX);
    if (i->op == OP_CSEL && n.reg == d) {
        x_cmov(B, cc ^ 1, w, d, src(j, i->rm, RCX));
        jit_xdone(j, i->rd, d);
        return 1;
    }
    int t = n.reg == d || (n.reg < 0 && d == RDX) ? RAX : d;
    if (i->rm == REG_ZR) {
        x_mov_ri(B, t, i->op == OP_CSINC ? 1 : i->op == OP_CSINV ? ~0ULL : 0);
    } else {
        xrm m = jit_xop(j, i->rm);
        if (i->op == OP_CSINC && m.reg >= 0) {
            x_rm(B, XI_LEA | w, t, xm(m.reg, 1));
        } else {
            mov_rm(j, w, t, m);
            if (i->op == OP_CSINC)
                x_rm(B, XI_LEA | w, t, xm(t, 1));
        }
        if (i->op == OP_CSINV || i->op == OP_CSNEG)
            x_not(B, w, xr(t));
        if (i->op == OP_CSNEG)
            x_rm(B, XI_LEA | w, t, xm(t, 1));
    }
    x_cmov(B, cc, w, t, n);
    jit_xdone(j, i->rd, t);
    return 1;
}

static bool is_ccmp(const struct insn *i)
{
    return i->op == OP_CCMP_r || i->op == OP_CCMP_i || i->op == OP_CCMN_r || i->op == OP_CCMN_i;
}
static unsigned ccmp_cond(const struct insn *i) { return (unsigned)bits(i->word, 15, 12); }

/// The comparison of CCMP and CCMN: rn is in n. Clobbers rax. ret  the kind of flags.
static enum jit_flags ccmp_compare(struct jit *j, const struct insn *i, int n, xrm m)
{
    u32 w = w_of(i);
    bool sub = i->op == OP_CCMP_r || i->op == OP_CCMP_i, imm = i->op == OP_CCMP_i || i->op == OP_CCMN_i;
    if (sub && imm) {
        x_alu_i(B, ALU_CMP, w, xr(n), (s32)i->imm);
    } else if (sub) {
        x_rm(B, XI_CMP | w, n, m);
    } else {
        x_mov(B, RAX, n);
        if (imm)
            x_alu_i(B, ALU_ADD, w, xr(RAX), (s32)i->imm);
        else
            x_rm(B, XI_ADD | w, RAX, m);
    }
    return sub ? FL_SUB : FL_ADD;
}

/// The immediate flags of a CCMP, as cpu.nzcv has them.
static u32 ccmp_else(const struct insn *i)
{
    u32 v = i->word & 15;
    return (v & 8 ? FLAG_N : 0) | (v & 4 ? FLAG_Z : 0) | (v & 2 ? FLAG_C : 0) | (v & 1 ? FLAG_V : 0);
}

/// The condition of CCMP k fails: whether the branch at the end of the chain then leaves the block.
/// ret  false when that depends on a comparison further on.
static bool chain_else(const struct jit *j, unsigned k, unsigned end, bool *leaves)
{
    u32 f = ccmp_else(&j->in[k]);
    for (k++; k < end; k++) {
        if (cond_holds(ccmp_cond(&j->in[k]), f))
            return false;
        f = ccmp_else(&j->in[k]);
    }
    *leaves = cond_holds(j->in[end].word & 15, f) != j->follows[end];
    return true;
}

/// CCMPs that end in a conditional branch whose flags nobody else wants: each decides by itself.
static bool emit_chain(struct jit *j)
{
    enum { CHAIN = 4 };
    unsigned k = j->k, end = k, skips = 0;
    u8 *skip[CHAIN];
    bool leaves[CHAIN];
    while (end < j->n && end < k + CHAIN && is_ccmp(&j->in[end]) && ccmp_cond(&j->in[end]) < 14)
        end++;
    const struct insn *br = &j->in[end];
    if (end >= j->n || br->op != OP_Bcond || (br->word & 15) >= 14 || j->live_out[end] || j->live_taken[end])
        return false;
    for (unsigned a = k; a < end; a++)
        if (j->off[a] + 4 != j->off[a + 1] || !chain_else(j, a, end, &leaves[a - k]))
            return false;
    for (unsigned a = k; a < end; a++) // nothing may become loaded on one way only
        for (unsigned o = 0; o < 2; o++) {
            unsigned n = o ? j->in[a].rm : j->in[a].rn;
            if (n < 31 && jit_xinreg(j, n))
                jit_xread(j, n, RDX);
        }
    j->k = end;
    s64 target = j->off[end] + (s64)br->imm;
    for (unsigned a = k; a < end; a++) {
        const struct insn *i = &j->in[a];
        unsigned cc = jit_cond(j, ccmp_cond(i)) ^ 1;
        if (leaves[a - k])
            jit_exit_cc(j, cc ^ j->follows[end], target);
        else
            skip[skips++] = x_jcc(B, cc, NULL);
        int n = jit_xread(j, i->rn, RDX);
        bool imm = i->op == OP_CCMP_i || i->op == OP_CCMN_i;
        jit_flags_set(j, ccmp_compare(j, i, n, imm ? xr(RCX) : src(j, i->rm, RCX)));
    }
    jit_exit_cc(j, jit_cond(j, br->word & 15), target);
    while (skips)
        x_patch(skip[--skips], B->p);
    j->fl = FL_NONE;
    j->fl_env = true;
    return true;
}

static int emit_ccmp(struct jit *j, const struct insn *i)
{
    unsigned cond = ccmp_cond(i), f = i->word & 15;
    bool sub = i->op == OP_CCMP_r || i->op == OP_CCMP_i, imm = i->op == OP_CCMP_i || i->op == OP_CCMN_i;
    if (cond >= 14)
        return 0;
    if (!jit_flags_wanted(j) || emit_chain(j))
        return 1;
    int n = jit_xread(j, i->rn, RDX);
    xrm m = imm ? xr(RCX) : src(j, i->rm, RCX);
    unsigned cc = jit_cond(j, cond);
    u8 *other = x_jcc8(B, cc ^ 1);
    ccmp_compare(j, i, n, m);
    u8 *done = x_jmp8(B);
    x_patch8(other, B->p);
    unsigned carry = (f >> 1 & 1) ^ sub, ah = (f & 8 ? 0x80u : 0) | (f & 4 ? 0x40u : 0) | carry;
    x_mov_ri(B, RAX, ah << 8 | (f & 1));
    x_u8(B, 0x04);
    x_u8(B, 127);
    x_sahf(B);
    x_patch8(done, B->p);
    jit_flags_set(j, sub ? FL_SUB : FL_ADD);
    return 1;
}

void jit_init_cond(jit_emit_fn **t)
{
    t[OP_CSEL] = t[OP_CSINC] = t[OP_CSINV] = t[OP_CSNEG] = emit_csel;
    t[OP_CCMP_r] = t[OP_CCMP_i] = t[OP_CCMN_r] = t[OP_CCMN_i] = emit_ccmp;
}
