/// Translation of conversions between floating point and integers in vectors and as Advanced SIMD scalars:
/// toward zero, rounded first (FCVTN, FCVTM, FCVTP, FCVTA), and with fraction bits.
///
/// AVX-512 has an instruction for each. Without it, numbers that are not in range go to the body before
/// anything is computed, since x86 would record what the guest's processor does not.
#include "jit/emit_simd.h"
#include "jit/fp.h"

enum { ROUND_NEAREST = 8, ROUND_DOWN = 9, ROUND_UP = 10, ROUND_AWAY = 16, TRUNCATE_LOUD = 3 };

static bool has_dq(const struct jit *j) { return j->cpu.avx512dq && j->cpu.avx512vl; }

int fpv_source(struct jit *j, const struct insn *i)
{
    return fpv_is_scalar(i) ? fp_src(j, i->rn, i->p, X0) : fpv_src(j, i, i->rn, X0);
}
static u32 round_op(unsigned fmt) { return fmt == FP_D ? XV_ROUNDPD : XV_ROUNDPS; }
static bool has_two(const struct insn *i) { return i->p == FP_D && !fpv_is_scalar(i); }

/* ---- to integers ---- */

/// Without AVX-512: X2 <- doublewords of x.
static void doubles_by_lane(struct jit *j, const struct insn *i, bool is_unsigned, int x)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_CVTTSD2SI | XW, RAX, 0, xr(x));
    if (!is_unsigned) {
        x_alu_i(b, ALU_CMP, XW, xr(RAX), 1);
        fp_leave_if(j, CC_O);
    }
    if (has_two(i)) {
        x_vi(b, XV_PSHUFD, X3, 0, xr(x), 0xee);
        x_v(b, XV_CVTTSD2SI | XW, RCX, 0, xr(X3));
        if (!is_unsigned) {
            x_alu_i(b, ALU_CMP, XW, xr(RCX), 1);
            fp_leave_if(j, CC_O);
        }
    }
    x_v(b, XV_MOVD | XW, X2, 0, xr(RAX));
    if (has_two(i))
        x_vi(b, XV_PINSRD | XW, X2, X2, xr(RCX), 1);
}
/// Leaves unless all lanes are from 0 to 2^63 (2^32): as integers, not negative and not above the last such number.
static void leave_unless_unsigned(struct jit *j, unsigned fmt, int x)
{
    bool d64 = fmt == FP_D;
    x_v(&j->b, XV_MOVAPS, X3, 0, xr(x));
    x_v(&j->b, d64 ? XV_PCMPGTQ : XV_PCMPGTD, X3, X3,
        simd_const_lanes(j, fmt, d64 ? 0x43dfffffffffffff : 0x4f7fffff));
    x_v(&j->b, XV_POR, X3, X3, xr(x));
    fp_leave_if(j, fpv_any_lane(j, fmt, X3));
}
/// X2 <- unsigned words of x. From 2^31 on that is subtracted first.
static void unsigned_words(struct jit *j, int x)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_PCMPGTD, X3, x, simd_const_lanes(j, 2, 0x4effffff));
    x_v(b, XV_PAND, X1, X3, simd_const_lanes(j, 2, 0x4f000000));
    x_v(b, XV_SUBPS, X2, x, xr(X1));
    x_v(b, XV_CVTTPS2DQ, X2, 0, xr(X2));
    x_vshift_i(b, XV_PSHIFT_D, 6, X3, X3, 31);
    x_v(b, XV_PXOR, X2, X2, xr(X3));
}
/// X2 <- lanes of x toward zero as integers. Leaves when one does not fit. Clobbers X1, X3, rax, rcx.
static void to_integers(struct jit *j, const struct insn *i, bool is_unsigned, int x)
{
    struct xbuf *b = &j->b;
    bool d64 = i->p == FP_D;
    if (!has_dq(j) && (d64 || is_unsigned)) {
        if (is_unsigned)
            leave_unless_unsigned(j, i->p, x);
        if (d64)
            doubles_by_lane(j, i, is_unsigned, x);
        else
            unsigned_words(j, x);
        return;
    }
    if (is_unsigned)
        x_ev(b, d64 ? XO(1, 1, 0x78) | XW : XO(0, 1, 0x78), X2, 0, xr(x)); // vcvttpd2uqq, vcvttps2udq
    else if (d64)
        x_ev(b, XO(1, 1, 0x7a) | XW, X2, 0, xr(x)); // vcvttpd2qq
    else
        x_v(b, XV_CVTTPS2DQ, X2, 0, xr(x));
    // what stands for all that does not fit
    xrm k = FP_CONST(j, sign[fp_di(i->p)]);
    if (is_unsigned) {
        x_v(b, XV_PCMPEQD, X3, X3, xr(X3));
        k = xr(X3);
    }
    x_v(b, d64 ? XV_PCMPEQQ : XV_PCMPEQD, X3, X2, k);
    fp_leave_if(j, fpv_any_lane(j, i->p, X3));
}

