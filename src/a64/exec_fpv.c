/// Advanced SIMD floating point with two vector operands: three same, pairwise, across lanes, by
/// element, complex. Arm ARM, "Data processing - Scalar Floating-Point and Advanced SIMD".
#include "a64/exec_fp.h"

#define VECTORS(M, ...) M(_vh, FP_H, h, __VA_ARGS__) M(_vs, FP_S, s, __VA_ARGS__) M(_vd, FP_D, d, __VA_ARGS__)
#define SCALARS(M, ...) M(_h, FP_H, h, __VA_ARGS__) M(_s, FP_S, s, __VA_ARGS__) M(_d, FP_D, d, __VA_ARGS__)

/* Three same: a and b are elements of Vn and Vm, z of Vd. */

#define V3(sfx, F, el, id, expr)                                                                   \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        const union vreg n = c->v[i->rn], m = c->v[i->rm], old = c->v[i->rd];                      \
        union vreg r = { { 0 } };                                                                  \
        for (unsigned e = 0, count = v_count(i, fmt); e < count; e++) {                            \
            u64 a = n.el[e], b = m.el[e], z = old.el[e];                                           \
            (void)z;                                                                               \
            r.el[e] = (__typeof__(r.el[0]))(expr);                                                 \
        }                                                                                          \
        c->v[i->rd] = r;                                                                           \
        return EXEC_NEXT;                                                                          \
    }
#define S3(sfx, F, el, id, expr)                                                                   \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        u64 a = v_scalar(c, i->rn, fmt), b = v_scalar(c, i->rm, fmt);                              \
        v_set_scalar(c, i->rd, (__typeof__(c->v[0].el[0]))(expr));                                 \
        return EXEC_NEXT;                                                                          \
    }
#define VS3(id, expr) VECTORS(V3, id, expr) SCALARS(S3, id, expr)
VECTORS(V3, FMAXNM, fp_maxnm(fmt, a, b, FPST))
VECTORS(V3, FMINNM, fp_minnm(fmt, a, b, FPST))
VECTORS(V3, FMAX, fp_max(fmt, a, b, FPST))
VECTORS(V3, FMIN, fp_min(fmt, a, b, FPST))
VECTORS(V3, FADD, fp_add(fmt, a, b, FPST))
VECTORS(V3, FSUB, fp_sub(fmt, a, b, FPST))
VECTORS(V3, FMUL, fp_mul(fmt, a, b, FPST))
VECTORS(V3, FDIV, fp_div(fmt, a, b, FPST))
VECTORS(V3, FMLA, fp_muladd(fmt, z, a, b, FPST))
VECTORS(V3, FMLS, fp_muladd(fmt, z, fp_neg(fmt, a), b, FPST))
VS3(FMULX, fp_mulx(fmt, a, b, FPST))
VS3(FRECPS, fp_recip_step(fmt, a, b, FPST))
VS3(FRSQRTS, fp_rsqrt_step(fmt, a, b, FPST))
VS3(FABD, fp_abs(fmt, fp_sub(fmt, a, b, FPST)))
VS3(FCMEQ, fp_mask(fp_eq(fmt, a, b, FPST)))
VS3(FCMGE, fp_mask(fp_ge(fmt, a, b, FPST)))
VS3(FCMGT, fp_mask(fp_gt(fmt, a, b, FPST)))
VS3(FACGE, fp_mask(fp_ge(fmt, fp_abs(fmt, a), fp_abs(fmt, b), FPST)))
VS3(FACGT, fp_mask(fp_gt(fmt, fp_abs(fmt, a), fp_abs(fmt, b), FPST)))

/* Pairwise: over Vm:Vn as one vector; the scalar form over the two elements of Vn. */

