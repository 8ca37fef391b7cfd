// Add, subtract, logic and constants with general registers. Arm ARM, "Data processing - immediate" and
// "- register".
#include "jit/int.h"

#define B (&j->b)

/* ---- add and subtract ---- */

static void add_const(struct jit *j, const struct insn *i, s64 v)
{
    u32 w = w_of(i);
    int d = jit_xwrite(j, i->rd, RAX);
    if (!jit_xinreg(j, i->rn)) {
        x_rm(B, XI_MOV | w, d, ENV_X(i->rn));
        if (v)
            x_rm(B, XI_LEA | w, d, xm(d, (s32)v));
    } else {
        int n = jit_xread(j, i->rn, RAX);
        if (v)
            x_rm(B, XI_LEA | w, d, xm(n, (s32)v));
        else
            mov_rm(j, w, d, xr(n));
    }
    bool keeps = i->rd == REG_SP && i->rn == REG_SP && j->sp_aligned && !(v & 15);
    jit_xdone(j, i->rd, d);
    if (keeps)
        j->sp_aligned = true;
}

static int emit_add_i(struct jit *j, const struct insn *i) { add_const(j, i, (s64)i->imm); return 1; }
static int emit_sub_i(struct jit *j, const struct insn *i) { add_const(j, i, -(s64)i->imm); return 1; }

/// ADDS and SUBS of an operand that is ready.
static void flags_op(struct jit *j, const struct insn *i, bool sub, xrm m)
{
    u32 w = w_of(i);
    if (sub && i->rd == REG_SINK) {
        xrm n = src(j, i->rn, RAX);
        if (n.reg >= 0) {
            x_rm(B, XI_CMP | w, n.reg, m);
        } else if (m.reg >= 0) {
            x_op(B, XI_CMP_MR | w, m.reg, n, 0);
        } else {
            x_rm(B, XI_MOV | w, RAX, n);
            x_rm(B, XI_CMP | w, RAX, m);
        }
    } else {
        alu3(j, sub ? XI_SUB : XI_ADD, w, i->rd, src(j, i->rn, RAX), m, !sub);
    }
    jit_flags_set(j, sub ? FL_SUB : FL_ADD);
}

static int flags_imm(struct jit *j, const struct insn *i, bool sub)
{
    u32 w = w_of(i);
    if (!jit_flags_wanted(j)) {
        add_const(j, i, sub ? -(s64)i->imm : (s64)i->imm);
        return 1;
    }
    if (sub && i->rd == REG_SINK) {
        xrm n = jit_xop(j, i->rn);
        if (i->imm == 0 && n.reg >= 0)
            x_rr(B, XI_TEST | w, n.reg, n.reg); // no borrow, no overflow
        else
            x_alu_i(B, ALU_CMP, w, n, (s32)i->imm);
    } else {
        int d = jit_xwrite(j, i->rd, RAX);
        mov_rm(j, XW, d, jit_xop(j, i->rn));
        x_alu_i(B, sub ? ALU_SUB : ALU_ADD, w, xr(d), (s32)i->imm);
        jit_xdone(j, i->rd, d);
    }
    jit_flags_set(j, sub ? FL_SUB : FL_ADD);
    return 1;
}
static int emit_adds_i(struct jit *j, const struct insn *i) { return flags_imm(j, i, false); }
static int emit_subs_i(struct jit *j, const struct insn *i) { return flags_imm(j, i, true); }

/// Rm shifted, as an operand: itself, or computed into rdx (EFLAGS change).
static xrm shifted(struct jit *j, const struct insn *i)
{
    static const u8 kind[4] = {SH_SHL, SH_SHR, SH_SAR, SH_ROR};
    unsigned n = i->imm & 63;
    xrm m = src(j, i->rm, RDX);
    if (n == 0 || i->rm == REG_ZR)
        return m;
    if (i->imm >> 8 == 3 && j->cpu.bmi2) {
        x_rorx(B, w_of(i), RDX, m, n);
        return xr(RDX);
    }
    x_rm(B, XI_MOV | w_of(i), RDX, m);
    x_shift_i(B, kind[i->imm >> 8], w_of(i), xr(RDX), n);
    return xr(RDX);
}

