/// Software floating point: conversions and rounding to integers. Arm ARM (DDI 0487), "Shared
/// pseudocode: floating-point", FPConvert, FPToFixed, FixedToFP, FPRoundInt, FPToFixedJS.
#include "cpu/softfp_int.h"

/// Rounds n (FPT_NONZERO, exponent + fbits below 64) to an integer magnitude. *carry: it is 2^64.
static u64 round_magnitude(const struct fpnum *n, int fbits, enum fp_round rm, bool *inexact,
                           bool *carry)
{
    u64 ip, frac;
    fp_split(n, fbits, &ip, &frac);
    *inexact = frac != 0;
    *carry = false;
    if (fp_rounds_up(rm, n->sign, ip, frac)) {
        ip++;
        *carry = ip == 0;
    }
    return ip;
}

u64 fp_to_fixed(unsigned fmt, u64 a, unsigned fbits, bool is_unsigned, unsigned width,
                enum fp_round rm, u32 fpcr, u32 *fpsr)
{
    struct fpnum n = fp_unpack(fmt, a, FP_CR(fpcr), fpsr);
    u64 mask = ~0ULL >> (64 - width), limit, ip = 0;
    bool inexact = false, over = false;
    if (fp_is_nan(&n)) {
        *fpsr |= FPSR_IOC;
        return 0;
    }
    if (n.type == FPT_ZERO)
        return 0;
    if (n.type == FPT_INF || n.exp + (int)fbits >= 64)
        over = true;
    else
        ip = round_magnitude(&n, (int)fbits, rm, &inexact, &over);
    if (is_unsigned)
        limit = n.sign ? 0 : mask;
    else
        limit = (mask >> 1) + n.sign;
    if (over || ip > limit) {
        *fpsr |= FPSR_IOC;
        ip = limit;
    } else if (inexact) {
        *fpsr |= FPSR_IXC;
    }
    return (n.sign ? -ip : ip) & mask;
}

u64 fp_from_fixed(unsigned fmt, u64 v, unsigned fbits, bool is_unsigned, enum fp_round rm,
                  u32 fpcr, u32 *fpsr)
{
    if (v == 0)
        return 0;
    bool sign = !is_unsigned && v >> 63;
    if (sign)
        v = -v;
    int sh = __builtin_clzll(v);
    return fp_round(fmt, sign, 63 - sh - (int)fbits, v << sh, rm, FP_CR(fpcr), fpsr);
}

/// An integer magnitude that is known to fit as a number.
static u64 pack_integer(unsigned fmt, bool sign, u64 ip, bool carry)
{
    u32 none = 0;
    if (carry)
        return fp_round(fmt, sign, 64, 1ULL << 63, FPR_ZERO, 0, &none);
    if (!ip)
        return fp_zero(fmt, sign);
    int sh = __builtin_clzll(ip);
    return fp_round(fmt, sign, 63 - sh, ip << sh, FPR_ZERO, 0, &none);
}

u64 fp_rint(unsigned fmt, u64 a, enum fp_round rm, bool exact, u32 fpcr, u32 *fpsr)
{
    struct fpnum n = fp_unpack(fmt, a, FP_CR(fpcr), fpsr);
    if (fp_is_nan(&n))
        return fp_nan(fmt, n.type, a, fpcr, fpsr);
    if (n.type == FPT_ZERO)
        return fp_zero(fmt, n.sign);
    if (n.type == FPT_INF || n.exp >= (int)fp_fbits(fmt))
        return a;
    bool inexact, carry;
    u64 ip = round_magnitude(&n, 0, rm, &inexact, &carry);
    if (inexact && exact)
        *fpsr |= FPSR_IXC;
    return pack_integer(fmt, n.sign, ip, carry);
}

u64 fp_rint_n(unsigned fmt, u64 a, enum fp_round rm, unsigned width, u32 fpcr, u32 *fpsr)
{
    struct fpnum n = fp_unpack(fmt, a, FP_CR(fpcr), fpsr);
    u64 ip = 0, limit = 1ULL << (width - 1);
    bool inexact = false, over = false;
    if (n.type == FPT_ZERO)
        return fp_zero(fmt, n.sign);
    if (n.type != FPT_NONZERO || n.exp >= 64)
        over = true;
    else
        ip = round_magnitude(&n, 0, rm, &inexact, &over);
    if (over || ip > limit - !n.sign) {
        *fpsr |= FPSR_IOC;
        return pack_integer(fmt, true, limit, false);
    }
    if (inexact)
        *fpsr |= FPSR_IXC;
    return pack_integer(fmt, n.sign, ip, false);
}

/// FPConvertNaN: the payload's top bits, quiet.
static u64 convert_nan(unsigned to, unsigned from, u64 a, bool sign)
{
    u64 frac = a << (64 - fp_fbits(from)); /* top-aligned */
    return fp_inf(to, sign) | 1ULL << (fp_fbits(to) - 1) | frac >> (64 - fp_fbits(to));
}

u64 fp_convert(unsigned to, unsigned from, u64 a, enum fp_round rm, u32 fpcr, u32 *fpsr)
{
    u32 cr = FP_CR_CV(fpcr);
    struct fpnum n = fp_unpack(from, a, cr, fpsr);
    bool alt_half = to == FP_H && fpcr & FPCR_AHP;
    if (fp_is_nan(&n)) {
        if (n.type == FPT_SNAN || alt_half)
            *fpsr |= FPSR_IOC;
        if (alt_half)
            return fp_zero(to, n.sign);
        return fpcr & FPCR_DN ? fp_default_nan(to) : convert_nan(to, from, a, n.sign);
    }
    if (n.type == FPT_INF) {
        if (alt_half) {
            *fpsr |= FPSR_IOC;
            return fp_zero(to, n.sign) | 0x7fff;
        }
        return fp_inf(to, n.sign);
    }
    if (n.type == FPT_ZERO)
        return fp_zero(to, n.sign);
    return fp_round(to, n.sign, n.exp, n.m, rm, cr, fpsr);
}

u32 fp_to_int_js(u64 a, bool *is_exact, u32 fpcr, u32 *fpsr)
{
    struct fpnum n = fp_unpack(FP_D, a, FP_CR(fpcr), fpsr);
    *is_exact = false;
    if (fp_is_nan(&n) || n.type == FPT_INF) {
        *fpsr |= FPSR_IOC;
        return 0;
    }
    if (n.type == FPT_ZERO) {
        *is_exact = a == 0; /* neither -0.0 nor a flushed subnormal */
        return 0;
    }
    u64 ip, frac = 0;
    if (n.exp < 64)
        fp_split(&n, 0, &ip, &frac);
    else
        ip = n.exp - 63 < 64 ? n.m << (n.exp - 63) : 0;
    if (n.exp >= 32 || ip > 0x7fffffffULL + n.sign)
        *fpsr |= FPSR_IOC;
    else if (frac)
        *fpsr |= FPSR_IXC;
    else
        *is_exact = true;
    return (u32)(n.sign ? -ip : ip);
}
