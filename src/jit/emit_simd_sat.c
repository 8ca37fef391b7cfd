/// Emission of Advanced SIMD saturating operations, which set FPSR.QC, and of CLZ and CLS.
///
/// Where the saturated result differs from the wrapped one, or the only case of overflow is
/// recognised, a mask of those lanes is tested and QC is set out of line.
#include "jit/emit_simd.h"

static const enum simd_const sign_bit[4] = {SK_B80, SK_H80, SK_S80, SK_D80};

/// The result is x (a scratch register), lanes of `bad` saturated: tests bad, stores x.
static int finish_qc(struct jit *j, const struct insn *i, int x, int bad)
{
    simd_qc_if(j, i, bad);
    return simd_finish(j, i, x);
}

/* Add and subtract. */

/// Bytes and halfwords: the host saturates.
static int add_small(struct jit *j, const struct insn *i, const u32 *sat, const u32 *wrap)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i), m = simd_m(j, i);
    v3(j, sat[lg], X2, n, m);
    v3(j, wrap[lg], X3, n, m);
    v3(j, XV_PXOR, X3, X3, X2);
    return finish_qc(j, i, X2, X3);
}
/// Words, signed: X2 wrapped, X3 sign set where it overflowed.
static int finish_signed_words(struct jit *j, const struct insn *i, int n)
{
    x_vshift_i(&j->b, XV_PSHIFT_D, 4, X3, X3, 31);
    x_vshift_i(&j->b, XV_PSHIFT_D, 4, X0, n, 31);
    v3m(j, XV_PXOR, X0, X0, simd_const_lanes(j, 2, 0x7fffffff));
    x_vi(&j->b, XV_BLENDVPS, X2, X2, xr(X0), X3 << 4);
    return finish_qc(j, i, X2, X3);
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
static int doubles_signed(struct jit *j, const struct insn *i, bool subtract)
{
    simd_add_signed(j, 3, subtract, simd_n(j, i), simd_m(j, i));
    return finish_qc(j, i, X2, X3);
}
/// X2 <- n + m or n - m, X3 <- lanes that carried or borrowed.
static int doubles_unsigned(struct jit *j, const struct insn *i, bool subtract)
{
    int n = simd_n(j, i), m = simd_m(j, i);
    v3(j, subtract ? XV_PSUBQ : XV_PADDQ, X2, n, m);
    v3m(j, XV_PXOR, X3, subtract ? m : n, simd_k(j, SK_D80));
    v3m(j, XV_PXOR, X1, subtract ? n : X2, simd_k(j, SK_D80));
    v3(j, XV_PCMPGTQ, X3, X3, X1);
    v3(j, subtract ? XV_PANDN : XV_POR, X2, X3, X2);
    return finish_qc(j, i, X2, X3);
}
static int emit_SQADD(struct jit *j, const struct insn *i)
{
    static const u32 sat[2] = {XV_PADDSB, XV_PADDSW};
    unsigned lg = simd_size(i->word);
    if (lg < 2)
        return add_small(j, i, sat, simd_padd);
    if (lg == 3)
        return doubles_signed(j, i, false);
    int n = simd_n(j, i), m = simd_m(j, i);
    v3(j, XV_PADDD, X2, n, m);
    v3(j, XV_PXOR, X3, n, m);
    v3(j, XV_PXOR, X1, n, X2);
    v3(j, XV_PANDN, X3, X3, X1); /* same signs, and the sum has the other */
    return finish_signed_words(j, i, n);
}
static int emit_SQSUB(struct jit *j, const struct insn *i)
{
    static const u32 sat[2] = {XV_PSUBSB, XV_PSUBSW};
    unsigned lg = simd_size(i->word);
    if (lg < 2)
        return add_small(j, i, sat, simd_psub);
    if (lg == 3)
        return doubles_signed(j, i, true);
    int n = simd_n(j, i), m = simd_m(j, i);
    v3(j, XV_PSUBD, X2, n, m);
    v3(j, XV_PXOR, X3, n, m);
    v3(j, XV_PXOR, X1, n, X2);
    v3(j, XV_PAND, X3, X3, X1);
    return finish_signed_words(j, i, n);
}
static int emit_UQADD(struct jit *j, const struct insn *i)
{
    static const u32 sat[2] = {XV_PADDUSB, XV_PADDUSW};
    unsigned lg = simd_size(i->word);
    if (lg < 2)
        return add_small(j, i, sat, simd_padd);
    if (lg == 3)
        return doubles_unsigned(j, i, false);
    int n = simd_n(j, i), m = simd_m(j, i);
    v_not(j, X2, n);
    v3(j, XV_PMINUD, X2, X2, m);
    v3(j, XV_PADDD, X2, X2, n);
    v3(j, XV_PADDD, X3, n, m);
    v3(j, XV_PXOR, X3, X3, X2);
    return finish_qc(j, i, X2, X3);
}
static int emit_UQSUB(struct jit *j, const struct insn *i)
{
    static const u32 sat[2] = {XV_PSUBUSB, XV_PSUBUSW};
    unsigned lg = simd_size(i->word);
    if (lg < 2)
        return add_small(j, i, sat, simd_psub);
    if (lg == 3)
        return doubles_unsigned(j, i, true);
    int n = simd_n(j, i), m = simd_m(j, i);
    v3(j, XV_PMAXUD, X2, n, m);
    v3(j, XV_PSUBD, X2, X2, m);
    v3(j, XV_PSUBD, X3, n, m);
    v3(j, XV_PXOR, X3, X3, X2);
    return finish_qc(j, i, X2, X3);
}

/// X2 is the wrapped result, which overflowed exactly where it is the most negative number: makes
/// it the most positive one there. X3 <- mask of those lanes.
static void fix_min(struct jit *j, unsigned lg)
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
    fix_min(j, lg);
    return finish_qc(j, i, X2, X3);
}
static int emit_SQABS(struct jit *j, const struct insn *i)
{
    static const u32 op[3] = {XV_PABSB, XV_PABSW, XV_PABSD};
    unsigned lg = simd_size(i->word);
    if (lg == 3)
        return 0;
    v2(j, op[lg], X2, simd_n(j, i));
    fix_min(j, lg);
    return finish_qc(j, i, X2, X3);
}

