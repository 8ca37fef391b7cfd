// Data processing with general registers. Arm ARM, "Data processing - immediate" and "- register".
#include "jit/translate.h"

#define B (&j->b)

static u32 w_of(const struct insn *i) { return i->sf ? XW : 0; }
static unsigned size_of(const struct insn *i) { return i->sf ? 64 : 32; }

/// Guest register n as an operand; zero comes in scratch.
static xrm src(struct jit *j, unsigned n, int scratch)
{
    return n == REG_ZR ? xr(jit_xread(j, n, scratch)) : jit_xop(j, n);
}

static void mov_rm(struct jit *j, u32 w, int d, xrm m)
{
    if (m.reg == d && w)
        return;
    x_rm(B, XI_MOV | w, d, m);
}

/// rd <- n op m. The operands may be in d's home.
static void alu3(struct jit *j, u32 op, u32 w, unsigned rd, xrm n, xrm m, bool commutes)
{
    int d = jit_xwrite(j, rd, RAX);
    if (m.reg == d && n.reg != d) {
        if (commutes) {
            x_rm(B, op | w, d, n);
            jit_xdone(j, rd, d);
            return;
        }
        d = RAX;
    }
    if (n.reg != d)
        x_rm(B, XI_MOV | w, d, n);
    x_rm(B, op | w, d, m);
    jit_xdone(j, rd, d);
}

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

/* ---- bit fields ---- */

static int emit_bitfield(struct jit *j, const struct insn *i)
{
    bool sign = i->op == OP_SBFM;
    unsigned r = i->imm & 63, s = (unsigned)(i->imm >> 8), size = size_of(i);
    u32 w = w_of(i);
    unsigned len = s >= r ? s - r + 1 : s + 1;
    xrm n = src(j, i->rn, RCX);
    int d = jit_xwrite(j, i->rd, RAX);
    if (r == 0 && (len == 8 || len == 16 || (len == 32 && w))) { // uxtb, sxtw, ...
        u32 op = len == 8 ? (sign ? XI_MOVSX8 | w : XI_MOVZX8) : len == 16 ? (sign ? XI_MOVSX16 | w : XI_MOVZX16) : sign ? XI_MOVSXD : XI_MOV;
        x_rm(B, op, d, n);
        jit_xdone(j, i->rd, d);
        return 1;
    }
    if (!sign && s + 1 == r && size - r <= 3) { // lsl by 1..3
        int reg = n.reg >= 0 ? n.reg : RAX;
        if (n.reg < 0)
            x_rm(B, XI_MOV | w, RAX, n);
        x_rm(B, XI_LEA | w, d, xmi(RNONE, reg, size - r, 0));
        jit_xdone(j, i->rd, d);
        return 1;
    }
    jit_clobber(j);
    if (d == RAX && n.reg == RAX)
        n = xr(RAX);
    unsigned down = sign ? SH_SAR : SH_SHR;
    if (s >= r && !sign && s != size - 1 && len <= 31) { // ubfx
        mov_rm(j, w, d, n);
        if (r)
            x_shift_i(B, SH_SHR, w, xr(d), r);
        if (len == 8)
            x_rm(B, XI_MOVZX8, d, xr(d));
        else if (len == 16)
            x_rm(B, XI_MOVZX16, d, xr(d));
        else
            x_alu_i(B, ALU_AND, 0, xr(d), (s32)((1u << len) - 1));
    } else if (s >= r) {
        mov_rm(j, w, d, n);
        if (size - 1 - s)
            x_shift_i(B, SH_SHL, w, xr(d), size - 1 - s);
        if (size - len)
            x_shift_i(B, down, w, xr(d), size - len);
    } else { // insert in zero: left, then back
        unsigned lsb = size - r;
        if (len == 32 && w) {
            x_rm(B, sign ? XI_MOVSXD : XI_MOV, d, n);
            x_shift_i(B, SH_SHL, w, xr(d), lsb);
        } else {
            mov_rm(j, w, d, n);
            x_shift_i(B, SH_SHL, w, xr(d), size - len);
            if (size - len - lsb)
                x_shift_i(B, down, w, xr(d), size - len - lsb);
        }
    }
    jit_xdone(j, i->rd, d);
    return 1;
}

