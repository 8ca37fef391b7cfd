/// Emission of Advanced SIMD three same, by element, and dot products.
#include "jit/emit_simd.h"

/* One host instruction: by size. */

static int op3(struct jit *j, const struct insn *i, u32 op)
{
    int n = simd_n(j, i);
    xrm m = simd_rm(j, i->rm);
    int d = simd_d(j, i);
    v3m(j, op, d, n, m);
    return simd_finish(j, i, d);
}
#define OP3(id, table)                                                                             \
    static int emit_##id(struct jit *j, const struct insn *i)                                      \
    {                                                                                              \
        return op3(j, i, table[simd_size(i->word)]);                                               \
    }
OP3(ADD, simd_padd)
OP3(SUB, simd_psub)
OP3(CMEQ, simd_pcmpeq)
OP3(CMGT, simd_pcmpgt)
OP3(UMAX, simd_pmaxu)
OP3(UMIN, simd_pminu)
OP3(SMAX, simd_pmaxs)
OP3(SMIN, simd_pmins)
static int emit_AND(struct jit *j, const struct insn *i) { return op3(j, i, XV_PAND); }
static int emit_EOR(struct jit *j, const struct insn *i)
{
    if (i->rn != i->rm)
        return op3(j, i, XV_PXOR);
    int d = simd_d(j, i);
    v3(j, XV_PXOR, d, d, d);
    return simd_finish_clean(j, i, d);
}
static int emit_ORR(struct jit *j, const struct insn *i)
{
    if (i->rn != i->rm)
        return op3(j, i, XV_POR);
    int n = simd_n(j, i), d = j->vmap[i->rd] >= 0 ? j->vmap[i->rd] : n; /* MOV */
    if (!simd_q(i->word)) {
        d = simd_d(j, i);
        v2(j, XV_MOVQ, d, n);
    } else if (d != n) {
        v2(j, XV_MOVAPS, d, n);
    }
    return simd_finish_clean(j, i, d);
}
static int emit_BIC(struct jit *j, const struct insn *i)
{
    int m = simd_m(j, i);
    xrm n = simd_rm(j, i->rn);
    int d = simd_d(j, i);
    v3m(j, XV_PANDN, d, m, n);
    return simd_finish(j, i, d);
}
static int emit_ORN(struct jit *j, const struct insn *i)
{
    int m = simd_m(j, i);
    xrm n = simd_rm(j, i->rn);
    int d = simd_d(j, i);
    v_not(j, X3, m);
    v3m(j, XV_POR, d, X3, n);
    return simd_finish(j, i, d);
}

/// BSL, BIT, BIF: d = y ^ ((x ^ y) & mask), complemented for BIF.
static int select(struct jit *j, const struct insn *i, unsigned x, unsigned y, unsigned mask, bool inv)
{
    int vy = jit_vread(j, y, X0), vm = jit_vread(j, mask, X1);
    xrm vx = simd_rm(j, x);
    int d = simd_d(j, i);
    v3m(j, XV_PXOR, X3, vy, vx);
    v3(j, inv ? XV_PANDN : XV_PAND, X3, inv ? vm : X3, inv ? X3 : vm);
    v3(j, XV_PXOR, d, X3, vy);
    return simd_finish(j, i, d);
}
static int emit_BSL(struct jit *j, const struct insn *i) { return select(j, i, i->rn, i->rm, i->rd, false); }
static int emit_BIT(struct jit *j, const struct insn *i) { return select(j, i, i->rn, i->rd, i->rm, false); }
static int emit_BIF(struct jit *j, const struct insn *i) { return select(j, i, i->rn, i->rd, i->rm, true); }

/* Comparisons. */

