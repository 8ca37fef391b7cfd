/// Emission of Advanced SIMD copy, extract, table look-up, permute and modified immediate.
#include "jit/emit_simd.h"

static unsigned imm5_size(const struct insn *i) { return (unsigned)__builtin_ctz((u32)i->imm); }
static unsigned imm5_index(const struct insn *i) { return (unsigned)i->imm >> (imm5_size(i) + 1); }

static int emit_DUP_e(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    simd_broadcast(j, imm5_size(i), d, n, imm5_index(i));
    return simd_finish(j, i, d);
}
/// The element alone, zeroes above.
static int emit_DUP_s(struct jit *j, const struct insn *i)
{
    unsigned lg = imm5_size(i), at = imm5_index(i) << lg;
    u64 pick = 0x8080808080808080;
    for (unsigned k = 0; k < 1u << lg; k++)
        pick = (pick & ~(0xffULL << (8 * k))) | (u64)(at + k) << (8 * k);
    int n = simd_n(j, i), d = simd_d(j, i);
    v3m(j, XV_PSHUFB, d, n, simd_const128(j, pick, 0x8080808080808080));
    return simd_finish_clean(j, i, d);
}
static int emit_DUP_r(struct jit *j, const struct insn *i)
{
    unsigned lg = imm5_size(i);
    int d = simd_d(j, i);
    if (i->rn == REG_ZR) {
        v3(j, XV_PXOR, d, d, d);
        return simd_finish_clean(j, i, d);
    }
    int r = jit_xread(j, i->rn, RAX);
    x_v(&j->b, XV_MOVD | (lg == 3 ? XW : 0), d, 0, xr(r));
    simd_broadcast(j, lg, d, d, 0);
    return simd_finish(j, i, d);
}
static int emit_INS_r(struct jit *j, const struct insn *i)
{
    static const u32 op[4] = {XV_PINSRB, XV_PINSRW, XV_PINSRD, XV_PINSRD | XW};
    int old = jit_vread(j, i->rd, X2), d = simd_d(j, i), r = jit_xread(j, i->rn, RAX);
    x_vi(&j->b, op[imm5_size(i)], d, old, xr(r), imm5_index(i));
    return simd_finish_clean(j, i, d);
}
static int emit_INS_e(struct jit *j, const struct insn *i)
{
    static const u32 extract[2] = {XV_PEXTRB, XV_PEXTRW}, insert[2] = {XV_PINSRB, XV_PINSRW};
    unsigned lg = imm5_size(i), to = imm5_index(i), from = (unsigned)bits(i->word, 14, 11) >> lg;
    int n = simd_n(j, i), old = jit_vread(j, i->rd, X2), d = simd_d(j, i);
    if (lg == 3 && to == 0)
        v3i(j, XV_SHUFPD, d, n, old, from | 2);
    else if (lg == 3)
        v3i(j, XV_SHUFPD, d, old, n, from << 1);
    else if (lg == 2)
        v3i(j, XV_INSERTPS, d, old, n, from << 6 | to << 4);
    else {
        x_vi(&j->b, extract[lg], n, 0, xr(RAX), from);
        x_vi(&j->b, insert[lg], d, old, xr(RAX), to);
    }
    return simd_finish_clean(j, i, d);
}

/// r <- element, zero-extended to 64 bits.
static void extract(struct jit *j, const struct insn *i, int r, int n)
{
    static const u32 op[4] = {XV_PEXTRB, XV_PEXTRW, XV_PEXTRD, XV_PEXTRD | XW};
    unsigned lg = imm5_size(i), index = imm5_index(i);
    if (lg >= 2 && index == 0)
        x_v(&j->b, XV_MOVD_ST | (lg == 3 ? XW : 0), n, 0, xr(r));
    else
        x_vi(&j->b, op[lg], n, 0, xr(r), index);
}
static int emit_UMOV(struct jit *j, const struct insn *i)
{
    if (i->rd == REG_SINK)
        return 1;
    int n = simd_n(j, i), r = jit_xwrite(j, i->rd, RAX);
    extract(j, i, r, n);
    jit_xdone(j, i->rd, r);
    return 1;
}
static int emit_SMOV(struct jit *j, const struct insn *i)
{
    static const u32 op[3] = {XI_MOVSX8, XI_MOVSX16, XI_MOVSXD};
    if (i->rd == REG_SINK)
        return 1;
    int n = simd_n(j, i), r = jit_xwrite(j, i->rd, RAX);
    extract(j, i, RAX, n);
    x_rr(&j->b, op[imm5_size(i)] | (i->sf ? XW : 0), r, RAX);
    jit_xdone(j, i->rd, r);
    return 1;
}

