/// Translation of scalar floating point: moves, arithmetic, comparison, selection.
#include "jit/fp.h"

/* ---- constants and registers ---- */

static void fill(u32 *v, unsigned d, u64 low, u64 high)
{
    if (d) {
        memcpy(v, &low, 8);
        memcpy(v + 2, &high, 8);
    } else {
        v[0] = (u32)low;
        v[1] = v[2] = v[3] = (u32)high;
    }
}

void jit_make_fp_consts(struct jit *j)
{
    struct fp_consts k;
    static const u64 sign[2] = {1ULL << 31, 1ULL << 63}, min[2] = {1ULL << 23, 1ULL << 52};
    static const u64 one[2] = {0x3f800000, 0x3ff0000000000000};
    static const u64 half[2] = {0x3f000000, 0x3fe0000000000000}, integral[2] = {0x4b000000, 0x4330000000000000};
    for (unsigned d = 0; d < 2; d++) {
        fill(k.abs[d], d, sign[d] - 1, sign[d] - 1);
        fill(k.sign[d], d, sign[d], sign[d]);
        fill(k.abs1[d], d, sign[d] - 1, 0);
        fill(k.sign1[d], d, sign[d], 0);
        fill(k.min_normal[d], d, min[d], min[d]);
        fill(k.ones[d], d, one[d], one[d]);
        fill(k.half[d], d, half[d], half[d]);
        fill(k.below_half[d], d, half[d] - 1, 0);
        fill(k.integral[d], d, integral[d], integral[d]);
    }
    fill(k.zero, 0, 0, 0);
    k.subnormal_max2 = (1ULL << 53) - 1;
    for (unsigned d = 0; d < 2; d++) {
        k.below_single[d] = (1 << 29) - 1;
        k.middle[d] = 1 << 28;
        k.two_normals[d] = 0x3820000000000000;
        k.infinity[d] = 0x7ff0000000000000;
    }
    k.nzcv_lt = FLAG_N;
    k.nzcv_gt = FLAG_C;
    k.nzcv_eq = FLAG_Z | FLAG_C;
    k.nzcv_un = FLAG_C | FLAG_V;
    j->b.p = (u8 *)align_up((u64)(uintptr_t)j->b.p, 64);
    j->fp_consts = j->b.p;
    memcpy(j->b.p, &k, sizeof k);
    j->b.p += sizeof k;
}

/* What each scalar instruction reads and writes of its V registers, for jit_vclasses. */

/// Bytes of each position that i reads or zero-extends: 4, 8 or 16 (all). Position order d n m a.
static void v_widths(const struct insn *i, u8 w[4])
{
    u32 word = i->word, top = word >> 24;
    u8 full = 16, own = i->p == FP_S ? 4 : i->p == FP_D ? 8 : 16;
    w[0] = w[1] = w[2] = w[3] = full;
    if (i->op >= OP_FMOV_s && i->op < OP_FMAXNM_vh && i->op != OP_FMOV_xv1 && i->op != OP_FMOV_v1x) {
        w[0] = w[1] = w[2] = w[3] = own;
        if (i->op >= OP_FCVT_ds && i->op <= OP_FCVT_dh)
            w[0] = (word >> 15 & 3) == 0 ? 4 : (word >> 15 & 3) == 1 ? 8 : 16;
    } else if ((top & 0xde) == 0x5e && i->op >= OP_FMOV_s && i->op <= OP_FCMLA_es) {
        // Advanced SIMD scalar: pairwise forms and elements read more
        bool pairwise = (word >> 17 & 31) == 0x18 && (word >> 10 & 3) == 2, elem = top & 1 && !(word >> 10 & 1);
        w[0] = own;
        w[1] = pairwise || i->op == OP_FCVTXN_s ? full : own;
        w[2] = elem ? full : own;
    } else if (i->flags & (LD | ST) && i->p >= 2 && i->p <= 3) {
        // LDR, STR, LDP, STP of S and D registers; not the structure loads
        bool structure = (word & 0xbe000000) == 0x0c000000;
        if (!structure)
            w[0] = w[3] = own;
    }
}

