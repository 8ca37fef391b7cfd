/// Translation of scalar floating-point conversions: between formats, to and from integers,
/// rounding to integers.
#include "jit/fp.h"

enum { RC_NEAREST = 8, RC_DOWN = 9, RC_UP = 10, RC_ZERO = 11, RC_CURRENT = 4, RC_QUIET = 8 };

static u32 round_op(unsigned fmt) { return fmt == FP_D ? XV_ROUNDSD : XV_ROUNDSS; }

/* ---- between formats ---- */

static int emit_fcvt_ds(struct jit *j, const struct insn *i)
{
    if (fp_flush(j))
        return 0;
    jit_clobber(j);
    int a = fp_src(j, i->rn, FP_S, X0), d = fp_dest(j, i);
    x_v(&j->b, XV_CVTSS2SD, d, a, xr(a));
    unsigned cc = fp_check(j, FP_D, d, false);
    fp_repair_begin(j, i, cc);
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

static int emit_fcvt_sd(struct jit *j, const struct insn *i)
{
    if (fp_flush(j))
        return 0;
    jit_clobber(j);
    xrm o = fp_opnd(j, i->rn);
    int d = fp_dest(j, i);
    x_v(&j->b, XV_XORPS, X3, X3, xr(X3));
    x_v(&j->b, XV_CVTSD2SS, d, X3, o);
    unsigned cc = fp_check(j, FP_S, d, true);
    fp_repair_begin(j, i, cc);
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

/* ---- rounding to integers in the format ---- */

static int rint_to(struct jit *j, const struct insn *i, unsigned imm)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fp_src(j, i->rn, i->p, X0), d = fp_dest(j, i);
    x_vi(&j->b, round_op(i->p), d, a, xr(a), imm);
    unsigned cc = fp_check(j, i->p, d, false);
    fp_repair_begin(j, i, cc);
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}
static int emit_frintn(struct jit *j, const struct insn *i) { return rint_to(j, i, RC_NEAREST); }
static int emit_frintm(struct jit *j, const struct insn *i) { return rint_to(j, i, RC_DOWN); }
static int emit_frintp(struct jit *j, const struct insn *i) { return rint_to(j, i, RC_UP); }
static int emit_frintz(struct jit *j, const struct insn *i) { return rint_to(j, i, RC_ZERO); }
static int emit_frintx(struct jit *j, const struct insn *i) { return rint_to(j, i, RC_CURRENT); }
static int emit_frinti(struct jit *j, const struct insn *i) { return rint_to(j, i, RC_CURRENT | RC_QUIET); }

/// X2 <- x rounded to the nearest integer, ties away from zero, for |x| < 2^52 (2^23); bits above
/// stay zero if x's are. x must not be X1..X3. Raises nothing. Leaves for all else.
static void round_away(struct jit *j, const struct insn *i, int x)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, d = fp_di(fmt);
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
    x_v(b, fmt == FP_D ? XV_MOVSD : XV_MOVSS, X1, 0, FP_CONST(j, integral[d]));
    x_v(b, fmt == FP_D ? XV_UCOMISD : XV_UCOMISS, X1, 0, xr(X3));
    fp_leave_if(j, CC_BE);
    x_vi(b, round_op(fmt), X2, x, xr(x), RC_ZERO);
    x_v(b, fp_op_scalar(fmt, 0x5c), X3, x, xr(X2)); // exact
    x_v(b, XV_ANDPS, X3, X3, FP_CONST(j, abs1[d]));
    x_vi(b, fp_op_scalar(fmt, 0xc2), X3, X3, FP_CONST(j, half[d]), CMP_NLT); // a NaN stays one
    x_v(b, XV_ANDPS, X3, X3, FP_CONST(j, ones[d]));
    x_v(b, XV_ANDPS, X1, x, FP_CONST(j, sign1[d]));
    x_v(b, XV_ORPS, X3, X3, xr(X1));
    x_v(b, fp_op_scalar(fmt, 0x58), X2, X2, xr(X3));
}

