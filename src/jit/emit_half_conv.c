/// Translation of half-precision rounding and conversion, on hosts with F16C (see emit_half.c).
#include "jit/emit_simd.h"
#include "jit/fp.h"

enum {
    NEAREST = 8,
    DOWN = 9,
    UP = 10,
    ZERO = 11,
    LOUD_CURRENT = 4,
    QUIET_CURRENT = 12,
    LOUD_ZERO = 3,
    AWAY = 16,
    NONE = 17
};
enum { CURRENT_ROUNDING = 4 };

/// X0 <- lanes of X0 rounded. To nearest with ties away is toward zero after adding one half, which in single is
/// exact for every half. X1 is clobbered.
static void round_lanes(struct jit *j, unsigned mode)
{
    struct xbuf *b = &j->b;
    if (mode == AWAY) {
        x_v(b, XV_PAND, X1, X0, FP_CONST(j, sign[0]));
        x_v(b, XV_POR, X1, X1, FP_CONST(j, half[0]));
        x_v(b, XV_ADDPS, X0, X0, xr(X1));
        mode = ZERO;
    }
    if (mode != NONE)
        x_vi(b, XV_ROUNDPS, X0, 0, xr(X0), mode);
}

static int rint_to(struct jit *j, const struct insn *i, unsigned mode)
{
    if (!fp_has_half(j))
        return 0;
    for (unsigned g = 0; g < fp_half_groups(i); g++) {
        fp_half_widen(j, i, i->rn, g, X0);
        round_lanes(j, mode);
        fp_half_narrow(j, g, X0);
    }
    if (fpv_is_half_scalar(i))
        x_v(&j->b, XV_PAND, X2, X2, simd_k(j, SK_LOW_H));
    return fp_half_finish(j, i);
}
#define RINT(name, mode)                                                                           \
    static int emit_##name(struct jit *j, const struct insn *i) { return rint_to(j, i, mode); }
RINT(frintn, NEAREST)
RINT(frintm, DOWN)
RINT(frintp, UP)
RINT(frintz, ZERO)
RINT(frinta, AWAY)
RINT(frintx, LOUD_CURRENT)
RINT(frinti, QUIET_CURRENT)

/* ---- to integers ---- */

/// Leaves unless the lanes of x fit into a halfword: as integers, not too large and, unsigned, not negative.
static void leave_unless_fit(struct jit *j, bool is_unsigned, int x)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_PAND, X3, x, is_unsigned ? simd_k(j, SK_ONES) : FP_CONST(j, abs[0]));
    x_v(b, XV_PCMPGTD, X3, X3, simd_const_lanes(j, 2, is_unsigned ? 0x477fffff : 0x46ffffff));
    if (is_unsigned)
        x_v(b, XV_POR, X3, X3, xr(x));
    fp_leave_if(j, fpv_any_lane(j, FP_S, X3));
}
/// What records Inexact comes after all that leaves, so the operands are widened again for it.
static int to_int_v(struct jit *j, const struct insn *i, unsigned mode, bool is_unsigned, int fbits)
{
    struct xbuf *b = &j->b;
    unsigned groups = fp_half_groups(i);
    if (!fp_has_half(j))
        return 0;
    xrm scale = simd_const_lanes(j, 2, (u64)(127 + fbits) << 23);
    for (unsigned g = 0; g < groups; g++) {
        fp_half_widen(j, i, i->rn, g, X0);
        if (fbits)
            x_v(b, XV_MULPS, X0, X0, scale);
        leave_unless_fit(j, is_unsigned, X0);
    }
    fp_repair_begin(j, i, CC_NEVER);
    for (unsigned g = 0; g < groups; g++) {
        fp_half_widen(j, i, i->rn, g, X0);
        if (fbits)
            x_v(b, XV_MULPS, X0, X0, scale);
        if (mode != NONE)
            x_vi(b, XV_ROUNDPS, X1, 0, xr(X0), LOUD_ZERO);
        round_lanes(j, mode);
        x_v(b, XV_CVTTPS2DQ, g ? X0 : X2, 0, xr(X0));
    }
    x_v(b, is_unsigned ? XV_PACKUSDW : XV_PACKSSDW, X2, X2, xr(groups == 2 ? X0 : X2));
    if (fpv_is_half_scalar(i))
        x_v(b, XV_PAND, X2, X2, simd_k(j, SK_LOW_H));
    else if (groups == 1)
        x_v(b, XV_MOVQ, X2, 0, xr(X2));
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}
static int to_int_r(struct jit *j, const struct insn *i, unsigned mode, bool is_unsigned, int fbits)
{
    struct xbuf *b = &j->b;
    if (!fp_has_half(j))
        return 0;
    fp_half_scalar(j, i->rn, X0);
    if (fbits)
        x_v(b, XV_MULSS, X0, X0, simd_const_lanes(j, 2, (u64)(127 + fbits) << 23));
    if (mode != NONE)
        x_v(b, XV_MOVAPS, X2, 0, xr(X0));
    round_lanes(j, mode);
    fp_to_integer(j, FP_S, i->sf, is_unsigned, X0);
    fp_repair_begin(j, i, CC_NEVER);
    if (mode != NONE)
        x_vi(b, XV_ROUNDPS, X2, 0, xr(X2), LOUD_ZERO);
    jit_xdone(j, i->rd, RAX);
    fp_repair_end(j, i);
    return 1;
}
#define TO_INT(name, mode)                                                                         \
    static int emit_##name##s(struct jit *j, const struct insn *i)                                 \
    {                                                                                              \
        return to_int_v(j, i, mode, false, 0);                                                     \
    }                                                                                              \
    static int emit_##name##u(struct jit *j, const struct insn *i)                                 \
    {                                                                                              \
        return to_int_v(j, i, mode, true, 0);                                                      \
    }                                                                                              \
    static int emit_##name##s_r(struct jit *j, const struct insn *i)                               \
    {                                                                                              \
        return to_int_r(j, i, mode, false, 0);                                                     \
    }                                                                                              \
    static int emit_##name##u_r(struct jit *j, const struct insn *i)                               \
    {                                                                                              \
        return to_int_r(j, i, mode, true, 0);                                                      \
    }
