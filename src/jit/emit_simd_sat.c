/// Emission of Advanced SIMD saturating operations, which set FPSR.QC, and of CLZ and CLS.
///
/// Where the saturated result differs from the wrapped one, or the only case of overflow is
/// recognised, a mask of those lanes is tested and QC is set out of line.
#include "jit/emit_simd.h"

static const enum simd_const sign_bit[4] = {SK_B80, SK_H80, SK_S80, SK_D80};

/* Add and subtract. X2 <- the saturated result, X3 <- not zero in the lanes that saturated. n and m are not X2, X3. */

/// Bytes and halfwords: the host saturates.
static void add_small(struct jit *j, unsigned lg, bool is_signed, bool subtract, int n, int m)
{
    static const u32 sat[2][2][2] = {{{XV_PADDUSB, XV_PADDUSW}, {XV_PSUBUSB, XV_PSUBUSW}},
                                     {{XV_PADDSB, XV_PADDSW}, {XV_PSUBSB, XV_PSUBSW}}};
    v3(j, sat[is_signed][subtract][lg], X2, n, m);
    v3(j, subtract ? simd_psub[lg] : simd_padd[lg], X3, n, m);
    v3(j, XV_PXOR, X3, X3, X2);
}
static void add_words_unsigned(struct jit *j, bool subtract, int n, int m)
{
    if (subtract) {
        v3(j, XV_PMAXUD, X2, n, m);
        v3(j, XV_PSUBD, X2, X2, m);
    } else {
        v_not(j, X2, n);
        v3(j, XV_PMINUD, X2, X2, m);
        v3(j, XV_PADDD, X2, X2, n);
    }
    v3(j, subtract ? XV_PSUBD : XV_PADDD, X3, n, m);
    v3(j, XV_PXOR, X3, X3, X2);
}
static void add_doubles_unsigned(struct jit *j, bool subtract, int n, int m)
{
    v3(j, subtract ? XV_PSUBQ : XV_PADDQ, X2, n, m);
    v3m(j, XV_PXOR, X3, subtract ? m : n, simd_k(j, SK_D80));
    v3m(j, XV_PXOR, X1, subtract ? n : X2, simd_k(j, SK_D80));
    v3(j, XV_PCMPGTQ, X3, X3, X1);
    v3(j, subtract ? XV_PANDN : XV_POR, X2, X3, X2);
}
void simd_add_signed(struct jit *j, unsigned lg, bool subtract, int n, int m)
{
    v3(j, subtract ? simd_psub[lg] : simd_padd[lg], X2, n, m);
    v3(j, XV_PXOR, X3, n, m);
    v3(j, XV_PXOR, X1, n, X2);
    v3(j, subtract ? XV_PAND : XV_PANDN, X3, X3, X1); /* the sign of the sum is neither one's (with -m) */
    v3m(j, XV_PAND, X3, X3, simd_k(j, sign_bit[lg]));
    v3(j, XV_PXOR, X1, X1, X1);
    v3(j, simd_pcmpgt[lg], X0, X1, n);
    v3m(j, XV_PXOR, X0, X0, simd_const_lanes(j, lg, lane_ones(lg) >> 1));
    x_vi(&j->b, lg == 3 ? XV_BLENDVPD : XV_BLENDVPS, X2, X2, xr(X0), X3 << 4);
}
static void add(struct jit *j, unsigned lg, bool is_signed, bool subtract, int n, int m)
{
    if (lg < 2)
        add_small(j, lg, is_signed, subtract, n, m);
    else if (is_signed)
        simd_add_signed(j, lg, subtract, n, m);
    else if (lg == 2)
        add_words_unsigned(j, subtract, n, m);
    else
        add_doubles_unsigned(j, subtract, n, m);
}
static int add_or_subtract(struct jit *j, const struct insn *i, bool subtract)
{
    add(j, simd_size(i->word), !simd_u(i->word), subtract, simd_n(j, i), simd_m(j, i));
    return simd_finish_qc(j, i, X2, X3);
}
static int emit_QADD(struct jit *j, const struct insn *i) { return add_or_subtract(j, i, false); }
static int emit_QSUB(struct jit *j, const struct insn *i) { return add_or_subtract(j, i, true); }