void jit_vclasses(struct jit *j)
{
    memset(j->vclass, 0xff, sizeof j->vclass);
    for (unsigned k = 0; k < j->n; k++) {
        const struct insn *i = &j->in[k];
        u8 w[4];
        if (!(i->flags & (VD | VN | VM | VA)))
            continue;
        v_widths(i, w);
        const u8 regs[4] = {i->rd, i->rn, i->rm, i->ra};
        static const u32 is_v[4] = {VD, VN, VM, VA};
        for (unsigned o = 0; o < 4; o++) {
            if (!(i->flags & is_v[o]))
                continue;
            u8 *c = &j->vclass[regs[o]];
            *c = *c == 0xff ? w[o] : *c > w[o] ? *c : w[o];
        }
        // a list of registers reaches further than the flags say
        if ((i->word & 0xbe000000) == 0x0c000000 || (i->word & 0xbfe08c00) == 0x0e000000)
            memset(j->vclass, 16, sizeof j->vclass);
    }
}

void jit_vload(struct jit *j, struct xbuf *b, int x, unsigned n)
{
    if (j->vclass[n] == 4)
        x_v(b, XV_MOVSS, x, 0, ENV_V(n));
    else if (j->vclass[n] == 8)
        x_v(b, XV_MOVSD, x, 0, ENV_V(n));
    else
        x_v(b, XV_MOVAPS, x, 0, ENV_V(n));
}

int fp_src(struct jit *j, unsigned n, unsigned fmt, int scratch)
{
    struct xbuf *b = &j->b;
    if (j->vmap[n] < 0) {
        x_v(b, fmt == FP_S ? XV_MOVSS : XV_MOVSD, scratch, 0, ENV_V(n));
        return scratch;
    }
    int x = jit_vread(j, n, scratch);
    if (j->vclass[n] <= 1u << fmt)
        return x;
    if (fmt == FP_D)
        x_v(b, XV_MOVQ, scratch, 0, xr(x));
    else
        x_vi(b, XV_INSERTPS, scratch, x, xr(x), 0x0e);
    return scratch;
}

xrm fp_opnd(struct jit *j, unsigned n) { return j->vmap[n] >= 0 ? xr(jit_vread(j, n, X1)) : ENV_V(n); }

int fp_dest(struct jit *j, const struct insn *i)
{
    int home = j->vmap[i->rd];
    u32 f = i->flags;
    bool is_source = (f & DR) || ((f & VN) && i->rn == i->rd) || ((f & VM) && i->rm == i->rd) || ((f & VA) && i->ra == i->rd);
    return home < 0 || (is_source && j->vdirty >> i->rd & 1) ? X2 : home;
}

void fp_done(struct jit *j, unsigned n, int x) { jit_vdone(j, n, x); }

/* ---- repair ---- */

unsigned fp_check(struct jit *j, unsigned fmt, int x, bool tiny)
{
    struct xbuf *b = &j->b;
    unsigned d = fp_di(fmt);
    u32 ucomis = d ? XV_UCOMISD : XV_UCOMISS;
    bool flush = fp_flush(j);
    if (!tiny && !flush) {
        x_v(b, ucomis, x, 0, xr(x));
        return CC_P;
    }
    // unordered sets ZF too
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
    x_v(b, ucomis, X3, 0, FP_CONST(j, min_normal[d]));
    j->fz_zero = flush;
    return flush ? CC_BE : CC_E;
}

static void guard_scalar(struct jit *j, unsigned n, unsigned fmt)
{
    struct xbuf *b = &j->b;
    u32 w = fmt == FP_D ? XW : 0;
    if (j->vmap[n] >= 0)
        x_v(b, XV_MOVD_ST | w, jit_vread(j, n, X0), 0, xr(RAX));
    else
        x_rm(b, XI_MOV | w, RAX, ENV_V(n));
    x_rm(b, XI_LEA | w, RAX, xmi(RAX, RAX, 0, -1));
    if (w)
        x_rm(b, XI_CMP | XW, RAX, FP_CONST(j, subnormal_max2));
    else
        x_alu_i(b, ALU_CMP, 0, xr(RAX), (1 << 24) - 1);
    j->fz_site[j->fz_count++] = x_jcc(b, CC_B, NULL);
}