/* Doubling multiplication, high half: overflows only for the most negative number twice. */

static void mulh_words(struct jit *j, int n, int m, bool round)
{
    struct xbuf *b = &j->b;
    x_vshift_i(b, XV_PSHIFT_Q, 2, X2, n, 32);
    x_vshift_i(b, XV_PSHIFT_Q, 2, X3, m, 32);
    v3(j, XV_PMULDQ, X2, X2, X3); /* odd words */
    v3(j, XV_PMULDQ, X3, n, m);   /* even words */
    v3(j, XV_PADDQ, X2, X2, X2);
    v3(j, XV_PADDQ, X3, X3, X3);
    if (round) {
        xrm half = simd_const64(j, 0x80000000);
        v3m(j, XV_PADDQ, X2, X2, half);
        v3m(j, XV_PADDQ, X3, X3, half);
    }
    x_vshift_i(b, XV_PSHIFT_Q, 2, X3, X3, 32);
    v3i(j, XV_PBLENDW, X2, X3, X2, 0xcc);
}
static int mulh(struct jit *j, const struct insn *i, int m, bool round)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    if (lg == 2) {
        mulh_words(j, n, m, round);
    } else if (round) {
        v3(j, XV_PMULHRSW, X2, n, m);
    } else { /* (n * m) >> 15 */
        v3(j, XV_PMULLW, X2, n, m);
        v3(j, XV_PMULHW, X3, n, m);
        x_vshift_i(&j->b, XV_PSHIFT_W, 2, X2, X2, 15);
        v3(j, XV_PADDW, X3, X3, X3);
        v3(j, XV_POR, X2, X2, X3);
    }
    fix_min(j, lg);
    return finish_qc(j, i, X2, X3);
}
static int mulh_element(struct jit *j, const struct insn *i, bool round)
{
    simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);
    return mulh(j, i, X1, round);
}
static int emit_SQDMULH(struct jit *j, const struct insn *i) { return mulh(j, i, simd_m(j, i), false); }
static int emit_SQRDMULH(struct jit *j, const struct insn *i) { return mulh(j, i, simd_m(j, i), true); }
static int emit_SQDMULH_e(struct jit *j, const struct insn *i) { return mulh_element(j, i, false); }
static int emit_SQRDMULH_e(struct jit *j, const struct insn *i) { return mulh_element(j, i, true); }

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
    return finish_qc(j, i, X2, X3);
}