static int emit_add_r(struct jit *j, const struct insn *i)
{
    unsigned n = i->imm & 63;
    u32 w = w_of(i);
    if (i->imm >> 8 == 0 && n <= 3 && i->rm != REG_ZR && i->rn != REG_ZR && jit_xinreg(j, i->rm)) {
        int d = jit_xwrite(j, i->rd, RAX), m = jit_xread(j, i->rm, RDX), a = jit_xread(j, i->rn, RCX);
        x_rm(B, XI_LEA | w, d, xmi(a, m, n, 0));
        jit_xdone(j, i->rd, d);
        return 1;
    }
    jit_clobber(j);
    xrm m = shifted(j, i);
    alu3(j, XI_ADD, w, i->rd, src(j, i->rn, RAX), m, true);
    return 1;
}

static int emit_sub_r(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    jit_clobber(j);
    xrm m = shifted(j, i);
    if (i->rn == REG_ZR) {
        int d = jit_xwrite(j, i->rd, RAX);
        mov_rm(j, w, d, m);
        x_neg(B, w, xr(d));
        jit_xdone(j, i->rd, d);
        return 1;
    }
    alu3(j, XI_SUB, w, i->rd, jit_xop(j, i->rn), m, false);
    return 1;
}

static int emit_adds_r(struct jit *j, const struct insn *i)
{
    if (!jit_flags_wanted(j))
        return emit_add_r(j, i);
    flags_op(j, i, false, shifted(j, i));
    return 1;
}
static int emit_subs_r(struct jit *j, const struct insn *i)
{
    if (!jit_flags_wanted(j))
        return emit_sub_r(j, i);
    flags_op(j, i, true, shifted(j, i));
    return 1;
}

/// Rm extended into rdx, not yet shifted.
static void extend(struct jit *j, const struct insn *i)
{
    xrm m = src(j, i->rm, RDX);
    switch (i->imm >> 8) {
    case 0: x_rm(B, XI_MOVZX8, RDX, m); break;
    case 1: x_rm(B, XI_MOVZX16, RDX, m); break;
    case 2: x_rm(B, XI_MOV, RDX, m); break;
    case 4: x_rm(B, XI_MOVSX8 | XW, RDX, m); break;
    case 5: x_rm(B, XI_MOVSX16 | XW, RDX, m); break;
    case 6: x_rm(B, XI_MOVSXD, RDX, m); break;
    default: mov_rm(j, XW, RDX, m); break;
    }
}

static int emit_ext(struct jit *j, const struct insn *i, bool sub, bool flags)
{
    unsigned s = i->imm & 7;
    u32 w = w_of(i);
    flags = flags && jit_flags_wanted(j);
    if (!sub && !flags && s <= 3) {
        extend(j, i);
        int d = jit_xwrite(j, i->rd, RAX), n = jit_xread(j, i->rn, RAX);
        x_rm(B, XI_LEA | w, d, xmi(n, RDX, s, 0));
        jit_xdone(j, i->rd, d);
        return 1;
    }
    if (!flags)
        jit_clobber(j);
    extend(j, i);
    if (s)
        x_shift_i(B, SH_SHL, XW, xr(RDX), s);
    if (flags)
        flags_op(j, i, sub, xr(RDX));
    else
        alu3(j, sub ? XI_SUB : XI_ADD, w, i->rd, jit_xop(j, i->rn), xr(RDX), !sub);
    return 1;
}
static int emit_add_x(struct jit *j, const struct insn *i) { return emit_ext(j, i, false, false); }
static int emit_sub_x(struct jit *j, const struct insn *i) { return emit_ext(j, i, true, false); }
static int emit_adds_x(struct jit *j, const struct insn *i) { return emit_ext(j, i, false, true); }
static int emit_subs_x(struct jit *j, const struct insn *i) { return emit_ext(j, i, true, true); }

/// ADC, SBC and their flag-setting forms.
static int carry_op(struct jit *j, const struct insn *i, bool sub, bool flags)
{
    if (!flags && j->live_out[j->k])
        jit_flags_to_env(j);
    xrm m = src(j, i->rm, RDX);
    if (m.reg < 0 || m.reg == jit_xwrite(j, i->rd, RAX)) {
        x_rm(B, XI_MOV | XW, RDX, m);
        m = xr(RDX);
    }
    jit_flags_to_host(j, sub ? FL_SUB : FL_ADD);
    alu3(j, sub ? XI_SBB : XI_ADC, w_of(i), i->rd, src(j, i->rn, RAX), m, false);
    if (flags)
        jit_flags_set(j, sub ? FL_SUB : FL_ADD);
    else
        j->fl = FL_NONE;
    return 1;
}
static int emit_adc(struct jit *j, const struct insn *i) { return carry_op(j, i, false, false); }
static int emit_adcs(struct jit *j, const struct insn *i) { return carry_op(j, i, false, true); }
static int emit_sbc(struct jit *j, const struct insn *i) { return carry_op(j, i, true, false); }
static int emit_sbcs(struct jit *j, const struct insn *i) { return carry_op(j, i, true, true); }

