/// Translation of reciprocal and square root estimates (FRECPE, FRSQRTE, FRECPX, URECPE, URSQRTE), of FRINT32 and
/// FRINT64, and of FCVTXN.
///
/// Estimates have eight bits, from tables. A normal operand whose result is normal raises nothing and does not
/// depend on FPCR; the others go to the body.
#include "jit/emit_simd.h"
#include "jit/fp.h"

void jit_make_fp_estimates(struct jit *j)
{
    struct fp_estimates e;
    for (unsigned k = 0; k < 256; k++)
        e.recip[k] = (u8)(fp_urecpe(0x80000000u | k << 23) >> 23);
    for (unsigned k = 0; k < 512; k++) {
        e.rsqrt_int[k] = (u8)(fp_ursqrte(k << 23) >> 23);
        e.rsqrt[k] = (u8)(fp_ursqrte((k < 256 ? 256 + k : 128 + (k - 256) / 2) << 23) >> 23);
    }
    j->fp_estimates = j->b.p;
    memcpy(j->b.p, &e, sizeof e);
    j->b.p += sizeof e;
}
#define TABLE(j, name) xrip((j)->fp_estimates + offsetof(struct fp_estimates, name))

struct format {
    unsigned fbits, emask;
    unsigned recip, rsqrt; ///< minus the exponent gives that of 1/x; half of that, of 1/sqrt(x)
};
static const struct format formats[4] =
    {[FP_H] = {10, 31, 29, 44}, [FP_S] = {23, 255, 253, 380}, [FP_D] = {52, 2047, 2045, 3068}};

/* ---- scalars, in general registers ---- */

/// RAX <- Vn's bits, RDX <- its sign and exponent. Leaves unless that, with `sign` without the sign, is 1..max.
static void take_apart(struct jit *j, const struct insn *i, bool sign, unsigned max)
{
    struct xbuf *b = &j->b;
    const struct format *f = &formats[i->p];
    u32 w = i->p == FP_D ? XW : 0;
    if (j->vmap[i->rn] >= 0)
        x_v(b, XV_MOVD_ST | w, jit_vread(j, i->rn, X0), 0, xr(RAX));
    else
        x_rm(b, XI_MOV | w, RAX, ENV_V(i->rn));
    if (i->p == FP_H)
        x_rr(b, XI_MOVZX16, RAX, RAX);
    x_mov(b, RDX, RAX);
    x_shift_i(b, SH_SHR, XW, xr(RDX), f->fbits);
    x_mov32(b, RCX, RDX);
    if (sign)
        x_alu_i(b, ALU_AND, 0, xr(RCX), (s32)f->emask);
    x_alu_i(b, ALU_SUB, 0, xr(RCX), 1);
    x_alu_i(b, ALU_CMP, 0, xr(RCX), (s32)max);
    fp_leave_if(j, CC_AE);
}
static int finish_gpr(struct jit *j, const struct insn *i)
{
    fp_repair_begin(j, i, CC_NEVER);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_MOVD | (i->p == FP_D ? XW : 0), d, 0, xr(RAX));
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}
/// RAX <- the table's entry for its low byte (or nine bits).
static void look_up(struct jit *j, xrm table, bool nine)
{
    struct xbuf *b = &j->b;
    if (nine)
        x_alu_i(b, ALU_AND, 0, xr(RAX), 511);
    else
        x_rr(b, XI_MOVZX8, RAX, RAX);
    x_rm(b, XI_LEA | XW, RCX, table);
    x_rm(b, XI_MOVZX8, RAX, xmi(RCX, RAX, 0, 0));
}

