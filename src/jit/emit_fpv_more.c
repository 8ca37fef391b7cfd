/// Translation of vector floating point that combines lanes: maximum and minimum of pairs and across
/// vectors, complex numbers; and of multiplications with rules of their own for zero times infinity
/// (FMULX, FRECPS, FRSQRTS).
#include "jit/emit_simd.h"
#include "jit/fp.h"

enum { UNORDERED = 3 };
enum { MAX = 0x5f, MIN = 0x5d };

/* ---- maximum and minimum: see minmax in emit_fp.c ---- */

/// Leaves the instruction to its body when a lane of x is a NaN. Clobbers X3.
static void leave_if_nan(struct jit *j, unsigned fmt, int x)
{
    x_vi(&j->b, fp_op_packed(fmt, 0xc2), X3, x, xr(x), UNORDERED);
    fp_leave_if(j, fpv_any_lane(j, fmt, X3));
}

/// d <- lanes of a and b combined. Clobbers X3; d may be a, not b.
static void combine(struct jit *j, unsigned fmt, unsigned byte, int d, int a, int b)
{
    x_v(&j->b, fp_op_packed(fmt, byte), X3, b, xr(a));
    x_v(&j->b, fp_op_packed(fmt, byte), d, a, xr(b));
    x_v(&j->b, byte == MAX ? XV_ANDPS : XV_ORPS, d, d, xr(X3));
}

static int pairs(struct jit *j, const struct insn *i, unsigned byte)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int n = jit_vread(j, i->rn, X0), m = jit_vread(j, i->rm, X1);
    if (!fpv_is_q(i)) {
        x_v(b, XV_UNPCKLPD, X0, n, xr(m));
        n = m = X0;
    }
    leave_if_nan(j, fmt, n);
    if (m != n)
        leave_if_nan(j, fmt, m);
    if (fmt == FP_D) {
        x_v(b, XV_PUNPCKLQDQ, X2, n, xr(m));
        x_v(b, XV_PUNPCKHQDQ, X1, n, xr(m));
    } else {
        x_vi(b, XV_SHUFPS, X2, n, xr(m), 0x88);
        x_vi(b, XV_SHUFPS, X1, n, xr(m), 0xdd);
    }
    combine(j, fmt, byte, X2, X2, X1);
    fp_repair_begin(j, i, CC_NEVER);
    if (!fpv_is_q(i))
        x_v(b, XV_MOVQ, X2, 0, xr(X2));
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}
static int emit_fmaxp_v(struct jit *j, const struct insn *i) { return pairs(j, i, MAX); }
static int emit_fminp_v(struct jit *j, const struct insn *i) { return pairs(j, i, MIN); }

/// Folds Vn from `lanes` down to one, which becomes the result.
static int fold(struct jit *j, const struct insn *i, unsigned byte, unsigned lanes)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int n = jit_vread(j, i->rn, X0);
    if (fmt == FP_S && lanes == 2) {
        x_v(b, XV_MOVQ, X2, 0, xr(n));
        n = X2;
    }
    leave_if_nan(j, fmt, n);
    if (lanes << fmt == 16) {
        x_vi(b, XV_PSHUFD, X1, 0, xr(n), 0xee);
        combine(j, fmt, byte, X2, n, X1);
        n = X2;
    }
    if (fmt == FP_S) {
        x_vi(b, XV_PSHUFD, X1, 0, xr(n), 0x55);
        combine(j, fmt, byte, X2, n, X1);
    }
    fp_repair_begin(j, i, CC_NEVER);
    if (fmt == FP_S)
        x_v(b, XV_PAND, X2, X2, simd_k(j, SK_LOW_S));
    else
        x_v(b, XV_MOVQ, X2, 0, xr(X2));
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}
static int emit_fmaxp(struct jit *j, const struct insn *i) { return fold(j, i, MAX, 2); }
static int emit_fminp(struct jit *j, const struct insn *i) { return fold(j, i, MIN, 2); }
static int emit_fmaxv(struct jit *j, const struct insn *i) { return fold(j, i, MAX, 4); }
static int emit_fminv(struct jit *j, const struct insn *i) { return fold(j, i, MIN, 4); }

/* ---- complex numbers: FCADD, FCMLA ---- */

/// X1 <- x with the two numbers of each pair exchanged.
static void exchange(struct jit *j, unsigned fmt, int x)
{
    x_vi(&j->b, XV_PSHUFD, X1, 0, xr(x), fmt == FP_D ? 0x4e : 0xb1);
}
/// X1 <- X1 with the signs of the even (0), the odd (1) or all numbers (2) changed.
static void negate(struct jit *j, unsigned fmt, unsigned which)
{
    u64 sign = fmt == FP_D ? 1ULL << 63 : 1ULL << 31, lo, hi;
    if (fmt == FP_D) {
        lo = which == 1 ? 0 : sign;
        hi = which == 0 ? 0 : sign;
    } else {
        lo = hi = (which == 1 ? 0 : sign) | (which == 0 ? 0 : sign << 32);
    }
    x_v(&j->b, XV_PXOR, X1, X1, simd_const128(j, lo, hi));
}

