/// Software floating point: arithmetic and comparison. Arm ARM (DDI 0487), "Shared pseudocode:
/// floating-point", FPAdd to FPCompare.
///
/// Fast path: with the default rounding mode, no operand to flush and Inexact already recorded, a
/// result of the host's FPU that is a normal number is the result, and sets no further flag.
#include "cpu/softfp_int.h"

#include <math.h>

static inline bool is_subnormal(unsigned fmt, u64 v)
{
    return fmt == FP_D ? (v << 1) - 1 < (1ULL << 53) - 1 : (u32)(v << 1) - 1 < (1u << 24) - 1;
}
static inline bool host_ok(unsigned fmt, u64 a, u64 b, u64 c, u32 fpcr, u32 fpsr)
{
    if (fmt == FP_H || fpcr & FPCR_RMODE || !(fpsr & FPSR_IXC))
        return false;
    return !(fpcr & FPCR_FZ) || !(is_subnormal(fmt, a) | is_subnormal(fmt, b) | is_subnormal(fmt, c));
}
static inline double as_d(u64 v)
{
    double d;
    memcpy(&d, &v, 8);
    return d;
}
static inline float as_s(u64 v)
{
    u32 w = (u32)v;
    float f;
    memcpy(&f, &w, 4);
    return f;
}
/// True for a result that is neither zero, subnormal, infinite nor NaN, nor so close above the
/// subnormals that it may have been tiny before rounding.
static inline bool take_d(double d, u64 *out)
{
    memcpy(out, &d, 8);
    return (u32)((*out >> 52 & 0x7ff) - 2) < 0x7fd;
}
static inline bool take_s(float f, u64 *out)
{
    u32 w;
    memcpy(&w, &f, 4);
    *out = w;
    return (u32)((w >> 23 & 0xff) - 2) < 0xfd;
}
#define HOST_TRY(a, b, c, expr_d, expr_s)                                                          \
    do {                                                                                           \
        u64 host_out;                                                                              \
        if (host_ok(fmt, a, b, c, fpcr, *fpsr) &&                                                  \
            (fmt == FP_D ? take_d(expr_d, &host_out) : take_s(expr_s, &host_out)))                 \
            return host_out;                                                                       \
    } while (0)

/// Sum of two finite numbers, given as 128-bit significands m * 2^(exp - 126) with bit 126 set or
/// m = 0, and at least 20 zero bits at the bottom of the one with the larger exponent.
static u64 sum_finite(unsigned fmt, bool xs, int xe, u128 xm, bool ys, int ye, u128 ym, int scale,
                      u32 fpcr, u32 *fpsr)
{
    if (!xm)
        xe = ye;
    if (!ym)
        ye = xe;
    if (xe < ye || (xe == ye && xm < ym)) {
        u128 m = xm;
        xm = ym;
        ym = m;
        int e = xe;
        xe = ye;
        ye = e;
        bool s = xs;
        xs = ys;
        ys = s;
    }
    ym = shr_jam128(ym, (unsigned)(xe - ye));
    u128 m = xs == ys ? xm + ym : xm - ym;
    if (!m)
        return fp_zero(fmt, xs == ys ? xs : fp_rmode(fpcr) == FPR_NEGINF);
    return fp_round128(fmt, xs, xe + 1 + scale, m, fpcr, fpsr);
}

static u64 add_soft(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    u64 out;
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr), y = fp_unpack(fmt, b, FP_CR(fpcr), fpsr);
    if (fp_nans(fmt, &x, &y, a, b, fpcr, fpsr, &out))
        return out;
    if (x.type == FPT_INF && y.type == FPT_INF && x.sign != y.sign)
        return fp_invalid(fmt, fpsr);
    if (x.type == FPT_INF)
        return fp_inf(fmt, x.sign);
    if (y.type == FPT_INF)
        return fp_inf(fmt, y.sign);
    return sum_finite(fmt, x.sign, x.exp, (u128)x.m << 63, y.sign, y.exp, (u128)y.m << 63, 0,
                      FP_CR(fpcr), fpsr);
}

u64 fp_add(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    HOST_TRY(a, b, 0, as_d(a) + as_d(b), as_s(a) + as_s(b));
    return add_soft(fmt, a, b, fpcr, fpsr);
}

u64 fp_sub(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    HOST_TRY(a, b, 0, as_d(a) - as_d(b), as_s(a) - as_s(b));
    u64 out;
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr), y = fp_unpack(fmt, b, FP_CR(fpcr), fpsr);
    /* A NaN operand keeps its sign, so the negation comes after. */
    if (fp_nans(fmt, &x, &y, a, b, fpcr, fpsr, &out))
        return out;
    return add_soft(fmt, a, fp_neg(fmt, b), fpcr, fpsr);
}

