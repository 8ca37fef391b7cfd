/// Translation of vector floating point. Vectors of 64 bits are computed in 128 with zeros above,
/// which neither record exceptions nor leave anything there.
#include "jit/fp.h"

static bool is_q(const struct insn *i) { return i->word >> 30 & 1; }

/// A source with zeros above its 64 bits when Q = 0.
static int vsrc(struct jit *j, const struct insn *i, unsigned n, int scratch)
{
    if (is_q(i))
        return jit_vread(j, n, scratch);
    x_v(&j->b, XV_MOVQ, scratch, 0, fp_opnd(j, n));
    return scratch;
}
static xrm vopnd(struct jit *j, const struct insn *i, unsigned n)
{
    return is_q(i) ? fp_opnd(j, n) : xr(vsrc(j, i, n, X1));
}

/// EFLAGS <- any lane of x set (sign bits).
static unsigned any_lane(struct jit *j, unsigned fmt, int x)
{
    x_v(&j->b, fmt == FP_D ? XV_MOVMSKPD : XV_MOVMSKPS, RAX, 0, xr(x));
    x_rr(&j->b, XI_TEST, RAX, RAX);
    return CC_NE;
}

/// As fp_check, for all lanes.
static unsigned vcheck(struct jit *j, unsigned fmt, int x, bool tiny)
{
    struct xbuf *b = &j->b;
    unsigned d = fp_di(fmt);
    u32 cmp = fp_op_packed(fmt, 0xc2);
    if (fp_flush(j)) { // not above the smallest normal number, or NaN; and not zero
        x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
        x_vi(b, cmp, X1, X3, FP_CONST(j, min_normal[d]), 26);
        x_vi(b, cmp, X3, X3, FP_CONST(j, zero), 4);
        x_v(b, XV_ANDPS, X3, X3, xr(X1));
    } else if (tiny && !j->cpu.avx2) {
        x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
        x_vi(b, cmp, X1, X3, FP_CONST(j, min_normal[d]), CMP_EQ);
        x_vi(b, cmp, X3, X3, xr(X3), CMP_UNORD);
        x_v(b, XV_ORPS, X3, X3, xr(X1));
    } else if (tiny) {
        x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
        x_vi(b, cmp, X3, X3, FP_CONST(j, min_normal[d]), 8); // equal or unordered, quiet
    } else {
        x_vi(b, cmp, X3, x, xr(x), 3); // unordered, quiet
    }
    return any_lane(j, fmt, X3);
}

static int vfinish(struct jit *j, const struct insn *i, int x, unsigned cc)
{
    fp_repair_begin(j, i, cc);
    jit_vdone(j, i->rd, x);
    fp_repair_end(j, i);
    return 1;
}

/* ---- three same ---- */

static int binary(struct jit *j, const struct insn *i, unsigned byte, bool tiny)
{
    unsigned fmt = i->p;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = vsrc(j, i, i->rn, X0);
    xrm m = vopnd(j, i, i->rm);
    if (byte == 0x5e && !is_q(i)) { // divide the upper half by one
        x_v(&j->b, XV_MOVHPS, X1, m.reg, FP_CONST(j, ones[0]));
        m = xr(X1);
    }
    int d = fp_dest(j, i);
    x_v(&j->b, fp_op_packed(fmt, byte), d, a, m);
    if (!is_q(i) && fp_rmode_of(j) == FPR_NEGINF) // 0 - 0 is -0
        x_v(&j->b, XV_MOVQ, d, 0, xr(d));
    return vfinish(j, i, d, vcheck(j, fmt, d, tiny));
}
static int emit_fadd_v(struct jit *j, const struct insn *i) { return binary(j, i, 0x58, false); }
static int emit_fsub_v(struct jit *j, const struct insn *i) { return binary(j, i, 0x5c, false); }
static int emit_fmul_v(struct jit *j, const struct insn *i) { return binary(j, i, 0x59, true); }
static int emit_fdiv_v(struct jit *j, const struct insn *i) { return binary(j, i, 0x5e, true); }