static void guard_vector(struct jit *j, unsigned n, unsigned fmt)
{
    struct xbuf *b = &j->b;
    unsigned d = fp_di(fmt);
    u32 gt = d ? XV_PCMPGTQ : XV_PCMPGTD;
    int x = jit_vread(j, n, X3);
    x_v(b, XV_ANDPS, X3, x, FP_CONST(j, abs[d]));
    x_v(b, XV_MOVAPS, X2, 0, FP_CONST(j, min_normal[d]));
    x_v(b, gt, X2, X2, xr(X3));
    x_v(b, gt, X3, X3, FP_CONST(j, zero));
    x_v(b, XV_ANDPS, X3, X3, xr(X2));
    x_v(b, d ? XV_MOVMSKPD : XV_MOVMSKPS, RAX, 0, xr(X3));
    x_rr(b, XI_TEST, RAX, RAX);
    j->fz_site[j->fz_count++] = x_jcc(b, CC_NE, NULL);
}

bool fp_flush_guard(struct jit *j, const struct insn *i)
{
    j->fz_count = 0;
    j->fz_zero = false;
    if (!fp_flush(j))
        return true;
    if (!j->cpu.avx2) // the checks want its predicates
        return false;
    jit_clobber(j);
    x_test8_i(&j->b, ENV(fpsr), FPSR_IXC);
    j->fz_site[j->fz_count++] = x_jcc(&j->b, CC_E, NULL);
    const u8 regs[4] = {i->rn, i->rm, i->ra, i->rd};
    const bool used[4] = {i->flags & VN, i->flags & VM, i->flags & VA, i->flags & DR};
    bool scalar = i->word >> 28 & 1, elem = insn_rows[i->op].fmt == FMT_ELEM;
    bool is_pair = i->word >> 30 & 1 && (i->word >> 17 & 31) == 0x18 && (i->word >> 10 & 3) == 2;
    for (unsigned k = 0; k < 4; k++) {
        bool whole = !scalar || (k == 1 && elem) || is_pair, seen = !used[k];
        for (unsigned e = 0; e < k && !(whole && scalar); e++)
            seen = seen || (used[e] && regs[e] == regs[k]);
        if (seen)
            continue;
        if (whole)
            guard_vector(j, regs[k], i->p);
        else
            guard_scalar(j, regs[k], i->p);
    }
    return true;
}

void fp_repair_begin(struct jit *j, const struct insn *i, unsigned cc)
{
    if (cc != CC_NEVER)
        jit_cold_begin(j, cc);
    if (j->fz_zero) { // a zero is right: go on
        struct xbuf *c = &j->cold;
        x_v(c, XV_XORPS, X1, X1, xr(X1));
        x_v(c, i->p == FP_D ? XV_UCOMISD : XV_UCOMISS, X3, 0, xr(X1));
        u8 *nan = x_jcc8(c, CC_P);
        x_jcc(c, CC_E, j->b.p);
        x_patch8(nan, c->p);
    }
    for (unsigned k = 0; k < j->fz_count; k++)
        x_patch(j->fz_site[k], j->cold.p);
    j->fz_count = 0;
    j->fz_zero = false;
}

void fp_repair_end(struct jit *j, const struct insn *i)
{
    jit_cold_exec(j, i);
    jit_caches_reload(j, &j->cold);
    jit_cold_end(j);
}

/// Ends an instruction whose result is in x.
static int finish(struct jit *j, const struct insn *i, int x, unsigned cc)
{
    fp_repair_begin(j, i, cc);
    fp_done(j, i->rd, x);
    fp_repair_end(j, i);
    return 1;
}

/* ---- arithmetic ---- */

static int binary(struct jit *j, const struct insn *i, unsigned byte, bool commutes, bool tiny)
{
    unsigned fmt = i->p, n = i->rn, m = i->rm;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    if (commutes && (j->vmap[n] < 0 || j->vclass[n] > 1u << fmt) && j->vmap[m] >= 0 && j->vclass[m] <= 1u << fmt) {
        n = i->rm; // NaNs are repaired, so the order does not matter
        m = i->rn;
    }
    int a = fp_src(j, n, fmt, X0);
    xrm o = fp_opnd(j, m);
    int d = fp_dest(j, i);
    x_v(&j->b, fp_op_scalar(fmt, byte), d, a, o);
    return finish(j, i, d, fp_check(j, fmt, d, tiny));
}
static int emit_fadd(struct jit *j, const struct insn *i) { return binary(j, i, 0x58, true, false); }
static int emit_fsub(struct jit *j, const struct insn *i) { return binary(j, i, 0x5c, false, false); }
static int emit_fmul(struct jit *j, const struct insn *i) { return binary(j, i, 0x59, true, true); }
static int emit_fdiv(struct jit *j, const struct insn *i) { return binary(j, i, 0x5e, false, true); }

