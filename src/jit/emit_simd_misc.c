/// Emission of Advanced SIMD two-register miscellaneous and across-lanes operations.
#include "jit/emit_simd.h"

/* Comparison with zero: n > 0 and 0 > n, or their complements. */

static int above_zero(struct jit *j, const struct insn *i, bool negate)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    v3m(j, simd_pcmpgt[simd_size(i->word)], d, n, simd_k(j, SK_ZERO));
    if (negate)
        v_not(j, d, d);
    return simd_finish(j, i, d);
}
static int below_zero(struct jit *j, const struct insn *i, bool negate)
{
    xrm n = simd_rm(j, i->rn);
    int d = simd_d(j, i);
    v3(j, XV_PXOR, X3, X3, X3);
    v3m(j, simd_pcmpgt[simd_size(i->word)], d, X3, n);
    if (negate)
        v_not(j, d, d);
    return simd_finish(j, i, d);
}
static int emit_CMGT0(struct jit *j, const struct insn *i) { return above_zero(j, i, false); }
static int emit_CMLE0(struct jit *j, const struct insn *i) { return above_zero(j, i, true); }
static int emit_CMLT0(struct jit *j, const struct insn *i) { return below_zero(j, i, false); }
static int emit_CMGE0(struct jit *j, const struct insn *i) { return below_zero(j, i, true); }
static int emit_CMEQ0(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    v3m(j, simd_pcmpeq[simd_size(i->word)], d, n, simd_k(j, SK_ZERO));
    return simd_finish(j, i, d);
}

static int emit_NEG(struct jit *j, const struct insn *i)
{
    xrm n = simd_rm(j, i->rn);
    int d = simd_d(j, i);
    v3(j, XV_PXOR, X3, X3, X3);
    v3m(j, simd_psub[simd_size(i->word)], d, X3, n);
    return simd_finish(j, i, d);
}
static int emit_ABS(struct jit *j, const struct insn *i)
{
    static const u32 op[3] = {XV_PABSB, XV_PABSW, XV_PABSD};
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i), d = simd_d(j, i);
    if (lg < 3) {
        v2(j, op[lg], d, n);
    } else {
        v3(j, XV_PXOR, X3, X3, X3);
        v3(j, XV_PCMPGTQ, X3, X3, n);
        v3(j, XV_PXOR, X2, n, X3);
        v3(j, XV_PSUBQ, d, X2, X3);
    }
    return simd_finish(j, i, d);
}
static int emit_NOT(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    v_not(j, d, n);
    return simd_finish(j, i, d);
}

/// Combines the table values of the low and the high nibble of every byte.
static void by_nibble(struct jit *j, int n, enum simd_const lo, enum simd_const hi, u32 combine, int d)
{
    x_vshift_i(&j->b, XV_PSHIFT_W, 2, X1, n, 4);
    v3m(j, XV_PAND, X1, X1, simd_k(j, SK_B0F));
    v3m(j, XV_PAND, X3, n, simd_k(j, SK_B0F));
    v3m(j, XV_MOVAPS, X2, 0, simd_k(j, lo));
    v3(j, XV_PSHUFB, X3, X2, X3);
    if (hi != lo)
        v3m(j, XV_MOVAPS, X2, 0, simd_k(j, hi));
    v3(j, XV_PSHUFB, X1, X2, X1);
    v3(j, combine, d, X1, X3);
}
static int emit_CNT(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    by_nibble(j, n, SK_POPCNT, SK_POPCNT, XV_PADDB, d);
    return simd_finish(j, i, d);
}
static int emit_RBIT(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    by_nibble(j, n, SK_RBIT_LO, SK_RBIT_HI, XV_POR, d);
    return simd_finish(j, i, d);
}

static int reverse(struct jit *j, const struct insn *i, enum simd_const k)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    v3m(j, XV_PSHUFB, d, n, simd_k(j, k));
    return simd_finish(j, i, d);
}
static int emit_REV64(struct jit *j, const struct insn *i)
{
    static const enum simd_const k[3] = {SK_REV64_B, SK_REV64_H, SK_REV64_S};
    return reverse(j, i, k[simd_size(i->word)]);
}
static int emit_REV32(struct jit *j, const struct insn *i)
{
    return reverse(j, i, simd_size(i->word) ? SK_REV32_H : SK_REV32_B);
}
static int emit_REV16(struct jit *j, const struct insn *i) { return reverse(j, i, SK_REV16_B); }

/* Sums of neighbours. */