static int emit_fcadd(struct jit *j, const struct insn *i)
{
    unsigned fmt = i->p;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int n = fpv_src(j, i, i->rn, X0);
    exchange(j, fmt, fpv_src(j, i, i->rm, X1));
    negate(j, fmt, bit(i->word, 12));
    if (!fpv_is_q(i))
        x_v(&j->b, XV_MOVQ, X1, 0, xr(X1));
    x_v(&j->b, fp_op_packed(fmt, 0x58), X2, n, xr(X1));
    if (!fpv_is_q(i))
        x_v(&j->b, XV_MOVQ, X2, 0, xr(X2)); // 0 - 0 may be -0
    return fpv_finish(j, i, X2, fpv_check(j, fmt, X2, false));
}

/// m: the factor, its pairs in order; by rotation the other takes real or imaginary parts.
static int fcmla(struct jit *j, const struct insn *i, unsigned rot, int m)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, part = fmt == FP_D ? (rot & 1 ? 0xee : 0x44) : rot & 1 ? 0xf5 : 0xa0;
    if (rot & 1)
        exchange(j, fmt, m);
    else if (m != X1)
        x_v(b, XV_MOVAPS, X1, 0, xr(m));
    if (rot)
        negate(j, fmt, rot == 1 ? 0 : rot == 3 ? 1 : 2);
    x_vi(b, XV_PSHUFD, X0, 0, xr(fpv_src(j, i, i->rn, X0)), part);
    int old = fpv_src(j, i, i->rd, X2);
    if (old != X2)
        x_v(b, XV_MOVAPS, X2, 0, xr(old));
    if (!fpv_is_q(i)) {
        x_v(b, XV_MOVQ, X0, 0, xr(X0));
        x_v(b, XV_MOVQ, X1, 0, xr(X1));
    }
    x_v(b, XV_FMADD231PS | (fmt == FP_D ? XW : 0), X2, X0, xr(X1));
    if (!fpv_is_q(i))
        x_v(b, XV_MOVQ, X2, 0, xr(X2));
    return fpv_finish(j, i, X2, fpv_check(j, fmt, X2, true));
}
static int emit_fcmla(struct jit *j, const struct insn *i)
{
    if (!j->cpu.fma || !fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    return fcmla(j, i, (unsigned)bits(i->word, 12, 11), jit_vread(j, i->rm, X1));
}
static int emit_fcmla_e(struct jit *j, const struct insn *i)
{
    if (!j->cpu.fma || !fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    x_vi(&j->b, XV_PSHUFD, X1, 0, xr(jit_vread(j, i->rm, X1)), bit(i->word, 11) ? 0xee : 0x44);
    return fcmla(j, i, (unsigned)bits(i->word, 14, 13), X1);
}

/* ---- FMULX, FRECPS, FRSQRTS ---- */

/// Leaves the instruction to its body unless every lane of X0 and X1 is finite; with `normal` those of X0
/// must not be near the subnormals either.
static void leave_unless_finite(struct jit *j, unsigned fmt, bool normal)
{
    struct xbuf *b = &j->b;
    unsigned d = fp_di(fmt);
    u32 gt = d ? XV_PCMPGTQ : XV_PCMPGTD;
    u64 max = d ? 0x7fefffffffffffff : 0x7f7fffff, low = d ? 0x0020000000000000 : 0x01000000;
    x_v(b, XV_ANDPS, X2, X0, FP_CONST(j, abs[d]));
    x_v(b, XV_ANDPS, X3, X1, FP_CONST(j, abs[d]));
    x_v(b, gt, X3, X3, simd_const_lanes(j, fmt, max));
    fp_leave_if(j, fpv_any_lane(j, fmt, X3));
    if (normal) {
        x_v(b, XV_MOVAPS, X3, 0, simd_const_lanes(j, fmt, low));
        x_v(b, gt, X3, X3, xr(X2));
        fp_leave_if(j, fpv_any_lane(j, fmt, X3));
    }
    x_v(b, gt, X2, X2, simd_const_lanes(j, fmt, max));
    fp_leave_if(j, fpv_any_lane(j, fmt, X2));
}

/// X0, X1 <- the operands, zeros above what counts. elem: the second one is an element of Vm.
static void operands(struct jit *j, const struct insn *i, bool elem)
{
    struct xbuf *b = &j->b;
    bool scalar = fpv_is_scalar(i);
    int n = scalar ? fp_src(j, i->rn, i->p, X0) : fpv_src(j, i, i->rn, X0);
    if (n != X0)
        x_v(b, XV_MOVAPS, X0, 0, xr(n));
    if (elem) {
        x_vi(b, XV_PSHUFD, X1, 0, xr(jit_vread(j, i->rm, X1)), i->p == FP_S ? (unsigned)i->imm * 0x55 : i->imm ? 0xee : 0x44);
        if (scalar && i->p == FP_S)
            x_v(b, XV_PAND, X1, X1, simd_k(j, SK_LOW_S));
        else if (scalar || !fpv_is_q(i))
            x_v(b, XV_MOVQ, X1, 0, xr(X1));
        return;
    }
    int m = scalar ? fp_src(j, i->rm, i->p, X1) : fpv_src(j, i, i->rm, X1);
    if (m != X1)
        x_v(b, XV_MOVAPS, X1, 0, xr(m));
}

static int mulx(struct jit *j, const struct insn *i, bool elem)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    operands(j, i, elem);
    leave_unless_finite(j, i->p, false);
    x_v(&j->b, fp_op_packed(i->p, 0x59), X2, X0, xr(X1));
    return fpv_finish(j, i, X2, fpv_check(j, i->p, X2, true));
}
static int emit_fmulx(struct jit *j, const struct insn *i) { return mulx(j, i, false); }
static int emit_fmulx_e(struct jit *j, const struct insn *i) { return mulx(j, i, true); }

/// X2 <- constant - X0 * X1 in the lanes of the instruction, zero in the others.
static int step(struct jit *j, const struct insn *i, u64 constant)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_MOVAPS, X2, 0, simd_const_lanes(j, i->p, constant));
    x_v(b, XV_FNMADD231PS | (i->p == FP_D ? XW : 0), X2, X0, xr(X1));
    fp_repair_begin(j, i, CC_NEVER);
    if (fpv_is_scalar(i) && i->p == FP_S)
        x_v(b, XV_PAND, X2, X2, simd_k(j, SK_LOW_S));
    else if (fpv_is_scalar(i) || !fpv_is_q(i))
        x_v(b, XV_MOVQ, X2, 0, xr(X2));
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}
/// Neither result can be tiny: products have too few digits.
static int emit_frecps(struct jit *j, const struct insn *i)
{
    if (!j->cpu.fma || fp_flush(j))
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    operands(j, i, false);
    leave_unless_finite(j, i->p, false);
    return step(j, i, i->p == FP_D ? 0x4000000000000000 : 0x40000000);
}
/// (3 - n * m) / 2 is 3/2 - (n/2) * m, and halving a normal number is exact.
static int emit_frsqrts(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    if (!j->cpu.fma || fp_flush(j))
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    operands(j, i, false);
    if (fpv_is_scalar(i) || !fpv_is_q(i)) // what is above counts as one
        x_v(b, XV_ORPS, X0, X0, simd_const128(j, fpv_is_scalar(i) && i->p == FP_S ? 0x3f80000000000000 : 0,
                                              i->p == FP_D ? 0x3ff0000000000000 : 0x3f8000003f800000));
    leave_unless_finite(j, i->p, true);
    x_v(b, fp_op_packed(i->p, 0x59), X0, X0, FP_CONST(j, half[fp_di(i->p)]));
    return step(j, i, i->p == FP_D ? 0x3ff8000000000000 : 0x3fc00000);
}