static int emit_fabd_v(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = vsrc(j, i, i->rn, X0), d;
    x_v(&j->b, fp_op_packed(i->p, 0x5c), X2, a, vopnd(j, i, i->rm));
    unsigned cc = vcheck(j, i->p, X2, false);
    fp_repair_begin(j, i, cc);
    d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_ANDPS, d, X2, FP_CONST(j, abs[fp_di(i->p)]));
    jit_vdone(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

/// byte: b8 for FMLA, bc for FMLS. m: the second factor.
static int fused(struct jit *j, const struct insn *i, unsigned byte, xrm m)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    int n = vsrc(j, i, i->rn, X0), d = X2;
    if (is_q(i)) {
        int old = jit_vread(j, i->rd, X2);
        d = fp_dest(j, i);
        if (d != old)
            x_v(b, XV_MOVAPS, d, 0, xr(old));
    } else {
        vsrc(j, i, i->rd, X2);
    }
    x_v(b, XO(1, 2, byte) | (fmt == FP_D ? XW : 0), d, n, m);
    if (!is_q(i) && fp_rmode_of(j) == FPR_NEGINF)
        x_v(b, XV_MOVQ, d, 0, xr(d));
    return vfinish(j, i, d, vcheck(j, fmt, d, true));
}
/// Without FMA. element: of Vm, or -1
static int fused_in_double(struct jit *j, const struct insn *i, bool minus, int element, bool scalar)
{
    return fp_fused_single(j, i, &(struct fp_fused){.addend = i->rd, .element = (s8)element, .scalar = scalar,
                                                    .quad = !scalar && is_q(i), .minus_product = minus});
}
static int fused_v(struct jit *j, const struct insn *i, unsigned byte)
{
    if (!j->cpu.fma)
        return fused_in_double(j, i, byte == 0xbc, -1, false);
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    return fused(j, i, byte, vopnd(j, i, i->rm));
}
static int emit_fmla_v(struct jit *j, const struct insn *i) { return fused_v(j, i, 0xb8); }
static int emit_fmls_v(struct jit *j, const struct insn *i) { return fused_v(j, i, 0xbc); }

/// See minmax in emit_fp.c.
static int minmax(struct jit *j, const struct insn *i, unsigned byte, u32 merge)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = vsrc(j, i, i->rn, X0), m = vsrc(j, i, i->rm, X1);
    x_vi(b, fp_op_packed(fmt, 0xc2), X3, a, xr(m), 3);
    unsigned cc = any_lane(j, fmt, X3);
    fp_repair_begin(j, i, cc);
    x_v(b, fp_op_packed(fmt, byte), X2, a, xr(m));
    x_v(b, fp_op_packed(fmt, byte), X3, m, xr(a));
    int d = jit_vwrite(j, i->rd, X2);
    x_v(b, merge, d, X2, xr(X3));
    jit_vdone(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}
static int emit_fmax_v(struct jit *j, const struct insn *i) { return minmax(j, i, 0x5f, XV_ANDPS); }
static int emit_fmin_v(struct jit *j, const struct insn *i) { return minmax(j, i, 0x5d, XV_ORPS); }

static int emit_faddp_v(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    u32 hadd = i->p == FP_D ? XV_HADDPD : XV_HADDPS;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = jit_vread(j, i->rn, X0), d = fp_dest(j, i);
    xrm m = fp_opnd(j, i->rm);
    if (is_q(i)) {
        x_v(b, hadd, d, a, m);
    } else {
        x_v(b, XV_UNPCKLPD, X1, a, m);
        x_v(b, hadd, d, X1, xr(X1));
        x_v(b, XV_MOVQ, d, 0, xr(d));
    }
    return vfinish(j, i, d, vcheck(j, i->p, d, false));
}

static int emit_faddp(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int n = jit_vread(j, i->rn, X1), d = fp_dest(j, i);
    int a = fp_src(j, i->rn, i->p, X0);
    x_vi(&j->b, XV_PSHUFD, X1, 0, xr(n), i->p == FP_D ? 0xee : 0x55);
    x_v(&j->b, fp_op_scalar(i->p, 0x58), d, a, xr(X1));
    return vfinish(j, i, d, fp_check(j, i->p, d, false));
}