/// SUQADD and USQADD: a sum of a signed and an unsigned number is one of the other kind when the sign of
/// Vd is turned round before and after.
static int emit_QADD_mixed(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    int d = jit_vread(j, i->rd, X0);
    v3m(j, XV_PXOR, X0, d, simd_k(j, sign_bit[lg]));
    add(j, lg, simd_u(i->word), false, X0, jit_vread(j, i->rn, X1));
    v3m(j, XV_PXOR, X2, X2, simd_k(j, sign_bit[lg]));
    return simd_finish_qc(j, i, X2, X3);
}

void simd_fix_min(struct jit *j, unsigned lg)
{
    v3m(j, simd_pcmpeq[lg], X3, X2, simd_k(j, sign_bit[lg]));
    v3(j, XV_PXOR, X2, X2, X3);
}

static int emit_SQNEG(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    v3(j, XV_PXOR, X2, X2, X2);
    v3(j, simd_psub[lg], X2, X2, n);
    simd_fix_min(j, lg);
    return simd_finish_qc(j, i, X2, X3);
}
static int emit_SQABS(struct jit *j, const struct insn *i)
{
    static const u32 op[3] = {XV_PABSB, XV_PABSW, XV_PABSD};
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    if (lg < 3) {
        v2(j, op[lg], X2, n);
    } else {
        v3(j, XV_PXOR, X3, X3, X3);
        v3(j, XV_PCMPGTQ, X3, X3, n);
        v3(j, XV_PXOR, X2, n, X3);
        v3(j, XV_PSUBQ, X2, X2, X3);
    }
    simd_fix_min(j, lg);
    return simd_finish_qc(j, i, X2, X3);
}

/* Left shift by immediate. */

static int emit_SQSHL_i(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i), s = (unsigned)i->imm - (8u << lg);
    bool u = simd_u(i->word);
    int n = simd_n(j, i);
    simd_shift_left(j, lg, X2, n, s);
    if (s)
        simd_shift_right(j, lg, !u, X3, X2, s);
    v3(j, simd_pcmpeq[lg], X3, s ? X3 : X2, n); /* lanes that survive the way back */
    if (u) {
        v_not(j, X3, X3);
        v3(j, XV_POR, X2, X2, X3);
    } else {
        simd_shift_right(j, lg, true, X1, n, (8u << lg) - 1);
        v3m(j, XV_PXOR, X1, X1, simd_const_lanes(j, lg, lane_ones(lg) >> 1));
        x_vi(&j->b, XV_PBLENDVB, X2, X1, xr(X2), X3 << 4);
        v_not(j, X3, X3);
    }
    return simd_finish_qc(j, i, X2, X3);
}

/// Signed to unsigned: negative numbers become zero, those that lose bits all ones.
static int emit_SQSHLU_i(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i), s = (unsigned)i->imm - (8u << lg);
    int n = simd_n(j, i);
    simd_shift_left(j, lg, X2, n, s);
    if (s)
        simd_shift_right(j, lg, false, X3, X2, s);
    v3(j, simd_pcmpeq[lg], X3, s ? X3 : X2, n);
    v_not(j, X3, X3);
    v3(j, XV_POR, X2, X2, X3);
    v3(j, XV_PXOR, X1, X1, X1);
    v3(j, simd_pcmpgt[lg], X1, X1, n);
    v3(j, XV_POR, X3, X3, X1);
    v3(j, XV_PANDN, X2, X1, X2);
    return simd_finish_qc(j, i, X2, X3);
}

/* Narrowing. */

enum narrowing { NARROW_SS, NARROW_SU, NARROW_UU };

/// Vd <- the narrowed lanes in the low half of x (not X0), by what the instruction writes.
static int finish_narrow(struct jit *j, const struct insn *i, unsigned lg, int x)
{
    int d = simd_d(j, i);
    if (simd_is_scalar(i->word)) {
        v3m(j, XV_PAND, d, x, simd_k_lg(j, SK_LOW_B, lg));
    } else if (simd_q(i->word)) {
        int old = jit_vread(j, i->rd, X0);
        v3(j, XV_PUNPCKLQDQ, d, old, x);
    } else {
        v2(j, XV_MOVQ, d, x);
    }
    return simd_finish_clean(j, i, d);
}

