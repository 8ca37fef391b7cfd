/// Software floating point with the exact results and flags of the Arm ARM ("Shared pseudocode:
/// floating-point"). Every function takes the format as log2 of its size in bytes, operands as
/// raw encodings in the low bits, FPCR, and FPSR, whose cumulative bits it sets. FEAT_AFP is not
/// implemented: its FPCR bits are RES0; exceptions are never trapped.
#ifndef BRUIN_SOFTFP_H
#define BRUIN_SOFTFP_H

#include "base/base.h"

enum { FP_H = 1, FP_S = 2, FP_D = 3 };

enum {
    FPSR_IOC = 1 << 0,
    FPSR_DZC = 1 << 1,
    FPSR_OFC = 1 << 2,
    FPSR_UFC = 1 << 3,
    FPSR_IXC = 1 << 4,
    FPSR_IDC = 1 << 7,
    FPSR_QC = 1 << 27,
};
enum {
    FPCR_FZ16 = 1 << 19,
    FPCR_RMODE_SHIFT = 22,
    FPCR_RMODE = 3 << 22,
    FPCR_FZ = 1 << 24,
    FPCR_DN = 1 << 25,
    FPCR_AHP = 1 << 26,
};
/// Rounding: the first four are the values of FPCR.RMode.
enum fp_round { FPR_TIEEVEN, FPR_POSINF, FPR_NEGINF, FPR_ZERO, FPR_TIEAWAY, FPR_ODD };

static inline enum fp_round fp_rmode(u32 fpcr)
{
    return (enum fp_round)(fpcr >> FPCR_RMODE_SHIFT & 3);
}
static inline u64 fp_sign_bit(unsigned fmt) { return 1ULL << ((8u << fmt) - 1); }
static inline u64 fp_neg(unsigned fmt, u64 a) { return a ^ fp_sign_bit(fmt); }
static inline u64 fp_abs(unsigned fmt, u64 a) { return a & (fp_sign_bit(fmt) - 1); }
u64 fp_default_nan(unsigned fmt);

u64 fp_add(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_sub(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_mul(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
/// As fp_mul, but zero times infinity is 2.0 with the product's sign.
u64 fp_mulx(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_div(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_sqrt(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr);
/// addend + a * b with one rounding.
u64 fp_muladd(unsigned fmt, u64 addend, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_max(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_min(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
/// IEEE 754-2008 maxNum and minNum: one quiet NaN loses against a number.
u64 fp_maxnm(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_minnm(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);

/// ret  NZCV as four bits: 0110 equal, 1000 less, 0010 greater, 0011 unordered.
u32 fp_compare(unsigned fmt, u64 a, u64 b, bool signal_qnan, u32 fpcr, u32 *fpsr);
bool fp_eq(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
bool fp_ge(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
bool fp_gt(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);

u64 fp_recip_est(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr);
u64 fp_rsqrt_est(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr);
u64 fp_recpx(unsigned fmt, u64 a, u32 fpcr, u32 *fpsr);
/// 2 - a * b and (3 - a * b) / 2, each with one rounding.
u64 fp_recip_step(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u64 fp_rsqrt_step(unsigned fmt, u64 a, u64 b, u32 fpcr, u32 *fpsr);
u32 fp_urecpe(u32 a);
u32 fp_ursqrte(u32 a);

/// Rounds to an integer in the same format. exact: report Inexact (FRINTX).
u64 fp_rint(unsigned fmt, u64 a, enum fp_round rm, bool exact, u32 fpcr, u32 *fpsr);
/// FRINT32*, FRINT64*: as fp_rint, but out of range of a signed integer of `width` bits gives
/// the most negative one and Invalid Operation.
u64 fp_rint_n(unsigned fmt, u64 a, enum fp_round rm, unsigned width, u32 fpcr, u32 *fpsr);
/// Between formats; honours FPCR.AHP.
u64 fp_convert(unsigned to, unsigned from, u64 a, enum fp_round rm, u32 fpcr, u32 *fpsr);
/// To fixed point with fbits fraction bits, saturating. ret  zero-extended to 64 bits from width
/// (16, 32 or 64) bits.
u64 fp_to_fixed(unsigned fmt, u64 a, unsigned fbits, bool is_unsigned, unsigned width,
                enum fp_round rm, u32 fpcr, u32 *fpsr);
/// From fixed point; v is sign- or zero-extended to 64 bits by the caller.
u64 fp_from_fixed(unsigned fmt, u64 v, unsigned fbits, bool is_unsigned, enum fp_round rm,
                  u32 fpcr, u32 *fpsr);
/// FJCVTZS: double to s32 modulo 2^32. *is_exact becomes the Z flag.
u32 fp_to_int_js(u64 a, bool *is_exact, u32 fpcr, u32 *fpsr);

/// VFPExpandImm.
u64 fp_expand_imm(unsigned fmt, unsigned imm8);

#endif
