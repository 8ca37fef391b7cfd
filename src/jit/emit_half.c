/// Translation of half-precision arithmetic (FEAT_FP16) in single and double precision, on hosts with F16C.
///
/// A sum, product, quotient or root of halves that is rounded to single and then to half is what one rounding
/// gives, because a single has more than twice a half's digits. A fused multiplication is exact or correctly
/// rounded in double, which is rounded to odd on the way to half. NaNs, and results next to the subnormals,
/// are found in the halves. Blocks with FPCR.FZ or FZ16 leave all of this to the bodies.
#include "jit/emit_simd.h"
#include "jit/fp.h"

enum { CURRENT_ROUNDING = 4, UNORDERED = 3 };
enum { ADD = 0x58, MUL = 0x59, SUB = 0x5c, DIV = 0x5e, SQRT = 0x51, MAX = 0x5f, MIN = 0x5d };

bool fp_has_half(struct jit *j)
{
    bool fz16 = j->mode >> (MODE_FPCR_SHIFT + 5) & 1;
    if (!j->cpu.f16c || fz16 || fp_flush(j))
        return false;
    jit_clobber(j);
    j->fz_count = 0;
    j->fz_zero = false;
    return true;
}

/* ---- operands and results ---- */

int fp_half_raw(struct jit *j, unsigned n, int x)
{
    x_v(&j->b, XV_MOVAPS, x, 0, simd_k(j, SK_LOW_H));
    x_v(&j->b, XV_PAND, x, x, simd_rm(j, n));
    return x;
}
void fp_half_scalar(struct jit *j, unsigned n, int x)
{
    fp_half_raw(j, n, x);
    x_v(&j->b, XV_CVTPH2PS, x, 0, xr(x));
}
void fp_half_widen(struct jit *j, const struct insn *i, unsigned n, unsigned group, int x)
{
    xrm m = simd_rm(j, n);
    if (fpv_is_half_scalar(i)) {
        fp_half_scalar(j, n, x);
        return;
    }
    if (!xrm_is_reg(m)) {
        m.disp += 8 * (s32)group;
    } else if (group) {
        x_vi(&j->b, XV_PSHUFD, x, 0, m, 0xee);
        m = xr(x);
    }
    x_v(&j->b, XV_CVTPH2PS, x, 0, m);
}
/// x <- element imm of Vm, in every lane or alone.
static void widen_element(struct jit *j, const struct insn *i, int x)
{
    simd_broadcast(j, 1, x, jit_vread(j, i->rm, x), (unsigned)i->imm);
    if (fpv_is_half_scalar(i))
        x_v(&j->b, XV_PAND, x, x, simd_k(j, SK_LOW_H));
    x_v(&j->b, XV_CVTPH2PS, x, 0, xr(x));
}

void fp_half_narrow(struct jit *j, unsigned group, int x)
{
    struct xbuf *b = &j->b;
    x_vex(b, XV_CVTPS2PH, x, 0, xr(group ? X1 : X2), 1);
    x_u8(b, CURRENT_ROUNDING);
    if (group)
        x_v(b, XV_PUNPCKLQDQ, X2, X2, xr(X1));
}
/// EFLAGS <- some half of x is a NaN or the smallest normal number. s, t: scratch
static unsigned check(struct jit *j, int x, int s, int t)
{
    struct xbuf *b = &j->b;
    x_v(b, XV_PAND, s, x, simd_const_lanes(j, 1, 0x7fff));
    x_v(b, XV_PCMPEQW, t, s, simd_const_lanes(j, 1, 0x0400));
    x_v(b, XV_PCMPGTW, s, s, simd_const_lanes(j, 1, 0x7c00));
    x_v(b, XV_POR, s, s, xr(t));
    x_v(b, XV_PMOVMSKB, RAX, 0, xr(s));
    x_rr(b, XI_TEST, RAX, RAX);
    return CC_NE;
}
int fp_half_finish(struct jit *j, const struct insn *i)
{
    return fpv_finish(j, i, X2, check(j, X2, X3, X1));
}