static int emit_bfm(struct jit *j, const struct insn *i)
{
    unsigned r = i->imm & 63, s = (unsigned)(i->imm >> 8), size = size_of(i);
    u32 w = w_of(i);
    unsigned len = s >= r ? s - r + 1 : s + 1, lsb = s >= r ? 0 : size - r;
    u64 mask = (~0ULL >> (64 - len)) << lsb, keep = i->sf ? ~mask : (u32)~mask;
    if (!j->cpu.bmi2)
        return 0;
    if (i->rd == REG_SINK)
        return 1;
    jit_clobber(j);
    bool field = i->rn != REG_ZR;
    if (field) {
        x_rorx(B, w, RDX, jit_xop(j, i->rn), r);
        if (!w || (s64)mask == (s32)mask) {
            x_alu_i(B, ALU_AND, w, xr(RDX), (s32)mask);
        } else {
            x_mov_ri(B, RCX, mask);
            x_rr(B, XI_AND | XW, RDX, RCX);
        }
    }
    int d = jit_xwrite(j, i->rd, RAX);
    mov_rm(j, XW, d, jit_xop(j, i->rd));
    if (!w || (s64)keep == (s32)keep) {
        x_alu_i(B, ALU_AND, w, xr(d), (s32)keep);
    } else {
        x_mov_ri(B, RCX, keep);
        x_rr(B, XI_AND | XW, d, RCX);
    }
    if (field)
        x_rr(B, XI_OR | w, d, RDX);
    jit_xdone(j, i->rd, d);
    return 1;
}

static int emit_extr(struct jit *j, const struct insn *i)
{
    unsigned n = (unsigned)i->imm;
    u32 w = w_of(i);
    if (i->rn == i->rm && j->cpu.bmi2 && i->rn != REG_ZR) {
        int d = jit_xwrite(j, i->rd, RAX);
        x_rorx(B, w, d, jit_xop(j, i->rn), n);
        jit_xdone(j, i->rd, d);
        return 1;
    }
    jit_clobber(j);
    x_rm(B, XI_MOV | XW, RAX, src(j, i->rm, RAX));
    if (n)
        x_shrd_i(B, w, RAX, jit_xread(j, i->rn, RDX), n);
    else
        x_mov32(B, RDX, RAX);
    if (!w)
        x_mov32(B, RAX, RAX);
    jit_xdone(j, i->rd, RAX);
    return 1;
}

/* ---- shifts by register, multiply, divide ---- */

static int emit_shift_v(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    if (!j->cpu.bmi2)
        return 0;
    if (i->op == OP_RORV) {
        jit_clobber(j);
        x_mov(B, RCX, jit_xread(j, i->rm, RCX));
        x_rm(B, XI_MOV | w, RAX, src(j, i->rn, RAX));
        x_shift_cl(B, SH_ROR, w, xr(RAX));
        jit_xdone(j, i->rd, RAX);
        return 1;
    }
    u32 op = i->op == OP_LSLV ? XB_SHLX : i->op == OP_LSRV ? XB_SHRX : XB_SARX;
    xrm n = src(j, i->rn, RAX);
    int count = jit_xread(j, i->rm, RCX), d = jit_xwrite(j, i->rd, RAX);
    x_v(B, op | w, d, count, n);
    jit_xdone(j, i->rd, d);
    return 1;
}

static int emit_div(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    bool sign = i->op == OP_SDIV;
    jit_clobber(j);
    x_mov(B, RCX, jit_xread(j, i->rm, RCX));
    x_rm(B, XI_MOV | w, RAX, src(j, i->rn, RAX));
    struct xbuf *c;
    if (sign) {
        x_rm(B, XI_LEA | w, RDX, xm(RCX, 1));
        x_alu_i(B, ALU_CMP, w, xr(RDX), 1);
        c = jit_cold_begin(j, CC_BE);
    } else {
        x_rr(B, XI_TEST | w, RCX, RCX);
        c = jit_cold_begin(j, CC_E);
    }
    x_rr(c, XI_IMUL | w, RAX, RCX); // by 0 and by -1 the quotient is the product
    if (sign) {
        x_cqo(B, w);
        x_idiv(B, w, xr(RCX));
    } else {
        x_rr(B, XI_XOR, RDX, RDX);
        x_div(B, w, xr(RCX));
    }
    jit_cold_end(j);
    jit_xdone(j, i->rd, RAX);
    return 1;
}

