/// Inside softfp*.c: numbers taken apart, and the one place that rounds.
#ifndef BRUIN_SOFTFP_INT_H
#define BRUIN_SOFTFP_INT_H

#include "cpu/softfp.h"

enum fp_type { FPT_ZERO, FPT_NONZERO, FPT_INF, FPT_QNAN, FPT_SNAN };

/// A number: (-1)^sign * m * 2^(exp - 63) with bit 63 of m set when type is FPT_NONZERO.
struct fpnum {
    u8 type;
    bool sign;
    int exp;
    u64 m;
};

static inline unsigned fp_ebits(unsigned fmt) { return fmt == FP_H ? 5 : fmt == FP_S ? 8 : 11; }
static inline unsigned fp_fbits(unsigned fmt) { return fmt == FP_H ? 10 : fmt == FP_S ? 23 : 52; }
static inline int fp_bias(unsigned fmt) { return fmt == FP_H ? 15 : fmt == FP_S ? 127 : 1023; }
static inline u64 fp_inf(unsigned fmt, bool sign)
{
    return ((1ULL << fp_ebits(fmt)) - 1) << fp_fbits(fmt) | (sign ? fp_sign_bit(fmt) : 0);
}
static inline u64 fp_zero(unsigned fmt, bool sign) { return sign ? fp_sign_bit(fmt) : 0; }
static inline u64 fp_max_normal(unsigned fmt, bool sign) { return fp_inf(fmt, sign) - 1; }
static inline bool fp_is_nan(const struct fpnum *n) { return n->type >= FPT_QNAN; }
static inline bool fp_flushes(unsigned fmt, u32 fpcr)
{
    return fpcr & (fmt == FP_H ? FPCR_FZ16 : FPCR_FZ);
}

/// v >> n, with the lowest bit set when a one fell off. n >= 0.
static inline u64 shr_jam64(u64 v, unsigned n)
{
    if (n == 0)
        return v;
    return n > 63 ? v != 0 : v >> n | ((v & ((1ULL << n) - 1)) != 0);
}
static inline u128 shr_jam128(u128 v, unsigned n)
{
    if (n == 0)
        return v;
    return n > 127 ? v != 0 : v >> n | ((v & (((u128)1 << n) - 1)) != 0);
}

/// FPUnpack. With FPCR_AHP in fpcr a half has no infinities and NaNs: mask with FP_CR (arithmetic)
/// or FP_CR_CV (conversions between formats).
struct fpnum fp_unpack(unsigned fmt, u64 v, u32 fpcr, u32 *fpsr);
#define FP_CR(cr) ((cr) & ~(u32)FPCR_AHP)
#define FP_CR_CV(cr) ((cr) & ~(u32)FPCR_FZ16)

/// FPRound of (-1)^sign * m * 2^(exp - 63): bit 63 of m set, bit 0 sticky.
u64 fp_round(unsigned fmt, bool sign, int exp, u64 m, enum fp_round rm, u32 fpcr, u32 *fpsr);
/// The same for a 128-bit nonzero significand, value m * 2^(exp - 127), not normalised.
u64 fp_round128(unsigned fmt, bool sign, int exp, u128 m, u32 fpcr, u32 *fpsr);

/// FPProcessNaN.
u64 fp_nan(unsigned fmt, enum fp_type type, u64 v, u32 fpcr, u32 *fpsr);
/// FPProcessNaNs: true when an operand is a NaN; then *out is the result.
bool fp_nans(unsigned fmt, const struct fpnum *x, const struct fpnum *y, u64 a, u64 b, u32 fpcr,
             u32 *fpsr, u64 *out);
static inline u64 fp_invalid(unsigned fmt, u32 *fpsr)
{
    *fpsr |= FPSR_IOC;
    return fp_default_nan(fmt);
}
/// (addend + x * y) * 2^scale for numbers and zeros (no infinities or NaNs), rounded once.
u64 fp_fma_finite(unsigned fmt, const struct fpnum *addend, const struct fpnum *x,
                  const struct fpnum *y, int scale, u32 fpcr, u32 *fpsr);

/// Splits |n| * 2^fbits into integer and fraction (64 bits, sticky). n is FPT_NONZERO and its
/// exponent + fbits is below 64.
void fp_split(const struct fpnum *n, int fbits, u64 *ip, u64 *frac);
/// True when a magnitude of integer part ip and fraction frac is to be rounded away from zero.
bool fp_rounds_up(enum fp_round rm, bool sign, u64 ip, u64 frac);

#endif