/* ---- logic ---- */

static u32 logic_op(unsigned op)
{
    switch (op) {
    case OP_ORR_i: case OP_ORR_r: case OP_ORN_r: return XI_OR;
    case OP_EOR_i: case OP_EOR_r: case OP_EON_r: return XI_XOR;
    default: return XI_AND;
    }
}
static unsigned logic_alu(unsigned op) { return op == OP_ORR_i ? ALU_OR : op == OP_EOR_i ? ALU_XOR : ALU_AND; }

static int emit_logic_i(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    u64 v = i->imm;
    bool flags = i->op == OP_ANDS_i && jit_flags_wanted(j), is_and = i->op == OP_AND_i || i->op == OP_ANDS_i;
    if (i->rn == REG_ZR && !flags) {
        int z = jit_xwrite(j, i->rd, RAX);
        x_mov_ri(B, z, is_and ? 0 : v);
        jit_xdone(j, i->rd, z);
        return 1;
    }
    xrm n = src(j, i->rn, RCX);
    if (is_and && !flags && (v == 0xff || v == 0xffff || v == 0xffffffff)) {
        int d = jit_xwrite(j, i->rd, RAX);
        x_rm(B, v == 0xff ? XI_MOVZX8 : v == 0xffff ? XI_MOVZX16 : XI_MOV, d, n);
        jit_xdone(j, i->rd, d);
        return 1;
    }
    if (is_and && w && v <= 0x7fffffff)
        w = flags ? w : 0; // the upper half is cleared by the 32-bit form
    if (!flags)
        jit_clobber(j);
    bool fits = !w || (s64)v == (s32)v;
    if (flags && i->rd == REG_SINK && fits) {
        x_test_i(B, w, n, (s32)v);
    } else {
        if (!fits)
            x_mov_ri(B, RDX, v);
        int d = jit_xwrite(j, i->rd, RAX);
        mov_rm(j, XW, d, n);
        if (fits)
            x_alu_i(B, logic_alu(i->op), w, xr(d), (s32)v);
        else
            x_rr(B, logic_op(i->op) | w, d, RDX);
        jit_xdone(j, i->rd, d);
    }
    if (flags)
        jit_flags_set(j, FL_ADD);
    return 1;
}

static int emit_logic_r(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    bool flags = (i->flags & FW) && jit_flags_wanted(j);
    bool inverted = i->op == OP_BIC_r || i->op == OP_BICS_r || i->op == OP_ORN_r || i->op == OP_EON_r;
    bool moves = i->rn == REG_ZR && (i->op == OP_ORR_r || i->op == OP_ORN_r);
    if (!flags && !(moves && (i->imm & 63) == 0))
        jit_clobber(j);
    xrm m = shifted(j, i);
    if (moves) {
        int d = jit_xwrite(j, i->rd, RAX);
        mov_rm(j, w, d, m);
        if (inverted)
            x_not(B, w, xr(d));
        jit_xdone(j, i->rd, d);
        return 1;
    }
    if (inverted) {
        if (m.reg != RDX)
            x_rm(B, XI_MOV | w, RDX, m);
        x_not(B, w, xr(RDX));
        m = xr(RDX);
    }
    xrm n = src(j, i->rn, RAX);
    if (flags && i->rd == REG_SINK) {
        if (n.reg < 0 && m.reg < 0) {
            x_rm(B, XI_MOV | w, RAX, n);
            n = xr(RAX);
        }
        if (n.reg >= 0)
            x_op(B, XI_TEST | w, n.reg, m, 0);
        else
            x_op(B, XI_TEST | w, m.reg, n, 0);
    } else {
        alu3(j, logic_op(i->op), w, i->rd, n, m, true);
    }
    if (flags)
        jit_flags_set(j, FL_ADD);
    return 1;
}

/* ---- constants ---- */

