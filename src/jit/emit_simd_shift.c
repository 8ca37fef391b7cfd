/// Emission of Advanced SIMD shifts: by immediate, narrowing, lengthening, and by register.
#include "jit/emit_simd.h"

static unsigned right_amount(const struct insn *i) { return (16u << simd_shift_size(i)) - (unsigned)i->imm; }
static unsigned left_amount(const struct insn *i) { return (unsigned)i->imm - (8u << simd_shift_size(i)); }

/* Right. */

static int emit_SHR(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    simd_shift_right(j, simd_shift_size(i), !simd_u(i->word), d, n, right_amount(i));
    return simd_finish(j, i, d);
}
static int emit_SRA(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i);
    int n = simd_n(j, i), d = simd_d(j, i);
    simd_shift_right(j, lg, !simd_u(i->word), X2, n, right_amount(i));
    v3m(j, simd_padd[lg], d, X2, simd_rm(j, i->rd));
    return simd_finish(j, i, d);
}
/// X2 <- n shifted with rounding: (n >> s) + bit s - 1 of n.
static void shift_rounded(struct jit *j, unsigned lg, bool is_signed, int n, unsigned s)
{
    simd_shift_right(j, lg, is_signed, X2, n, s);
    if (s > 1)
        simd_shift_right(j, lg, false, X3, n, s - 1);
    v3m(j, XV_PAND, X3, s > 1 ? X3 : n, simd_k_lg(j, SK_B01, lg));
    v3(j, simd_padd[lg], X2, X2, X3);
}
static int emit_RSHR(struct jit *j, const struct insn *i)
{
    shift_rounded(j, simd_shift_size(i), !simd_u(i->word), simd_n(j, i), right_amount(i));
    return simd_finish(j, i, X2);
}
static int emit_RSRA(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i);
    shift_rounded(j, lg, !simd_u(i->word), simd_n(j, i), right_amount(i));
    int d = simd_d(j, i);
    v3m(j, simd_padd[lg], d, X2, simd_rm(j, i->rd));
    return simd_finish(j, i, d);
}

/* Left, insert. */

static int emit_SHL(struct jit *j, const struct insn *i)
{
    int n = simd_n(j, i), d = simd_d(j, i);
    simd_shift_left(j, simd_shift_size(i), d, n, left_amount(i));
    return simd_finish(j, i, d);
}
/// d <- X2 with the bits of `keep` from the old d.
static int insert(struct jit *j, const struct insn *i, unsigned lg, u64 keep)
{
    int d = simd_d(j, i);
    int old = jit_vread(j, i->rd, X3);
    v3m(j, XV_PAND, X3, old, simd_const_lanes(j, lg, keep));
    v3(j, XV_POR, d, X2, X3);
    return simd_finish(j, i, d);
}
static int emit_SLI(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i), s = left_amount(i);
    simd_shift_left(j, lg, X2, simd_n(j, i), s);
    return insert(j, i, lg, (1ULL << s) - 1);
}
static int emit_SRI(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i), s = right_amount(i);
    simd_shift_right(j, lg, false, X2, simd_n(j, i), s);
    return insert(j, i, lg, ~(u64)((u128)lane_ones(lg) >> s));
}

/* Narrowing: shift lanes of twice the size, then gather their low halves. */

static void gather(struct jit *j, unsigned lg, int d, int a)
{
    if (lg == 2)
        v2i(j, XV_PSHUFD, d, a, 0x88);
    else
        v3m(j, XV_PSHUFB, d, a, simd_k_lg(j, SK_EVEN_B, lg));
}
/// x holds the narrowed lanes in its low half.
static int finish_narrow(struct jit *j, const struct insn *i, int x)
{
    int d = simd_d(j, i);
    if (simd_q(i->word)) {
        int old = jit_vread(j, i->rd, X1);
        v3(j, XV_PUNPCKLQDQ, d, old, x);
    } else {
        v2(j, XV_MOVQ, d, x);
    }
    return simd_finish_clean(j, i, d);
}
static int emit_SHRN(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i);
    simd_shift_right(j, lg + 1, false, X2, simd_n(j, i), right_amount(i));
    gather(j, lg, X2, X2);
    return finish_narrow(j, i, X2);
}
static int emit_RSHRN(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i), s = right_amount(i);
    v3m(j, simd_padd[lg + 1], X2, simd_n(j, i), simd_const_lanes(j, lg + 1, 1ULL << (s - 1)));
    simd_shift_right(j, lg + 1, false, X2, X2, s);
    gather(j, lg, X2, X2);
    return finish_narrow(j, i, X2);
}
static int emit_XTN(struct jit *j, const struct insn *i)
{
    gather(j, simd_size(i->word), X2, simd_n(j, i));
    return finish_narrow(j, i, X2);
}
/// ADDHN, SUBHN and the rounding forms: the upper halves of sums.
static int add_high(struct jit *j, const struct insn *i, const u32 *op)
{
    unsigned lg = simd_size(i->word);
    int n = simd_n(j, i);
    v3m(j, op[lg + 1], X2, n, simd_rm(j, i->rm));
    if (simd_u(i->word))
        v3m(j, simd_padd[lg + 1], X2, X2, simd_const_lanes(j, lg + 1, 1ULL << ((8u << lg) - 1)));
    if (lg == 2)
        v2i(j, XV_PSHUFD, X2, X2, 0xdd);
    else
        v3m(j, XV_PSHUFB, X2, X2, simd_k_lg(j, SK_ODD_B, lg));
    return finish_narrow(j, i, X2);
}
static int emit_ADDHN(struct jit *j, const struct insn *i) { return add_high(j, i, simd_padd); }
static int emit_SUBHN(struct jit *j, const struct insn *i) { return add_high(j, i, simd_psub); }