/* ---- two operands ---- */

static u32 op(const struct insn *i, unsigned byte)
{
    return fpv_is_half_scalar(i) ? fp_op_scalar(FP_S, byte) : fp_op_packed(FP_S, byte);
}

/// X0 <- X0 and X1 combined. X3 is clobbered.
static void combine(struct jit *j, const struct insn *i, unsigned byte)
{
    struct xbuf *b = &j->b;
    if (byte != MAX && byte != MIN) {
        x_v(b, op(i, byte), X0, X0, xr(X1));
        return;
    }
    x_vi(b, XV_CMPPS, X3, X0, xr(X1), UNORDERED);
    fp_leave_if(j, fpv_any_lane(j, FP_S, X3));
    x_v(b, op(i, byte), X3, X1, xr(X0));
    x_v(b, op(i, byte), X0, X0, xr(X1));
    x_v(b, byte == MAX ? XV_ANDPS : XV_ORPS, X0, X0, xr(X3));
}

/// Lanes of the result alone, and what is done to their signs: `and` and `xor` masks of a half.
static int finish(struct jit *j, const struct insn *i, u64 and_mask, u64 xor_mask)
{
    struct xbuf *b = &j->b;
    unsigned cc = check(j, X2, X3, X1);
    bool change = and_mask != 0xffff || xor_mask;
    xrm and_k = change ? simd_const_lanes(j, 1, and_mask) : xr(X2),
        xor_k = change ? simd_const128(j, xor_mask, 0) : xr(X2);
    fp_repair_begin(j, i, cc);
    if (and_mask != 0xffff)
        x_v(b, XV_PAND, X2, X2, and_k);
    if (xor_mask)
        x_v(b, XV_PXOR, X2, X2, xor_k);
    jit_vdone(j, i->rd, X2);
    fp_repair_end(j, i);
    return 1;
}

static int binary(struct jit *j, const struct insn *i, unsigned byte, bool element, u64 and_mask,
                  u64 xor_mask)
{
    if (!fp_has_half(j))
        return 0;
    for (unsigned g = 0; g < fp_half_groups(i); g++) {
        fp_half_widen(j, i, i->rn, g, X0);
        if (element)
            widen_element(j, i, X1);
        else
            fp_half_widen(j, i, i->rm, g, X1);
        combine(j, i, byte);
        fp_half_narrow(j, g, X0);
    }
    return finish(j, i, and_mask, xor_mask);
}
static int emit_fadd(struct jit *j, const struct insn *i)
{
    return binary(j, i, ADD, false, 0xffff, 0);
}
static int emit_fsub(struct jit *j, const struct insn *i)
{
    return binary(j, i, SUB, false, 0xffff, 0);
}
static int emit_fmul(struct jit *j, const struct insn *i)
{
    return binary(j, i, MUL, false, 0xffff, 0);
}
static int emit_fmul_e(struct jit *j, const struct insn *i)
{
    return binary(j, i, MUL, true, 0xffff, 0);
}
static int emit_fdiv(struct jit *j, const struct insn *i)
{
    return binary(j, i, DIV, false, 0xffff, 0);
}
static int emit_fmax(struct jit *j, const struct insn *i)
{
    return binary(j, i, MAX, false, 0xffff, 0);
}
static int emit_fmin(struct jit *j, const struct insn *i)
{
    return binary(j, i, MIN, false, 0xffff, 0);
}
static int emit_fabd(struct jit *j, const struct insn *i)
{
    return binary(j, i, SUB, false, 0x7fff, 0);
}
static int emit_fnmul(struct jit *j, const struct insn *i)
{
    return binary(j, i, MUL, false, 0xffff, 0x8000);
}

static int emit_fsqrt(struct jit *j, const struct insn *i)
{
    if (!fp_has_half(j))
        return 0;
    for (unsigned g = 0; g < fp_half_groups(i); g++) {
        fp_half_widen(j, i, i->rn, g, X0);
        x_v(&j->b, XV_SQRTPS, X0, 0, xr(X0));
        fp_half_narrow(j, g, X0);
    }
    return fp_half_finish(j, i);
}

