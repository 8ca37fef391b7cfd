/// Fused multiply-add of singles on hosts without FMA, in double.
///
/// The product of two singles is exact in double. Its sum with the third, rounded to double and then to
/// single, is the fused result unless the first rounding lands on the middle between two singles, where the
/// second cannot know which way the first went. Those sums go to the body, and so do NaNs and what is or
/// might become subnormal as a single, whose middles lie elsewhere. The sums are looked at before they
/// are rounded to single, so that nothing is recorded that the fused operation would not record: a
/// product raises nothing that the body does not, and a sum that is inexact in double is inexact in single.
#include "jit/fp.h"

enum { BAD = 14 }; // of x64_sse.c, which needs it for blends only

/// Lanes 2 * hi and the next of Vn, in double. el >= 0: of its element el instead; f->scalar: of lane 0 and zero.
static void widen(struct jit *j, const struct fp_fused *f, int x, unsigned n, bool hi, int el)
{
    struct xbuf *b = &j->b;
    xrm from = fp_opnd(j, n);
    if (el >= 0) {
        x_vi(b, XV_PSHUFD, x, 0, from, (unsigned)el * 0x55);
        if (f->scalar)
            x_vi(b, XV_INSERTPS, x, x, xr(x), 0x0e);
        from = xr(x);
    } else if (f->scalar) {
        from = xr(fp_src(j, n, FP_S, x));
    } else if (hi && xrm_is_reg(from)) {
        x_vi(b, XV_PSHUFD, x, 0, from, 0xee);
        from = xr(x);
    } else if (hi) {
        from.disp += 8;
    }
    x_v(b, XV_CVTPS2PD, x, 0, from);
}

/// Two sums in double.
static void sum(struct jit *j, const struct insn *i, const struct fp_fused *f, int x, bool hi)
{
    struct xbuf *b = &j->b;
    xrm sign = FP_CONST(j, sign[1]);
    widen(j, f, x, i->rn, hi, -1);
    widen(j, f, X1, i->rm, hi, f->element);
    x_v(b, XV_MULPD, x, x, xr(X1));
    if (f->minus_product)
        x_v(b, XV_PXOR, x, x, sign);
    widen(j, f, X1, f->addend, hi, -1);
    if (f->minus_addend)
        x_v(b, XV_PXOR, X1, X1, sign);
    x_v(b, XV_ADDPD, x, x, xr(X1));
}

/// EFLAGS <- CC_NE when a sum is not to be rounded here.
static void check(struct jit *j, int x)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_PAND, X1, x, FP_CONST(j, below_single)); // a single has 29 bits less
    x_v(b, XV_PCMPEQQ, X1, X1, FP_CONST(j, middle));
    x_v(b, XV_PAND, X3, x, FP_CONST(j, abs[1]));
    x_v(b, XV_MOVAPS, BAD, 0, FP_CONST(j, two_normals));
    x_v(b, XV_PCMPGTQ, BAD, BAD, xr(X3));
    x_v(b, XV_PAND, BAD, BAD, xr(X3)); // zero is right
    x_v(b, XV_PCMPGTQ, X3, X3, FP_CONST(j, infinity));
    x_v(b, XV_POR, X1, X1, xr(X3));
    x_v(b, XV_POR, X1, X1, xr(BAD));
    x_v(b, XV_PTEST, X1, 0, xr(X1));
}

int fp_fused_single(struct jit *j, const struct insn *i, const struct fp_fused *f)
{
    struct xbuf *b = &j->b;
    if (i->p != FP_S || j->cpu.avx2 || !fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    sum(j, i, f, X0, false);
    check(j, X0);
    if (f->quad) {
        j->fz_site[j->fz_count++] = x_jcc(b, CC_NE, NULL);
        x_v(b, XV_CVTPD2PS, X0, 0, xr(X0));
        sum(j, i, f, X2, true);
        check(j, X2);
    }
    fp_repair_begin(j, i, CC_NE);
    if (f->quad) {
        x_v(b, XV_CVTPD2PS, X2, 0, xr(X2));
        x_v(b, XV_PUNPCKLQDQ, X0, X0, xr(X2));
    } else {
        x_v(b, XV_CVTPD2PS, X0, 0, xr(X0));
    }
    if (f->scalar)
        x_vi(b, XV_INSERTPS, X0, X0, xr(X0), 0x0e);
    jit_vdone(j, i->rd, X0);
    fp_repair_end(j, i);
    return 1;
}
