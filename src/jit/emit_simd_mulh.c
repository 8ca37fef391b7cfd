/// Emission of Advanced SIMD doubling multiplications that keep the high half, and of those that accumulate it
/// (FEAT_RDM).
#include "jit/emit_simd.h"

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
    simd_fix_min(j, lg);
    return simd_finish_qc(j, i, X2, X3);
}
static int mulh_element(struct jit *j, const struct insn *i, bool round)
{
    simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);
    return mulh(j, i, X1, round);
}
static int emit_SQDMULH(struct jit *j, const struct insn *i)
{
    return mulh(j, i, simd_m(j, i), false);
}
static int emit_SQRDMULH(struct jit *j, const struct insn *i)
{
    return mulh(j, i, simd_m(j, i), true);
}
static int emit_SQDMULH_e(struct jit *j, const struct insn *i) { return mulh_element(j, i, false); }
static int emit_SQRDMULH_e(struct jit *j, const struct insn *i) { return mulh_element(j, i, true); }

/* With accumulation: (d * 2^w +- 2 n m + 2^(w - 1)) / 2^w, computed in lanes twice as wide with half of everything. */

/// x (in X1 or X2) <- (d * 2^15 +- product + 2^14) >> 15, the product in x and d * 2^16 in acc.
static void round_halfwords(struct jit *j, bool subtract, int x, int acc)
{
    x_vshift_i(&j->b, XV_PSHIFT_D, 4, acc, acc, 1);
    v3(j, subtract ? XV_PSUBD : XV_PADDD, x, acc, x);
    v3m(j, XV_PADDD, x, x, simd_const_lanes(j, 2, 1 << 14));
    x_vshift_i(&j->b, XV_PSHIFT_D, 4, x, x, 15);
}
static int accumulate_halfwords(struct jit *j, const struct insn *i, bool subtract, int m)
{
    int n = simd_n(j, i);
    bool quad = !simd_is_scalar(i->word) && simd_q(i->word);
    v3(j, XV_PMULLW, X2, n, m);
    v3(j, XV_PMULHW, X3, n, m);
    v3(j, XV_PUNPCKLWD, X1, X2, X3);
    v3(j, XV_PUNPCKHWD, X2, X2, X3);
    v3(j, XV_PXOR, X3, X3, X3);
    int d = jit_vread(j, i->rd, X0);
    if (quad) {
        v3(j, XV_PUNPCKHWD, X3, X3, d);
        round_halfwords(j, subtract, X2, X3);
        v3(j, XV_PXOR, X3, X3, X3);
    }
    v3(j, XV_PUNPCKLWD, X3, X3, d);
    round_halfwords(j, subtract, X1, X3);
    if (simd_is_scalar(i->word))
        v3m(j, XV_PAND, X1, X1, simd_k(j, SK_LOW_S));
    v3(j, XV_PACKSSDW, X0, X1, quad ? X2 : X1);
    v2(j, XV_PMOVSXWD, X3, X0); /* what does not come back was saturated */
    v3(j, XV_PXOR, X3, X3, X1);
    if (quad) {
        v2i(j, XV_PSHUFD, X1, X0, 0xee);
        v2(j, XV_PMOVSXWD, X1, X1);
        v3(j, XV_PXOR, X1, X1, X2);
        v3(j, XV_POR, X3, X3, X1);
    }
    simd_qc_any(j, X3);
    return simd_finish(j, i, X0);
}

/// x <- d * 2^31 +- x + 2^30, of the even words of d. Clobbers X1.
static void round_words(struct jit *j, bool subtract, int x, int d)
{
    v3m(j, XV_PMULDQ, X1, d, simd_const64(j, 1 << 30));
    v3(j, XV_PADDQ, X1, X1, X1);
    v3(j, subtract ? XV_PSUBQ : XV_PADDQ, x, X1, x);
    v3m(j, XV_PADDQ, x, x, simd_const64(j, 1 << 30));
}
/// Bits 62..31 of the sums are the result unless bit 63 differs from bit 62.
static int accumulate_words(struct jit *j, const struct insn *i, bool subtract, int m)
{
    struct xbuf *b = &j->b;
    int n = simd_n(j, i);
    v3(j, XV_PMULDQ, X2, n, m);
    x_vshift_i(b, XV_PSHIFT_Q, 2, X3, n, 32);
    x_vshift_i(b, XV_PSHIFT_Q, 2, X1, m, 32);
    v3(j, XV_PMULDQ, X3, X3, X1); /* odd words */
    int d = jit_vread(j, i->rd, X0);
    round_words(j, subtract, X2, d);
    x_vshift_i(b, XV_PSHIFT_Q, 2, X0, d, 32);
    round_words(j, subtract, X3, X0);
    x_vshift_i(b, XV_PSHIFT_Q, 2, X0, X2, 32);
    v3i(j, XV_PBLENDW, X0, X0, X3, 0xcc); /* high words of the sums */
    x_vshift_i(b, XV_PSHIFT_Q, 2, X2, X2, 31);
    v3(j, XV_PADDQ, X3, X3, X3);
    v3i(j, XV_PBLENDW, X2, X2, X3, 0xcc); /* results */
    v3(j, XV_PADDD, X3, X0, X0);
    v3(j, XV_PXOR, X3, X3, X0); /* sign: saturated */
    x_vshift_i(b, XV_PSHIFT_D, 4, X3, X3, 31);
    x_vshift_i(b, XV_PSHIFT_D, 4, X0, X0, 31);
    v3m(j, XV_PXOR, X0, X0, simd_const_lanes(j, 2, 0x7fffffff));
    x_vi(b, XV_BLENDVPS, X2, X2, xr(X0), X3 << 4);
    return simd_finish_qc(j, i, X2, X3);
}
static int accumulate(struct jit *j, const struct insn *i, bool subtract, int m)
{
    return (simd_size(i->word) == 1 ? accumulate_halfwords : accumulate_words)(j, i, subtract, m);
}
static int accumulate_element(struct jit *j, const struct insn *i, bool subtract)
{
    simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);
    return accumulate(j, i, subtract, X1);
}
static int emit_SQRDMLAH(struct jit *j, const struct insn *i)
{
    return accumulate(j, i, false, simd_m(j, i));
}
static int emit_SQRDMLSH(struct jit *j, const struct insn *i)
{
    return accumulate(j, i, true, simd_m(j, i));
}
static int emit_SQRDMLAH_e(struct jit *j, const struct insn *i)
{
    return accumulate_element(j, i, false);
}
static int emit_SQRDMLSH_e(struct jit *j, const struct insn *i)
{
    return accumulate_element(j, i, true);
}

void simd_init_mulh(jit_emit_fn **t)
{
    t[OP_SQDMULH_v] = t[OP_SQDMULH_s] = emit_SQDMULH;
    t[OP_SQRDMULH_v] = t[OP_SQRDMULH_s] = emit_SQRDMULH;
    t[OP_SQDMULH_ve] = t[OP_SQDMULH_se] = emit_SQDMULH_e;
    t[OP_SQRDMULH_ve] = t[OP_SQRDMULH_se] = emit_SQRDMULH_e;
    t[OP_SQRDMLAH_v] = t[OP_SQRDMLAH_s] = emit_SQRDMLAH;
    t[OP_SQRDMLSH_v] = t[OP_SQRDMLSH_s] = emit_SQRDMLSH;
    t[OP_SQRDMLAH_ve] = t[OP_SQRDMLAH_se] = emit_SQRDMLAH_e;
    t[OP_SQRDMLSH_ve] = t[OP_SQRDMLSH_se] = emit_SQRDMLSH_e;
}