/// rd <- ra +- rax
static void accumulate(struct jit *j, const struct insn *i, bool sub, u32 w)
{
    if (i->ra == REG_ZR) {
        if (sub)
            x_neg(B, w, xr(RAX));
        jit_xdone(j, i->rd, RAX);
    } else if (sub) {
        mov_rm(j, w, RDX, jit_xop(j, i->ra));
        x_rr(B, XI_SUB | w, RDX, RAX);
        jit_xdone(j, i->rd, RDX);
    } else {
        x_rm(B, XI_ADD | w, RAX, jit_xop(j, i->ra));
        jit_xdone(j, i->rd, RAX);
    }
}

static int emit_madd(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    jit_clobber(j);
    if (i->op == OP_MADD && i->ra == REG_ZR && i->rn != REG_ZR && i->rm != REG_ZR) {
        alu3(j, XI_IMUL, w, i->rd, jit_xop(j, i->rn), jit_xop(j, i->rm), true);
        return 1;
    }
    x_rm(B, XI_MOV | w, RAX, src(j, i->rn, RAX));
    x_rm(B, XI_IMUL | w, RAX, src(j, i->rm, RDX));
    accumulate(j, i, i->op == OP_MSUB, w);
    return 1;
}

static int emit_maddl(struct jit *j, const struct insn *i)
{
    bool sign = i->op == OP_SMADDL || i->op == OP_SMSUBL, sub = i->op == OP_SMSUBL || i->op == OP_UMSUBL;
    jit_clobber(j);
    x_rm(B, sign ? XI_MOVSXD : XI_MOV, RAX, src(j, i->rn, RAX));
    x_rm(B, sign ? XI_MOVSXD : XI_MOV, RCX, src(j, i->rm, RCX));
    x_rr(B, XI_IMUL | XW, RAX, RCX);
    accumulate(j, i, sub, XW);
    return 1;
}

static int emit_mulh(struct jit *j, const struct insn *i)
{
    jit_clobber(j);
    x_mov(B, RAX, jit_xread(j, i->rn, RAX));
    xrm m = src(j, i->rm, RCX);
    if (i->op == OP_SMULH)
        x_imul1(B, XW, m);
    else
        x_mul(B, XW, m);
    jit_xdone(j, i->rd, RDX);
    return 1;
}

/* ---- one source ---- */

static int emit_clz(struct jit *j, const struct insn *i)
{
    if (!j->cpu.lzcnt)
        return 0;
    jit_clobber(j);
    xrm n = src(j, i->rn, RAX);
    int d = jit_xwrite(j, i->rd, RAX);
    x_rm(B, XI_LZCNT | w_of(i), d, n);
    jit_xdone(j, i->rd, d);
    return 1;
}

static int emit_cls(struct jit *j, const struct insn *i)
{
    u32 w = w_of(i);
    if (!j->cpu.lzcnt)
        return 0;
    jit_clobber(j);
    x_rm(B, XI_MOV | w, RAX, src(j, i->rn, RAX));
    x_mov(B, RDX, RAX);
    x_shift_i(B, SH_SAR, w, xr(RDX), 1);
    x_rr(B, XI_XOR | w, RAX, RDX);
    x_rm(B, XI_LZCNT | w, RAX, xr(RAX));
    x_rm(B, XI_LEA | w, RAX, xm(RAX, -1));
    jit_xdone(j, i->rd, RAX);
    return 1;
}