/* ---- by element ---- */

/// X1 <- element imm of Vm in every lane (with Q = 0 in the lower half).
static void broadcast(struct jit *j, const struct insn *i)
{
    unsigned imm = i->p == FP_S ? (unsigned)i->imm * 0x55 : i->imm ? 0xee : 0x44;
    x_vi(&j->b, XV_PSHUFD, X1, 0, fp_opnd(j, i->rm), imm);
    if (!is_q(i))
        x_v(&j->b, XV_MOVQ, X1, 0, xr(X1));
}
static int emit_fmul_e(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    broadcast(j, i);
    int a = vsrc(j, i, i->rn, X0), d = fp_dest(j, i);
    x_v(&j->b, fp_op_packed(i->p, 0x59), d, a, xr(X1));
    return vfinish(j, i, d, vcheck(j, i->p, d, true));
}
static int fused_e(struct jit *j, const struct insn *i, unsigned byte)
{
    if (!j->cpu.fma)
        return fused_in_double(j, i, byte == 0xbc, (int)i->imm, false);
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    broadcast(j, i);
    return fused(j, i, byte, xr(X1));
}
static int emit_fmla_e(struct jit *j, const struct insn *i) { return fused_e(j, i, 0xb8); }
static int emit_fmls_e(struct jit *j, const struct insn *i) { return fused_e(j, i, 0xbc); }

/// Scalar with an element of Vm. byte: 59 multiply, b9 and bd fused.
static int scalar_e(struct jit *j, const struct insn *i, unsigned byte)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    if (byte != 0x59 && !j->cpu.fma)
        return fused_in_double(j, i, byte == 0xbd, (int)i->imm, true);
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    xrm m = fp_opnd(j, i->rm);
    if (i->imm) {
        x_vi(b, XV_PSHUFD, X1, 0, m, fmt == FP_S ? (unsigned)i->imm * 0x55 : 0xee);
        m = xr(X1);
    }
    int d = X2, n = fp_src(j, i->rn, fmt, X0);
    if (byte == 0x59) {
        d = fp_dest(j, i);
        x_v(b, fp_op_scalar(fmt, byte), d, n, m);
    } else {
        int old = fp_src(j, i->rd, fmt, X2);
        if (old != X2)
            x_v(b, XV_MOVAPS, X2, 0, xr(old));
        x_v(b, XO(1, 2, byte) | (fmt == FP_D ? XW : 0), X2, n, m);
    }
    return vfinish(j, i, d, fp_check(j, fmt, d, true));
}
static int emit_fmul_x(struct jit *j, const struct insn *i) { return scalar_e(j, i, 0x59); }
static int emit_fmla_x(struct jit *j, const struct insn *i) { return scalar_e(j, i, 0xb9); }
static int emit_fmls_x(struct jit *j, const struct insn *i) { return scalar_e(j, i, 0xbd); }

/* ---- comparisons: x86's predicates have the exceptions of the guest's ---- */

enum { EQ = 0, LT = 1, LE = 2, GE = 13, GT = 14 };