static u64 mul_soft(unsigned fmt, u64 a, u64 b, bool mulx, u32 fpcr, u32 *fpsr)
{
    u64 out;
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr), y = fp_unpack(fmt, b, FP_CR(fpcr), fpsr);
    bool sign = x.sign ^ y.sign;
    if (fp_nans(fmt, &x, &y, a, b, fpcr, fpsr, &out))
        return out;
    if ((x.type == FPT_INF && y.type == FPT_ZERO) || (x.type == FPT_ZERO && y.type == FPT_INF)) {
        if (mulx) /* 2.0 */
            return fp_zero(fmt, sign) | (u64)(fp_bias(fmt) + 1) << fp_fbits(fmt);
        return fp_invalid(fmt, fpsr);
    }
    if (x.type == FPT_INF || y.type == FPT_INF)
        return fp_inf(fmt, sign);
    if (x.type == FPT_ZERO || y.type == FPT_ZERO)
        return fp_zero(fmt, sign);
    return fp_round128(fmt, sign, x.exp + y.exp + 1, (u128)x.m * y.m, FP_CR(fpcr), fpsr);
}

u64 fp_mul(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    HOST_TRY(a, b, 0, as_d(a) * as_d(b), as_s(a) * as_s(b));
    return mul_soft(fmt, a, b, false, fpcr, fpsr);
}

u64 fp_mulx(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    return mul_soft(fmt, a, b, true, fpcr, fpsr);
}

u64 fp_div(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    HOST_TRY(a, b, 0, as_d(a) / as_d(b), as_s(a) / as_s(b));
    u64 out;
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr), y = fp_unpack(fmt, b, FP_CR(fpcr), fpsr);
    bool sign = x.sign ^ y.sign;
    if (fp_nans(fmt, &x, &y, a, b, fpcr, fpsr, &out))
        return out;
    if (x.type == y.type && x.type != FPT_NONZERO) /* inf / inf, 0 / 0 */
        return fp_invalid(fmt, fpsr);
    if (x.type == FPT_INF || y.type == FPT_ZERO) {
        if (x.type != FPT_INF)
            *fpsr |= FPSR_DZC;
        return fp_inf(fmt, sign);
    }
    if (x.type == FPT_ZERO || y.type == FPT_INF)
        return fp_zero(fmt, sign);
    u128 n = (u128)x.m << 63;
    u64 q = (u64)(n / y.m);
    u128 m = (u128)q << 64 | (n - (u128)q * y.m != 0);
    return fp_round128(fmt, sign, x.exp - y.exp, m, FP_CR(fpcr), fpsr);
}

/// Integer square root of v, with the lowest bit set when it is not exact.
static u64 isqrt128_jam(u128 v)
{
    u64 root = 0;
    u128 rem = 0;
    for (int i = 0; i < 64; i++) {
        rem = rem << 2 | (u64)(v >> 126);
        v <<= 2;
        u128 trial = ((u128)root << 2) | 1;
        root <<= 1;
        if (rem >= trial) {
            rem -= trial;
            root |= 1;
        }
    }
    return root | (rem != 0);
}

u64 fp_sqrt(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr)
{
    HOST_TRY(a, 0, 0, sqrt(as_d(a)), sqrtf(as_s(a)));
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr);
    if (fp_is_nan(&x))
        return fp_nan(fmt, x.type, a, fpcr, fpsr);
    if (x.type == FPT_ZERO)
        return fp_zero(fmt, x.sign);
    if (x.sign)
        return fp_invalid(fmt, fpsr);
    if (x.type == FPT_INF)
        return fp_inf(fmt, false);
    /* m * 2^(e-63) = (m << k) * 2^(e-63-k) with an even exponent; the root has bit 63 set. */
    int odd = x.exp & 1;
    u64 root = isqrt128_jam((u128)x.m << (odd ? 64 : 63));
    return fp_round(fmt, false, (x.exp - odd) / 2, root, fp_rmode(fpcr), FP_CR(fpcr), fpsr);
}

u64 fp_fma_finite(unsigned fmt, const struct fpnum *addend, const struct fpnum *x,
                  const struct fpnum *y, int scale, u32 fpcr, u32 *fpsr)
{
    u128 p = 0;
    int pe = 0;
    if (x->type != FPT_ZERO && y->type != FPT_ZERO) {
        p = (u128)x->m * y->m; /* at most 106 significant bits from the top */
        pe = x->exp + y->exp + 1;
        if (!(p >> 127))
            pe--;
        else
            p >>= 1;
    }
    u128 am = addend->type == FPT_ZERO ? 0 : (u128)addend->m << 63;
    return sum_finite(fmt, addend->sign, addend->exp, am, x->sign ^ y->sign, pe, p, scale,
                      FP_CR(fpcr), fpsr);
}