static int emit_frecpe_s(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    const struct format *f = &formats[i->p];
    jit_clobber(j);
    j->fz_count = 0;
    take_apart(j, i, true, f->recip - 1);
    x_shift_i(b, SH_SHR, XW, xr(RAX), f->fbits - 8);
    look_up(j, TABLE(j, recip), false);
    x_alu_i(b, ALU_XOR, 0, xr(RDX), (s32)f->emask); // emask minus the exponent
    x_alu_i(b, ALU_SUB, 0, xr(RDX), (s32)(f->emask - f->recip));
    x_shift_i(b, SH_SHL, 0, xr(RDX), 8);
    x_rr(b, XI_OR, RAX, RDX);
    x_shift_i(b, SH_SHL, XW, xr(RAX), f->fbits - 8);
    return finish_gpr(j, i);
}
static int emit_frsqrte_s(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    const struct format *f = &formats[i->p];
    jit_clobber(j);
    j->fz_count = 0;
    take_apart(j, i, false, f->emask - 1);
    x_shift_i(b, SH_SHR, XW, xr(RAX), f->fbits - 8);
    look_up(j, TABLE(j, rsqrt), true);
    x_neg(b, 0, xr(RDX));
    x_alu_i(b, ALU_ADD, 0, xr(RDX), (s32)f->rsqrt);
    x_shift_i(b, SH_SHR, 0, xr(RDX), 1);
    x_shift_i(b, SH_SHL, 0, xr(RDX), 8);
    x_rr(b, XI_OR, RAX, RDX);
    x_shift_i(b, SH_SHL, XW, xr(RAX), f->fbits - 8);
    return finish_gpr(j, i);
}
static int emit_frecpx(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    const struct format *f = &formats[i->p];
    jit_clobber(j);
    j->fz_count = 0;
    take_apart(j, i, true, f->emask - 1);
    x_mov32(b, RAX, RDX);
    x_alu_i(b, ALU_XOR, 0, xr(RAX), (s32)f->emask);
    x_shift_i(b, SH_SHL, XW, xr(RAX), f->fbits);
    return finish_gpr(j, i);
}

/* ---- vectors ---- */

/// X0 <- Vn; above 64 bits, where they do not count, ones as numbers.
static void operand(struct jit *j, const struct insn *i)
{
    int n = fpv_src(j, i, i->rn, X0);
    if (n != X0)
        x_v(&j->b, XV_MOVAPS, X0, 0, xr(n));
    if (!fpv_is_q(i))
        x_v(&j->b, XV_ORPS, X0, X0, simd_const128(j, 0, 0x3f8000003f800000));
}
/// Leaves unless every lane of x is above low and below high, as integers.
static void leave_unless_between(struct jit *j, unsigned fmt, int x, u64 low, u64 high)
{
    struct xbuf *b = &j->b;
    u32 gt = fmt == FP_D ? XV_PCMPGTQ : XV_PCMPGTD;
    x_v(b, gt, X2, x, simd_const_lanes(j, fmt, low));
    x_v(b, XV_MOVAPS, X3, 0, simd_const_lanes(j, fmt, high));
    x_v(b, gt, X3, X3, xr(x));
    x_v(b, XV_ANDPS, X2, X2, xr(X3));
    x_v(b, fmt == FP_D ? XV_MOVMSKPD : XV_MOVMSKPS, RAX, 0, xr(X2));
    x_alu_i(b, ALU_CMP, 0, xr(RAX), fmt == FP_D ? 3 : 15);
    fp_leave_if(j, CC_NE);
}
/// X3 <- the table's entries by bits of the lanes of x, in their place under the exponents; zeros elsewhere.
/// x: shifted so that the bits begin at a byte; nine: they are nine.
static void look_up_lanes(struct jit *j, unsigned fmt, xrm table, bool nine, int x)
{
    struct xbuf *b = &j->b;
    unsigned bytes = 1u << fmt, at = fmt == FP_D ? 6 : 2;
    x_rm(b, XI_LEA | XW, RCX, table);
    x_v(b, XV_PXOR, X3, X3, xr(X3));
    for (unsigned k = 0; k < 16; k += bytes) {
        if (nine) {
            x_vi(b, XV_PEXTRW, x, 0, xr(RAX), (k + at) / 2);
            x_alu_i(b, ALU_AND, 0, xr(RAX), 511);
        } else {
            x_vi(b, XV_PEXTRB, x, 0, xr(RAX), k + at);
        }
        x_rm(b, XI_MOVZX8, RAX, xmi(RCX, RAX, 0, 0));
        x_vi(b, XV_PINSRB, X3, X3, xr(RAX), k + at);
    }
    x_vshift_i(b, fmt == FP_D ? XV_PSHIFT_Q : XV_PSHIFT_D, 2, X3, X3, fmt == FP_D ? 4 : 1);
}
static int finish_lanes(struct jit *j, const struct insn *i)
{
    fp_repair_begin(j, i, CC_NEVER);
    if (!fpv_is_q(i))
        x_v(&j->b, XV_MOVQ, X2, 0, xr(X2));
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}

