// Bit fields, shifts, multiplication, division and counting in general registers. Arm ARM, "Data processing -
// immediate" and "- register".
#include "jit/int.h"

#define B (&j->b)

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
    int d = jit_xwrite(j, i->rd, RAX);
    if (i->op == OP_MADD && i->rm != REG_ZR && i->rn != REG_ZR && d != RAX && d != jit_xop(j, i->rm).reg && d != jit_xop(j, i->ra).reg) {
        x_rm(B, XI_MOV | w, d, jit_xop(j, i->rn));
        x_rm(B, XI_IMUL | w, d, jit_xop(j, i->rm));
        x_rm(B, XI_ADD | w, d, jit_xop(j, i->ra));
        jit_xdone(j, i->rd, d);
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

void jit_init_bits(jit_emit_fn **t)
{
    t[OP_UBFM] = t[OP_SBFM] = emit_bitfield, t[OP_BFM] = emit_bfm, t[OP_EXTR] = emit_extr;
    t[OP_LSLV] = t[OP_LSRV] = t[OP_ASRV] = t[OP_RORV] = emit_shift_v;
    t[OP_UDIV] = t[OP_SDIV] = emit_div;
    t[OP_MADD] = t[OP_MSUB] = emit_madd;
    t[OP_SMADDL] = t[OP_SMSUBL] = t[OP_UMADDL] = t[OP_UMSUBL] = emit_maddl;
    t[OP_SMULH] = t[OP_UMULH] = emit_mulh;
    t[OP_CLZ] = emit_clz, t[OP_CLS] = emit_cls, t[OP_RBIT] = emit_rbit;
    t[OP_REVw] = t[OP_REVx] = t[OP_REV32] = t[OP_REV16] = emit_rev;
    t[OP_CRC32CB] = t[OP_CRC32CH] = t[OP_CRC32CW] = t[OP_CRC32CX] = emit_crc32c;
}
