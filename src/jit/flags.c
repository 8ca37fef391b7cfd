// NZCV in EFLAGS: who set it last, with which carry polarity, and when it has to be saved.
#include "jit/fp.h"

/// Byte of cpu.nzcv with N, Z, C (as lahf leaves ah), and the one with V.
#define ENV_NZC xm(RENV, (s32)offsetof(struct cpu, nzcv) + 1 - CPU_BIAS)
#define ENV_VF xm(RENV, (s32)offsetof(struct cpu, nzcv) - CPU_BIAS)

static void save(struct jit *j, struct xbuf *b, u8 kind)
{
    if (kind >= FL_FCMP) {
        jit_fcmp_nzcv(j, b, kind == FL_FCMPX);
    } else {
        if (kind == FL_SUB)
            x_cmc(b);
        x_lahf(b);
        x_setcc(b, CC_O, xr(RAX));
    }
    x_op(b, XI_ST16, RAX, ENV(nzcv), 0);
}

/* ---- comparisons that wait ---- */

/// A comparison that could be computed again from its operands as long as they are unchanged.
static bool is_plain(const struct insn *i)
{
    if (i->rn == REG_ZR)
        return false;
    switch (i->op) {
    case OP_SUBS_i: case OP_ADDS_i: return true;
    case OP_ANDS_i: return !i->sf || (s64)i->imm == (s32)i->imm;
    case OP_SUBS_r: case OP_ADDS_r: case OP_ANDS_r: return (i->imm & 63) == 0 && i->rm != REG_ZR;
    default: return false;
    }
}

static bool has_imm(const struct insn *i) { return i->op == OP_SUBS_i || i->op == OP_ADDS_i || i->op == OP_ANDS_i; }

bool jit_can_wait(const struct jit *j, const struct insn *i)
{
    return i->rd == REG_SINK && jit_flags_wanted(j) && is_plain(i);
}

void jit_flags_from(struct jit *j, const struct insn *i)
{
    if ((j->fl == FL_ADD || j->fl == FL_SUB) && !j->fl_env && i->rd != i->rn && (has_imm(i) || i->rd != i->rm) && is_plain(i))
        j->origin = i;
}

void jit_wait(struct jit *j, const struct insn *i)
{
    j->waiting = i;
    j->origin = NULL;
    j->fl = FL_NONE;
    j->fl_env = false;
}

/// Where b finds guest register n: cold code may run before a cached register is loaded.
static xrm place_of(const struct jit *j, const struct xbuf *b, unsigned n)
{
    int r = j->xmap[n];
    return r >= 0 && (b == &j->b ? j->xloaded[n] : !jit_is_cache(j, r)) ? xr(r) : ENV_X(n);
}

/// Emits the comparison that waits into b. May clobber rax. ret  the kind of flags.
static enum jit_flags compare(struct jit *j, struct xbuf *b)
{
    const struct insn *i = j->waiting;
    u32 w = i->sf ? XW : 0;
    bool imm = has_imm(i);
    bool sub = i->op == OP_SUBS_i || i->op == OP_SUBS_r, add = i->op == OP_ADDS_i || i->op == OP_ADDS_r;
    xrm n = place_of(j, b, i->rn), m = imm ? n : place_of(j, b, i->rm);
    if (add || (n.reg < 0 && !imm && m.reg < 0)) {
        x_rm(b, XI_MOV | w, RAX, n);
        n = xr(RAX);
    }
    if (imm && sub && i->imm == 0 && n.reg >= 0)
        x_rr(b, XI_TEST | w, n.reg, n.reg); // no borrow, no overflow
    else if (imm && (sub || add))
        x_alu_i(b, sub ? ALU_CMP : ALU_ADD, w, n, (s32)i->imm);
    else if (imm)
        x_test_i(b, w, n, (s32)i->imm);
    else if (n.reg >= 0)
        x_op(b, (sub ? XI_CMP : add ? XI_ADD : XI_TEST) | w, n.reg, m, 0);
    else
        x_op(b, (sub ? XI_CMP_MR : XI_TEST) | w, m.reg, n, 0);
    return sub ? FL_SUB : FL_ADD;
}

void jit_wait_over(struct jit *j)
{
    if (!j->waiting)
        return;
    j->fl = (u8)compare(j, &j->b);
    j->fl_env = false;
    j->origin = j->waiting;
    j->waiting = NULL;
}

void jit_wait_cold(struct jit *j, int keep)
{
    struct xbuf *c = &j->cold;
    if (!j->waiting)
        return;
    if (keep == RAX)
        x_op(c, XI_ST | XW, RAX, ENV_JW(JW_TMP), 0);
    save(j, c, (u8)compare(j, c));
    if (keep == RAX)
        x_rm(c, XI_MOV | XW, RAX, ENV_JW(JW_TMP));
}