static int emit_EXT16(struct jit *j, const struct insn *i)
{
    int m = simd_m(j, i), d = simd_d(j, i);
    xrm n = simd_rm(j, i->rn);
    x_vi(&j->b, XV_PALIGNR, d, m, n, (unsigned)bits(i->word, 14, 11));
    return simd_finish_clean(j, i, d);
}
static int emit_EXT8(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    v3(j, XV_PUNPCKLQDQ, X2, n, m);
    v_bytes_right(j, d, X2, (unsigned)bits(i->word, 14, 11));
    return simd_finish(j, i, d);
}

/// pshufb gives zero for indices with bit 7 set: adding 0x70 with saturation sets it from 16 on.
static int table(struct jit *j, const struct insn *i, bool keep)
{
    unsigned regs = (unsigned)bits(i->word, 14, 13) + 1;
    int m = simd_m(j, i);
    v3m(j, XV_PADDUSB, X2, m, simd_k(j, SK_B70));
    v3(j, XV_PSHUFB, X2, jit_vread(j, i->rn, X0), X2);
    for (unsigned k = 1; k < regs; k++) {
        v3m(j, XV_PSUBB, X3, m, simd_const_lanes(j, 0, 16 * k));
        v3m(j, XV_PADDUSB, X3, X3, simd_k(j, SK_B70));
        v3(j, XV_PSHUFB, X3, jit_vread(j, (i->rn + k) & 31, X0), X3);
        v3(j, XV_POR, X2, X2, X3);
    }
    if (keep) { /* index >= 16 * regs */
        v3m(j, XV_PMAXUB, X3, m, simd_const_lanes(j, 0, 16 * regs));
        v3(j, XV_PCMPEQB, X3, X3, m);
        v3m(j, XV_PAND, X3, X3, simd_rm(j, i->rd));
        v3(j, XV_POR, X2, X2, X3);
    }
    return simd_finish(j, i, X2);
}
static int emit_TBL(struct jit *j, const struct insn *i) { return table(j, i, false); }
static int emit_TBX(struct jit *j, const struct insn *i) { return table(j, i, true); }

static int zip(struct jit *j, const struct insn *i, bool upper)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    xrm m = simd_rm(j, i->rm);
    int d = simd_d(j, i);
    bool q = simd_q(i->word);
    v3m(j, q && upper ? simd_punpckh[lg] : simd_punpckl[lg], d, n, m);
    if (!q && upper)
        v_bytes_right(j, d, d, 8);
    else if (!q)
        v2(j, XV_MOVQ, d, d);
    return simd_finish_clean(j, i, d);
}
static int emit_ZIP1(struct jit *j, const struct insn *i) { return zip(j, i, false); }
static int emit_ZIP2(struct jit *j, const struct insn *i) { return zip(j, i, true); }

static int unzip(struct jit *j, const struct insn *i, bool odd)
{
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    if (!simd_q(i->word)) {
        v3(j, XV_PUNPCKLQDQ, X0, n, m);
        n = m = X0;
    }
    simd_unzip(j, simd_size(i->word), odd, d, n, m);
    return simd_finish(j, i, d);
}
static int emit_UZP1(struct jit *j, const struct insn *i) { return unzip(j, i, false); }
static int emit_UZP2(struct jit *j, const struct insn *i) { return unzip(j, i, true); }