/// X2 <- x plus the number before one half, with the sign of x, rounded to nearest: rounded toward zero
/// that is x rounded, ties away from zero. (Numbers without a fraction stay themselves: half a unit is
/// more than what is added.) Raises nothing. x must not be X2.
static void add_half(struct jit *j, unsigned fmt, int x)
{
    struct xbuf *b = &j->b;
    enum { SIGN_OF_C_REST_OF_A = 0xd8 }; // c ? b : a
    unsigned d = fp_di(fmt);
    x_v(b, XV_MOVUPS, X2, 0, FP_CONST(j, below_half[d]));
    x_v(b, XV_MOVAPS, X3, 0, FP_CONST(j, sign1[d]));
    x_evi(b, XE_PTERNLOGQ, X2, x, xr(X3), SIGN_OF_C_REST_OF_A);
    x_ev(b, fp_op_scalar(fmt, 0x58) | (d ? XW : 0) | XSAE, X2, x, xr(X2));
}
static bool has_sae(const struct jit *j) { return j->cpu.avx512vl; }

static int emit_frinta(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    if (has_sae(j)) {
        int x = fp_src(j, i->rn, i->p, X0);
        add_half(j, i->p, x);
        x_vi(&j->b, round_op(i->p), X2, X2, xr(X2), RC_ZERO);
        unsigned cc = fp_check(j, i->p, X2, false);
        fp_repair_begin(j, i, cc);
        fp_done(j, i->rd, X2);
        fp_repair_end(j, i);
        return 1;
    }
    round_away(j, i, fp_src(j, i->rn, i->p, X0));
    fp_repair_begin(j, i, CC_NEVER);
    fp_done(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}

/* ---- to integers ---- */

void fp_to_unsigned(struct jit *j, unsigned fmt, bool is_64, int x)
{
    struct xbuf *b = &j->b;
    bool d64 = fmt == FP_D;
    if (j->cpu.avx512vl) {
        u32 w = is_64 ? XW : 0;
        x_ev(b, (d64 ? XE_CVTTSD2USI : XE_CVTTSS2USI) | w, RAX, 0, xr(x));
        x_alu_i(b, ALU_CMP, w, xr(RAX), -1); // what stands for all that does not fit
        fp_leave_if(j, CC_E);
        return;
    }
    x_v(b, XV_MOVD_ST | (d64 ? XW : 0), x, 0, xr(RAX));
    if (d64) { // 2^63, 2^32; negative numbers are above
        x_mov_ri(b, RCX, is_64 ? 0x43e0000000000000 : 0x41f0000000000000);
        x_rr(b, XI_CMP | XW, RAX, RCX);
    } else {
        x_alu_i(b, ALU_CMP, 0, xr(RAX), is_64 ? 0x5f000000 : 0x4f800000);
    }
    fp_leave_if(j, CC_AE);
    x_v(b, (d64 ? XV_CVTTSD2SI : XV_CVTTSS2SI) | XW, RAX, 0, xr(x));
}

void fp_to_integer(struct jit *j, unsigned fmt, bool is_64, bool is_unsigned, int x)
{
    u32 w = is_64 ? XW : 0;
    if (is_unsigned) {
        fp_to_unsigned(j, fmt, is_64, x);
        return;
    }
    x_v(&j->b, (fmt == FP_D ? XV_CVTTSD2SI : XV_CVTTSS2SI) | w, RAX, 0, xr(x));
    x_alu_i(&j->b, ALU_CMP, w, xr(RAX), 1);
    fp_leave_if(j, CC_O);
}
/// The end of a conversion of x that was rounded quietly before: records Inexact.
static int finish_rounded(struct jit *j, const struct insn *i, int x)
{
    enum { TRUNCATE_LOUD = 3 };
    fp_repair_begin(j, i, CC_NEVER);
    x_vi(&j->b, round_op(i->p), X3, x, xr(x), TRUNCATE_LOUD);
    jit_xdone(j, i->rd, RAX);
    fp_repair_end(j, i);
    return 1;
}

/// FCVTAS, FCVTAU.
static int to_int_away(struct jit *j, const struct insn *i, bool is_unsigned)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    u32 w = i->sf ? XW : 0;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int x = fp_src(j, i->rn, fmt, X0);
    if (has_sae(j)) {
        u32 cvt = is_unsigned ? (fmt == FP_D ? XE_CVTTSD2USI : XE_CVTTSS2USI) | w
                              : (fmt == FP_D ? XV_CVTTSD2SI : XV_CVTTSS2SI) | w;
        add_half(j, fmt, x);
        x_ev(b, cvt | XSAE, RAX, 0, xr(X2));
        x_alu_i(b, ALU_CMP, w, xr(RAX), is_unsigned ? -1 : 1);
        fp_leave_if(j, is_unsigned ? CC_E : CC_O);
        return finish_rounded(j, i, x);
    }
    round_away(j, i, x);
    fp_to_integer(j, fmt, i->sf, is_unsigned, X2);
    return finish_rounded(j, i, x);
}
static int emit_fcvtas(struct jit *j, const struct insn *i) { return to_int_away(j, i, false); }
static int emit_fcvtau(struct jit *j, const struct insn *i) { return to_int_away(j, i, true); }