#define VP(sfx, F, el, id, fn)                                                                     \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        const union vreg n = c->v[i->rn], m = c->v[i->rm];                                         \
        union vreg r = { { 0 } };                                                                  \
        unsigned half = v_count(i, F) / 2;                                                         \
        for (unsigned e = 0; e < half; e++)                                                        \
            r.el[e] = (__typeof__(r.el[0]))fn(F, n.el[2 * e], n.el[2 * e + 1], FPST);              \
        for (unsigned e = 0; e < half; e++)                                                        \
            r.el[half + e] = (__typeof__(r.el[0]))fn(F, m.el[2 * e], m.el[2 * e + 1], FPST);       \
        c->v[i->rd] = r;                                                                           \
        return EXEC_NEXT;                                                                          \
    }
#define SP(sfx, F, el, id, fn)                                                                     \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        const union vreg *n = &c->v[i->rn];                                                        \
        v_set_scalar(c, i->rd, fn(F, n->el[0], n->el[1], FPST));                                   \
        return EXEC_NEXT;                                                                          \
    }
#define PAIRWISE(id, fn) VECTORS(VP, id, fn) SCALARS(SP, id, fn)
PAIRWISE(FADDP, fp_add)
PAIRWISE(FMAXP, fp_max)
PAIRWISE(FMINP, fp_min)
PAIRWISE(FMAXNMP, fp_maxnm)
PAIRWISE(FMINNMP, fp_minnm)

/* Across lanes: Reduce() pairs neighbours, then pairs of pairs. */

#define ACROSS(sfx, F, el, id, fn)                                                                 \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        union vreg n = c->v[i->rn];                                                                \
        for (unsigned count = v_count(i, F); count > 1; count /= 2)                                \
            for (unsigned e = 0; e < count / 2; e++)                                               \
                n.el[e] = (__typeof__(n.el[0]))fn(F, n.el[2 * e], n.el[2 * e + 1], FPST);          \
        v_set_scalar(c, i->rd, n.el[0]);                                                           \
        return EXEC_NEXT;                                                                          \
    }
#define REDUCE(id, fn) ACROSS(_vh, FP_H, h, id, fn) ACROSS(_vs, FP_S, s, id, fn)
REDUCE(FMAXV, fp_max)
REDUCE(FMINV, fp_min)
REDUCE(FMAXNMV, fp_maxnm)
REDUCE(FMINNMV, fp_minnm)

/* By element: b is Vm's element imm. */

#define VE(sfx, F, el, id, expr)                                                                   \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        const union vreg n = c->v[i->rn], old = c->v[i->rd];                                       \
        const u64 b = c->v[i->rm].el[i->imm];                                                      \
        union vreg r = { { 0 } };                                                                  \
        for (unsigned e = 0, count = v_count(i, fmt); e < count; e++) {                            \
            u64 a = n.el[e], z = old.el[e];                                                        \
            (void)z;                                                                               \
            r.el[e] = (__typeof__(r.el[0]))(expr);                                                 \
        }                                                                                          \
        c->v[i->rd] = r;                                                                           \
        return EXEC_NEXT;                                                                          \
    }
#define SE(sfx, F, el, id, expr)                                                                   \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F };                                                                          \
        u64 a = v_scalar(c, i->rn, fmt), b = c->v[i->rm].el[i->imm], z = v_scalar(c, i->rd, fmt);  \
        (void)z;                                                                                   \
        v_set_scalar(c, i->rd, expr);                                                              \
        return EXEC_NEXT;                                                                          \
    }
#define BY_ELEMENT(id, expr)                                                                       \
    VE(_eh, FP_H, h, id, expr) VE(_es, FP_S, s, id, expr) VE(_ed, FP_D, d, id, expr)               \
    SE(_xh, FP_H, h, id, expr) SE(_xs, FP_S, s, id, expr) SE(_xd, FP_D, d, id, expr)
BY_ELEMENT(FMLA, fp_muladd(fmt, z, a, b, FPST))
BY_ELEMENT(FMLS, fp_muladd(fmt, z, fp_neg(fmt, a), b, FPST))
BY_ELEMENT(FMUL, fp_mul(fmt, a, b, FPST))
BY_ELEMENT(FMULX, fp_mulx(fmt, a, b, FPST))