static int emit_CMGE(struct jit *j, const struct insn *i)
{
    int m = simd_m(j, i);
    xrm n = simd_rm(j, i->rn);
    int d = simd_d(j, i);
    v3m(j, simd_pcmpgt[simd_size(i->word)], d, m, n);
    v_not(j, d, d);
    return simd_finish(j, i, d);
}
/// Unsigned n >= m, or with `strict` n > m.
static int compare_unsigned(struct jit *j, const struct insn *i, bool strict)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    if (lg == 3) {
        v3m(j, XV_PXOR, X2, n, simd_k(j, SK_D80));
        v3m(j, XV_PXOR, X3, m, simd_k(j, SK_D80));
        v3(j, XV_PCMPGTQ, d, strict ? X2 : X3, strict ? X3 : X2);
    } else if (strict) { /* not (n <= m) */
        v3(j, simd_pminu[lg], X3, n, m);
        v3(j, simd_pcmpeq[lg], d, X3, n);
    } else {
        v3(j, simd_pmaxu[lg], X3, n, m);
        v3(j, simd_pcmpeq[lg], d, X3, n);
    }
    if (strict != (lg == 3))
        v_not(j, d, d);
    return simd_finish(j, i, d);
}
static int emit_CMHI(struct jit *j, const struct insn *i) { return compare_unsigned(j, i, true); }
static int emit_CMHS(struct jit *j, const struct insn *i) { return compare_unsigned(j, i, false); }
static int emit_CMTST(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i);
    xrm m = simd_rm(j, i->rm);
    int d = simd_d(j, i);
    v3m(j, XV_PAND, d, n, m);
    v3m(j, simd_pcmpeq[simd_size(i->word)], d, d, simd_k(j, SK_ZERO));
    v_not(j, d, d);
    return simd_finish(j, i, d);
}

/* Differences, products. */

static int abs_diff(struct jit *j, const struct insn *i, bool accumulate)
{
    unsigned lg = simd_size(i->word);
    bool u = simd_u(i->word);
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    v3(j, u ? simd_pmaxu[lg] : simd_pmaxs[lg], X3, n, m);
    if (!accumulate) {
        v3(j, u ? simd_pminu[lg] : simd_pmins[lg], d, n, m);
        v3(j, simd_psub[lg], d, X3, d);
        return simd_finish(j, i, d);
    }
    v3(j, u ? simd_pminu[lg] : simd_pmins[lg], X2, n, m);
    v3(j, simd_psub[lg], X3, X3, X2);
    v3m(j, simd_padd[lg], d, X3, simd_rm(j, i->rd));
    return simd_finish(j, i, d);
}
static int emit_ABD(struct jit *j, const struct insn *i) { return abs_diff(j, i, false); }
static int emit_ABA(struct jit *j, const struct insn *i) { return abs_diff(j, i, true); }

/// op: 0 MUL, 1 MLA, 2 MLS; m in a register.
static int multiply(struct jit *j, const struct insn *i, int m, unsigned op)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i), d = simd_d(j, i);
    if (op == 0) {
        int r = lg ? d : X2;
        simd_mul(j, lg, r, n, m);
        return simd_finish(j, i, r);
    }
    simd_mul(j, lg, X2, n, m);
    if (op == 1) {
        v3m(j, simd_padd[lg], d, X2, simd_rm(j, i->rd));
    } else {
        int old = jit_vread(j, i->rd, X3);
        v3(j, simd_psub[lg], d, old, X2);
    }
    return simd_finish(j, i, d);
}
static int emit_MUL(struct jit *j, const struct insn *i) { return multiply(j, i, simd_m(j, i), 0); }
static int emit_MLA(struct jit *j, const struct insn *i) { return multiply(j, i, simd_m(j, i), 1); }
static int emit_MLS(struct jit *j, const struct insn *i) { return multiply(j, i, simd_m(j, i), 2); }
static int multiply_element(struct jit *j, const struct insn *i, unsigned op)
{
    simd_broadcast(j, simd_size(i->word), X1, simd_m(j, i), (unsigned)i->imm);
    return multiply(j, i, X1, op);
}
static int emit_MUL_e(struct jit *j, const struct insn *i) { return multiply_element(j, i, 0); }
static int emit_MLA_e(struct jit *j, const struct insn *i) { return multiply_element(j, i, 1); }
static int emit_MLS_e(struct jit *j, const struct insn *i) { return multiply_element(j, i, 2); }