static int emit_fnmul(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fp_src(j, i->rn, i->p, X0);
    x_v(&j->b, fp_op_scalar(i->p, 0x59), X2, a, fp_opnd(j, i->rm));
    unsigned cc = fp_check(j, i->p, X2, true);
    fp_repair_begin(j, i, cc);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_XORPS, d, X2, FP_CONST(j, sign1[fp_di(i->p)]));
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

static int emit_fabd(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fp_src(j, i->rn, i->p, X0);
    x_v(&j->b, fp_op_scalar(i->p, 0x5c), X2, a, fp_opnd(j, i->rm));
    unsigned cc = fp_check(j, i->p, X2, false);
    fp_repair_begin(j, i, cc);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_ANDPS, d, X2, FP_CONST(j, abs1[fp_di(i->p)]));
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}

static int emit_fsqrt(struct jit *j, const struct insn *i)
{
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fp_src(j, i->rn, i->p, X0), d = fp_dest(j, i);
    x_v(&j->b, fp_op_scalar(i->p, 0x51), d, a, xr(a));
    return finish(j, i, d, fp_check(j, i->p, d, false));
}

/// byte: vfmadd231 (b9) addend + n * m; bb fmsub, bd fnmadd, bf fnmsub.
static int fused(struct jit *j, const struct insn *i, unsigned byte)
{
    unsigned fmt = i->p;
    if (!j->cpu.fma)
        return fp_fused_single(j, i, &(struct fp_fused){.addend = i->ra, .element = -1, .scalar = true,
                                                        .minus_product = byte == 0xbd || byte == 0xbf, .minus_addend = byte == 0xbb || byte == 0xbf});
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int d = i->rd == i->rn || i->rd == i->rm ? X2 : fp_dest(j, i);
    int a = fp_src(j, i->ra, fmt, d), n = jit_vread(j, i->rn, X0);
    xrm m = fp_opnd(j, i->rm);
    if (a != d)
        x_v(&j->b, XV_MOVAPS, d, 0, xr(a));
    x_v(&j->b, XO(1, 2, byte) | (fmt == FP_D ? XW : 0), d, n, m);
    return finish(j, i, d, fp_check(j, fmt, d, true));
}
static int emit_fmadd(struct jit *j, const struct insn *i) { return fused(j, i, 0xb9); }
static int emit_fmsub(struct jit *j, const struct insn *i) { return fused(j, i, 0xbd); }
static int emit_fnmadd(struct jit *j, const struct insn *i) { return fused(j, i, 0xbf); }
static int emit_fnmsub(struct jit *j, const struct insn *i) { return fused(j, i, 0xbb); }

/// Both orders are computed and merged: equal operands give themselves, zeros the right sign.
/// NaN operands (which make x86 record Invalid) are sorted out first.
static int minmax(struct jit *j, const struct insn *i, unsigned byte, u32 merge)
{
    unsigned fmt = i->p;
    if (!fp_flush_guard(j, i))
        return 0;
    jit_clobber(j);
    int a = fp_src(j, i->rn, fmt, X0), m = fp_src(j, i->rm, fmt, X1);
    x_v(&j->b, fmt == FP_D ? XV_UCOMISD : XV_UCOMISS, a, 0, xr(m));
    fp_repair_begin(j, i, CC_P);
    x_v(&j->b, fp_op_scalar(fmt, byte), X2, a, xr(m));
    x_v(&j->b, fp_op_scalar(fmt, byte), X3, m, xr(a));
    int d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, merge, d, X2, xr(X3));
    fp_done(j, i->rd, d);
    fp_repair_end(j, i);
    return 1;
}
static int emit_fmax(struct jit *j, const struct insn *i) { return minmax(j, i, 0x5f, XV_ANDPS); }
static int emit_fmin(struct jit *j, const struct insn *i) { return minmax(j, i, 0x5d, XV_ORPS); }