/// Doublewords of x to words, low parts and high parts twice each: a number fits if its high part is zero or,
/// signed, copies of the low one's sign.
static int narrow_doubles(struct jit *j, const struct insn *i, int x, enum narrowing how)
{
    struct xbuf *b = &j->b;
    bool scalar = simd_is_scalar(i->word);
    v2i(j, XV_PSHUFD, X1, x, scalar ? 0x55 : 0xdd);
    v2i(j, XV_PSHUFD, X2, x, scalar ? 0 : 0x88);
    if (how == NARROW_SS) {
        x_vshift_i(b, XV_PSHIFT_D, 4, X3, X2, 31);
        v3(j, XV_PXOR, X3, X3, X1);
    }
    v3m(j, XV_PCMPEQD, X3, how == NARROW_SS ? X3 : X1, simd_k(j, SK_ZERO));
    x_vshift_i(b, XV_PSHIFT_D, 4, X1, X1, 31);
    if (how == NARROW_SS)
        v3m(j, XV_PXOR, X1, X1, simd_const_lanes(j, 2, 0x7fffffff));
    else
        v3m(j, how == NARROW_SU ? XV_PXOR : XV_POR, X1, X1, simd_k(j, SK_ONES));
    x_vi(b, XV_BLENDVPS, X1, X1, xr(X2), X3 << 4);
    v_not(j, X3, X3);
    simd_qc_any(j, X3);
    return finish_narrow(j, i, 2, X1);
}

/// x (not X1, X3) holds lanes of 2 << lg bytes.
static int narrow(struct jit *j, const struct insn *i, unsigned lg, int x, enum narrowing how)
{
    static const u32 to_s[2] = {XV_PACKSSWB, XV_PACKSSDW}, to_u[2] = {XV_PACKUSWB, XV_PACKUSDW};
    static const u32 from_s[2] = {XV_PMOVSXBW, XV_PMOVSXWD}, from_u[2] = {XV_PMOVZXBW, XV_PMOVZXWD};
    if (lg == 2)
        return narrow_doubles(j, i, x, how);
    if (simd_is_scalar(i->word)) {
        v3m(j, XV_PAND, X2, x, simd_k(j, lg ? SK_LOW_S : SK_LOW_H));
        x = X2;
    }
    if (how == NARROW_UU) { /* the packs take signed numbers */
        v3m(j, lg ? XV_PMINUD : XV_PMINUW, X1, x, simd_k(j, lg ? SK_S0000FFFF : SK_H00FF));
        v3(j, XV_PXOR, X3, X1, x);
        v3(j, to_u[lg], X1, X1, X1);
    } else {
        v3(j, how == NARROW_SS ? to_s[lg] : to_u[lg], X1, x, x);
        v2(j, how == NARROW_SS ? from_s[lg] : from_u[lg], X3, X1);
        v3(j, XV_PXOR, X3, X3, x);
    }
    simd_qc_any(j, X3);
    return finish_narrow(j, i, lg, X1);
}
static int narrow_n(struct jit *j, const struct insn *i, enum narrowing how)
{
    return narrow(j, i, simd_size(i->word), simd_n(j, i), how);
}
static int emit_SQXTN(struct jit *j, const struct insn *i) { return narrow_n(j, i, NARROW_SS); }
static int emit_SQXTUN(struct jit *j, const struct insn *i) { return narrow_n(j, i, NARROW_SU); }
static int emit_UQXTN(struct jit *j, const struct insn *i) { return narrow_n(j, i, NARROW_UU); }

/// Shifts right by s, with rounding by adding bit s - 1, then narrows.
static int shift_narrow(struct jit *j, const struct insn *i, bool round, enum narrowing how)
{
    unsigned lg = simd_shift_size(i), s = (16u << lg) - (unsigned)i->imm;
    int n = simd_n(j, i);
    simd_shift_right(j, lg + 1, how != NARROW_UU, X2, n, s);
    if (round) {
        if (s > 1)
            simd_shift_right(j, lg + 1, false, X3, n, s - 1);
        v3m(j, XV_PAND, X3, s > 1 ? X3 : n, simd_k_lg(j, SK_H01, lg));
        v3(j, simd_padd[lg + 1], X2, X2, X3);
    }
    return narrow(j, i, lg, X2, how);
}
static int emit_SQSHRN(struct jit *j, const struct insn *i) { return shift_narrow(j, i, false, NARROW_SS); }
static int emit_SQRSHRN(struct jit *j, const struct insn *i) { return shift_narrow(j, i, true, NARROW_SS); }
static int emit_SQSHRUN(struct jit *j, const struct insn *i) { return shift_narrow(j, i, false, NARROW_SU); }
static int emit_SQRSHRUN(struct jit *j, const struct insn *i) { return shift_narrow(j, i, true, NARROW_SU); }
static int emit_UQSHRN(struct jit *j, const struct insn *i) { return shift_narrow(j, i, false, NARROW_UU); }
static int emit_UQRSHRN(struct jit *j, const struct insn *i) { return shift_narrow(j, i, true, NARROW_UU); }