/* Narrowing of halfwords to bytes and of words to halfwords. */

enum narrowing { NARROW_SS, NARROW_SU, NARROW_UU };

/// x (not X1, X3) holds lanes of 2 << lg bytes.
static int narrow(struct jit *j, const struct insn *i, unsigned lg, int x, enum narrowing how)
{
    static const u32 to_s[2] = {XV_PACKSSWB, XV_PACKSSDW}, to_u[2] = {XV_PACKUSWB, XV_PACKUSDW};
    static const u32 from_s[2] = {XV_PMOVSXBW, XV_PMOVSXWD}, from_u[2] = {XV_PMOVZXBW, XV_PMOVZXWD};
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
    int d = simd_d(j, i);
    if (simd_is_scalar(i->word)) {
        v3m(j, XV_PAND, d, X1, simd_k(j, lg ? SK_LOW_H : SK_LOW_B));
    } else if (simd_q(i->word)) {
        int old = jit_vread(j, i->rd, X0);
        v3(j, XV_PUNPCKLQDQ, d, old, X1);
    } else {
        v2(j, XV_MOVQ, d, X1);
    }
    return simd_finish_clean(j, i, d);
}
static int narrow_n(struct jit *j, const struct insn *i, enum narrowing how)
{
    unsigned lg = simd_size(i->word);
    return lg < 2 ? narrow(j, i, lg, simd_n(j, i), how) : 0;
}
static int emit_SQXTN(struct jit *j, const struct insn *i) { return narrow_n(j, i, NARROW_SS); }
static int emit_SQXTUN(struct jit *j, const struct insn *i) { return narrow_n(j, i, NARROW_SU); }
static int emit_UQXTN(struct jit *j, const struct insn *i) { return narrow_n(j, i, NARROW_UU); }

/// Shifts right by s, with rounding by adding bit s - 1, then narrows.
static int shift_narrow(struct jit *j, const struct insn *i, bool round, enum narrowing how)
{
    unsigned lg = simd_shift_size(i), s = (16u << lg) - (unsigned)i->imm;
    if (lg > 1)
        return 0;
    int n = simd_n(j, i);
    simd_shift_right(j, lg + 1, how != NARROW_UU, X2, n, s);
    if (round) {
        if (s > 1)
            simd_shift_right(j, lg + 1, false, X3, n, s - 1);
        v3m(j, XV_PAND, X3, s > 1 ? X3 : n, simd_k(j, lg ? SK_S01 : SK_H01));
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
    t[OP_SQADD_v] = t[OP_SQADD_s] = emit_SQADD;
    t[OP_SQSUB_v] = t[OP_SQSUB_s] = emit_SQSUB;
    t[OP_UQADD_v] = t[OP_UQADD_s] = emit_UQADD;
    t[OP_UQSUB_v] = t[OP_UQSUB_s] = emit_UQSUB;
    t[OP_SQNEG_v] = t[OP_SQNEG_s] = emit_SQNEG;
    t[OP_SQABS_v] = t[OP_SQABS_s] = emit_SQABS;
    t[OP_SQDMULH_v] = t[OP_SQDMULH_s] = emit_SQDMULH;
    t[OP_SQRDMULH_v] = t[OP_SQRDMULH_s] = emit_SQRDMULH;
    t[OP_SQDMULH_ve] = t[OP_SQDMULH_se] = emit_SQDMULH_e;
    t[OP_SQRDMULH_ve] = t[OP_SQRDMULH_se] = emit_SQRDMULH_e;
    t[OP_SQSHL_vi] = t[OP_SQSHL_si] = t[OP_UQSHL_vi] = t[OP_UQSHL_si] = emit_SQSHL_i;
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