/// mode: of rounding before, 0 none.
static int to_int(struct jit *j, const struct insn *i, unsigned mode, bool is_unsigned)
{
    unsigned fmt = i->p;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fpv_source(j, i);
    if (mode == ROUND_AWAY)
        fpv_round_away(j, fmt, a);
    else if (mode)
        x_vi(&j->b, round_op(fmt), X2, 0, xr(a), mode);
    to_integers(j, i, is_unsigned, mode ? X2 : a);
    fp_repair_begin(j, i, CC_NEVER);
    if (mode)
        x_vi(&j->b, round_op(fmt), X3, 0, xr(a), TRUNCATE_LOUD); // for Inexact
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}
#define TO_INT(name, mode)                                                                         \
    static int emit_##name##s(struct jit *j, const struct insn *i)                                 \
    {                                                                                              \
        return to_int(j, i, mode, false);                                                          \
    }                                                                                              \
    static int emit_##name##u(struct jit *j, const struct insn *i)                                 \
    {                                                                                              \
        return to_int(j, i, mode, true);                                                           \
    }
TO_INT(fcvtz, 0)
TO_INT(fcvtn, ROUND_NEAREST)
TO_INT(fcvtm, ROUND_DOWN)
TO_INT(fcvtp, ROUND_UP)
TO_INT(fcvta, ROUND_AWAY)

/* ---- from integers ---- */

/// Unsigned words: the upper and the lower halves are exact, and their sum is rounded once.
static void from_unsigned_words(struct jit *j, int d, int a)
{
    struct xbuf *b = &j->b;
    x_vshift_i(b, XV_PSHIFT_D, 2, X1, a, 16);
    x_v(b, XV_PAND, X3, a, simd_k(j, SK_S0000FFFF));
    x_v(b, XV_CVTDQ2PS, X1, 0, xr(X1));
    x_v(b, XV_CVTDQ2PS, X3, 0, xr(X3));
    x_v(b, XV_MULPS, X1, X1, simd_const_lanes(j, 2, 0x47800000)); // 2^16
    x_v(b, XV_ADDPS, d, X1, xr(X3));
}
/// Unsigned doublewords: the halves become the fractions of 2^52 and 2^84, which are subtracted.
static void from_unsigned_doubles(struct jit *j, int d, int a)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_PAND, X1, a, simd_k(j, SK_D00000000FFFFFFFF));
    x_v(b, XV_POR, X1, X1, simd_const64(j, 0x4330000000000000));
    x_vshift_i(b, XV_PSHIFT_Q, 2, X3, a, 32);
    x_v(b, XV_POR, X3, X3, simd_const64(j, 0x4530000000000000));
    x_v(b, XV_SUBPD, X3, X3, simd_const64(j, 0x4530000000100000)); // 2^84 + 2^52
    x_v(b, XV_ADDPD, d, X3, xr(X1));
    if (fp_rmode_of(j) == FPR_NEGINF) // 2^52 - 2^52 is -0
        x_v(b, XV_ANDPS, d, d, FP_CONST(j, abs[1]));
}
static void from_signed_doubles(struct jit *j, const struct insn *i, int d, int a)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_MOVD_ST | XW, a, 0, xr(RAX));
    x_v(b, XV_XORPS, X1, X1, xr(X1));
    if (has_two(i)) {
        x_vi(b, XV_PEXTRD | XW, a, 0, xr(RCX), 1);
        x_v(b, XV_CVTSI2SD | XW, X3, X1, xr(RCX));
    }
    x_v(b, XV_CVTSI2SD | XW, has_two(i) ? X1 : d, X1, xr(RAX));
    if (has_two(i))
        x_v(b, XV_UNPCKLPD, d, X1, xr(X3));
}
/// d <- integers in a as numbers. d may be a. Clobbers X1, X3, rax, rcx.
static void from_integers(struct jit *j, const struct insn *i, bool is_unsigned, int d, int a)
{
    bool d64 = i->p == FP_D;
    if (has_dq(j) && is_unsigned)
        x_ev(&j->b, d64 ? XO(2, 1, 0x7a) | XW : XO(3, 1, 0x7a), d, 0, xr(a)); // vcvtuqq2pd, vcvtudq2ps
    else if (has_dq(j) && d64)
        x_ev(&j->b, XO(2, 1, 0xe6) | XW, d, 0, xr(a)); // vcvtqq2pd
    else if (!is_unsigned && !d64)
        x_v(&j->b, XV_CVTDQ2PS, d, 0, xr(a));
    else if (!is_unsigned)
        from_signed_doubles(j, i, d, a);
    else if (d64)
        from_unsigned_doubles(j, d, a);
    else
        from_unsigned_words(j, d, a);
}
static int from_int(struct jit *j, const struct insn *i, bool is_unsigned)
{
    int a = fpv_source(j, i), d = jit_vwrite(j, i->rd, X2);
    from_integers(j, i, is_unsigned, d, a);
    jit_vdone(j, i->rd, d);
    return 1;
}
static int emit_scvtf(struct jit *j, const struct insn *i) { return from_int(j, i, false); }
static int emit_ucvtf(struct jit *j, const struct insn *i) { return from_int(j, i, true); }