/// Neighbours in Vm:Vn; as a scalar, the two lowest halves of Vn.
static int pairs(struct jit *j, const struct insn *i, unsigned byte)
{
    struct xbuf *b = &j->b;
    bool scalar = fpv_is_half_scalar(i), q = fpv_is_q(i);
    if (!fp_has_half(j))
        return 0;
    if (scalar) {
        int n = jit_vread(j, i->rn, X0);
        x_vi(b, XV_PSHUFLW, X1, 0, xr(n), 0x55);
        x_v(b, XV_PAND, X1, X1, simd_k(j, SK_LOW_H));
        x_v(b, XV_CVTPH2PS, X1, 0, xr(X1));
        x_v(b, XV_PAND, X0, n, simd_k(j, SK_LOW_H));
        x_v(b, XV_CVTPH2PS, X0, 0, xr(X0));
        combine(j, i, byte);
        fp_half_narrow(j, 0, X0);
        return fp_half_finish(j, i);
    }
    for (unsigned g = 0; g < fp_half_groups(i); g++) {
        unsigned first = g ? i->rm : i->rn, second = q ? first : i->rm;
        fp_half_widen(j, i, first, 0, X0);
        fp_half_widen(j, i, second, q, X1);
        x_vi(b, XV_SHUFPS, X3, X0, xr(X1), 0xdd);
        x_vi(b, XV_SHUFPS, X0, X0, xr(X1), 0x88);
        x_v(b, XV_MOVAPS, X1, 0, xr(X3));
        combine(j, i, byte);
        fp_half_narrow(j, g, X0);
    }
    return fp_half_finish(j, i);
}
static int emit_faddp(struct jit *j, const struct insn *i) { return pairs(j, i, ADD); }
static int emit_fmaxp(struct jit *j, const struct insn *i) { return pairs(j, i, MAX); }
static int emit_fminp(struct jit *j, const struct insn *i) { return pairs(j, i, MIN); }

/* ---- fused multiplication, two lanes at a time in double ---- */

/// x <- halves 2 * pair and the next of Vn as doubles; of a scalar, the lowest alone.
static void widen_pair(struct jit *j, const struct insn *i, unsigned n, unsigned pair, int x)
{
    struct xbuf *b = &j->b;
    if (fpv_is_half_scalar(i)) {
        fp_half_scalar(j, n, x);
    } else {
        x_vi(b, XV_PSHUFD, x, 0, simd_rm(j, n), pair);
        x_v(b, XV_CVTPH2PS, x, 0, xr(x));
    }
    x_v(b, XV_CVTPS2PD, x, 0, xr(x));
}
struct fused {
    u8 addend;
    bool element, minus_product, minus_addend;
};
static int fused(struct jit *j, const struct insn *i, struct fused f)
{
    struct xbuf *b = &j->b;
    unsigned pair_count = fpv_is_half_scalar(i) ? 1 : fpv_is_q(i) ? 4 : 2;
    if (!fp_has_half(j))
        return 0;
    for (unsigned k = 0; k < pair_count; k++) {
        widen_pair(j, i, i->rn, k, X0);
        if (f.element) {
            widen_element(j, i, X1);
            x_v(b, XV_CVTPS2PD, X1, 0, xr(X1));
        } else {
            widen_pair(j, i, i->rm, k, X1);
        }
        x_v(b, XV_MULPD, X0, X0, xr(X1));
        if (f.minus_product)
            x_v(b, XV_PXOR, X0, X0, FP_CONST(j, sign[1]));
        widen_pair(j, i, f.addend, k, X1);
        if (f.minus_addend)
            x_v(b, XV_PXOR, X1, X1, FP_CONST(j, sign[1]));
        x_v(b, XV_ADDPD, X0, X0, xr(X1));
        fpv_double_to_odd(j, X0);
        x_vex(b, XV_CVTPS2PH, X2, 0, xr(X2), 1);
        x_u8(b, CURRENT_ROUNDING);
        if (k) {
            x_vshift_i(b, XV_PSHIFT_Q, 7, X2, X2, 4 * k);
            x_v(b, XV_POR, X3, X3, xr(X2));
        } else {
            x_v(b, XV_MOVAPS, X3, 0, xr(X2));
        }
    }
    if (fpv_is_half_scalar(i)) // 0 - 0 may be -0
        x_v(b, XV_PAND, X3, X3, simd_k(j, SK_LOW_H));
    return fpv_finish(j, i, X3, check(j, X3, X1, X2));
}
static int emit_fmla(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->rd});
}
static int emit_fmls(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->rd, .minus_product = true});
}
static int emit_fmla_e(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->rd, .element = true});
}
static int emit_fmls_e(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->rd, .element = true, .minus_product = true});
}
static int emit_fmadd(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->ra});
}
static int emit_fmsub(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->ra, .minus_product = true});
}
static int emit_fnmsub(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->ra, .minus_addend = true});
}
static int emit_fnmadd(struct jit *j, const struct insn *i)
{
    return fused(j, i, (struct fused){.addend = i->ra, .minus_product = true, .minus_addend = true});
}

