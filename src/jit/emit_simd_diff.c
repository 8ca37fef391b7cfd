/// Emission of Advanced SIMD long and wide operations, and of long ones by element.
#include "jit/emit_simd.h"

enum long_op { LONG_ADD, LONG_SUB, LONG_MUL, LONG_MLA, LONG_MLS };

/// Product of extended lanes of 2 << lg bytes.
static void mul_extended(struct jit *j, unsigned lg, bool u, int d, int a, int b)
{
    static const u32 op[2] = {XV_PMULLW, XV_PMULLD};
    v3(j, lg < 2 ? op[lg] : u ? XV_PMULUDQ : XV_PMULDQ, d, a, b);
}

/// m: the second source; in all lanes the same when it comes from an element.
static int do_long(struct jit *j, const struct insn *i, enum long_op what, int m)
{
    unsigned lg = simd_size(i->word);
    bool u = simd_u(i->word);
    int n = simd_n(j, i);
    simd_extend(j, i, lg, !u, X1, m);
    simd_extend(j, i, lg, !u, X2, n);
    int d = simd_d(j, i);
    switch (what) {
    case LONG_ADD: v3(j, simd_padd[lg + 1], d, X2, X1); break;
    case LONG_SUB: v3(j, simd_psub[lg + 1], d, X2, X1); break;
    case LONG_MUL: mul_extended(j, lg, u, d, X2, X1); break;
    case LONG_MLA:
        mul_extended(j, lg, u, X2, X2, X1);
        v3m(j, simd_padd[lg + 1], d, X2, simd_rm(j, i->rd));
        break;
    case LONG_MLS: {
        mul_extended(j, lg, u, X2, X2, X1);
        int old = jit_vread(j, i->rd, X1);
        v3(j, simd_psub[lg + 1], d, old, X2);
        break;
    }
    }
    return simd_finish_clean(j, i, d);
}
#define LONG(id, what)                                                                             \
    static int emit_##id(struct jit *j, const struct insn *i)                                      \
    {                                                                                              \
        return do_long(j, i, what, simd_m(j, i));                                                  \
    }
#define LONG_E(id, what)                                                                           \
    LONG(id, what)                                                                                 \
    static int emit_##id##_e(struct jit *j, const struct insn *i)                                  \
    {                                                                                              \
        simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);                 \
        return do_long(j, i, what, X1);                                                            \
    }
LONG(ADDL, LONG_ADD)
LONG(SUBL, LONG_SUB)
LONG_E(MULL, LONG_MUL)
LONG_E(MLAL, LONG_MLA)
LONG_E(MLSL, LONG_MLS)

/* Saturating doubling products: only the most negative number twice overflows. */

/// X2 <- saturated doubled products; X3 <- mask of those that saturated.
static void doubled(struct jit *j, const struct insn *i, int m)
{
    unsigned lg = simd_size(i->word);
    simd_extend(j, i, lg, true, X1, m);
    simd_extend(j, i, lg, true, X2, simd_n(j, i));
    mul_extended(j, lg, false, X2, X2, X1);
    v3(j, simd_padd[lg + 1], X2, X2, X2);
    v3m(j, simd_pcmpeq[lg + 1], X3, X2, simd_k(j, lg == 1 ? SK_S80 : SK_D80));
    v3(j, XV_PXOR, X2, X2, X3);
}
/// Sets QC where X3 says so; of X2 and X3 counts what the instruction writes.
static void test_doubled(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    if (simd_is_scalar(i->word)) {
        v3m(j, XV_PAND, X3, X3, lg == 1 ? simd_k(j, SK_LOW_S) : simd_const128(j, ~0ULL, 0));
        v3m(j, XV_PAND, X2, X2, lg == 1 ? simd_k(j, SK_LOW_S) : simd_const128(j, ~0ULL, 0));
    }
    simd_qc_any(j, X3);
}
static int finish_doubled(struct jit *j, const struct insn *i)
{
    test_doubled(j, i);
    return simd_finish_clean(j, i, X2);
}
/// The products in X2 are added to Vd or subtracted, which may saturate again.
static int accumulate_doubled(struct jit *j, const struct insn *i, bool subtract)
{
    test_doubled(j, i);
    int old = jit_vread(j, i->rd, X0);
    v2(j, XV_MOVAPS, X1, X2);
    simd_add_signed(j, simd_size(i->word) + 1, subtract, old, X1);
    return finish_doubled(j, i);
}
static int emit_SQDMULL(struct jit *j, const struct insn *i)
{
    doubled(j, i, simd_m(j, i));
    return finish_doubled(j, i);
}
static int emit_SQDMULL_e(struct jit *j, const struct insn *i)
{
    simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);
    doubled(j, i, X1);
    return finish_doubled(j, i);
}
static int emit_SQDMLAL(struct jit *j, const struct insn *i)
{
    doubled(j, i, simd_m(j, i));
    return accumulate_doubled(j, i, false);
}
static int emit_SQDMLSL(struct jit *j, const struct insn *i)
{
    doubled(j, i, simd_m(j, i));
    return accumulate_doubled(j, i, true);
}
static int emit_SQDMLAL_e(struct jit *j, const struct insn *i)
{
    simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);
    doubled(j, i, X1);
    return accumulate_doubled(j, i, false);
}
static int emit_SQDMLSL_e(struct jit *j, const struct insn *i)
{
    simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);
    doubled(j, i, X1);
    return accumulate_doubled(j, i, true);
}
static int wide(struct jit *j, const struct insn *i, const u32 *op)
{
    unsigned lg = simd_size(i->word);
    simd_extend(j, i, lg, !simd_u(i->word), X1, simd_m(j, i));
    int n = simd_n(j, i), d = simd_d(j, i);
    v3(j, op[lg + 1], d, n, X1);
    return simd_finish_clean(j, i, d);
}
static int emit_ADDW(struct jit *j, const struct insn *i) { return wide(j, i, simd_padd); }
static int emit_SUBW(struct jit *j, const struct insn *i) { return wide(j, i, simd_psub); }

