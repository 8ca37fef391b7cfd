/// Translation of vector rounding to nearest with ties away, of conversions to integers that round first
/// (FCVTN, FCVTM, FCVTP, FCVTA), in vectors and as Advanced SIMD scalars, of fixed-point conversions,
/// of those between half and single precision, and of FJCVTZS.
#include "jit/emit_simd.h"
#include "jit/fp.h"

enum { ROUND_NEAREST = 8, ROUND_DOWN = 9, ROUND_UP = 10, ROUND_ZERO = 11, ROUND_AWAY = 16 };
enum { LESS_QUIET = 17, NOT_LESS_QUIET = 21, NOT_BELOW = 13 }; ///< predicates of AVX

static bool has_dq(const struct jit *j) { return j->cpu.avx512dq && j->cpu.avx512vl; }

/// Vn with zeros above what the instruction reads.
static int source(struct jit *j, const struct insn *i)
{
    return fpv_is_scalar(i) ? fp_src(j, i->rn, i->p, X0) : fpv_src(j, i, i->rn, X0);
}
static u32 round_op(unsigned fmt) { return fmt == FP_D ? XV_ROUNDPD : XV_ROUNDPS; }

/// X2 <- lanes of x rounded to nearest, ties away from zero. Raises nothing. Lanes without a fraction, and
/// NaNs, stay themselves. x is not X1..X3.
static void round_away(struct jit *j, unsigned fmt, int x)
{
    struct xbuf *b = &j->b;
    unsigned d = fp_di(fmt);
    u32 cmp = fp_op_packed(fmt, 0xc2);
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
    x_vi(b, cmp, X1, X3, FP_CONST(j, integral[d]), LESS_QUIET);
    x_v(b, XV_ANDPS, X1, X1, xr(x)); // the others count as zero
    x_vi(b, round_op(fmt), X2, 0, xr(X1), ROUND_ZERO);
    x_v(b, fp_op_packed(fmt, 0x5c), X3, X1, xr(X2)); // exact
    x_v(b, XV_ANDPS, X3, X3, FP_CONST(j, abs[d]));
    x_vi(b, cmp, X3, X3, FP_CONST(j, half[d]), NOT_BELOW);
    x_v(b, XV_ANDPS, X3, X3, FP_CONST(j, ones[d]));
    x_v(b, XV_ANDPS, X1, X1, FP_CONST(j, sign[d]));
    x_v(b, XV_ORPS, X3, X3, xr(X1));
    x_v(b, fp_op_packed(fmt, 0x58), X2, X2, xr(X3));
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
    x_vi(b, cmp, X1, X3, FP_CONST(j, integral[d]), NOT_LESS_QUIET);
    x_v(b, XV_ANDNPS, X2, X1, xr(X2)); // 0 - 0 and 0 + 0 have either sign
    x_v(b, XV_ANDPS, X1, X1, xr(x));
    x_v(b, XV_ORPS, X2, X2, xr(X1));
}