/* ---- comparisons in vectors ---- */

static int compare(struct jit *j, const struct insn *i, unsigned pred, bool zero, bool abs)
{
    struct xbuf *b = &j->b;
    if (!fp_has_half(j))
        return 0;
    for (unsigned g = 0; g < fp_half_groups(i); g++) {
        int d = g ? X0 : X2;
        fp_half_widen(j, i, i->rn, g, X0);
        if (zero)
            x_v(b, XV_XORPS, X1, X1, xr(X1));
        else
            fp_half_widen(j, i, i->rm, g, X1);
        if (abs) {
            x_v(b, XV_ANDPS, X0, X0, FP_CONST(j, abs[0]));
            x_v(b, XV_ANDPS, X1, X1, FP_CONST(j, abs[0]));
        }
        x_vi(b, XV_CMPPS, d, X0, xr(X1), pred);
    }
    x_v(b, XV_PACKSSDW, X2, X2, xr(fp_half_groups(i) == 2 ? X0 : X2));
    if (fpv_is_half_scalar(i))
        x_v(b, XV_PAND, X2, X2, simd_k(j, SK_LOW_H));
    else if (!fpv_is_q(i))
        x_v(b, XV_MOVQ, X2, 0, xr(X2));
    jit_vdone(j, i->rd, X2);
    return 1;
}
#define COMPARE(name, pred, zero, abs)                                                             \
    static int emit_##name(struct jit *j, const struct insn *i)                                    \
    {                                                                                              \
        return compare(j, i, pred, zero, abs);                                                     \
    }
COMPARE(fcmeq, CMP_EQ, false, false)
COMPARE(fcmge, CMP_GE, false, false)
COMPARE(fcmgt, CMP_GT, false, false)
COMPARE(facge, CMP_GE, false, true)
COMPARE(facgt, CMP_GT, false, true)
COMPARE(fcmeq0, CMP_EQ, true, false)
COMPARE(fcmge0, CMP_GE, true, false)
COMPARE(fcmgt0, CMP_GT, true, false)
COMPARE(fcmle0, CMP_LE, true, false)
COMPARE(fcmlt0, CMP_LT, true, false)

/* ---- moves and signs: no conversion, no exception ---- */

/// d <- Vn with lanes changed by masks of a half; scalars alone.
static int signs(struct jit *j, const struct insn *i, u64 and_mask, u64 xor_mask)
{
    struct xbuf *b = &j->b;
    bool scalar = fpv_is_half_scalar(i);
    u64 all = scalar ? 1 : 0x0001000100010001, high = !scalar && fpv_is_q(i) ? all : 0;
    int n = jit_vread(j, i->rn, X0), d = jit_vwrite(j, i->rd, X2);
    x_v(b, XV_PAND, d, n, simd_const128(j, and_mask * all, and_mask * high));
    if (xor_mask)
        x_v(b, XV_PXOR, d, d, simd_const128(j, xor_mask * all, xor_mask * high));
    jit_vdone(j, i->rd, d);
    return 1;
}
static int emit_fmov(struct jit *j, const struct insn *i) { return signs(j, i, 0xffff, 0); }
static int emit_fabs(struct jit *j, const struct insn *i) { return signs(j, i, 0x7fff, 0); }
static int emit_fneg(struct jit *j, const struct insn *i) { return signs(j, i, 0xffff, 0x8000); }

