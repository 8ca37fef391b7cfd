/// Translation of vector rounding to nearest with ties away, of conversions between formats in vectors and as
/// Advanced SIMD scalars, and of FJCVTZS.
#include "jit/emit_simd.h"
#include "jit/fp.h"

enum { ROUND_ZERO = 11 };

static u32 round_op(unsigned fmt) { return fmt == FP_D ? XV_ROUNDPD : XV_ROUNDPS; }

void fpv_round_away(struct jit *j, unsigned fmt, int x)
{
    struct xbuf *b = &j->b;
    unsigned d = fp_di(fmt);
    u32 gt = d ? XV_PCMPGTQ : XV_PCMPGTD; // of numbers without signs, as of integers
    u64 half = d ? 0x3fe0000000000000 : 0x3f000000;
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
    x_v(b, XV_MOVAPS, X1, 0, FP_CONST(j, integral[d]));
    x_v(b, gt, X1, X1, xr(X3));
    x_v(b, XV_ANDPS, X1, X1, xr(x)); // the others count as zero
    x_vi(b, round_op(fmt), X2, 0, xr(X1), ROUND_ZERO);
    x_v(b, fp_op_packed(fmt, 0x5c), X3, X1, xr(X2)); // exact
    x_v(b, XV_ANDPS, X3, X3, FP_CONST(j, abs[d]));
    x_v(b, gt, X3, X3, simd_const_lanes(j, fmt, half - 1));
    x_v(b, XV_ANDPS, X3, X3, FP_CONST(j, ones[d]));
    x_v(b, XV_ANDPS, X1, X1, FP_CONST(j, sign[d]));
    x_v(b, XV_ORPS, X3, X3, xr(X1));
    x_v(b, fp_op_packed(fmt, 0x58), X2, X2, xr(X3));
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
    x_v(b, XV_MOVAPS, X1, 0, FP_CONST(j, integral[d]));
    x_v(b, gt, X1, X1, xr(X3));
    x_v(b, XV_ANDPS, X2, X2, xr(X1)); // 0 - 0 and 0 + 0 have either sign
    x_v(b, XV_ANDNPS, X1, X1, xr(x));
    x_v(b, XV_ORPS, X2, X2, xr(X1));
}

static int emit_frinta_v(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    fpv_round_away(j, i->p, fpv_source(j, i));
    return fpv_finish(j, i, X2, fpv_check(j, i->p, X2, false));
}

/* ---- between single and double precision ---- */

static int emit_fcvtl(struct jit *j, const struct insn *i)
{
    if (fp_flush(j))
        return 0;
    jit_clobber(j);
    xrm m = fp_opnd(j, i->rn);
    if (fpv_is_q(i)) {
        x_vi(&j->b, XV_PSHUFD, X1, 0, m, 0xee);
        m = xr(X1);
    }
    int d = fp_dest(j, i);
    x_v(&j->b, XV_CVTPS2PD, d, 0, m);
    return fpv_finish(j, i, d, fpv_check(j, FP_D, d, false));
}

static int emit_fcvtn(struct jit *j, const struct insn *i)
{
    if (fp_flush(j))
        return 0;
    jit_clobber(j);
    int a = jit_vread(j, i->rn, X0), d = fp_dest(j, i);
    if (!fpv_is_q(i)) {
        x_v(&j->b, XV_CVTPD2PS, d, 0, xr(a));
        return fpv_finish(j, i, d, fpv_check(j, FP_S, d, true));
    }
    x_v(&j->b, XV_CVTPD2PS, X2, 0, xr(a));
    unsigned cc = fpv_check(j, FP_S, X2, true);
    fp_repair_begin(j, i, cc);
    d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_MOVLHPS, d, jit_vread(j, i->rd, X1), xr(X2));
    jit_vdone(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

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
    t[OP_FRINTA_vs] = t[OP_FRINTA_vd] = emit_frinta_v;
    t[OP_FCVTL_vs] = emit_fcvtl;
    t[OP_FCVTN_vs] = t[OP_FCVTN2_vs] = emit_fcvtn;
    t[OP_FCVT_sh] = emit_fcvt_sh;
    t[OP_FCVT_hs] = emit_fcvt_hs;
    t[OP_FCVTL_vh] = emit_fcvtl_h;
    t[OP_FCVTN_vh] = t[OP_FCVTN2_vh] = emit_fcvtn_h;
    t[OP_FJCVTZS] = emit_fjcvtzs;
}