/* ---- moves ---- */

static int emit_fmov(struct jit *j, const struct insn *i)
{
    int d = jit_vwrite(j, i->rd, X2), a = fp_src(j, i->rn, i->p, d);
    fp_done(j, i->rd, a);
    (void)d;
    return 1;
}

static int emit_fabs(struct jit *j, const struct insn *i)
{
    int a = jit_vread(j, i->rn, X0), d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_ANDPS, d, a, FP_CONST(j, abs1[fp_di(i->p)]));
    fp_done(j, i->rd, d);
    return 1;
}

static int emit_fneg(struct jit *j, const struct insn *i)
{
    int a = fp_src(j, i->rn, i->p, X0), d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_XORPS, d, a, FP_CONST(j, sign1[fp_di(i->p)]));
    fp_done(j, i->rd, d);
    return 1;
}

static int emit_fmov_imm(struct jit *j, const struct insn *i)
{
    int d = jit_vwrite(j, i->rd, X2);
    x_mov_ri(&j->b, RAX, fp_expand_imm(i->p, (unsigned)i->imm));
    x_v(&j->b, XV_MOVD | (i->p == FP_D ? XW : 0), d, 0, xr(RAX));
    fp_done(j, i->rd, d);
    return 1;
}

static int emit_fmov_to_gpr(struct jit *j, const struct insn *i)
{
    if (i->rd == REG_SINK)
        return 1;
    int r = jit_xwrite(j, i->rd, RAX);
    u32 w = i->p == FP_D ? XW : 0;
    if (j->vmap[i->rn] >= 0)
        x_v(&j->b, XV_MOVD_ST | w, jit_vread(j, i->rn, X0), 0, xr(r));
    else
        x_rm(&j->b, XI_MOV | w, r, ENV_V(i->rn));
    jit_xdone(j, i->rd, r);
    return 1;
}

static int emit_fmov_from_gpr(struct jit *j, const struct insn *i)
{
    int r = jit_xread(j, i->rn, RAX), d = jit_vwrite(j, i->rd, X2);
    x_v(&j->b, XV_MOVD | (i->p == FP_D ? XW : 0), d, 0, xr(r));
    fp_done(j, i->rd, d);
    return 1;
}

static int emit_fmov_top_to_gpr(struct jit *j, const struct insn *i)
{
    if (i->rd == REG_SINK)
        return 1;
    int r = jit_xwrite(j, i->rd, RAX);
    xrm m = ENV_V(i->rn);
    m.disp += 8;
    if (j->vmap[i->rn] >= 0)
        x_vi(&j->b, XV_PEXTRD | XW, jit_vread(j, i->rn, X0), 0, xr(r), 1);
    else
        x_rm(&j->b, XI_MOV | XW, r, m);
    jit_xdone(j, i->rd, r);
    return 1;
}

static int emit_fmov_top_from_gpr(struct jit *j, const struct insn *i)
{
    int r = jit_xread(j, i->rn, RAX), a = jit_vread(j, i->rd, X0), d = jit_vwrite(j, i->rd, X2);
    x_vi(&j->b, XV_PINSRD | XW, d, a, xr(r), 1);
    jit_vdone(j, i->rd, d);
    return 1;
}

/* ---- comparison and selection ---- */

/// The condition of the first instruction after this one that reads the flags, or 14.
static unsigned next_cond(const struct jit *j)
{
    for (unsigned k = j->k + 1; k < j->n; k++) {
        const struct insn *i = &j->in[k];
        if (i->flags & FR)
            return i->op == OP_Bcond ? i->word & 15 : i->op >= OP_INVALID + 1 ? i->word >> 12 & 15 : 14;
        if (i->flags & FW)
            break;
    }
    return 14;
}