void jit_wait_check(struct jit *j, const struct insn *i)
{
    const struct insn *p = j->waiting ? j->waiting : j->origin;
    if (!p)
        return;
    const u8 reg[4] = {i->rd, i->rn, i->rm, i->ra};
    static const u32 is_v[4] = {VD, VN, VM, VA}, writes[4] = {DW, NW, MW, AW};
    bool changes = false;
    for (unsigned k = 0; k < 4; k++)
        changes |= !(i->flags & is_v[k]) && i->flags & writes[k] && (reg[k] == p->rn || (!has_imm(p) && reg[k] == p->rm));
    if (changes) {
        jit_wait_over(j);
        j->origin = NULL;
    } else if (j->waiting && i->flags & FW && !(i->flags & FR)) { // nobody asked
        j->waiting = NULL;
        j->fl_env = true;
    }
}

/* ---- who has them ---- */

void jit_clobber(struct jit *j)
{
    bool wanted = (j->live_out[j->k] && !(j->in[j->k].flags & FW)) || j->live_taken[j->k];
    if (j->fl != FL_NONE && wanted && !j->fl_env && j->origin) {
        j->waiting = j->origin;
    } else if (j->fl != FL_NONE && wanted && !j->fl_env) {
        save(j, &j->b, j->fl);
        j->fl_env = true;
    }
    j->origin = NULL;
    j->fl = FL_NONE;
}

void jit_flags_set(struct jit *j, enum jit_flags kind)
{
    j->waiting = j->origin = NULL;
    j->fl = (u8)kind;
    j->fl_env = false;
}

void jit_flags_in_env(struct jit *j)
{
    j->waiting = j->origin = NULL;
    j->fl = FL_NONE;
    j->fl_env = true;
}

void jit_flags_to_env(struct jit *j)
{
    jit_wait_over(j);
    if (j->fl_env || j->fl == FL_NONE)
        return;
    save(j, &j->b, j->fl);
    if (j->fl == FL_SUB) // the carry was inverted
        j->fl = FL_ADD;
    j->fl_env = true;
}

void jit_flags_save_in(struct jit *j, struct xbuf *b)
{
    if (j->waiting)
        save(j, b, (u8)compare(j, b));
    else if (!j->fl_env && j->fl != FL_NONE)
        save(j, b, j->fl);
}

void jit_flags_to_host(struct jit *j, enum jit_flags kind)
{
    jit_wait_over(j);
    if (j->fl >= FL_FCMP) {
        jit_fcmp_nzcv(j, &j->b, j->fl == FL_FCMPX);
        x_u8(&j->b, 0x04); // as below
        x_u8(&j->b, 127);
        x_sahf(&j->b);
        j->fl = FL_ADD;
    } else if (j->fl == FL_NONE) {
        x_rm(&j->b, XI_MOVZX16, RAX, ENV(nzcv));
        x_u8(&j->b, 0x04); // add al, 127: OF = V
        x_u8(&j->b, 127);
        x_sahf(&j->b);
        j->fl = FL_ADD;
    }
    if (j->fl != kind) {
        x_cmc(&j->b);
        j->fl = (u8)kind;
    }
}

/// A condition on the EFLAGS of ucomis. 0xff: not one x86 condition in this order of operands.
static unsigned fcmp_cond(struct jit *j, unsigned cond)
{
    static const u8 plain[14] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, CC_P, CC_NP, 0xff, 0xff, CC_AE, CC_B, CC_A, CC_BE};
    static const u8 swapped[14] = {0xff, 0xff, 0xff, 0xff, CC_A, CC_BE, CC_P, CC_NP, CC_B, CC_AE, 0xff, 0xff, 0xff, 0xff};
    if (cond > 1)
        return j->fl == FL_FCMP ? plain[cond] : swapped[cond];
    if (j->live_out[j->k] || j->live_taken[j->k])
        jit_flags_to_env(j);
    x_mov_ri(&j->b, RAX, 0); // equal: ZF and not PF
    x_setcc(&j->b, CC_P, xr(RAX));
    x_cmov(&j->b, CC_NE, 0, RAX, FP_CONST(j, nzcv_gt));
    x_rr(&j->b, XI_TEST, RAX, RAX);
    j->fl = FL_NONE;
    return cond ? CC_NE : CC_E;
}

unsigned jit_cond(struct jit *j, unsigned cond)
{
    jit_wait_over(j);
    if (j->fl >= FL_FCMP) {
        unsigned cc = fcmp_cond(j, cond);
        if (cc != 0xff)
            return cc;
        jit_flags_to_host(j, FL_ADD);
    }
    static const u8 sub[14] = {CC_E, CC_NE, CC_AE, CC_B, CC_S, CC_NS, CC_O, CC_NO, CC_A, CC_BE, CC_GE, CC_L, CC_G, CC_LE};
    if (j->fl == FL_NONE && cond < 8) { // one flag: test it where it lies
        static const u8 bit_of[3] = {0x40, 0x01, 0x80};
        if (cond < 6)
            x_test8_i(&j->b, ENV_NZC, bit_of[cond >> 1]);
        else
            x_test8_i(&j->b, ENV_VF, 1);
        return cond & 1 ? CC_E : CC_NE;
    }
    if (j->fl == FL_NONE)
        jit_flags_to_host(j, FL_ADD);
    if (cond >> 1 == 4) // hi, ls need CF = !C
        jit_flags_to_host(j, FL_SUB);
    if (cond >> 1 == 1 && j->fl == FL_ADD)
        return cond == 2 ? CC_B : CC_AE;
    return sub[cond];
}