/// Sums of four products of bytes: even and odd bytes as halfwords through pmaddwd.
static int dot(struct jit *j, const struct insn *i, int m)
{
    struct xbuf *b = &j->b;
    int n = simd_n(j, i), d = simd_d(j, i);
    unsigned right = simd_u(i->word) ? 2 : 4;
    x_vshift_i(b, XV_PSHIFT_W, right, X2, n, 8);
    x_vshift_i(b, XV_PSHIFT_W, right, X3, m, 8);
    v3(j, XV_PMADDWD, X3, X3, X2);
    if (simd_u(i->word)) {
        v3m(j, XV_PAND, X2, n, simd_k(j, SK_H00FF));
        v3m(j, XV_PAND, X1, m, simd_k(j, SK_H00FF));
    } else {
        x_vshift_i(b, XV_PSHIFT_W, 6, X2, n, 8);
        x_vshift_i(b, XV_PSHIFT_W, 4, X2, X2, 8);
        x_vshift_i(b, XV_PSHIFT_W, 6, X1, m, 8);
        x_vshift_i(b, XV_PSHIFT_W, 4, X1, X1, 8);
    }
    v3(j, XV_PMADDWD, X2, X2, X1);
    v3(j, XV_PADDD, X2, X2, X3);
    v3m(j, XV_PADDD, d, X2, simd_rm(j, i->rd));
    return simd_finish(j, i, d);
}
static int emit_DOT(struct jit *j, const struct insn *i) { return dot(j, i, simd_m(j, i)); }
static int emit_DOT_e(struct jit *j, const struct insn *i)
{
    simd_broadcast(j, 2, X1, simd_m(j, i), (unsigned)i->imm);
    return dot(j, i, X1);
}

/* Halving. For bytes and halfwords pavg gives (n + m + 1) >> 1 of unsigned numbers; signed ones are
 * biased by the sign bit first. Words use (n & m) + ((n ^ m) >> 1) and (n | m) - ((n ^ m) >> 1). */

enum halving { HALF_ADD, HALF_RADD, HALF_SUB };

static int halve_words(struct jit *j, const struct insn *i, enum halving what)
{
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    v3(j, XV_PXOR, X3, n, m);
    x_vshift_i(&j->b, XV_PSHIFT_D, simd_u(i->word) ? 2 : 4, X3, X3, 1);
    if (what == HALF_ADD) {
        v3(j, XV_PAND, X2, n, m);
        v3(j, XV_PADDD, d, X2, X3);
    } else if (what == HALF_RADD) {
        v3(j, XV_POR, X2, n, m);
        v3(j, XV_PSUBD, d, X2, X3);
    } else { /* n - ((n | m) - ((n ^ m) >> 1)) */
        v3(j, XV_POR, X2, n, m);
        v3(j, XV_PSUBD, X2, X2, X3);
        v3(j, XV_PSUBD, d, n, X2);
    }
    return simd_finish(j, i, d);
}
static int halve(struct jit *j, const struct insn *i, enum halving what)
{
    unsigned lg = simd_size(i->word);
    if (lg == 2)
        return halve_words(j, i, what);
    u32 avg = lg ? XV_PAVGW : XV_PAVGB;
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    if (!simd_u(i->word)) {
        v3m(j, XV_PXOR, X0, n, simd_k_lg(j, SK_B80, lg));
        v3m(j, XV_PXOR, X1, m, simd_k_lg(j, SK_B80, lg));
        n = X0, m = X1;
    }
    v3(j, avg, X2, n, m);
    if (what == HALF_SUB) {
        v3(j, simd_psub[lg], d, n, X2);
        return simd_finish(j, i, d);
    }
    if (what == HALF_ADD) {
        v3(j, XV_PXOR, X3, n, m);
        v3m(j, XV_PAND, X3, X3, simd_k_lg(j, SK_B01, lg));
        v3(j, simd_psub[lg], X2, X2, X3);
    }
    if (!simd_u(i->word))
        v3m(j, XV_PXOR, X2, X2, simd_k_lg(j, SK_B80, lg));
    return simd_finish(j, i, X2);
}
static int emit_HADD(struct jit *j, const struct insn *i) { return halve(j, i, HALF_ADD); }
static int emit_RHADD(struct jit *j, const struct insn *i) { return halve(j, i, HALF_RADD); }
static int emit_HSUB(struct jit *j, const struct insn *i) { return halve(j, i, HALF_SUB); }