/// EFLAGS as ucomis leaves them for the comparison whose result is in cpu.nzcv.
static void flags_from_env(struct xbuf *b, bool swapped)
{
    xrm v = ENV(nzcv), nzc = v;
    nzc.disp++;
    x_mov_ri(b, RAX, 0x4500); // unordered: ZF, PF, CF
    x_test8_i(b, v, FLAG_V);
    u8 *done1 = x_jcc8(b, CC_NE);
    x_mov_ri(b, RAX, 0x4000); // equal: ZF
    x_test8_i(b, nzc, FLAG_Z >> 8);
    u8 *done2 = x_jcc8(b, CC_NE);
    x_mov_ri(b, RAX, 0x0100); // the first one is less: CF
    x_test8_i(b, nzc, (swapped ? FLAG_C : FLAG_N) >> 8);
    u8 *done3 = x_jcc8(b, CC_NE);
    x_mov_ri(b, RAX, 0);
    x_patch8(done1, b->p);
    x_patch8(done2, b->p);
    x_patch8(done3, b->p);
    x_sahf(b);
}

static int compare(struct jit *j, const struct insn *i, bool signal, bool zero)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, cond = next_cond(j);
    if (fmt == FP_H ? !fp_has_half(j) : !fp_flush_guard(j, i))
        return 0;
    u32 op = signal ? (fmt == FP_D ? XV_COMISD : XV_COMISS) : (fmt == FP_D ? XV_UCOMISD : XV_UCOMISS);
    // mi, pl, hi, ls are one x86 condition when the operands are exchanged
    bool swap = cond >> 1 == 2 || cond >> 1 == 4;
    if (fmt == FP_H) {
        op = signal ? XV_COMISS : XV_UCOMISS;
        fp_half_scalar(j, i->rn, X0);
        if (zero)
            x_v(b, XV_XORPS, X1, X1, xr(X1));
        else
            fp_half_scalar(j, i->rm, X1);
        x_v(b, op, swap ? X1 : X0, 0, xr(swap ? X0 : X1));
    } else if (zero) {
        x_v(b, XV_XORPS, X1, X1, xr(X1));
        if (swap)
            x_v(b, op, X1, 0, fp_opnd(j, i->rn));
        else
            x_v(b, op, jit_vread(j, i->rn, X0), 0, xr(X1));
    } else {
        unsigned first = swap ? i->rm : i->rn, second = swap ? i->rn : i->rm;
        int a = jit_vread(j, first, X0);
        x_v(b, op, a, 0, fp_opnd(j, second));
    }
    if (fp_flush(j)) {
        fp_repair_begin(j, i, CC_NEVER);
        jit_cold_exec(j, i);
        jit_caches_reload(j, &j->cold);
        flags_from_env(&j->cold, swap);
        jit_cold_end(j);
    }
    jit_flags_set(j, swap ? FL_FCMPX : FL_FCMP);
    return 1;
}
static int emit_fcmp(struct jit *j, const struct insn *i) { return compare(j, i, false, false); }
static int emit_fcmpe(struct jit *j, const struct insn *i) { return compare(j, i, true, false); }
static int emit_fcmp0(struct jit *j, const struct insn *i) { return compare(j, i, false, true); }
static int emit_fcmpe0(struct jit *j, const struct insn *i) { return compare(j, i, true, true); }

void jit_fcmp_nzcv(struct jit *j, struct xbuf *b, bool swapped)
{
    x_mov_ri(b, RAX, swapped ? FLAG_N : FLAG_C);
    x_cmov(b, CC_B, 0, RAX, swapped ? FP_CONST(j, nzcv_gt) : FP_CONST(j, nzcv_lt));
    x_cmov(b, CC_E, 0, RAX, FP_CONST(j, nzcv_eq));
    x_cmov(b, CC_P, 0, RAX, FP_CONST(j, nzcv_un));
}

/// The comparison or the immediate flags, into cpu.nzcv.
static int fccmp(struct jit *j, const struct insn *i, bool signal)
{
    struct xbuf *b = &j->b;
    unsigned fmt = i->p, cond = i->word >> 12 & 15;
    u32 op = signal ? (fmt == FP_D ? XV_COMISD : XV_COMISS) : (fmt == FP_D ? XV_UCOMISD : XV_UCOMISS);
    if (fp_flush(j) || cond >= 14)
        return 0;
    int a = jit_vread(j, i->rn, X0);
    xrm o = fp_opnd(j, i->rm);
    u8 *no = x_jcc8(b, jit_cond(j, cond) ^ 1);
    x_v(b, op, a, 0, o);
    jit_fcmp_nzcv(j, b, false);
    u8 *end = x_jmp8(b);
    x_patch8(no, b->p);
    u32 f = i->word & 15;
    x_mov_ri(b, RAX, (f & 8 ? FLAG_N : 0) | (f & 4 ? FLAG_Z : 0) | (f & 2 ? FLAG_C : 0) | (f & 1 ? FLAG_V : 0));
    x_patch8(end, b->p);
    x_op(b, XI_ST16, RAX, ENV(nzcv), 0);
    jit_flags_in_env(j);
    return 1;
}
static int emit_fccmp(struct jit *j, const struct insn *i) { return fccmp(j, i, false); }
static int emit_fccmpe(struct jit *j, const struct insn *i) { return fccmp(j, i, true); }