static int emit_frinta_v(struct jit *j, const struct insn *i)
{
    if (!j->cpu.avx2 || !fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    round_away(j, i->p, source(j, i));
    return fpv_finish(j, i, X2, fpv_check(j, i->p, X2, false));
}

/* ---- to integers ---- */

/// The instruction that converts toward zero.
static void convert(struct jit *j, unsigned fmt, bool is_unsigned, int d, int x)
{
    bool d64 = fmt == FP_D;
    if (is_unsigned)
        x_ev(&j->b, d64 ? XO(1, 1, 0x78) | XW : XO(0, 1, 0x78), d, 0, xr(x)); // vcvttpd2uqq, vcvttps2udq
    else if (d64)
        x_ev(&j->b, XO(1, 1, 0x7a) | XW, d, 0, xr(x)); // vcvttpd2qq
    else
        x_v(&j->b, XV_CVTTPS2DQ, d, 0, xr(x));
}

/// EFLAGS <- some lane of x is what stands for all that does not fit. Clobbers X3.
static unsigned misfit(struct jit *j, unsigned fmt, bool is_unsigned, int x)
{
    bool d64 = fmt == FP_D;
    xrm k = FP_CONST(j, sign[fp_di(fmt)]);
    if (is_unsigned) {
        x_v(&j->b, XV_PCMPEQD, X3, X3, xr(X3));
        k = xr(X3);
    }
    x_v(&j->b, d64 ? XV_PCMPEQQ : XV_PCMPEQD, X3, x, k);
    return fpv_any_lane(j, fmt, X3);
}

static int to_int(struct jit *j, const struct insn *i, unsigned mode, bool is_unsigned)
{
    unsigned fmt = i->p;
    if (((fmt == FP_D || is_unsigned) && !has_dq(j)) || (mode == ROUND_AWAY && !j->cpu.avx2) || !fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = source(j, i);
    if (mode == ROUND_AWAY)
        round_away(j, fmt, a);
    else
        x_vi(&j->b, round_op(fmt), X2, 0, xr(a), mode);
    convert(j, fmt, is_unsigned, X2, X2);
    unsigned cc = misfit(j, fmt, is_unsigned, X2);
    fp_repair_begin(j, i, cc);
    convert(j, fmt, is_unsigned, X3, a); // for Inexact
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}
#define TO_INT(name, mode)                                                                         \
    static int emit_##name##s(struct jit *j, const struct insn *i) { return to_int(j, i, mode, false); } \
    static int emit_##name##u(struct jit *j, const struct insn *i) { return to_int(j, i, mode, true); }
TO_INT(fcvtn, ROUND_NEAREST)
TO_INT(fcvtm, ROUND_DOWN)
TO_INT(fcvtp, ROUND_UP)
TO_INT(fcvta, ROUND_AWAY)

/* ---- fixed point: a multiplication by a power of two, which is exact ---- */

static u64 power(unsigned fmt, int n)
{
    return fmt == FP_D ? (u64)(1023 + n) << 52 : (u64)(127 + n) << 23;
}
static xrm power_lanes(struct jit *j, unsigned fmt, int n) { return simd_const_lanes(j, fmt, power(fmt, n)); }

/// The number of fraction bits: scalar to and from general registers, or Advanced SIMD.
static int fbits_gpr(const struct insn *i) { return 64 - (int)(i->word >> 10 & 63); }
static int fbits_v(const struct insn *i) { return (16 << i->p) - (int)(i->word >> 16 & 127); }

/// Numbers from 2^64 on, which need not stay finite, are left to the body, and so are NaNs.
static int fixed_to_gpr(struct jit *j, const struct insn *i, bool is_unsigned)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, d = fp_di(fmt);
    u32 w = i->sf ? XW : 0;
    if ((is_unsigned && !j->cpu.avx512vl) || !fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    u32 cvt = is_unsigned ? (d ? XE_CVTTSD2USI : XE_CVTTSS2USI) | w : (d ? XV_CVTTSD2SI : XV_CVTTSS2SI) | w;
    int a = fp_src(j, i->rn, fmt, X0);
    x_v(b, XV_ANDPS, X3, a, FP_CONST(j, abs[d]));
    x_v(b, d ? XV_MOVSD : XV_MOVSS, X2, 0, power_lanes(j, fmt, 64));
    x_v(b, d ? XV_UCOMISD : XV_UCOMISS, X2, 0, xr(X3));
    fp_leave_if(j, CC_BE);
    x_v(b, fp_op_scalar(fmt, 0x59), X2, a, power_lanes(j, fmt, fbits_gpr(i)));
    (is_unsigned ? x_ev : x_v)(b, cvt, RAX, 0, xr(X2));
    x_alu_i(b, ALU_CMP, w, xr(RAX), is_unsigned ? -1 : 1);
    fp_repair_begin(j, i, is_unsigned ? CC_E : CC_O);
    jit_xdone(j, i->rd, RAX);
    fp_repair_end(j, i);
    return 1;
}
static int emit_fcvtzs_f(struct jit *j, const struct insn *i) { return fixed_to_gpr(j, i, false); }
static int emit_fcvtzu_f(struct jit *j, const struct insn *i) { return fixed_to_gpr(j, i, true); }

static int fixed_from_gpr(struct jit *j, const struct insn *i, bool is_unsigned)
{
    struct xbuf *b = &j->b;
    bool d64 = i->p == FP_D;
    if (is_unsigned && i->sf && !j->cpu.avx512vl)
        return 0;
    int r = jit_xread(j, i->rn, RCX), d = jit_vwrite(j, i->rd, X2);
    x_v(b, XV_XORPS, X3, X3, xr(X3));
    if (is_unsigned && i->sf) {
        x_ev(b, (d64 ? XE_CVTUSI2SD : XE_CVTUSI2SS) | XW, d, X3, xr(r));
    } else {
        if (is_unsigned) {
            x_mov32(b, RCX, r);
            r = RCX;
        }
        x_v(b, (d64 ? XV_CVTSI2SD : XV_CVTSI2SS) | (i->sf || is_unsigned ? XW : 0), d, X3, xr(r));
    }
    x_v(b, fp_op_scalar(i->p, 0x59), d, d, power_lanes(j, i->p, -fbits_gpr(i)));
    fp_done(j, i->rd, d);
    return 1;
}
static int emit_scvtf_f(struct jit *j, const struct insn *i) { return fixed_from_gpr(j, i, false); }
static int emit_ucvtf_f(struct jit *j, const struct insn *i) { return fixed_from_gpr(j, i, true); }

static int fixed_to_v(struct jit *j, const struct insn *i, bool is_unsigned)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, d = fp_di(fmt);
    if (((d || is_unsigned) && !has_dq(j)) || !j->cpu.avx2 || !fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = source(j, i);
    x_v(b, XV_ANDPS, X3, a, FP_CONST(j, abs[d]));
    x_vi(b, fp_op_packed(fmt, 0xc2), X3, X3, power_lanes(j, fmt, 64), NOT_LESS_QUIET);
    fp_leave_if(j, fpv_any_lane(j, fmt, X3));
    x_v(b, fp_op_packed(fmt, 0x59), X2, a, power_lanes(j, fmt, fbits_v(i)));
    convert(j, fmt, is_unsigned, X2, X2);
    return fpv_finish(j, i, X2, misfit(j, fmt, is_unsigned, X2));
}
static int emit_fcvtzs_vf(struct jit *j, const struct insn *i) { return fixed_to_v(j, i, false); }
static int emit_fcvtzu_vf(struct jit *j, const struct insn *i) { return fixed_to_v(j, i, true); }

static int fixed_from_v(struct jit *j, const struct insn *i, bool is_unsigned)
{
    bool d64 = i->p == FP_D;
    if ((d64 || is_unsigned) && !has_dq(j))
        return 0;
    int a = source(j, i), d = jit_vwrite(j, i->rd, X2);
    if (is_unsigned)
        x_ev(&j->b, d64 ? XO(2, 1, 0x7a) | XW : XO(3, 1, 0x7a), d, 0, xr(a)); // vcvtuqq2pd, vcvtudq2ps
    else if (d64)
        x_ev(&j->b, XO(2, 1, 0xe6) | XW, d, 0, xr(a)); // vcvtqq2pd
    else
        x_v(&j->b, XV_CVTDQ2PS, d, 0, xr(a));
    x_v(&j->b, fp_op_packed(i->p, 0x59), d, d, power_lanes(j, i->p, -fbits_v(i)));
    jit_vdone(j, i->rd, d);
    return 1;
}
static int emit_scvtf_vf(struct jit *j, const struct insn *i) { return fixed_from_v(j, i, false); }
static int emit_ucvtf_vf(struct jit *j, const struct insn *i) { return fixed_from_v(j, i, true); }

/* ---- half precision, in the IEEE format ---- */

static bool has_half(const struct jit *j)
{
    bool is_alternative = j->mode >> (MODE_FPCR_SHIFT + 4) & 1;
    return j->cpu.f16c && !is_alternative && !fp_flush(j);
}

static int emit_fcvt_sh(struct jit *j, const struct insn *i)
{
    if (!has_half(j))
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    x_v(&j->b, XV_PAND, X2, jit_vread(j, i->rn, X0), simd_k(j, SK_LOW_H));
    x_v(&j->b, XV_CVTPH2PS, X2, 0, xr(X2));
    unsigned cc = fp_check(j, FP_S, X2, false);
    fp_repair_begin(j, i, cc);
    fp_done(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}

static int emit_fcvtl_h(struct jit *j, const struct insn *i)
{
    if (!has_half(j))
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    int a = jit_vread(j, i->rn, X0);
    if (fpv_is_q(i)) {
        x_vi(&j->b, XV_PSHUFD, X1, 0, xr(a), 0xee);
        a = X1;
    }
    x_v(&j->b, XV_CVTPH2PS, X2, 0, xr(a));
    return fpv_finish(j, i, X2, fpv_check(j, FP_S, X2, false));
}

/// X2 <- halves of the singles in a, zeros above; EFLAGS <- some of them are NaN or the smallest normal number.
static unsigned to_half(struct jit *j, int a)
{
    enum { CURRENT_ROUNDING = 4 };
    struct xbuf *b = &j->b;
    x_vex(b, XV_CVTPS2PH, a, 0, xr(X2), 1);
    x_u8(b, CURRENT_ROUNDING);
    x_v(b, XV_PAND, X3, X2, simd_const_lanes(j, 1, 0x7fff));
    x_v(b, XV_PCMPEQW, X1, X3, simd_const_lanes(j, 1, 0x0400));
    x_v(b, XV_PCMPGTW, X3, X3, simd_const_lanes(j, 1, 0x7c00));
    x_v(b, XV_POR, X3, X3, xr(X1));
    x_v(b, XV_PMOVMSKB, RAX, 0, xr(X3));
    x_rr(b, XI_TEST, RAX, RAX);
    return CC_NE;
}

static int emit_fcvt_hs(struct jit *j, const struct insn *i)
{
    if (!has_half(j))
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    return fpv_finish(j, i, X2, to_half(j, fp_src(j, i->rn, FP_S, X0)));
}

static int emit_fcvtn_h(struct jit *j, const struct insn *i)
{
    if (!has_half(j))
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    unsigned cc = to_half(j, jit_vread(j, i->rn, X0));
    if (!fpv_is_q(i))
        return fpv_finish(j, i, X2, cc);
    fp_repair_begin(j, i, cc);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_MOVLHPS, d, jit_vread(j, i->rd, X1), xr(X2));
    jit_vdone(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

/* ---- FJCVTZS ---- */

/// Exact, which Z says, if the number that it came from has the same bits.
static int emit_fjcvtzs(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    if (fp_flush(j) || i->rd == REG_SINK)
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    int a = fp_src(j, i->rn, FP_D, X0);
    x_v(b, XV_CVTTSD2SI, RCX, 0, xr(a));
    x_alu_i(b, ALU_CMP, 0, xr(RCX), 1);
    fp_repair_begin(j, i, CC_O);
    x_v(b, XV_XORPS, X3, X3, xr(X3));
    x_v(b, XV_CVTSI2SD, X3, X3, xr(RCX));
    x_v(b, XV_MOVD_ST | XW, X3, 0, xr(RAX));
    x_v(b, XV_MOVD_ST | XW, a, 0, xr(RDX));
    x_rr(b, XI_SUB | XW, RDX, RAX);
    x_mov_ri(b, RAX, 0);
    x_setcc(b, CC_E, xr(RAX));
    x_shift_i(b, SH_SHL, 0, xr(RAX), (unsigned)__builtin_ctz(FLAG_Z));
    x_op(b, XI_ST16, RAX, ENV(nzcv), 0);
    jit_xdone(j, i->rd, RCX);
    fp_repair_end(j, i);
    jit_flags_in_env(j);
    return 1;
}

void jit_init_fpv_conv(jit_emit_fn **t)
{
#define ALL(op, fn) t[op##_vs] = t[op##_vd] = t[op##_s] = t[op##_d] = fn
#define FIXED(op, gpr, v)                                                                          \
    t[op##_f_sx] = t[op##_f_sw] = t[op##_f_dx] = t[op##_f_dw] = gpr;                               \
    t[op##_vfs] = t[op##_vfd] = t[op##_sfs] = t[op##_sfd] = v
    t[OP_FRINTA_vs] = t[OP_FRINTA_vd] = emit_frinta_v;
    ALL(OP_FCVTNS, emit_fcvtns), ALL(OP_FCVTNU, emit_fcvtnu), ALL(OP_FCVTMS, emit_fcvtms), ALL(OP_FCVTMU, emit_fcvtmu);
    ALL(OP_FCVTPS, emit_fcvtps), ALL(OP_FCVTPU, emit_fcvtpu), ALL(OP_FCVTAS, emit_fcvtas), ALL(OP_FCVTAU, emit_fcvtau);
    FIXED(OP_FCVTZS, emit_fcvtzs_f, emit_fcvtzs_vf);
    FIXED(OP_FCVTZU, emit_fcvtzu_f, emit_fcvtzu_vf);
    FIXED(OP_SCVTF, emit_scvtf_f, emit_scvtf_vf);
    FIXED(OP_UCVTF, emit_ucvtf_f, emit_ucvtf_vf);
    t[OP_FCVT_sh] = emit_fcvt_sh;
    t[OP_FCVT_hs] = emit_fcvt_hs;
    t[OP_FCVTL_vh] = emit_fcvtl_h;
    t[OP_FCVTN_vh] = t[OP_FCVTN2_vh] = emit_fcvtn_h;
    t[OP_FJCVTZS] = emit_fjcvtzs;
#undef ALL
#undef FIXED
}