static int vcompare(struct jit *j, const struct insn *i, unsigned pred, bool zero, bool abs)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p;
    bool scalar = (i->word >> 28 & 0xd) == 5;
    if (!fp_flush_guard(j, i))
        return 0;
    int a = scalar ? fp_src(j, i->rn, fmt, X0) : jit_vread(j, i->rn, X0);
    xrm m = xr(X1);
    if (zero)
        x_v(b, XV_XORPS, X1, X1, m);
    else
        m = scalar && !j->cpu.avx2 ? xr(fp_src(j, i->rm, fmt, X1)) : fp_opnd(j, i->rm);
    if (abs) {
        if (!xrm_is_reg(m))
            m = xr(jit_vread(j, i->rm, X1));
        x_v(b, XV_ANDPS, X1, m.reg, FP_CONST(j, abs[fp_di(fmt)]));
        x_v(b, XV_ANDPS, X0, a, FP_CONST(j, abs[fp_di(fmt)]));
        a = X0;
        m = xr(X1);
    }
    if (!scalar && !is_q(i)) { // garbage above must not record anything
        x_v(b, XV_MOVQ, X0, 0, xr(a));
        x_v(b, XV_MOVQ, X1, 0, m);
        a = X0;
        m = xr(X1);
    }
    if (fp_flush(j))
        fp_repair_begin(j, i, CC_NEVER);
    int d = jit_vwrite(j, i->rd, X2);
    if (!j->cpu.avx2 && pred >= CMP_GE) { // the other way round
        if (!xrm_is_reg(m))
            m = xr(jit_vread(j, i->rm, X1));
        int swap = a;
        a = m.reg;
        m = xr(swap);
        pred = pred == CMP_GE ? CMP_LE : CMP_LT;
    }
    x_vi(b, scalar ? fp_op_scalar(fmt, 0xc2) : fp_op_packed(fmt, 0xc2), d, a, m, pred);
    if (!scalar && !is_q(i))
        x_v(b, XV_MOVQ, d, 0, xr(d));
    jit_vdone(j, i->rd, d);
    if (fp_flush(j))
        fp_repair_end(j, i);
    return 1;
}
#define COMPARE(name, pred, zero, abs)                                                             \
    static int emit_##name(struct jit *j, const struct insn *i) { return vcompare(j, i, pred, zero, abs); }
COMPARE(fcmeq, EQ, false, false)
COMPARE(fcmge, GE, false, false)
COMPARE(fcmgt, GT, false, false)
COMPARE(facge, GE, false, true)
COMPARE(facgt, GT, false, true)
COMPARE(fcmeq0, EQ, true, false)
COMPARE(fcmge0, GE, true, false)
COMPARE(fcmgt0, GT, true, false)
COMPARE(fcmle0, LE, true, false)
COMPARE(fcmlt0, LT, true, false)

/* ---- one operand ---- */

static int emit_fabs_v(struct jit *j, const struct insn *i)
{
    int a = vsrc(j, i, i->rn, X0), d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_ANDPS, d, a, FP_CONST(j, abs[fp_di(i->p)]));
    jit_vdone(j, i->rd, d);
    return 1;
}

static int emit_fneg_v(struct jit *j, const struct insn *i)
{
    int a = jit_vread(j, i->rn, X0), d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_XORPS, d, a, FP_CONST(j, sign[fp_di(i->p)]));
    if (!is_q(i))
        x_v(&j->b, XV_MOVQ, d, 0, xr(d));
    jit_vdone(j, i->rd, d);
    return 1;
}

static int emit_fsqrt_v(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = vsrc(j, i, i->rn, X0), d = fp_dest(j, i);
    x_v(&j->b, fp_op_packed(i->p, 0x51), d, 0, xr(a));
    return vfinish(j, i, d, vcheck(j, i->p, d, false));
}

static int rint_v(struct jit *j, const struct insn *i, unsigned imm)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = vsrc(j, i, i->rn, X0), d = fp_dest(j, i);
    x_vi(&j->b, i->p == FP_D ? XV_ROUNDPD : XV_ROUNDPS, d, 0, xr(a), imm);
    return vfinish(j, i, d, vcheck(j, i->p, d, false));
}
static int emit_frintn_v(struct jit *j, const struct insn *i) { return rint_v(j, i, 8); }
static int emit_frintm_v(struct jit *j, const struct insn *i) { return rint_v(j, i, 9); }
static int emit_frintp_v(struct jit *j, const struct insn *i) { return rint_v(j, i, 10); }
static int emit_frintz_v(struct jit *j, const struct insn *i) { return rint_v(j, i, 11); }
static int emit_frintx_v(struct jit *j, const struct insn *i) { return rint_v(j, i, 4); }
static int emit_frinti_v(struct jit *j, const struct insn *i) { return rint_v(j, i, 12); }

