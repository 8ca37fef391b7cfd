/// Advanced SIMD floating point with one vector operand: rounding, conversions, estimates,
/// comparisons with zero, immediates. Arm ARM, "Advanced SIMD two-register miscellaneous",
/// "shift by immediate" (fixed point), "modified immediate".
#include "a64/exec_fp.h"

#define VECTORS(M, ...) M(_vh, FP_H, h, __VA_ARGS__) M(_vs, FP_S, s, __VA_ARGS__) M(_vd, FP_D, d, __VA_ARGS__)
#define SCALARS(M, ...) M(_h, FP_H, h, __VA_ARGS__) M(_s, FP_S, s, __VA_ARGS__) M(_d, FP_D, d, __VA_ARGS__)

#define V2(sfx, F, el, id, expr)                                                                   \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F, width = 8 << F };                                                          \
        const union vreg n = c->v[i->rn];                                                          \
        union vreg r = { { 0 } };                                                                  \
        for (unsigned e = 0, count = v_count(i, fmt); e < count; e++) {                            \
            u64 a = n.el[e];                                                                       \
            r.el[e] = (__typeof__(r.el[0]))(expr);                                                 \
        }                                                                                          \
        c->v[i->rd] = r;                                                                           \
        return EXEC_NEXT;                                                                          \
    }
#define S2(sfx, F, el, id, expr)                                                                   \
    EXEC(id##sfx)                                                                                  \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        enum { fmt = F, width = 8 << F };                                                          \
        u64 a = v_scalar(c, i->rn, fmt);                                                           \
        v_set_scalar(c, i->rd, (__typeof__(c->v[0].el[0]))(expr));                                 \
        return EXEC_NEXT;                                                                          \
    }
#define VS2(id, expr) VECTORS(V2, id, expr) SCALARS(S2, id, expr)

VECTORS(V2, FABS, fp_abs(fmt, a))
VECTORS(V2, FNEG, fp_neg(fmt, a))
VECTORS(V2, FSQRT, fp_sqrt(fmt, a, FPST))
VECTORS(V2, FRINTN, fp_rint(fmt, a, FPR_TIEEVEN, false, FPST))
VECTORS(V2, FRINTP, fp_rint(fmt, a, FPR_POSINF, false, FPST))
VECTORS(V2, FRINTM, fp_rint(fmt, a, FPR_NEGINF, false, FPST))
VECTORS(V2, FRINTZ, fp_rint(fmt, a, FPR_ZERO, false, FPST))
VECTORS(V2, FRINTA, fp_rint(fmt, a, FPR_TIEAWAY, false, FPST))
VECTORS(V2, FRINTX, fp_rint(fmt, a, fp_rmode(c->fpcr), true, FPST))
VECTORS(V2, FRINTI, fp_rint(fmt, a, fp_rmode(c->fpcr), false, FPST))
#define RINT_N(id, rm, w)                                                                          \
    V2(_vs, FP_S, s, id, fp_rint_n(fmt, a, rm, w, FPST)) V2(_vd, FP_D, d, id, fp_rint_n(fmt, a, rm, w, FPST))
RINT_N(FRINT32Z, FPR_ZERO, 32)
RINT_N(FRINT32X, fp_rmode(c->fpcr), 32)
RINT_N(FRINT64Z, FPR_ZERO, 64)
RINT_N(FRINT64X, fp_rmode(c->fpcr), 64)

VS2(FCVTNS, fp_to_fixed(fmt, a, 0, false, width, FPR_TIEEVEN, FPST))
VS2(FCVTNU, fp_to_fixed(fmt, a, 0, true, width, FPR_TIEEVEN, FPST))
VS2(FCVTPS, fp_to_fixed(fmt, a, 0, false, width, FPR_POSINF, FPST))
VS2(FCVTPU, fp_to_fixed(fmt, a, 0, true, width, FPR_POSINF, FPST))
VS2(FCVTMS, fp_to_fixed(fmt, a, 0, false, width, FPR_NEGINF, FPST))
VS2(FCVTMU, fp_to_fixed(fmt, a, 0, true, width, FPR_NEGINF, FPST))
VS2(FCVTZS, fp_to_fixed(fmt, a, 0, false, width, FPR_ZERO, FPST))
VS2(FCVTZU, fp_to_fixed(fmt, a, 0, true, width, FPR_ZERO, FPST))
VS2(FCVTAS, fp_to_fixed(fmt, a, 0, false, width, FPR_TIEAWAY, FPST))
VS2(FCVTAU, fp_to_fixed(fmt, a, 0, true, width, FPR_TIEAWAY, FPST))
VS2(SCVTF, fp_from_fixed(fmt, (u64)sext(a, width), 0, false, fp_rmode(c->fpcr), FPST))
VS2(UCVTF, fp_from_fixed(fmt, a, 0, true, fp_rmode(c->fpcr), FPST))