/// X2 <- sums of adjacent pairs of n, twice as wide.
static void add_pairs(struct jit *j, unsigned lg, bool u, int n)
{
    struct xbuf *b = &j->b;
    if (lg == 0 && u) {
        v3m(j, XV_PMADDUBSW, X2, n, simd_k(j, SK_B01));
    } else if (lg == 0) {
        v3m(j, XV_MOVAPS, X3, 0, simd_k(j, SK_B01));
        v3(j, XV_PMADDUBSW, X2, X3, n);
    } else if (lg == 1 && !u) {
        v3m(j, XV_PMADDWD, X2, n, simd_k(j, SK_H01));
    } else if (u) {
        x_vshift_i(b, lg == 1 ? XV_PSHIFT_D : XV_PSHIFT_Q, 2, X3, n, 8u << lg);
        v3m(j, XV_PAND, X2, n, simd_k(j, lg == 1 ? SK_S0000FFFF : SK_D00000000FFFFFFFF));
        v3(j, simd_padd[lg + 1], X2, X2, X3);
    } else { /* pmuldq by 1 sign-extends the even words */
        x_vshift_i(b, XV_PSHIFT_Q, 2, X3, n, 32);
        v3m(j, XV_PMULDQ, X3, X3, simd_k(j, SK_D01));
        v3m(j, XV_PMULDQ, X2, n, simd_k(j, SK_D01));
        v3(j, XV_PADDQ, X2, X2, X3);
    }
}
static int emit_ADDLP(struct jit *j, const struct insn *i)
{
    add_pairs(j, simd_size(i->word), simd_u(i->word), simd_n(j, i));
    return simd_finish(j, i, X2);
}
static int emit_ADALP(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    add_pairs(j, lg, simd_u(i->word), simd_n(j, i));
    int d = simd_d(j, i);
    v3m(j, simd_padd[lg + 1], d, X2, simd_rm(j, i->rd));
    return simd_finish(j, i, d);
}

/* Across lanes. */

/// Keeps the low element of 1 << lg bytes of x and writes it to Vd.
static int finish_low(struct jit *j, const struct insn *i, unsigned lg, int x)
{
    if (lg == 3)
        v2(j, XV_MOVQ, x, x);
    else
        v3m(j, XV_PAND, x, x, simd_k_lg(j, SK_LOW_B, lg));
    return simd_finish_clean(j, i, x);
}
/// Folds x (in X2) until its low element of 1 << lg bytes is the result.
static void fold(struct jit *j, const struct insn *i, unsigned lg, u32 op)
{
    for (unsigned bytes = simd_q(i->word) ? 8 : 4; bytes >= 1u << lg; bytes /= 2) {
        v_bytes_right(j, X3, X2, bytes);
        v3(j, op, X2, X2, X3);
    }
}
static int fold_with(struct jit *j, const struct insn *i, const u32 *op)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    v_bytes_right(j, X3, n, simd_q(i->word) ? 8 : 4);
    v3(j, op[lg], X2, n, X3);
    for (unsigned bytes = simd_q(i->word) ? 4 : 2; bytes >= 1u << lg; bytes /= 2) {
        v_bytes_right(j, X3, X2, bytes);
        v3(j, op[lg], X2, X2, X3);
    }
    return finish_low(j, i, lg, X2);
}
static int emit_UMAXV(struct jit *j, const struct insn *i) { return fold_with(j, i, simd_pmaxu); }
static int emit_UMINV(struct jit *j, const struct insn *i) { return fold_with(j, i, simd_pminu); }
static int emit_SMAXV(struct jit *j, const struct insn *i) { return fold_with(j, i, simd_pmaxs); }
static int emit_SMINV(struct jit *j, const struct insn *i) { return fold_with(j, i, simd_pmins); }

/// X2 <- sums of the bytes of each half of n.
static void sum_bytes(struct jit *j, int n)
{
    v3m(j, XV_PSADBW, X2, n, simd_k(j, SK_ZERO));
}
static int emit_ADDV(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    if (lg)
        return fold_with(j, i, simd_padd);
    sum_bytes(j, n);
    if (simd_q(i->word)) {
        v_bytes_right(j, X3, X2, 8);
        v3(j, XV_PADDD, X2, X2, X3);
    }
    return finish_low(j, i, 0, X2);
}
static int emit_ADDLV(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    bool u = simd_u(i->word);
    int n = simd_n(j, i);
    add_pairs(j, lg, u, n);
    fold(j, i, lg + 1, simd_padd[lg + 1]);
    return finish_low(j, i, lg + 1, X2);
}

void simd_init_misc(jit_emit_fn **t)
{
    t[OP_CMGT0_v] = t[OP_CMGT0_s] = emit_CMGT0;
    t[OP_CMLE0_v] = t[OP_CMLE0_s] = emit_CMLE0;
    t[OP_CMLT0_v] = t[OP_CMLT0_s] = emit_CMLT0;
    t[OP_CMGE0_v] = t[OP_CMGE0_s] = emit_CMGE0;
    t[OP_CMEQ0_v] = t[OP_CMEQ0_s] = emit_CMEQ0;
    t[OP_NEG_v] = t[OP_NEG_s] = emit_NEG;
    t[OP_ABS_v] = t[OP_ABS_s] = emit_ABS;
    t[OP_NOT_v] = emit_NOT;
    t[OP_CNT_v] = emit_CNT;
    t[OP_RBIT_v] = emit_RBIT;
    t[OP_REV64_v] = emit_REV64;
    t[OP_REV32_v] = emit_REV32;
    t[OP_REV16_v] = emit_REV16;
    t[OP_SADDLP_v] = t[OP_UADDLP_v] = emit_ADDLP;
    t[OP_SADALP_v] = t[OP_UADALP_v] = emit_ADALP;
    t[OP_UMAXV_v] = emit_UMAXV;
    t[OP_UMINV_v] = emit_UMINV;
    t[OP_SMAXV_v] = emit_SMAXV;
    t[OP_SMINV_v] = emit_SMINV;
    t[OP_ADDV_v] = emit_ADDV;
    t[OP_SADDLV_v] = t[OP_UADDLV_v] = emit_ADDLV;
}