static int emit_fmov_imm_v(struct jit *j, const struct insn *i)
{
    unsigned imm8 = (unsigned)(bits(i->word, 18, 16) << 5 | bits(i->word, 9, 5));
    u64 v = fp_expand_imm(i->p, imm8);
    if (i->p == FP_H)
        v |= v << 16;
    if (i->p != FP_D)
        v |= v << 32;
    x_mov_ri(&j->b, RAX, v);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_MOVD | XW, d, 0, xr(RAX));
    if (is_q(i))
        x_v(&j->b, XV_MOVDDUP, d, 0, xr(d));
    jit_vdone(j, i->rd, d);
    return 1;
}

void jit_init_fp_vec(jit_emit_fn **t)
{
#define VSD(op, fn) t[op##_vs] = t[op##_vd] = fn
#define BOTH(op, fn) t[op##_vs] = t[op##_vd] = t[op##_s] = t[op##_d] = fn
    VSD(OP_FADD, emit_fadd_v), VSD(OP_FSUB, emit_fsub_v), VSD(OP_FMUL, emit_fmul_v), VSD(OP_FDIV, emit_fdiv_v);
    VSD(OP_FABD, emit_fabd_v), VSD(OP_FMLA, emit_fmla_v), VSD(OP_FMLS, emit_fmls_v), VSD(OP_FADDP, emit_faddp_v);
    VSD(OP_FMAX, emit_fmax_v), VSD(OP_FMIN, emit_fmin_v), VSD(OP_FMAXNM, emit_fmax_v), VSD(OP_FMINNM, emit_fmin_v);
    VSD(OP_FABS, emit_fabs_v), VSD(OP_FNEG, emit_fneg_v), VSD(OP_FSQRT, emit_fsqrt_v);
    VSD(OP_FRINTN, emit_frintn_v), VSD(OP_FRINTM, emit_frintm_v), VSD(OP_FRINTP, emit_frintp_v);
    VSD(OP_FRINTZ, emit_frintz_v), VSD(OP_FRINTX, emit_frintx_v), VSD(OP_FRINTI, emit_frinti_v);
    VSD(OP_FMOVi, emit_fmov_imm_v), t[OP_FMOVi_vh] = emit_fmov_imm_v;
    BOTH(OP_FCMEQ, emit_fcmeq), BOTH(OP_FCMGE, emit_fcmge), BOTH(OP_FCMGT, emit_fcmgt);
    BOTH(OP_FACGE, emit_facge), BOTH(OP_FACGT, emit_facgt);
    BOTH(OP_FCMEQ0, emit_fcmeq0), BOTH(OP_FCMGE0, emit_fcmge0), BOTH(OP_FCMGT0, emit_fcmgt0);
    BOTH(OP_FCMLE0, emit_fcmle0), BOTH(OP_FCMLT0, emit_fcmlt0);
    t[OP_FADDP_s] = t[OP_FADDP_d] = emit_faddp;
    t[OP_FMUL_es] = t[OP_FMUL_ed] = emit_fmul_e;
    t[OP_FMLA_es] = t[OP_FMLA_ed] = emit_fmla_e;
    t[OP_FMLS_es] = t[OP_FMLS_ed] = emit_fmls_e;
    t[OP_FMUL_xs] = t[OP_FMUL_xd] = emit_fmul_x;
    t[OP_FMLA_xs] = t[OP_FMLA_xd] = emit_fmla_x;
    t[OP_FMLS_xs] = t[OP_FMLS_xd] = emit_fmls_x;
#undef VSD
#undef BOTH
}

int fpv_src(struct jit *j, const struct insn *i, unsigned n, int scratch) { return vsrc(j, i, n, scratch); }
unsigned fpv_any_lane(struct jit *j, unsigned fmt, int x) { return any_lane(j, fmt, x); }
unsigned fpv_check(struct jit *j, unsigned fmt, int x, bool tiny) { return vcheck(j, fmt, x, tiny); }
int fpv_finish(struct jit *j, const struct insn *i, int x, unsigned cc) { return vfinish(j, i, x, cc); }
