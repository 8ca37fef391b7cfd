/// Software floating point: reciprocal and reciprocal square root, estimates and Newton steps.
/// Arm ARM (DDI 0487), "Shared pseudocode: floating-point", FPRecipEstimate to FPRSqrtStepFused.
#include "cpu/softfp_int.h"

/// 256 <= a < 512 -> 256 .. 511.
static u32 recip_estimate(u32 a)
{
    a = a * 2 + 1;
    u32 b = (1u << 19) / a;
    return (b + 1) / 2;
}

/// 128 <= a < 512 -> 256 .. 511.
static u32 rsqrt_estimate(u32 a)
{
    a = a < 256 ? a * 2 + 1 : ((a >> 1 << 1) + 1) * 2;
    u32 b = 512;
    while (a * (b + 1) * (b + 1) < 1u << 28)
        b++;
    return (b + 1) / 2;
}

u32 fp_urecpe(u32 a) { return a >> 31 ? recip_estimate(a >> 23) << 23 : ~0u; }
u32 fp_ursqrte(u32 a) { return a >> 30 ? rsqrt_estimate(a >> 23) << 23 : ~0u; }

static u64 recip_overflow(unsigned fmt, bool sign, u32 fpcr, u32 *fpsr)
{
    enum fp_round rm = fp_rmode(fpcr);
    *fpsr |= FPSR_OFC | FPSR_IXC;
    bool inf = rm == FPR_TIEEVEN || (rm == FPR_POSINF && !sign) || (rm == FPR_NEGINF && sign);
    return inf ? fp_inf(fmt, sign) : fp_max_normal(fmt, sign);
}

u64 fp_recip_est(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr)
{
    struct fpnum n = fp_unpack(fmt, a, FP_CR(fpcr), fpsr);
    int bias = fp_bias(fmt);
    if (fp_is_nan(&n))
        return fp_nan(fmt, n.type, a, fpcr, fpsr);
    if (n.type == FPT_INF)
        return fp_zero(fmt, n.sign);
    if (n.type == FPT_ZERO) {
        *fpsr |= FPSR_DZC;
        return fp_inf(fmt, n.sign);
    }
    if (n.exp < -bias - 1)
        return recip_overflow(fmt, n.sign, fpcr, fpsr);
    if (fp_flushes(fmt, fpcr) && n.exp >= bias - 1) {
        *fpsr |= FPSR_UFC;
        return fp_zero(fmt, n.sign);
    }
    int e = -n.exp - 1 + bias; /* biased; -1 .. 2 * bias */
    u64 frac = (u64)(recip_estimate((u32)(n.m >> 55)) & 0xff) << 44;
    if (e <= 0) {
        frac = (1ULL << 52 | frac) >> (1 - e);
        e = 0;
    }
    return fp_zero(fmt, n.sign) | (u64)e << fp_fbits(fmt) | frac >> (52 - fp_fbits(fmt));
}

u64 fp_rsqrt_est(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr)
{
    struct fpnum n = fp_unpack(fmt, a, FP_CR(fpcr), fpsr);
    if (fp_is_nan(&n))
        return fp_nan(fmt, n.type, a, fpcr, fpsr);
    if (n.type == FPT_ZERO) {
        *fpsr |= FPSR_DZC;
        return fp_inf(fmt, n.sign);
    }
    if (n.sign)
        return fp_invalid(fmt, fpsr);
    if (n.type == FPT_INF)
        return fp_zero(fmt, false);
    int bias = fp_bias(fmt), biased = n.exp + bias;
    /* An even biased exponent is an odd power of two. */
    u32 scaled = biased & 1 ? (u32)(n.m >> 56) : (u32)(n.m >> 55);
    int e = (3 * bias - 1 - biased) >> 1;
    u64 est = rsqrt_estimate(scaled) & 0xff;
    return (u64)e << fp_fbits(fmt) | est << (fp_fbits(fmt) - 8);
}

u64 fp_recpx(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr)
{
    struct fpnum n = fp_unpack(fmt, a, FP_CR(fpcr), fpsr);
    if (fp_is_nan(&n))
        return fp_nan(fmt, n.type, a, fpcr, fpsr);
    u64 emask = (1ULL << fp_ebits(fmt)) - 1, e = a >> fp_fbits(fmt) & emask;
    e = e == 0 ? emask - 1 : ~e & emask;
    return fp_zero(fmt, n.sign) | e << fp_fbits(fmt);
}

/// (k - a * b) * 2^scale, where zero times infinity counts as 0; k = 2 or 3.
static u64 step(unsigned fmt, u64 a, u64 b, unsigned k, int scale, u32 fpcr, u32 *fpsr)
{
    u64 out;
    a = fp_neg(fmt, a);
    struct fpnum x = fp_unpack(fmt, a, FP_CR(fpcr), fpsr), y = fp_unpack(fmt, b, FP_CR(fpcr), fpsr);
    if (fp_nans(fmt, &x, &y, a, b, fpcr, fpsr, &out))
        return out;
    bool inf = x.type == FPT_INF || y.type == FPT_INF;
    bool zero = x.type == FPT_ZERO || y.type == FPT_ZERO;
    if (inf && !zero)
        return fp_inf(fmt, x.sign ^ y.sign);
    if (inf) /* 2.0 or 1.5 */
        return k == 2 ? (u64)(fp_bias(fmt) + 1) << fp_fbits(fmt)
                      : (u64)fp_bias(fmt) << fp_fbits(fmt) | 1ULL << (fp_fbits(fmt) - 1);
    struct fpnum addend = { .type = FPT_NONZERO, .exp = 1, .m = (u64)k << 62 };
    return fp_fma_finite(fmt, &addend, &x, &y, scale, fpcr, fpsr);
}

u64 fp_recip_step(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    return step(fmt, a, b, 2, 0, fpcr, fpsr);
}

u64 fp_rsqrt_step(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr)
{
    return step(fmt, a, b, 3, -1, fpcr, fpsr);
}