static int emit_fcsel(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    unsigned cond = i->word >> 12 & 15;
    u32 w = i->p == FP_D ? XW : 0;
    if (cond >= 14)
        return 0;
    unsigned cc = jit_cond(j, cond);
    if (j->vmap[i->rm] >= 0)
        x_v(b, XV_MOVD_ST | w, jit_vread(j, i->rm, X0), 0, xr(RAX));
    else
        x_rm(b, XI_MOV | w, RAX, ENV_V(i->rm));
    if (j->vmap[i->rn] >= 0) {
        x_v(b, XV_MOVD_ST | w, jit_vread(j, i->rn, X0), 0, xr(RCX));
        x_cmov(b, cc, w, RAX, xr(RCX));
    } else {
        x_cmov(b, cc, w, RAX, ENV_V(i->rn));
    }
    if (i->p == FP_H)
        x_rr(b, XI_MOVZX16, RAX, RAX);
    int d = jit_vwrite(j, i->rd, X2);
    x_v(b, XV_MOVD | w, d, 0, xr(RAX));
    fp_done(j, i->rd, d);
    return 1;
}

void jit_init_fp(jit_emit_fn **t)
{
#define SD(op, fn) t[op##_s] = t[op##_d] = fn
    SD(OP_FADD, emit_fadd), SD(OP_FSUB, emit_fsub), SD(OP_FMUL, emit_fmul), SD(OP_FDIV, emit_fdiv);
    SD(OP_FNMUL, emit_fnmul), SD(OP_FABD, emit_fabd), SD(OP_FSQRT, emit_fsqrt);
    SD(OP_FMADD, emit_fmadd), SD(OP_FMSUB, emit_fmsub), SD(OP_FNMADD, emit_fnmadd), SD(OP_FNMSUB, emit_fnmsub);
    SD(OP_FMAX, emit_fmax), SD(OP_FMIN, emit_fmin), SD(OP_FMAXNM, emit_fmax), SD(OP_FMINNM, emit_fmin);
    SD(OP_FMOV, emit_fmov), SD(OP_FABS, emit_fabs), SD(OP_FNEG, emit_fneg), SD(OP_FMOVi, emit_fmov_imm);
    SD(OP_FCMP, emit_fcmp), SD(OP_FCMPE, emit_fcmpe), SD(OP_FCMP0, emit_fcmp0), SD(OP_FCMPE0, emit_fcmpe0);
    SD(OP_FCCMP, emit_fccmp), SD(OP_FCCMPE, emit_fccmpe), SD(OP_FCSEL, emit_fcsel);
    t[OP_FMOVi_h] = emit_fmov_imm;
    t[OP_FCMP_h] = emit_fcmp, t[OP_FCMPE_h] = emit_fcmpe, t[OP_FCMP0_h] = emit_fcmp0, t[OP_FCMPE0_h] = emit_fcmpe0;
    t[OP_FCSEL_h] = emit_fcsel;
    t[OP_FMOV_ws] = t[OP_FMOV_xd] = emit_fmov_to_gpr;
    t[OP_FMOV_sw] = t[OP_FMOV_dx] = emit_fmov_from_gpr;
    t[OP_FMOV_xv1] = emit_fmov_top_to_gpr;
    t[OP_FMOV_v1x] = emit_fmov_top_from_gpr;
#undef SD
    jit_init_fp_conv(t);
    jit_init_fp_vec(t);
    jit_init_fpv_int(t);
    jit_init_fpv_conv(t);
    jit_init_fpv_more(t);
    jit_init_fp_est(t);
    jit_init_half(t);
    jit_init_half_conv(t);
}
