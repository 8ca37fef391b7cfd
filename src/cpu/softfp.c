/// Software floating point: unpacking, rounding and NaN rules. Arm ARM (DDI 0487), "Shared
/// pseudocode: floating-point", FPUnpack, FPRound, FPProcessNaN.
#include "cpu/softfp_int.h"

u64 fp_default_nan(unsigned fmt)
{
    return fp_inf(fmt, false) | 1ULL << (fp_fbits(fmt) - 1);
}

struct fpnum fp_unpack(unsigned fmt, u64 v, u32 fpcr, u32 *fpsr)
{
    unsigned fb = fp_fbits(fmt);
    u64 emask = (1ULL << fp_ebits(fmt)) - 1, frac = v & ((1ULL << fb) - 1), e = v >> fb & emask;
    struct fpnum n = { .sign = (v & fp_sign_bit(fmt)) != 0, .type = FPT_NONZERO };
    if (e == 0) {
        if (frac == 0 || fp_flushes(fmt, fpcr)) {
            /* Flushing a half-precision input raises nothing. */
            if (frac && fmt != FP_H)
                *fpsr |= FPSR_IDC;
            n.type = FPT_ZERO;
            return n;
        }
        int sh = __builtin_clzll(frac);
        n.m = frac << sh;
        n.exp = 64 - fp_bias(fmt) - (int)fb - sh;
        return n;
    }
    if (e == emask && !(fmt == FP_H && fpcr & FPCR_AHP)) {
        n.type = !frac ? FPT_INF : frac >> (fb - 1) ? FPT_QNAN : FPT_SNAN;
        n.exp = 1 << 20;
        return n;
    }
    n.m = (frac | 1ULL << fb) << (63 - fb);
    n.exp = (int)e - fp_bias(fmt);
    return n;
}

bool fp_rounds_up(enum fp_round rm, bool sign, u64 ip, u64 frac)
{
    const u64 half = 1ULL << 63;
    switch (rm) {
    case FPR_TIEEVEN: return frac > half || (frac == half && (ip & 1));
    case FPR_TIEAWAY: return frac >= half;
    case FPR_POSINF: return frac && !sign;
    case FPR_NEGINF: return frac && sign;
    default: return false;
    }
}

static bool overflows_to_inf(enum fp_round rm, bool sign)
{
    switch (rm) {
    case FPR_POSINF: return !sign;
    case FPR_NEGINF: return sign;
    case FPR_ZERO:
    case FPR_ODD: return false;
    default: return true;
    }
}

u64 fp_round(unsigned fmt, bool sign, int exp, u64 m, enum fp_round rm, u32 fpcr, u32 *fpsr)
{
    unsigned fb = fp_fbits(fmt), sh = 63 - fb;
    int min_exp = 1 - fp_bias(fmt), biased = 0;
    u64 top = (1ULL << fp_ebits(fmt)) - 1;
    bool alt_half = fmt == FP_H && fpcr & FPCR_AHP;
    if (exp < min_exp) {
        if (fp_flushes(fmt, fpcr)) {
            *fpsr |= FPSR_UFC;
            return fp_zero(fmt, sign);
        }
        m = shr_jam64(m, (unsigned)(min_exp - exp));
    } else {
        biased = exp - min_exp + 1;
    }
    u64 mant = m >> sh, err = m << (64 - sh);
    if (biased == 0 && err) /* tininess is detected before rounding */
        *fpsr |= FPSR_UFC;
    if (fp_rounds_up(rm, sign, mant, err)) {
        mant++;
        if (mant == 1ULL << fb && biased == 0)
            biased = 1;
        if (mant == 1ULL << (fb + 1)) {
            biased++;
            mant >>= 1;
        }
    }
    if (err && rm == FPR_ODD)
        mant |= 1;
    if (alt_half ? biased > (int)top : biased >= (int)top) {
        if (alt_half) {
            *fpsr |= FPSR_IOC;
            return fp_zero(fmt, sign) | 0x7fff;
        }
        *fpsr |= FPSR_OFC | FPSR_IXC;
        return overflows_to_inf(rm, sign) ? fp_inf(fmt, sign) : fp_max_normal(fmt, sign);
    }
    if (err)
        *fpsr |= FPSR_IXC;
    return fp_zero(fmt, sign) | (u64)biased << fb | (mant & ((1ULL << fb) - 1));
}

u64 fp_round128(unsigned fmt, bool sign, int exp, u128 m, u32 fpcr, u32 *fpsr)
{
    u64 hi = (u64)(m >> 64);
    int sh = hi ? __builtin_clzll(hi) : 64 + __builtin_clzll((u64)m);
    m <<= sh;
    u64 top = (u64)(m >> 64) | ((u64)m != 0);
    return fp_round(fmt, sign, exp - sh, top, fp_rmode(fpcr), fpcr, fpsr);
}

u64 fp_nan(unsigned fmt, enum fp_type type, u64 v, u32 fpcr, u32 *fpsr)
{
    if (type == FPT_SNAN)
        *fpsr |= FPSR_IOC;
    return fpcr & FPCR_DN ? fp_default_nan(fmt) : v | 1ULL << (fp_fbits(fmt) - 1);
}

bool fp_nans(unsigned fmt, const struct fpnum *x, const struct fpnum *y, u64 a, u64 b, u32 fpcr,
             u32 *fpsr, u64 *out)
{
    if (!fp_is_nan(x) && !fp_is_nan(y))
        return false;
    bool first = x->type == FPT_SNAN || (y->type != FPT_SNAN && x->type == FPT_QNAN);
    *out = first ? fp_nan(fmt, x->type, a, fpcr, fpsr) : fp_nan(fmt, y->type, b, fpcr, fpsr);
    return true;
}

void fp_split(const struct fpnum *n, int fbits, u64 *ip, u64 *frac)
{
    int e = n->exp + fbits;
    *ip = e < 0 ? 0 : n->m >> (63 - e);
    if (e < 0)
        *frac = shr_jam64(n->m, (unsigned)(-1 - e));
    else
        *frac = e == 63 ? 0 : n->m << (e + 1);
}

u64 fp_expand_imm(unsigned fmt, unsigned imm8)
{
    unsigned eb = fp_ebits(fmt), fb = fp_fbits(fmt);
    u64 b6 = imm8 >> 6 & 1;
    u64 e = (b6 ^ 1) << (eb - 1) | (b6 ? ((1ULL << (eb - 3)) - 1) << 2 : 0) | (imm8 >> 4 & 3);
    return fp_zero(fmt, imm8 >> 7) | e << fb | (u64)(imm8 & 15) << (fb - 4);
}