static int estimate_v(struct jit *j, const struct insn *i, bool root)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, d = fp_di(fmt);
    const struct format *f = &formats[fmt];
    u32 shift = d ? XV_PSHIFT_Q : XV_PSHIFT_D, sub = d ? XV_PSUBQ : XV_PSUBD;
    xrm exponents = simd_const_lanes(j, fmt, (u64)f->emask << f->fbits);
    jit_clobber(j);
    j->fz_count = 0;
    operand(j, i);
    x_v(b, XV_ANDPS, X1, X0, FP_CONST(j, abs[d]));
    leave_unless_between(j, fmt, root ? X0 : X1, (1ULL << f->fbits) - 1,
                         (u64)(root ? f->emask : f->recip) << f->fbits);
    x_vshift_i(b, shift, 6, X1, X0, d ? 4 : 1);
    look_up_lanes(j, fmt, root ? TABLE(j, rsqrt) : TABLE(j, recip), root, X1);
    x_v(b, XV_PAND, X1, X0, exponents);
    x_v(b, XV_MOVAPS, X2, 0, simd_const_lanes(j, fmt, (u64)(root ? f->rsqrt : f->recip) << f->fbits));
    x_v(b, sub, X2, X2, xr(X1));
    if (root) {
        x_vshift_i(b, shift, 2, X2, X2, 1);
        x_v(b, XV_PAND, X2, X2, exponents);
    } else {
        x_v(b, XV_PAND, X0, X0, FP_CONST(j, sign[d]));
        x_v(b, XV_POR, X2, X2, xr(X0));
    }
    x_v(b, XV_POR, X2, X2, xr(X3));
    return finish_lanes(j, i);
}
static int emit_frecpe_v(struct jit *j, const struct insn *i) { return estimate_v(j, i, false); }
static int emit_frsqrte_v(struct jit *j, const struct insn *i) { return estimate_v(j, i, true); }

/// Of numbers from 0 to 1, as unsigned fractions; too small ones give all ones.
static int emit_uestimate(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    bool root = i->op == OP_URSQRTE_vs;
    int n = jit_vread(j, i->rn, X0);
    jit_clobber(j);
    x_vshift_i(b, XV_PSHIFT_D, 2, X1, n, 7);
    look_up_lanes(j, FP_S, root ? TABLE(j, rsqrt_int) : TABLE(j, recip), root, X1);
    x_vshift_i(b, XV_PSHIFT_D, 6, X3, X3, 8);
    x_v(b, XV_POR, X3, X3, simd_k(j, SK_S80));
    x_vshift_i(b, XV_PSHIFT_D, 2, X1, n, root ? 30 : 31);
    x_v(b, XV_PCMPEQD, X1, X1, simd_k(j, SK_ZERO));
    x_v(b, XV_POR, X2, X3, xr(X1));
    if (!fpv_is_q(i))
        x_v(b, XV_MOVQ, X2, 0, xr(X2));
    jit_vdone(j, i->rd, X2);
    return 1;
}

/* ---- FRINT32, FRINT64 ---- */

/// Results that do not fit, and the most negative one, go to the body before Inexact is recorded.
static int rint_n(struct jit *j, const struct insn *i, bool to_zero, bool is_64)
{
    enum { ZERO = 3, CURRENT = 4, QUIET = 8 };
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, d = fp_di(fmt), mode = to_zero ? ZERO : CURRENT;
    // singles and doubles, as their rows say, in vectors and alone
    bool scalar = (i->word >> 24 & 0xff) == 0x1e;
    u64 limit = d       ? (is_64 ? 0x43e0000000000000 : 0x41e0000000000000)
                : is_64 ? 0x5f000000
                        : 0x4f000000;
    u32 round = d ? XV_ROUNDPD : XV_ROUNDPS;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = scalar ? fp_src(j, i->rn, fmt, X0) : fpv_src(j, i, i->rn, X0);
    x_vi(b, round, X2, 0, xr(a), mode | QUIET);
    x_v(b, XV_ANDPS, X3, X2, FP_CONST(j, abs[d]));
    x_v(b, d ? XV_PCMPGTQ : XV_PCMPGTD, X3, X3, simd_const_lanes(j, fmt, limit - 1));
    fp_leave_if(j, fpv_any_lane(j, fmt, X3));
    fp_repair_begin(j, i, CC_NEVER);
    x_vi(b, round, X3, 0, xr(a), mode);
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}
static int emit_frint32z(struct jit *j, const struct insn *i) { return rint_n(j, i, true, false); }
static int emit_frint32x(struct jit *j, const struct insn *i) { return rint_n(j, i, false, false); }
static int emit_frint64z(struct jit *j, const struct insn *i) { return rint_n(j, i, true, true); }
static int emit_frint64x(struct jit *j, const struct insn *i) { return rint_n(j, i, false, true); }