TO_INT(fcvtn, NEAREST)
TO_INT(fcvtm, DOWN)
TO_INT(fcvtp, UP)
TO_INT(fcvta, AWAY)
TO_INT(fcvtz, NONE)

/// The number of fraction bits: scalar to and from general registers, or Advanced SIMD.
static int fbits_gpr(const struct insn *i) { return 64 - (int)(i->word >> 10 & 63); }
static int fbits_v(const struct insn *i) { return 32 - (int)(i->word >> 16 & 31); }
static int emit_fcvtzs_f(struct jit *j, const struct insn *i)
{
    return to_int_r(j, i, NONE, false, fbits_gpr(i));
}
static int emit_fcvtzu_f(struct jit *j, const struct insn *i)
{
    return to_int_r(j, i, NONE, true, fbits_gpr(i));
}
static int emit_fcvtzs_vf(struct jit *j, const struct insn *i)
{
    return to_int_v(j, i, NONE, false, fbits_v(i));
}
static int emit_fcvtzu_vf(struct jit *j, const struct insn *i)
{
    return to_int_v(j, i, NONE, true, fbits_v(i));
}

/* ---- from integers ---- */

static int from_int_v(struct jit *j, const struct insn *i, bool is_unsigned, int fbits)
{
    struct xbuf *b = &j->b;
    if (!fp_has_half(j))
        return 0;
    for (unsigned g = 0; g < fp_half_groups(i); g++) {
        int n = fpv_is_half_scalar(i) ? fp_half_raw(j, i->rn, X0) : jit_vread(j, i->rn, X0);
        if (g) {
            x_vi(b, XV_PSHUFD, X0, 0, xr(n), 0xee);
            n = X0;
        }
        x_v(b, is_unsigned ? XV_PMOVZXWD : XV_PMOVSXWD, X0, 0, xr(n));
        x_v(b, XV_CVTDQ2PS, X0, 0, xr(X0));
        if (fbits)
            x_v(b, XV_MULPS, X0, X0, simd_const_lanes(j, 2, (u64)(127 - fbits) << 23));
        fp_half_narrow(j, g, X0);
    }
    return fp_half_finish(j, i);
}
/// X0 <- half of the double in X0, zeros above, by way of a single that is rounded to odd.
static void half_of_double(struct jit *j)
{
    fpv_double_to_odd(j, X0);
    x_vex(&j->b, XV_CVTPS2PH, X2, 0, xr(X2), 1);
    x_u8(&j->b, CURRENT_ROUNDING);
}
/// In double, where only what is too large for a half is not exact; but with fraction bits that may not be too large.
static int from_int_r(struct jit *j, const struct insn *i, bool is_unsigned, int fbits)
{
    struct xbuf *b = &j->b;
    if ((fbits && i->sf) || !fp_has_half(j))
        return 0;
    int r = jit_xread(j, i->rn, RCX);
    if (is_unsigned && i->sf) {
        fp_from_unsigned(j, FP_D, X0, r);
    } else {
        if (is_unsigned) {
            x_mov32(b, RCX, r);
            r = RCX;
        }
        x_v(b, XV_XORPS, X3, X3, xr(X3));
        x_v(b, XV_CVTSI2SD | (i->sf || is_unsigned ? XW : 0), X0, X3, xr(r));
    }
    if (fbits)
        x_v(b, XV_MULSD, X0, X0, simd_const64(j, (u64)(1023 - fbits) << 52));
    half_of_double(j);
    return fp_half_finish(j, i);
}
static int emit_scvtf(struct jit *j, const struct insn *i) { return from_int_v(j, i, false, 0); }
static int emit_ucvtf(struct jit *j, const struct insn *i) { return from_int_v(j, i, true, 0); }
static int emit_scvtf_vf(struct jit *j, const struct insn *i)
{
    return from_int_v(j, i, false, fbits_v(i));
}
static int emit_ucvtf_vf(struct jit *j, const struct insn *i)
{
    return from_int_v(j, i, true, fbits_v(i));
}
static int emit_scvtf_r(struct jit *j, const struct insn *i) { return from_int_r(j, i, false, 0); }
static int emit_ucvtf_r(struct jit *j, const struct insn *i) { return from_int_r(j, i, true, 0); }
static int emit_scvtf_f(struct jit *j, const struct insn *i)
{
    return from_int_r(j, i, false, fbits_gpr(i));
}
static int emit_ucvtf_f(struct jit *j, const struct insn *i)
{
    return from_int_r(j, i, true, fbits_gpr(i));
}