/// Absolute differences fit into the narrow lane as unsigned numbers.
static int abs_diff_long(struct jit *j, const struct insn *i, bool accumulate)
{
    unsigned lg = simd_size(i->word);
    bool u = simd_u(i->word);
    int n = simd_n(j, i), m = simd_m(j, i);
    v3(j, u ? simd_pmaxu[lg] : simd_pmaxs[lg], X3, n, m);
    v3(j, u ? simd_pminu[lg] : simd_pmins[lg], X2, n, m);
    v3(j, simd_psub[lg], X2, X3, X2);
    int d = simd_d(j, i);
    simd_extend(j, i, lg, false, accumulate ? X2 : d, X2);
    if (accumulate)
        v3m(j, simd_padd[lg + 1], d, X2, simd_rm(j, i->rd));
    return simd_finish_clean(j, i, d);
}
static int emit_ABDL(struct jit *j, const struct insn *i) { return abs_diff_long(j, i, false); }
static int emit_ABAL(struct jit *j, const struct insn *i) { return abs_diff_long(j, i, true); }

/* Polynomials over {0, 1} of 8 bits: bit k of n decides whether m shifted by k is added, without carries. */

/// X2 <- X0 * X1 in lanes of 1 << lg bytes. X0 and X1 change.
static void multiply_polynomials(struct jit *j, unsigned lg)
{
    v_not(j, X0, X0);
    v3(j, XV_PXOR, X2, X2, X2);
    for (unsigned k = 0; k < 8; k++) {
        x_vshift_i(&j->b, XV_PSHIFT_W, 6, X3, X0, (8u << lg) - 1 - k); /* the sign of each lane: none */
        if (lg)
            x_vshift_i(&j->b, XV_PSHIFT_W, 4, X3, X3, 15);
        x_vi(&j->b, XV_PBLENDVB, X3, X1, simd_k(j, SK_ZERO), X3 << 4);
        v3(j, XV_PXOR, X2, X2, X3);
        if (k < 7)
            v3(j, lg ? XV_PADDW : XV_PADDB, X1, X1, X1);
    }
}
static int emit_PMUL(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), m = simd_m(j, i);
    if (n != X0)
        v2(j, XV_MOVAPS, X0, n);
    if (m != X1)
        v2(j, XV_MOVAPS, X1, m);
    multiply_polynomials(j, 0);
    return simd_finish(j, i, X2);
}
static int emit_PMULL(struct jit *j, const struct insn *i)
{
    if (simd_size(i->word) == 0) {
        int a = simd_n(j, i), b = simd_m(j, i);
        simd_extend(j, i, 0, false, X0, a);
        simd_extend(j, i, 0, false, X1, b);
        multiply_polynomials(j, 1);
        return simd_finish_clean(j, i, X2);
    }
    if (simd_size(i->word) != 3 || !j->cpu.pclmul)
        return 0;
    int n = simd_n(j, i);
    xrm m = simd_rm(j, i->rm);
    int d = simd_d(j, i);
    x_vi(&j->b, XV_PCLMULQDQ, d, n, m, simd_q(i->word) ? 0x11 : 0);
    return simd_finish_clean(j, i, d);
}

void simd_init_diff(jit_emit_fn **t)
{
    t[OP_SADDL_v] = t[OP_UADDL_v] = emit_ADDL;
    t[OP_SSUBL_v] = t[OP_USUBL_v] = emit_SUBL;
    t[OP_SADDW_v] = t[OP_UADDW_v] = emit_ADDW;
    t[OP_SSUBW_v] = t[OP_USUBW_v] = emit_SUBW;
    t[OP_SMULL_v] = t[OP_UMULL_v] = emit_MULL;
    t[OP_SMLAL_v] = t[OP_UMLAL_v] = emit_MLAL;
    t[OP_SMLSL_v] = t[OP_UMLSL_v] = emit_MLSL;
    t[OP_SMULL_ve] = t[OP_UMULL_ve] = emit_MULL_e;
    t[OP_SMLAL_ve] = t[OP_UMLAL_ve] = emit_MLAL_e;
    t[OP_SMLSL_ve] = t[OP_UMLSL_ve] = emit_MLSL_e;
    t[OP_SABDL_v] = t[OP_UABDL_v] = emit_ABDL;
    t[OP_SABAL_v] = t[OP_UABAL_v] = emit_ABAL;
    t[OP_PMUL_v] = emit_PMUL;
    t[OP_PMULL_v] = emit_PMULL;
    t[OP_SQDMLAL_v] = t[OP_SQDMLAL_s] = emit_SQDMLAL;
    t[OP_SQDMLSL_v] = t[OP_SQDMLSL_s] = emit_SQDMLSL;
    t[OP_SQDMLAL_ve] = t[OP_SQDMLAL_se] = emit_SQDMLAL_e;
    t[OP_SQDMLSL_ve] = t[OP_SQDMLSL_se] = emit_SQDMLSL_e;
    t[OP_SQDMULL_v] = t[OP_SQDMULL_s] = emit_SQDMULL;
    t[OP_SQDMULL_ve] = t[OP_SQDMULL_se] = emit_SQDMULL_e;
}