/// Even lanes from n, odd lanes from m, both from even (TRN1) or odd (TRN2) lanes.
static int transpose(struct jit *j, const struct insn *i, bool odd)
{
    static const u32 twice[3] = {XV_PSHIFT_W, XV_PSHIFT_D, XV_PSHIFT_Q};
    unsigned lg = simd_size(i->word), width = 8u << lg;
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    if (lg == 3) {
        v3(j, odd ? XV_PUNPCKHQDQ : XV_PUNPCKLQDQ, d, n, m);
        return simd_finish(j, i, d);
    }
    if (odd)
        x_vshift_i(&j->b, twice[lg], 2, X2, n, width);
    else
        x_vshift_i(&j->b, twice[lg], 6, X3, m, width);
    int even = odd ? X2 : n, high = odd ? m : X3;
    if (lg) {
        v3i(j, XV_PBLENDW, d, even, high, lg == 1 ? 0xaa : 0xcc);
    } else if (odd) {
        v3m(j, XV_PAND, X3, high, simd_const_lanes(j, 1, 0xff00));
        v3(j, XV_POR, d, even, X3);
    } else {
        v3m(j, XV_PAND, X2, even, simd_k(j, SK_H00FF));
        v3(j, XV_POR, d, X2, high);
    }
    return simd_finish(j, i, d);
}
static int emit_TRN1(struct jit *j, const struct insn *i) { return transpose(j, i, false); }
static int emit_TRN2(struct jit *j, const struct insn *i) { return transpose(j, i, true); }

/* Modified immediate. */

static int emit_MOVI(struct jit *j, const struct insn *i)
{
    int d = simd_d(j, i);
    if (i->imm == 0)
        v3(j, XV_PXOR, d, d, d);
    else if (i->imm == ~0ULL && simd_q(i->word))
        v3(j, XV_PCMPEQD, d, d, d);
    else
        v3m(j, XV_MOVAPS, d, 0, simd_const128(j, i->imm, simd_q(i->word) ? i->imm : 0));
    return simd_finish_clean(j, i, d);
}
static int combine(struct jit *j, const struct insn *i, u32 op)
{
    int old = jit_vread(j, i->rd, X2), d = simd_d(j, i);
    v3m(j, op, d, old, simd_const64(j, i->imm));
    return simd_finish(j, i, d);
}
static int emit_ORR_i(struct jit *j, const struct insn *i) { return combine(j, i, XV_POR); }
static int emit_BIC_i(struct jit *j, const struct insn *i) { return combine(j, i, XV_PAND); }

void simd_init_perm(jit_emit_fn **t)
{
    t[OP_DUP_ve] = emit_DUP_e;
    t[OP_DUP_se] = emit_DUP_s;
    t[OP_DUP_vr] = emit_DUP_r;
    t[OP_INS_vr] = emit_INS_r;
    t[OP_INS_ve] = emit_INS_e;
    t[OP_UMOV_w] = t[OP_UMOV_x] = emit_UMOV;
    t[OP_SMOV_w] = t[OP_SMOV_x] = emit_SMOV;
    t[OP_EXT_16b] = emit_EXT16;
    t[OP_EXT_8b] = emit_EXT8;
    t[OP_TBL_v] = emit_TBL;
    t[OP_TBX_v] = emit_TBX;
    t[OP_ZIP1_v] = emit_ZIP1;
    t[OP_ZIP2_v] = emit_ZIP2;
    t[OP_UZP1_v] = emit_UZP1;
    t[OP_UZP2_v] = emit_UZP2;
    t[OP_TRN1_v] = emit_TRN1;
    t[OP_TRN2_v] = emit_TRN2;
    t[OP_MOVI_4s] = t[OP_MOVI_8h] = t[OP_MOVI_msl] = t[OP_MOVI_16b] = emit_MOVI;
    t[OP_MOVI_d] = t[OP_MOVI_2d] = emit_MOVI;
    t[OP_MVNI_4s] = t[OP_MVNI_8h] = t[OP_MVNI_msl] = emit_MOVI;
    t[OP_ORR_4si] = t[OP_ORR_8hi] = emit_ORR_i;
    t[OP_BIC_4si] = t[OP_BIC_8hi] = emit_BIC_i;
}