/* Leading zeros: of nibbles by table, then twice as wide from the two halves. */

/// X2 <- leading zeros of the lanes of n. n may be X0.
static void count_leading(struct jit *j, unsigned lg, int n)
{
    x_vshift_i(&j->b, XV_PSHIFT_W, 2, X1, n, 4);
    v3m(j, XV_PAND, X1, X1, simd_k(j, SK_B0F));
    v3m(j, XV_PAND, X3, n, simd_k(j, SK_B0F));
    v3m(j, XV_MOVAPS, X2, 0, simd_k(j, SK_CLZ_HI));
    v3(j, XV_PSHUFB, X1, X2, X1);
    v3m(j, XV_MOVAPS, X2, 0, simd_k(j, SK_CLZ_LO));
    v3(j, XV_PSHUFB, X3, X2, X3);
    v3(j, XV_PMINUB, X2, X1, X3);
    for (unsigned k = 0; k < lg; k++) { /* high + (high is all zeros ? low : 0) */
        unsigned width = 8u << k;
        v3m(j, simd_pcmpeq[k], X3, X2, simd_const_lanes(j, k, width));
        x_vshift_i(&j->b, simd_pshift[k + 1], 2, X3, X3, width);
        v3(j, XV_PAND, X3, X3, X2);
        x_vshift_i(&j->b, simd_pshift[k + 1], 2, X2, X2, width);
        v3(j, simd_padd[k + 1], X2, X2, X3);
    }
}
static int emit_CLZ(struct jit *j, const struct insn *i)
{
    count_leading(j, simd_size(i->word), simd_n(j, i));
    return simd_finish(j, i, X2);
}
static int emit_CLS(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    simd_shift_right(j, lg, true, X2, n, 1);
    v3(j, XV_PXOR, X0, X2, n);
    count_leading(j, lg, X0);
    v3m(j, simd_psub[lg], X2, X2, simd_k_lg(j, SK_B01, lg));
    return simd_finish(j, i, X2);
}

void simd_init_sat(jit_emit_fn **t)
{
    t[OP_SQADD_v] = t[OP_SQADD_s] = t[OP_UQADD_v] = t[OP_UQADD_s] = emit_QADD;
    t[OP_SQSUB_v] = t[OP_SQSUB_s] = t[OP_UQSUB_v] = t[OP_UQSUB_s] = emit_QSUB;
    t[OP_SUQADD_v] = t[OP_SUQADD_s] = t[OP_USQADD_v] = t[OP_USQADD_s] = emit_QADD_mixed;
    t[OP_SQNEG_v] = t[OP_SQNEG_s] = emit_SQNEG;
    t[OP_SQABS_v] = t[OP_SQABS_s] = emit_SQABS;
    t[OP_SQSHL_vi] = t[OP_SQSHL_si] = t[OP_UQSHL_vi] = t[OP_UQSHL_si] = emit_SQSHL_i;
    t[OP_SQSHLU_vi] = t[OP_SQSHLU_si] = emit_SQSHLU_i;
    t[OP_SQXTN_v] = t[OP_SQXTN_s] = emit_SQXTN;
    t[OP_SQXTUN_v] = t[OP_SQXTUN_s] = emit_SQXTUN;
    t[OP_UQXTN_v] = t[OP_UQXTN_s] = emit_UQXTN;
    t[OP_SQSHRN_vi] = t[OP_SQSHRN_si] = emit_SQSHRN;
    t[OP_SQRSHRN_vi] = t[OP_SQRSHRN_si] = emit_SQRSHRN;
    t[OP_SQSHRUN_vi] = t[OP_SQSHRUN_si] = emit_SQSHRUN;
    t[OP_SQRSHRUN_vi] = t[OP_SQRSHRUN_si] = emit_SQRSHRUN;
    t[OP_UQSHRN_vi] = t[OP_UQSHRN_si] = emit_UQSHRN;
    t[OP_UQRSHRN_vi] = t[OP_UQRSHRN_si] = emit_UQRSHRN;
    t[OP_CLZ_v] = emit_CLZ;
    t[OP_CLS_v] = emit_CLS;
}