/* ---- FCVTXN ---- */

void fpv_double_to_odd(struct jit *j, int x)
{
    struct xbuf *b = &j->b;
    enum { LAST_OF_SINGLE = 1 << 29 };
    x_v(b, XV_PAND, X1, x, FP_CONST(j, below_single));
    x_v(b, XV_PCMPEQQ, X1, X1, FP_CONST(j, zero));
    x_v(b, XV_PANDN, X1, X1, simd_const64(j, LAST_OF_SINGLE));
    x_v(b, XV_POR, X1, X1, xr(x));
    x_v(b, XV_PAND, X2, X1, simd_const64(j, ~(u64)(LAST_OF_SINGLE - 1)));
    x_v(b, XV_CVTPD2PS, X2, 0, xr(X2)); // exact
}
void fpv_leave_unless_single(struct jit *j, int x)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[1]));
    x_v(b, XV_PCMPGTQ, X2, X3, simd_const64(j, 0x47dfffffffffffff));
    x_v(b, XV_MOVAPS, X1, 0, FP_CONST(j, two_normals));
    x_v(b, XV_PCMPGTQ, X1, X1, xr(X3));
    x_v(b, XV_PCMPEQQ, X3, X3, FP_CONST(j, zero));
    x_v(b, XV_PANDN, X3, X3, xr(X1));
    x_v(b, XV_POR, X2, X2, xr(X3));
    fp_leave_if(j, fpv_any_lane(j, FP_D, X2));
}
static int emit_fcvtxn(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    bool scalar = i->op == OP_FCVTXN_s;
    if (fp_flush(j))
        return 0;
    jit_clobber(j);
    j->fz_count = 0;
    int a = scalar ? fp_src(j, i->rn, FP_D, X0) : jit_vread(j, i->rn, X0);
    fpv_leave_unless_single(j, a);
    fpv_double_to_odd(j, a);
    fp_repair_begin(j, i, CC_NEVER);
    x_v(b, XV_CVTPD2PS, X3, 0, xr(a)); // for Inexact
    int d = X2;
    if (!scalar && fpv_is_q(i)) {
        d = jit_vwrite(j, i->rd, X2);
        x_v(b, XV_MOVLHPS, d, jit_vread(j, i->rd, X1), xr(X2));
    }
    jit_vdone(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

void jit_init_fp_est(jit_emit_fn **t)
{
#define HSD(op, fn) t[op##_h] = t[op##_s] = t[op##_d] = fn
#define VSD(op, fn) t[op##_vs] = t[op##_vd] = fn
#define ALL(op, fn) VSD(op, fn), t[op##_s] = t[op##_d] = fn
    HSD(OP_FRECPE, emit_frecpe_s), HSD(OP_FRSQRTE, emit_frsqrte_s), HSD(OP_FRECPX, emit_frecpx);
    VSD(OP_FRECPE, emit_frecpe_v), VSD(OP_FRSQRTE, emit_frsqrte_v);
    t[OP_URECPE_vs] = t[OP_URSQRTE_vs] = emit_uestimate;
    ALL(OP_FRINT32Z, emit_frint32z), ALL(OP_FRINT32X, emit_frint32x);
    ALL(OP_FRINT64Z, emit_frint64z), ALL(OP_FRINT64X, emit_frint64x);
    t[OP_FCVTXN_vs] = t[OP_FCVTXN2_vs] = t[OP_FCVTXN_s] = emit_fcvtxn;
#undef HSD
#undef VSD
#undef ALL
}