static int emit_rev(struct jit *j, const struct insn *i)
{
    u32 w = i->op == OP_REVw ? 0 : i->op == OP_REV16 ? w_of(i) : XW;
    if (!j->cpu.bmi2 || (i->op == OP_REV16 && w))
        return 0;
    xrm n = src(j, i->rn, RAX);
    int d = jit_xwrite(j, i->rd, RAX);
    mov_rm(j, w, d, n);
    x_bswap(B, w, d);
    if (i->op == OP_REV16)
        x_rorx(B, 0, d, xr(d), 16);
    else if (i->op == OP_REV32)
        x_rorx(B, XW, d, xr(d), 32);
    jit_xdone(j, i->rd, d);
    return 1;
}

/// One step of a bit reversal: swaps neighbours of n bits. rax in and out; rdx, rcx change.
static void swap_bits(struct jit *j, u32 w, u64 mask, unsigned n)
{
    x_mov_ri(B, RCX, w ? mask : (u32)mask);
    x_mov(B, RDX, RAX);
    x_shift_i(B, SH_SHR, w, xr(RDX), n);
    x_rr(B, XI_AND | w, RDX, RCX);
    x_rr(B, XI_AND | w, RAX, RCX);
    x_shift_i(B, SH_SHL, w, xr(RAX), n);
    x_rr(B, XI_OR | w, RAX, RDX);
}

static int emit_rbit(struct jit *j, const struct insn *i)
{
    const struct insn *next = &j->in[j->k + 1];
    u32 w = w_of(i);
    if (j->k + 1 < j->n && next->op == OP_CLZ && next->rn == i->rd && next->rd == i->rd && next->sf == i->sf &&
        j->off[j->k + 1] == j->off[j->k] + 4 && j->cpu.lzcnt && j->cpu.bmi1) { // count trailing zeros
        jit_clobber(j);
        xrm n = src(j, i->rn, RAX);
        int d = jit_xwrite(j, i->rd, RAX);
        x_rm(B, XI_TZCNT | w, d, n);
        jit_xdone(j, i->rd, d);
        j->k++;
        return 1;
    }
    jit_clobber(j);
    x_rm(B, XI_MOV | w, RAX, src(j, i->rn, RAX));
    swap_bits(j, w, 0x5555555555555555ULL, 1);
    swap_bits(j, w, 0x3333333333333333ULL, 2);
    swap_bits(j, w, 0x0f0f0f0f0f0f0f0fULL, 4);
    x_bswap(B, w, RAX);
    jit_xdone(j, i->rd, RAX);
    return 1;
}

static int emit_crc32c(struct jit *j, const struct insn *i)
{
    static const u32 op[4] = {XI_CRC32B, XI_CRC32W, XI_CRC32, XI_CRC32 | XW};
    x_rm(B, XI_MOV, RAX, src(j, i->rn, RAX));
    x_op(B, op[i->p], RAX, src(j, i->rm, RDX), 0);
    jit_xdone(j, i->rd, RAX);
    return 1;
}

/* ---- conditional ---- */

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
    t[OP_UBFM] = t[OP_SBFM] = emit_bitfield, t[OP_BFM] = emit_bfm, t[OP_EXTR] = emit_extr;
    t[OP_LSLV] = t[OP_LSRV] = t[OP_ASRV] = t[OP_RORV] = emit_shift_v;
    t[OP_UDIV] = t[OP_SDIV] = emit_div;
    t[OP_MADD] = t[OP_MSUB] = emit_madd;
    t[OP_SMADDL] = t[OP_SMSUBL] = t[OP_UMADDL] = t[OP_UMSUBL] = emit_maddl;
    t[OP_SMULH] = t[OP_UMULH] = emit_mulh;
    t[OP_CLZ] = emit_clz, t[OP_CLS] = emit_cls, t[OP_RBIT] = emit_rbit;
    t[OP_REVw] = t[OP_REVx] = t[OP_REV32] = t[OP_REV16] = emit_rev;
    t[OP_CRC32CB] = t[OP_CRC32CH] = t[OP_CRC32CW] = t[OP_CRC32CX] = emit_crc32c;
    t[OP_CSEL] = t[OP_CSINC] = t[OP_CSINV] = t[OP_CSNEG] = emit_csel;
    t[OP_CCMP_r] = t[OP_CCMP_i] = t[OP_CCMN_r] = t[OP_CCMN_i] = emit_ccmp;
}