static void set_const(struct jit *j, unsigned rd, u64 v)
{
    if (rd == REG_SINK)
        return;
    if (!jit_xinreg(j, rd) && (s64)v == (s32)v) {
        x_store_i(B, XW, ENV_X(rd), (s32)v);
        return;
    }
    int d = jit_xwrite(j, rd, RAX);
    x_mov_ri(B, d, v);
    jit_xdone(j, rd, d);
}

/// MOVZ or MOVN with the MOVKs that follow.
static int emit_movz(struct jit *j, const struct insn *i)
{
    u64 v = i->op == OP_MOVN ? ~i->imm : i->imm;
    while (j->k + 1 < j->n) {
        const struct insn *k = &j->in[j->k + 1];
        if (k->op != OP_MOVK || k->rd != i->rd || k->sf != i->sf || j->off[j->k + 1] != j->off[j->k] + 4)
            break;
        v = (v & ~(0xffffULL << bits(k->word, 22, 21) * 16)) | k->imm;
        j->k++;
    }
    set_const(j, i->rd, i->sf ? v : (u32)v);
    return 1;
}

static int emit_movk(struct jit *j, const struct insn *i)
{
    unsigned sh = (unsigned)bits(i->word, 22, 21) * 16, size = size_of(i);
    if (!j->cpu.bmi2)
        return 0;
    if (i->rd == REG_SINK)
        return 1;
    int d = jit_xwrite(j, i->rd, RAX);
    x_rorx(B, w_of(i), d, jit_xop(j, i->rd), sh);
    x_op(B, XO(0, 0, 0xc7) | X66, 0, xr(d), 2);
    x_u16(B, (unsigned)(i->imm >> sh));
    x_rorx(B, w_of(i), d, xr(d), (size - sh) % size);
    jit_xdone(j, i->rd, d);
    return 1;
}

static int emit_adr(struct jit *j, const struct insn *i)
{
    s64 off = (s64)i->imm + (i->op == OP_ADR ? j->off[j->k] : 0);
    const struct insn *next = &j->in[j->k + 1];
    unsigned rd = i->rd;
    if (i->op == OP_ADRP && j->k + 1 < j->n && next->op == OP_ADD_i && next->sf && next->rn == rd &&
        next->rd == rd && rd != REG_SINK && j->off[j->k + 1] == j->off[j->k] + 4) {
        off += (s64)next->imm;
        j->k++;
    }
    int d = jit_xwrite(j, rd, RAX);
    x_rm(B, XI_MOV | XW, d, ENV(jit_page));
    if (off != (s32)off) {
        x_mov_ri(B, RDX, (u64)off);
        x_rm(B, XI_LEA | XW, d, xmi(d, RDX, 0, 0));
    } else if (off) {
        x_rm(B, XI_LEA | XW, d, xm(d, (s32)off));
    }
    jit_xdone(j, rd, d);
    return 1;
}

void jit_init_int(jit_emit_fn **t)
{
    t[OP_ADD_i] = emit_add_i, t[OP_SUB_i] = emit_sub_i, t[OP_ADDS_i] = emit_adds_i, t[OP_SUBS_i] = emit_subs_i;
    t[OP_ADD_r] = emit_add_r, t[OP_SUB_r] = emit_sub_r, t[OP_ADDS_r] = emit_adds_r, t[OP_SUBS_r] = emit_subs_r;
    t[OP_ADD_x] = emit_add_x, t[OP_SUB_x] = emit_sub_x, t[OP_ADDS_x] = emit_adds_x, t[OP_SUBS_x] = emit_subs_x;
    t[OP_ADC] = emit_adc, t[OP_ADCS] = emit_adcs, t[OP_SBC] = emit_sbc, t[OP_SBCS] = emit_sbcs;
    t[OP_AND_i] = t[OP_ORR_i] = t[OP_EOR_i] = t[OP_ANDS_i] = emit_logic_i;
    t[OP_AND_r] = t[OP_ORR_r] = t[OP_EOR_r] = t[OP_ANDS_r] = emit_logic_r;
    t[OP_BIC_r] = t[OP_ORN_r] = t[OP_EON_r] = t[OP_BICS_r] = emit_logic_r;
    t[OP_MOVZ] = t[OP_MOVN] = emit_movz, t[OP_MOVK] = emit_movk;
    t[OP_ADR] = t[OP_ADRP] = emit_adr;
    jit_init_bits(t);
    jit_init_cond(t);
}