/// x86 gives the same value (the "integer indefinite") for everything that does not fit, which is
/// also a valid result: that and NaNs are left to the body. mode 0: toward zero; else round first, quietly.
static int to_int(struct jit *j, const struct insn *i, unsigned mode, bool is_unsigned)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    u32 w = i->sf ? XW : 0;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    if (mode) {
        int a = jit_vread(j, i->rn, X0);
        x_vi(b, round_op(fmt), X2, a, xr(a), mode);
        fp_to_integer(j, fmt, i->sf, is_unsigned, X2);
        return finish_rounded(j, i, a);
    }
    if (is_unsigned) {
        fp_to_unsigned(j, fmt, i->sf, jit_vread(j, i->rn, X0));
    } else {
        x_v(b, (fmt == FP_D ? XV_CVTTSD2SI : XV_CVTTSS2SI) | w, RAX, 0, fp_opnd(j, i->rn));
        x_alu_i(b, ALU_CMP, w, xr(RAX), 1);
        fp_leave_if(j, CC_O);
    }
    fp_repair_begin(j, i, CC_NEVER);
    jit_xdone(j, i->rd, RAX);
    fp_repair_end(j, i);
    return 1;
}
static int emit_fcvtzs(struct jit *j, const struct insn *i) { return to_int(j, i, 0, false); }
static int emit_fcvtzu(struct jit *j, const struct insn *i) { return to_int(j, i, 0, true); }
static int emit_fcvtns(struct jit *j, const struct insn *i) { return to_int(j, i, RC_NEAREST, false); }
static int emit_fcvtnu(struct jit *j, const struct insn *i) { return to_int(j, i, RC_NEAREST, true); }
static int emit_fcvtps(struct jit *j, const struct insn *i) { return to_int(j, i, RC_UP, false); }
static int emit_fcvtpu(struct jit *j, const struct insn *i) { return to_int(j, i, RC_UP, true); }
static int emit_fcvtms(struct jit *j, const struct insn *i) { return to_int(j, i, RC_DOWN, false); }
static int emit_fcvtmu(struct jit *j, const struct insn *i) { return to_int(j, i, RC_DOWN, true); }

/* ---- from integers ---- */

static int emit_scvtf(struct jit *j, const struct insn *i)
{
    u32 op = (i->p == FP_D ? XV_CVTSI2SD : XV_CVTSI2SS) | (i->sf ? XW : 0);
    int r = jit_xread(j, i->rn, RCX), d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_XORPS, X3, X3, xr(X3));
    x_v(&j->b, op, d, X3, xr(r));
    fp_done(j, i->rd, d);
    return 1;
}

/// Without AVX-512 those from 2^63 on are halved, the bit that is lost or'd to the next, and doubled.
void fp_from_unsigned(struct jit *j, unsigned fmt, int d, int r)
{
    struct xbuf *b = &j->b;
    bool d64 = fmt == FP_D;
    u32 cvt = (d64 ? XV_CVTSI2SD : XV_CVTSI2SS) | XW;
    x_v(b, XV_XORPS, X3, X3, xr(X3));
    if (j->cpu.avx512vl) {
        x_ev(b, (d64 ? XE_CVTUSI2SD : XE_CVTUSI2SS) | XW, d, X3, xr(r));
        return;
    }
    x_rr(b, XI_TEST | XW, r, r);
    struct xbuf *c = jit_cold_begin(j, CC_S);
    x_mov(c, RDX, r);
    x_mov32(c, RAX, r);
    x_shift_i(c, SH_SHR, XW, xr(RDX), 1);
    x_alu_i(c, ALU_AND, 0, xr(RAX), 1);
    x_rr(c, XI_OR | XW, RDX, RAX);
    x_v(c, cvt, d, X3, xr(RDX));
    x_v(c, fp_op_scalar(fmt, 0x58), d, d, xr(d));
    x_v(b, cvt, d, X3, xr(r));
    jit_cold_end(j);
}