VS2(FCMGT0, fp_mask(fp_gt(fmt, a, 0, FPST)))
VS2(FCMGE0, fp_mask(fp_ge(fmt, a, 0, FPST)))
VS2(FCMEQ0, fp_mask(fp_eq(fmt, a, 0, FPST)))
VS2(FCMLE0, fp_mask(fp_ge(fmt, 0, a, FPST)))
VS2(FCMLT0, fp_mask(fp_gt(fmt, 0, a, FPST)))
VS2(FRECPE, fp_recip_est(fmt, a, FPST))
VS2(FRSQRTE, fp_rsqrt_est(fmt, a, FPST))
SCALARS(S2, FRECPX, fp_recpx(fmt, a, FPST))
V2(_vs, FP_S, s, URECPE, fp_urecpe((u32)a))
V2(_vs, FP_S, s, URSQRTE, fp_ursqrte((u32)a))

/* Narrow and lengthen */

/// Converts the elements of Vn to the narrow format `to`, into the low or (2) the high half of Vd.
static int narrow(struct cpu *c, const struct insn *i, unsigned to, enum fp_round rm)
{
    FP_ACCESS(c);
    const union vreg n = c->v[i->rn];
    union vreg r = c->v[i->rd];
    unsigned count = 8u >> to, high = i->word >> 30 & 1;
    if (!high)
        r.d[1] = 0;
    for (unsigned e = 0; e < count; e++)
        v_set_elem(&r, to, high * count + e, fp_convert(to, to + 1, v_elem(&n, to + 1, e), rm, FPST));
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(FCVTN_vh) { return narrow(c, i, FP_H, fp_rmode(c->fpcr)); }
EXEC(FCVTN_vs) { return narrow(c, i, FP_S, fp_rmode(c->fpcr)); }
EXEC(FCVTXN_vs) { return narrow(c, i, FP_S, FPR_ODD); }
EXEC(FCVTN2_vh) { return narrow(c, i, FP_H, fp_rmode(c->fpcr)); }
EXEC(FCVTN2_vs) { return narrow(c, i, FP_S, fp_rmode(c->fpcr)); }
EXEC(FCVTXN2_vs) { return narrow(c, i, FP_S, FPR_ODD); }
EXEC(FCVTXN_s)
{
    FP_ACCESS(c);
    v_set_scalar(c, i->rd, fp_convert(FP_S, FP_D, c->v[i->rn].d[0], FPR_ODD, FPST));
    return EXEC_NEXT;
}

static int lengthen(struct cpu *c, const struct insn *i, unsigned from)
{
    FP_ACCESS(c);
    const union vreg n = c->v[i->rn];
    unsigned count = 8u >> from, first = i->word >> 30 & 1 ? count : 0;
    for (unsigned e = 0; e < count; e++) {
        u64 a = v_elem(&n, from, first + e);
        v_set_elem(&c->v[i->rd], from + 1, e, fp_convert(from + 1, from, a, fp_rmode(c->fpcr), FPST));
    }
    return EXEC_NEXT;
}
EXEC(FCVTL_vh) { return lengthen(c, i, FP_H); }
EXEC(FCVTL_vs) { return lengthen(c, i, FP_S); }

/* Modified immediate */

static int move_imm(struct cpu *c, const struct insn *i, unsigned fmt)
{
    FP_ACCESS(c);
    u64 v = fp_expand_imm(fmt, (unsigned)(bits(i->word, 18, 16) << 5 | bits(i->word, 9, 5)));
    if (fmt == FP_H)
        v |= v << 16;
    if (fmt != FP_D)
        v |= v << 32;
    c->v[i->rd].d[0] = v;
    c->v[i->rd].d[1] = i->word >> 30 & 1 ? v : 0;
    return EXEC_NEXT;
}
EXEC(FMOVi_vh) { return move_imm(c, i, FP_H); }
EXEC(FMOVi_vs) { return move_imm(c, i, FP_S); }
EXEC(FMOVi_vd) { return move_imm(c, i, FP_D); }

/* Fixed point: immh:immb = 2 * width - fraction bits */

#define FBITS (2u * width - (unsigned)bits(i->word, 22, 16))
#define FIXED(id, expr)                                                                            \
    V2(_vfh, FP_H, h, id, expr) V2(_vfs, FP_S, s, id, expr) V2(_vfd, FP_D, d, id, expr)            \
    S2(_sfh, FP_H, h, id, expr) S2(_sfs, FP_S, s, id, expr) S2(_sfd, FP_D, d, id, expr)
FIXED(SCVTF, fp_from_fixed(fmt, (u64)sext(a, width), FBITS, false, fp_rmode(c->fpcr), FPST))
FIXED(UCVTF, fp_from_fixed(fmt, a, FBITS, true, fp_rmode(c->fpcr), FPST))
FIXED(FCVTZS, fp_to_fixed(fmt, a, FBITS, false, width, FPR_ZERO, FPST))
FIXED(FCVTZU, fp_to_fixed(fmt, a, FBITS, true, width, FPR_ZERO, FPST))