/* Complex numbers: real parts in even elements, imaginary ones in odd. */

/// One pair of FCMLA. m_re, m_im: Vm's number. rot: 0, 90, 180, 270 degrees as 0..3.
static void fcmla_pair(struct cpu *c, unsigned fmt, unsigned rot, const union vreg *n, u64 m_re,
                       u64 m_im, union vreg *d, unsigned pair)
{
    u64 b_re = rot & 1 ? m_im : m_re, b_im = rot & 1 ? m_re : m_im;
    if (rot == 1 || rot == 2)
        b_re = fp_neg(fmt, b_re);
    if (rot >= 2)
        b_im = fp_neg(fmt, b_im);
    u64 a = v_elem(n, fmt, 2 * pair + (rot & 1));
    u64 re = fp_muladd(fmt, v_elem(d, fmt, 2 * pair), a, b_re, FPST);
    u64 im = fp_muladd(fmt, v_elem(d, fmt, 2 * pair + 1), a, b_im, FPST);
    v_set_elem(d, fmt, 2 * pair, re);
    v_set_elem(d, fmt, 2 * pair + 1, im);
}

/// index < 0: vector form; else the number of Vm used for all pairs.
static int fcmla(struct cpu *c, const struct insn *i, unsigned fmt, unsigned rot, int index)
{
    FP_ACCESS(c);
    const union vreg n = c->v[i->rn], m = c->v[i->rm];
    union vreg r = c->v[i->rd];
    unsigned pairs = v_count(i, fmt) / 2;
    for (unsigned e = 0; e < pairs; e++) {
        unsigned k = index < 0 ? e : (unsigned)index;
        fcmla_pair(c, fmt, rot, &n, v_elem(&m, fmt, 2 * k), v_elem(&m, fmt, 2 * k + 1), &r, e);
    }
    if (!(i->word >> 30 & 1))
        r.d[1] = 0;
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(FCMLA_vh) { return fcmla(c, i, FP_H, i->word >> 11 & 3, -1); }
EXEC(FCMLA_vs) { return fcmla(c, i, FP_S, i->word >> 11 & 3, -1); }
EXEC(FCMLA_vd) { return fcmla(c, i, FP_D, i->word >> 11 & 3, -1); }
EXEC(FCMLA_eh4) { return fcmla(c, i, FP_H, i->word >> 13 & 3, (int)bit(i->word, 21)); }
EXEC(FCMLA_eh8)
{
    return fcmla(c, i, FP_H, i->word >> 13 & 3, (int)(bit(i->word, 11) << 1 | bit(i->word, 21)));
}
EXEC(FCMLA_es) { return fcmla(c, i, FP_S, i->word >> 13 & 3, (int)bit(i->word, 11)); }

#define COMPLEX_ADD(sfx, F, el, id)                                                                \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        const union vreg n = c->v[i->rn], m = c->v[i->rm];                                         \
        union vreg r = { { 0 } };                                                                  \
        bool rot270 = bit(i->word, 12);                                                            \
        for (unsigned e = 0, count = v_count(i, F); e < count; e += 2) {                           \
            u64 re = m.el[e + 1], im = m.el[e];                                                    \
            if (rot270)                                                                            \
                im = fp_neg(F, im);                                                                \
            else                                                                                   \
                re = fp_neg(F, re);                                                                \
            r.el[e] = (__typeof__(r.el[0]))fp_add(F, n.el[e], re, FPST);                           \
            r.el[e + 1] = (__typeof__(r.el[0]))fp_add(F, n.el[e + 1], im, FPST);                   \
        }                                                                                          \
        c->v[i->rd] = r;                                                                           \
        return EXEC_NEXT;                                                                          \
    }
COMPLEX_ADD(_vh, FP_H, h, FCADD)
COMPLEX_ADD(_vs, FP_S, s, FCADD)
COMPLEX_ADD(_vd, FP_D, d, FCADD)