void jit_init_fpv_more(jit_emit_fn **t)
{
#define VSD(op, fn) t[op##_vs] = t[op##_vd] = fn
#define SD(op, fn) t[op##_s] = t[op##_d] = fn
    VSD(OP_FMAXP, emit_fmaxp_v), VSD(OP_FMAXNMP, emit_fmaxp_v), VSD(OP_FMINP, emit_fminp_v), VSD(OP_FMINNMP, emit_fminp_v);
    SD(OP_FMAXP, emit_fmaxp), SD(OP_FMAXNMP, emit_fmaxp), SD(OP_FMINP, emit_fminp), SD(OP_FMINNMP, emit_fminp);
    t[OP_FMAXV_vs] = t[OP_FMAXNMV_vs] = emit_fmaxv;
    t[OP_FMINV_vs] = t[OP_FMINNMV_vs] = emit_fminv;
    VSD(OP_FCADD, emit_fcadd), VSD(OP_FCMLA, emit_fcmla);
    t[OP_FCMLA_es] = emit_fcmla_e;
    VSD(OP_FMULX, emit_fmulx), SD(OP_FMULX, emit_fmulx);
    t[OP_FMULX_es] = t[OP_FMULX_ed] = t[OP_FMULX_xs] = t[OP_FMULX_xd] = emit_fmulx_e;
    VSD(OP_FRECPS, emit_frecps), SD(OP_FRECPS, emit_frecps);
    VSD(OP_FRSQRTS, emit_frsqrts), SD(OP_FRSQRTS, emit_frsqrts);
#undef VSD
#undef SD
}