/* ---- between half and double, in the IEEE format ---- */

static bool is_alternative(const struct jit *j) { return j->mode >> (MODE_FPCR_SHIFT + 4) & 1; }

static int emit_fcvt_hd(struct jit *j, const struct insn *i)
{
    if (is_alternative(j) || !fp_has_half(j))
        return 0;
    int n = fp_src(j, i->rn, FP_D, X0);
    if (n != X0)
        x_v(&j->b, XV_MOVAPS, X0, 0, xr(n));
    fpv_leave_unless_single(j, X0);
    half_of_double(j);
    return fp_half_finish(j, i);
}
static int emit_fcvt_dh(struct jit *j, const struct insn *i)
{
    if (is_alternative(j) || !fp_has_half(j))
        return 0;
    fp_half_scalar(j, i->rn, X2);
    x_v(&j->b, XV_CVTSS2SD, X2, X2, xr(X2));
    x_v(&j->b, XV_MOVQ, X2, 0, xr(X2));
    return fpv_finish(j, i, X2, fp_check(j, FP_D, X2, false));
}

void jit_init_half_conv(jit_emit_fn **t)
{
#define VS(op, fn) t[op##_vh] = t[op##_h] = fn
#define TO(op, name)                                                                               \
    VS(op##S, emit_##name##s), VS(op##U, emit_##name##u), t[op##S_r_h] = emit_##name##s_r,         \
                                                          t[op##U_r_h] = emit_##name##u_r
#define FIXED(op, gpr, v) t[op##_f_hx] = t[op##_f_hw] = gpr, t[op##_vfh] = t[op##_sfh] = v
    VS(OP_FRINTN, emit_frintn), VS(OP_FRINTM, emit_frintm), VS(OP_FRINTP, emit_frintp),
        VS(OP_FRINTZ, emit_frintz);
    VS(OP_FRINTA, emit_frinta), VS(OP_FRINTX, emit_frintx), VS(OP_FRINTI, emit_frinti);
    TO(OP_FCVTN, fcvtn);
    TO(OP_FCVTM, fcvtm);
    TO(OP_FCVTP, fcvtp);
    TO(OP_FCVTA, fcvta);
    TO(OP_FCVTZ, fcvtz);
    FIXED(OP_FCVTZS, emit_fcvtzs_f, emit_fcvtzs_vf);
    FIXED(OP_FCVTZU, emit_fcvtzu_f, emit_fcvtzu_vf);
    FIXED(OP_SCVTF, emit_scvtf_f, emit_scvtf_vf);
    FIXED(OP_UCVTF, emit_ucvtf_f, emit_ucvtf_vf);
    VS(OP_SCVTF, emit_scvtf), VS(OP_UCVTF, emit_ucvtf);
    t[OP_SCVTF_r_h] = emit_scvtf_r, t[OP_UCVTF_r_h] = emit_ucvtf_r;
    t[OP_FCVT_hd] = emit_fcvt_hd;
    t[OP_FCVT_dh] = emit_fcvt_dh;
#undef VS
#undef TO
#undef FIXED
}