static int emit_ucvtf(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    if (i->sf)
        jit_clobber(j);
    int r = jit_xread(j, i->rn, RCX), d = jit_vwrite(j, i->rd, X2);
    if (i->sf) {
        fp_from_unsigned(j, i->p, d, r);
    } else {
        x_mov32(b, RCX, r);
        x_v(b, XV_XORPS, X3, X3, xr(X3));
        x_v(b, (i->p == FP_D ? XV_CVTSI2SD : XV_CVTSI2SS) | XW, d, X3, xr(RCX));
    }
    fp_done(j, i->rd, d);
    return 1;
}

/* ---- Advanced SIMD scalars: the integer is in a V register ---- */

static int emit_scvtf_v(struct jit *j, const struct insn *i)
{
    xrm o = fp_opnd(j, i->rn);
    int d = jit_vwrite(j, i->rd, X2);
    u32 w = i->p == FP_D ? XW : 0;
    if (xrm_is_reg(o)) {
        x_v(&j->b, XV_MOVD_ST | w, o.reg, 0, xr(RAX));
        o = xr(RAX);
    }
    x_v(&j->b, XV_XORPS, X3, X3, xr(X3));
    x_v(&j->b, (i->p == FP_D ? XV_CVTSI2SD : XV_CVTSI2SS) | w, d, X3, o);
    fp_done(j, i->rd, d);
    return 1;
}

static int emit_ucvtf_v(struct jit *j, const struct insn *i)
{
    bool is_double = i->p == FP_D;
    u32 w = is_double ? XW : 0;
    if (is_double)
        jit_clobber(j);
    if (j->vmap[i->rn] >= 0)
        x_v(&j->b, XV_MOVD_ST | w, jit_vread(j, i->rn, X0), 0, xr(RAX));
    else
        x_rm(&j->b, XI_MOV | w, RAX, ENV_V(i->rn));
    int d = jit_vwrite(j, i->rd, X2);
    if (is_double) {
        fp_from_unsigned(j, FP_D, d, RAX);
    } else {
        x_v(&j->b, XV_XORPS, X3, X3, xr(X3));
        x_v(&j->b, XV_CVTSI2SS | XW, d, X3, xr(RAX));
    }
    fp_done(j, i->rd, d);
    return 1;
}

static int emit_fcvtzu_v(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    fp_to_unsigned(j, i->p, i->p == FP_D, jit_vread(j, i->rn, X0));
    fp_repair_begin(j, i, CC_NEVER);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_MOVD | (i->p == FP_D ? XW : 0), d, 0, xr(RAX));
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

static int emit_fcvtzs_v(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    u32 w = i->p == FP_D ? XW : 0;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    x_v(b, (i->p == FP_D ? XV_CVTTSD2SI : XV_CVTTSS2SI) | w, RAX, 0, fp_opnd(j, i->rn));
    x_alu_i(b, ALU_CMP, w, xr(RAX), 1);
    fp_repair_begin(j, i, CC_O);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(b, XV_MOVD | w, d, 0, xr(RAX));
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

void jit_init_fp_conv(jit_emit_fn **t)
{
#define SD(op, fn) t[op##_s] = t[op##_d] = fn
    t[OP_FCVT_ds] = emit_fcvt_ds;
    t[OP_FCVT_sd] = emit_fcvt_sd;
    SD(OP_FRINTN, emit_frintn), SD(OP_FRINTM, emit_frintm), SD(OP_FRINTP, emit_frintp);
    SD(OP_FRINTZ, emit_frintz), SD(OP_FRINTX, emit_frintx), SD(OP_FRINTI, emit_frinti);
    SD(OP_FRINTA, emit_frinta), SD(OP_FCVTAS_r, emit_fcvtas), SD(OP_FCVTAU_r, emit_fcvtau);
    SD(OP_FCVTZS_r, emit_fcvtzs), SD(OP_FCVTZU_r, emit_fcvtzu);
    SD(OP_FCVTNS_r, emit_fcvtns), SD(OP_FCVTNU_r, emit_fcvtnu);
    SD(OP_FCVTPS_r, emit_fcvtps), SD(OP_FCVTPU_r, emit_fcvtpu);
    SD(OP_FCVTMS_r, emit_fcvtms), SD(OP_FCVTMU_r, emit_fcvtmu);
    SD(OP_SCVTF_r, emit_scvtf), SD(OP_UCVTF_r, emit_ucvtf);
    SD(OP_SCVTF, emit_scvtf_v), SD(OP_FCVTZS, emit_fcvtzs_v);
    SD(OP_UCVTF, emit_ucvtf_v), SD(OP_FCVTZU, emit_fcvtzu_v);
#undef SD
}