static int emit_fmov_to_gpr(struct jit *j, const struct insn *i)
{
    if (i->rd == REG_SINK)
        return 1;
    int r = jit_xwrite(j, i->rd, RAX);
    if (j->vmap[i->rn] >= 0) {
        x_v(&j->b, XV_MOVD_ST, jit_vread(j, i->rn, X0), 0, xr(r));
        x_rr(&j->b, XI_MOVZX16, r, r);
    } else {
        x_rm(&j->b, XI_MOVZX16, r, ENV_V(i->rn));
    }
    jit_xdone(j, i->rd, r);
    return 1;
}
static int emit_fmov_from_gpr(struct jit *j, const struct insn *i)
{
    int r = jit_xread(j, i->rn, RAX), d = jit_vwrite(j, i->rd, X2);
    x_rr(&j->b, XI_MOVZX16, RAX, r);
    x_v(&j->b, XV_MOVD, d, 0, xr(RAX));
    jit_vdone(j, i->rd, d);
    return 1;
}

void jit_init_half(jit_emit_fn **t)
{
#define V(op, fn) t[op##_vh] = fn
#define S(op, fn) t[op##_h] = fn
#define VS(op, fn) V(op, fn), S(op, fn)
    VS(OP_FADD, emit_fadd), VS(OP_FSUB, emit_fsub), VS(OP_FMUL, emit_fmul), VS(OP_FDIV, emit_fdiv),
        VS(OP_FABD, emit_fabd);
    VS(OP_FMAX, emit_fmax), VS(OP_FMIN, emit_fmin), VS(OP_FMAXNM, emit_fmax), VS(OP_FMINNM, emit_fmin);
    VS(OP_FSQRT, emit_fsqrt), S(OP_FNMUL, emit_fnmul);
    t[OP_FMUL_eh] = t[OP_FMUL_xh] = emit_fmul_e;
    VS(OP_FADDP, emit_faddp), VS(OP_FMAXP, emit_fmaxp), VS(OP_FMINP, emit_fminp),
        VS(OP_FMAXNMP, emit_fmaxp), VS(OP_FMINNMP, emit_fminp);
    V(OP_FMLA, emit_fmla), V(OP_FMLS, emit_fmls);
    t[OP_FMLA_eh] = t[OP_FMLA_xh] = emit_fmla_e;
    t[OP_FMLS_eh] = t[OP_FMLS_xh] = emit_fmls_e;
    S(OP_FMADD, emit_fmadd), S(OP_FMSUB, emit_fmsub), S(OP_FNMADD, emit_fnmadd),
        S(OP_FNMSUB, emit_fnmsub);
    VS(OP_FCMEQ, emit_fcmeq), VS(OP_FCMGE, emit_fcmge), VS(OP_FCMGT, emit_fcmgt),
        VS(OP_FACGE, emit_facge), VS(OP_FACGT, emit_facgt);
    VS(OP_FCMEQ0, emit_fcmeq0), VS(OP_FCMGE0, emit_fcmge0), VS(OP_FCMGT0, emit_fcmgt0),
        VS(OP_FCMLE0, emit_fcmle0), VS(OP_FCMLT0, emit_fcmlt0);
    S(OP_FMOV, emit_fmov), VS(OP_FABS, emit_fabs), VS(OP_FNEG, emit_fneg);
    t[OP_FMOV_rh] = emit_fmov_to_gpr;
    t[OP_FMOV_hr] = emit_fmov_from_gpr;
#undef V
#undef S
#undef VS
}