/* ---- fixed point: a multiplication by a power of two, which is exact ---- */

static u64 power(unsigned fmt, int n)
{
    return fmt == FP_D ? (u64)(1023 + n) << 52 : (u64)(127 + n) << 23;
}
static xrm power_lanes(struct jit *j, unsigned fmt, int n)
{
    return simd_const_lanes(j, fmt, power(fmt, n));
}

/// The number of fraction bits: scalar to and from general registers, or Advanced SIMD.
static int fbits_gpr(const struct insn *i) { return 64 - (int)(i->word >> 10 & 63); }
static int fbits_v(const struct insn *i) { return (16 << i->p) - (int)(i->word >> 16 & 127); }

/// Numbers from 2^64 on, which need not stay finite, are left to the body, and so are NaNs.
static int fixed_to_gpr(struct jit *j, const struct insn *i, bool is_unsigned)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, d = fp_di(fmt);
    u32 w = i->sf ? XW : 0;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fp_src(j, i->rn, fmt, X0);
    x_v(b, XV_ANDPS, X3, a, FP_CONST(j, abs[d]));
    x_v(b, d ? XV_MOVSD : XV_MOVSS, X2, 0, power_lanes(j, fmt, 64));
    x_v(b, d ? XV_UCOMISD : XV_UCOMISS, X2, 0, xr(X3));
    fp_leave_if(j, CC_BE);
    x_v(b, fp_op_scalar(fmt, 0x59), X2, a, power_lanes(j, fmt, fbits_gpr(i)));
    unsigned cc = CC_NEVER;
    if (is_unsigned) {
        fp_to_unsigned(j, fmt, i->sf, X2);
    } else {
        x_v(b, (d ? XV_CVTTSD2SI : XV_CVTTSS2SI) | w, RAX, 0, xr(X2));
        x_alu_i(b, ALU_CMP, w, xr(RAX), 1);
        cc = CC_O;
    }
    fp_repair_begin(j, i, cc);
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
    if (is_unsigned && i->sf)
        jit_clobber(j);
    xrm scale = power_lanes(j, i->p, -fbits_gpr(i));
    int r = jit_xread(j, i->rn, RCX), d = jit_vwrite(j, i->rd, X2);
    if (is_unsigned && i->sf) {
        fp_from_unsigned(j, i->p, d, r);
    } else {
        x_v(b, XV_XORPS, X3, X3, xr(X3));
        if (is_unsigned) {
            x_mov32(b, RCX, r);
            r = RCX;
        }
        x_v(b, (d64 ? XV_CVTSI2SD : XV_CVTSI2SS) | (i->sf || is_unsigned ? XW : 0), d, X3, xr(r));
    }
    x_v(b, fp_op_scalar(i->p, 0x59), d, d, scale);
    fp_done(j, i->rd, d);
    return 1;
}
static int emit_scvtf_f(struct jit *j, const struct insn *i) { return fixed_from_gpr(j, i, false); }
static int emit_ucvtf_f(struct jit *j, const struct insn *i) { return fixed_from_gpr(j, i, true); }