/* Lengthening. */

static int emit_SHLL_i(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_shift_size(i), s = left_amount(i);
    int d = simd_d(j, i);
    simd_extend(j, i, lg, !simd_u(i->word), s ? X2 : d, simd_n(j, i));
    if (s)
        simd_shift_left(j, lg + 1, d, X2, s);
    return simd_finish_clean(j, i, d);
}
static int emit_SHLL(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    int d = simd_d(j, i);
    simd_extend(j, i, lg, false, X2, simd_n(j, i));
    simd_shift_left(j, lg + 1, d, X2, 8u << lg);
    return simd_finish_clean(j, i, d);
}

/* By register: the low byte of each lane of m, signed. x86 counts are unsigned and shift everything
 * out when too large, so one of the two directions contributes zero. */

static int emit_USHL(struct jit *j, const struct insn *i)
{
    unsigned lg = simd_size(i->word);
    if (lg < 2 || !j->cpu.avx2)
        return simd_shift_by_register(j, i);
    u32 w = lg == 3 ? XW : 0;
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    xrm low = lg == 3 ? simd_const64(j, 0xff) : simd_const_lanes(j, 2, 0xff);
    v3m(j, XV_PAND, X2, m, low);                        /* by 0..127 to the left, else too far */
    v3(j, XV_PXOR, X3, X3, X3);
    v3(j, simd_psub[lg], X3, X3, m);
    v3m(j, XV_PAND, X3, X3, low);                       /* by 1..128 to the right */
    v3(j, XV_PSLLVD | w, X2, n, X2);
    v3(j, XV_PSRLVD | w, X3, n, X3);
    v3(j, XV_POR, d, X2, X3);
    return simd_finish(j, i, d);
}
static int emit_SSHL(struct jit *j, const struct insn *i)
{
    if (simd_size(i->word) != 2 || !j->cpu.avx2)
        return simd_shift_by_register(j, i);
    int n = simd_n(j, i), m = simd_m(j, i), d = simd_d(j, i);
    x_vshift_i(&j->b, XV_PSHIFT_D, 6, X2, m, 24);
    x_vshift_i(&j->b, XV_PSHIFT_D, 4, X2, X2, 24);
    v3(j, XV_PXOR, X3, X3, X3);
    v3(j, XV_PSUBD, X3, X3, X2);
    v3(j, XV_PSRAVD, X3, n, X3);
    v3(j, XV_PSLLVD, X1, n, X2);
    x_vi(&j->b, XV_BLENDVPS, d, X1, xr(X3), X2 << 4); /* negative: the right shift */
    return simd_finish(j, i, d);
}

void simd_init_shift(jit_emit_fn **t)
{
    t[OP_SSHR_vi] = t[OP_SSHR_si] = t[OP_USHR_vi] = t[OP_USHR_si] = emit_SHR;
    t[OP_SSRA_vi] = t[OP_SSRA_si] = t[OP_USRA_vi] = t[OP_USRA_si] = emit_SRA;
    t[OP_SRSHR_vi] = t[OP_SRSHR_si] = t[OP_URSHR_vi] = t[OP_URSHR_si] = emit_RSHR;
    t[OP_SRSRA_vi] = t[OP_SRSRA_si] = t[OP_URSRA_vi] = t[OP_URSRA_si] = emit_RSRA;
    t[OP_SHL_vi] = t[OP_SHL_si] = emit_SHL;
    t[OP_SLI_vi] = t[OP_SLI_si] = emit_SLI;
    t[OP_SRI_vi] = t[OP_SRI_si] = emit_SRI;
    t[OP_SHRN_vi] = emit_SHRN;
    t[OP_RSHRN_vi] = emit_RSHRN;
    t[OP_XTN_v] = emit_XTN;
    t[OP_ADDHN_v] = t[OP_RADDHN_v] = emit_ADDHN;
    t[OP_SUBHN_v] = t[OP_RSUBHN_v] = emit_SUBHN;
    t[OP_SSHLL_vi] = t[OP_USHLL_vi] = emit_SHLL_i;
    t[OP_SHLL_v] = emit_SHLL;
    t[OP_USHL_v] = t[OP_USHL_s] = emit_USHL;
    t[OP_SSHL_v] = emit_SSHL;
}