u64 fp_muladd(unsigned fmt, u64 addend, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    HOST_TRY(a, b, addend, fma(as_d(a), as_d(b), as_d(addend)), fmaf(as_s(a), as_s(b), as_s(addend)));
    u32 cr = FP_CR(fpcr);
    struct fpnum z = fp_unpack(fmt, addend, cr, fpsr);
    struct fpnum x = fp_unpack(fmt, a, cr, fpsr), y = fp_unpack(fmt, b, cr, fpsr);
    bool zero_by_inf = (x.type == FPT_INF && y.type == FPT_ZERO) ||
                       (x.type == FPT_ZERO && y.type == FPT_INF);
    bool sign = x.sign ^ y.sign;
    if (z.type == FPT_QNAN && zero_by_inf)
        return fp_invalid(fmt, fpsr);
    if (z.type == FPT_SNAN || (z.type == FPT_QNAN && x.type != FPT_SNAN && y.type != FPT_SNAN))
        return fp_nan(fmt, z.type, addend, fpcr, fpsr);
    u64 out;
    if (fp_nans(fmt, &x, &y, a, b, fpcr, fpsr, &out))
        return out;
    bool inf_p = x.type == FPT_INF || y.type == FPT_INF, inf_z = z.type == FPT_INF;
    if (zero_by_inf || (inf_p && inf_z && sign != z.sign))
        return fp_invalid(fmt, fpsr);
    if (inf_z || inf_p)
        return fp_inf(fmt, inf_z ? z.sign : sign);
    return fp_fma_finite(fmt, &z, &x, &y, 0, cr, fpsr);
}

/// -1, 0 or 1 for x < y, x = y, x > y; neither is a NaN.
static int compare(const struct fpnum *x, const struct fpnum *y)
{
    if (x->type == FPT_ZERO && y->type == FPT_ZERO)
        return 0;
    if (x->type == FPT_ZERO)
        return y->sign ? 1 : -1;
    if (y->type == FPT_ZERO || x->sign != y->sign)
        return x->sign ? -1 : 1;
    int r = x->exp != y->exp ? (x->exp < y->exp ? -1 : 1) : x->m == y->m ? 0 : x->m < y->m ? -1 : 1;
    return x->sign ? -r : r;
}

static u64 minmax(unsigned fmt, u64 a, u64 b, bool max, u32 fpcr, u32 *fpsr)
{
    u64 out;
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr), y = fp_unpack(fmt, b, FP_CR(fpcr), fpsr);
    if (fp_nans(fmt, &x, &y, a, b, fpcr, fpsr, &out))
        return out;
    int r = compare(&x, &y);
    const struct fpnum *win = (max ? r > 0 : r < 0) ? &x : &y;
    if (win->type == FPT_ZERO)
        return fp_zero(fmt, max ? x.sign && y.sign : x.sign || y.sign);
    return win == &x ? a : b;
}

u64 fp_max(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr) { return minmax(fmt, a, b, true, fpcr, fpsr); }
u64 fp_min(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr) { return minmax(fmt, a, b, false, fpcr, fpsr); }

static u64 minmaxnm(unsigned fmt, u64 a, u64 b, bool max, u32 fpcr, u32 *fpsr)
{
    u32 ignore = 0;
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), &ignore);
    struct fpnum y = fp_unpack(fmt, b, FP_CR(fpcr), &ignore);
    if (x.type == FPT_QNAN && y.type != FPT_QNAN)
        a = fp_inf(fmt, max);
    else if (x.type != FPT_QNAN && y.type == FPT_QNAN)
        b = fp_inf(fmt, max);
    return minmax(fmt, a, b, max, fpcr, fpsr);
}

u64 fp_maxnm(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr) { return minmaxnm(fmt, a, b, true, fpcr, fpsr); }
u64 fp_minnm(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr) { return minmaxnm(fmt, a, b, false, fpcr, fpsr); }

u32 fp_compare(unsigned fmt, u64 a, u64 b, bool signal_qnan, u32 fpcr, u32 *fpsr)
{
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr), y = fp_unpack(fmt, b, FP_CR(fpcr), fpsr);
    if (fp_is_nan(&x) || fp_is_nan(&y)) {
        if (x.type == FPT_SNAN || y.type == FPT_SNAN || signal_qnan)
            *fpsr |= FPSR_IOC;
        return 3;
    }
    int r = compare(&x, &y);
    return r == 0 ? 6 : r < 0 ? 8 : 2;
}

bool fp_eq(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    return fp_compare(fmt, a, b, false, fpcr, fpsr) == 6;
}
bool fp_ge(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    u32 r = fp_compare(fmt, a, b, true, fpcr, fpsr);
    return r == 6 || r == 2;
}
bool fp_gt(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    return fp_compare(fmt, a, b, true, fpcr, fpsr) == 2;
}