/* Pairwise: the even and the odd elements of Vm:Vn, then one operation. */

static int pairwise(struct jit *j, const struct insn *i, u32 op)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    if (!simd_q(i->word)) {
        v3(j, XV_PUNPCKLQDQ, X0, n, m);
        n = m = X0;
    }
    simd_unzip(j, lg, false, X2, n, m);
    simd_unzip(j, lg, true, X1, n, m);
    v3(j, op, d, X2, X1);
    return simd_finish(j, i, d);
}
#define PAIR(id, table)                                                                            \
    static int emit_##id(struct jit *j, const struct insn *i)                                      \
    {                                                                                              \
        return pairwise(j, i, table[simd_size(i->word)]);                                          \
    }
PAIR(ADDP, simd_padd)
PAIR(UMAXP, simd_pmaxu)
PAIR(UMINP, simd_pminu)
PAIR(SMAXP, simd_pmaxs)
PAIR(SMINP, simd_pmins)
static int emit_ADDP_s(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    v2i(j, XV_PSHUFD, X3, n, 0xee);
    v3(j, XV_PADDQ, d, n, X3);
    return simd_finish(j, i, d);
}

void simd_init_same(jit_emit_fn **t)
{
    t[OP_ADD_v] = t[OP_ADD_s] = emit_ADD;
    t[OP_SUB_v] = t[OP_SUB_s] = emit_SUB;
    t[OP_CMEQ_v] = t[OP_CMEQ_s] = emit_CMEQ;
    t[OP_CMGT_v] = t[OP_CMGT_s] = emit_CMGT;
    t[OP_CMGE_v] = t[OP_CMGE_s] = emit_CMGE;
    t[OP_CMHI_v] = t[OP_CMHI_s] = emit_CMHI;
    t[OP_CMHS_v] = t[OP_CMHS_s] = emit_CMHS;
    t[OP_CMTST_v] = t[OP_CMTST_s] = emit_CMTST;
    t[OP_UMAX_v] = emit_UMAX;
    t[OP_UMIN_v] = emit_UMIN;
    t[OP_SMAX_v] = emit_SMAX;
    t[OP_SMIN_v] = emit_SMIN;
    t[OP_AND_v] = emit_AND;
    t[OP_BIC_v] = emit_BIC;
    t[OP_ORR_v] = emit_ORR;
    t[OP_ORN_v] = emit_ORN;
    t[OP_EOR_v] = emit_EOR;
    t[OP_BSL_v] = emit_BSL;
    t[OP_BIT_v] = emit_BIT;
    t[OP_BIF_v] = emit_BIF;
    t[OP_SABD_v] = t[OP_UABD_v] = emit_ABD;
    t[OP_SABA_v] = t[OP_UABA_v] = emit_ABA;
    t[OP_MUL_v] = emit_MUL;
    t[OP_MLA_v] = emit_MLA;
    t[OP_MLS_v] = emit_MLS;
    t[OP_MUL_ve] = emit_MUL_e;
    t[OP_MLA_ve] = emit_MLA_e;
    t[OP_MLS_ve] = emit_MLS_e;
    t[OP_SDOT_v] = t[OP_UDOT_v] = emit_DOT;
    t[OP_SDOT_ve] = t[OP_UDOT_ve] = emit_DOT_e;
    t[OP_SHADD_v] = t[OP_UHADD_v] = emit_HADD;
    t[OP_SRHADD_v] = t[OP_URHADD_v] = emit_RHADD;
    t[OP_SHSUB_v] = t[OP_UHSUB_v] = emit_HSUB;
    t[OP_ADDP_v] = emit_ADDP;
    t[OP_ADDP_s] = emit_ADDP_s;
    t[OP_UMAXP_v] = emit_UMAXP;
    t[OP_UMINP_v] = emit_UMINP;
    t[OP_SMAXP_v] = emit_SMAXP;
    t[OP_SMINP_v] = emit_SMINP;
}