static int fixed_to_v(struct jit *j, const struct insn *i, bool is_unsigned)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, d = fp_di(fmt);
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fpv_source(j, i);
    x_v(b, XV_ANDPS, X3, a, FP_CONST(j, abs[d]));
    x_v(b, d ? XV_PCMPGTQ : XV_PCMPGTD, X3, X3, simd_const_lanes(j, fmt, power(fmt, 64) - 1));
    fp_leave_if(j, fpv_any_lane(j, fmt, X3));
    x_v(b, fp_op_packed(fmt, 0x59), X2, a, power_lanes(j, fmt, fbits_v(i)));
    to_integers(j, i, is_unsigned, X2);
    return fpv_finish(j, i, X2, CC_NEVER);
}
static int emit_fcvtzs_vf(struct jit *j, const struct insn *i) { return fixed_to_v(j, i, false); }
static int emit_fcvtzu_vf(struct jit *j, const struct insn *i) { return fixed_to_v(j, i, true); }

static int fixed_from_v(struct jit *j, const struct insn *i, bool is_unsigned)
{
    int a = fpv_source(j, i), d = jit_vwrite(j, i->rd, X2);
    from_integers(j, i, is_unsigned, d, a);
    x_v(&j->b, fp_op_packed(i->p, 0x59), d, d, power_lanes(j, i->p, -fbits_v(i)));
    jit_vdone(j, i->rd, d);
    return 1;
}
static int emit_scvtf_vf(struct jit *j, const struct insn *i) { return fixed_from_v(j, i, false); }
static int emit_ucvtf_vf(struct jit *j, const struct insn *i) { return fixed_from_v(j, i, true); }

void jit_init_fpv_int(jit_emit_fn **t)
{
#define VSD(op, fn) t[op##_vs] = t[op##_vd] = fn
#define ALL(op, fn) VSD(op, fn), t[op##_s] = t[op##_d] = fn
#define FIXED(op, gpr, v)                                                                          \
    t[op##_f_sx] = t[op##_f_sw] = t[op##_f_dx] = t[op##_f_dw] = gpr;                               \
    t[op##_vfs] = t[op##_vfd] = t[op##_sfs] = t[op##_sfd] = v
    VSD(OP_FCVTZS, emit_fcvtzs), VSD(OP_FCVTZU, emit_fcvtzu), VSD(OP_SCVTF, emit_scvtf),
        VSD(OP_UCVTF, emit_ucvtf);
    ALL(OP_FCVTNS, emit_fcvtns), ALL(OP_FCVTNU, emit_fcvtnu), ALL(OP_FCVTMS, emit_fcvtms),
        ALL(OP_FCVTMU, emit_fcvtmu);
    ALL(OP_FCVTPS, emit_fcvtps), ALL(OP_FCVTPU, emit_fcvtpu), ALL(OP_FCVTAS, emit_fcvtas),
        ALL(OP_FCVTAU, emit_fcvtau);
    FIXED(OP_FCVTZS, emit_fcvtzs_f, emit_fcvtzs_vf);
    FIXED(OP_FCVTZU, emit_fcvtzu_f, emit_fcvtzu_vf);
    FIXED(OP_SCVTF, emit_scvtf_f, emit_scvtf_vf);
    FIXED(OP_UCVTF, emit_ucvtf_f, emit_ucvtf_vf);
#undef VSD
#undef ALL
#undef FIXED
}
