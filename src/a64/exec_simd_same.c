/// Advanced SIMD three same, scalar three same, three same (extra).
/// Arm ARM, "Advanced SIMD three same".
#include "a64/simd.h"

#define SN as_signed(n, lg)
#define SM as_signed(m, lg)
#define SD as_signed(d, lg)

/* One body for the vector row, and one for its scalar twin. */
#define V3(id, expr) LANE(lane_##id, expr) EXEC(id##_v) { return lanes(c, i, lane_##id); }
#define VS3(id, expr) V3(id, expr) EXEC(id##_s) { return lanes(c, i, lane_##id); }

/* Halving, rounding and saturating addition. */
V3(SHADD, (u64)((SN + (s128)SM) >> 1))
V3(UHADD, (u64)(((u128)n + m) >> 1))
V3(SRHADD, (u64)((SN + (s128)SM + 1) >> 1))
V3(URHADD, (u64)(((u128)n + m + 1) >> 1))
V3(SHSUB, (u64)((SN - (s128)SM) >> 1))
V3(UHSUB, (u64)(((s128)n - (s128)m) >> 1))
VS3(SQADD, sat_signed(c, SN + (s128)SM, lg))
VS3(UQADD, sat_unsigned(c, (s128)n + (s128)m, lg))
VS3(SQSUB, sat_signed(c, SN - (s128)SM, lg))
VS3(UQSUB, sat_unsigned(c, (s128)n - (s128)m, lg))
VS3(ADD, n + m)
VS3(SUB, n - m)

/* Comparison: all ones when true. */
VS3(CMGT, SN > SM ? ~0ULL : 0)
VS3(CMGE, SN >= SM ? ~0ULL : 0)
VS3(CMHI, n > m ? ~0ULL : 0)
VS3(CMHS, n >= m ? ~0ULL : 0)
VS3(CMEQ, n == m ? ~0ULL : 0)
VS3(CMTST, n & m ? ~0ULL : 0)

V3(SMAX, SN > SM ? n : m)
V3(UMAX, n > m ? n : m)
V3(SMIN, SN < SM ? n : m)
V3(UMIN, n < m ? n : m)
V3(SABD, (u64)(SN > SM ? SN - SM : SM - SN))
V3(UABD, n > m ? n - m : m - n)
V3(SABA, d + (u64)(SN > SM ? SN - SM : SM - SN))
V3(UABA, d + (n > m ? n - m : m - n))

V3(MUL, n * m)
V3(MLA, d + n * m)
V3(MLS, d - n * m)
V3(PMUL, (u64)poly_mul(n, m))

/// Shift by the signed low byte of m: to the left when positive, to the right when negative.
static ALWAYS_INLINE u64 shift_by(u64 n, u64 m, unsigned lg, bool is_unsigned, bool round)
{
    int by = (s8)m;
    s128 v = as_number(n, lg, is_unsigned);
    if (by < 0)
        return (u64)shift_right(v, (unsigned)-by, round);
    return by >= 8 << lg ? 0 : n << by;
}
static ALWAYS_INLINE u64 shift_sat(struct cpu *c, u64 n, u64 m, unsigned lg, bool is_unsigned,
                                   bool round)
{
    int by = (s8)m;
    s128 v = as_number(n, lg, is_unsigned);
    if (by < 0)
        v = shift_right(v, (unsigned)-by, round);
    else if (by < 8 << lg)
        v = (s128)((u128)v << by);
    else if (v != 0) /* far outside, on the right side */
        v = (v > 0 ? 1 : -1) * ((s128)1 << 100);
    return sat_to(c, v, lg, is_unsigned);
}
VS3(SSHL, shift_by(n, m, lg, false, false))
VS3(USHL, shift_by(n, m, lg, true, false))
VS3(SRSHL, shift_by(n, m, lg, false, true))
VS3(URSHL, shift_by(n, m, lg, true, true))
VS3(SQSHL, shift_sat(c, n, m, lg, false, false))
VS3(UQSHL, shift_sat(c, n, m, lg, true, false))
VS3(SQRSHL, shift_sat(c, n, m, lg, false, true))
VS3(UQRSHL, shift_sat(c, n, m, lg, true, true))

/* High half of the doubled product, truncated or rounded; with accumulation for FEAT_RDM. */
VS3(SQDMULH, sat_signed(c, ((s128)SN * SM * 2) >> (8 << lg), lg))
VS3(SQRDMULH, sat_signed(c, ((s128)SN * SM * 2 + ((s128)1 << ((8 << lg) - 1))) >> (8 << lg), lg))
static ALWAYS_INLINE u64 rdm(struct cpu *c, s64 acc, s64 product, unsigned lg)
{
    unsigned width = 8u << lg;
    s128 v = (s128)((u128)(s128)acc << width) + (s128)product * 2 + ((s128)1 << (width - 1));
    return sat_signed(c, v >> width, lg);
}
VS3(SQRDMLAH, rdm(c, SD, SN * SM, lg))
VS3(SQRDMLSH, rdm(c, SD, -(SN * SM), lg))

/* Bitwise. */
#define L3(id, expr)                                                                               \
    static ALWAYS_INLINE u64 logic_##id(u64 n, u64 m, u64 d) { (void)d; return expr; }             \
    EXEC(id##_v)                                                                                   \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm];                                     \
        union vreg *d = &c->v[i->rd];                                                              \
        d->d[0] = logic_##id(n->d[0], m->d[0], d->d[0]);                                           \
        d->d[1] = simd_q(i->word) ? logic_##id(n->d[1], m->d[1], d->d[1]) : 0;                     \
        return EXEC_NEXT;                                                                          \
    }
L3(AND, n & m)
L3(BIC, n & ~m)
L3(ORR, n | m)
L3(ORN, n | ~m)
L3(EOR, n ^ m)
L3(BSL, (n & d) | (m & ~d))
L3(BIT, (n & m) | (d & ~m))
L3(BIF, (d & m) | (n & ~m))

/// Pairwise: lane e of the result combines elements 2e and 2e+1 of Vm:Vn.
static ALWAYS_INLINE int pairwise(struct cpu *c, const struct insn *i, lane_fn *fn)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm];
    unsigned lg = simd_size(i->word), half = simd_lanes(i->word, lg) / 2;
    union vreg r = {0};
    for (unsigned e = 0; e < half; e++) {
        set_elem(&r, lg, e, fn(c, elem(n, lg, 2 * e), elem(n, lg, 2 * e + 1), 0, lg));
        set_elem(&r, lg, half + e, fn(c, elem(m, lg, 2 * e), elem(m, lg, 2 * e + 1), 0, lg));
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(ADDP_v) { return pairwise(c, i, lane_ADD); }
EXEC(SMAXP_v) { return pairwise(c, i, lane_SMAX); }
EXEC(UMAXP_v) { return pairwise(c, i, lane_UMAX); }
EXEC(SMINP_v) { return pairwise(c, i, lane_SMIN); }
EXEC(UMINP_v) { return pairwise(c, i, lane_UMIN); }
EXEC(ADDP_s)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    c->v[i->rd] = (union vreg){.d = {n->d[0] + n->d[1], 0}};
    return EXEC_NEXT;
}

/// Dot products of four bytes; index: of the group in Vm, or -1 for lane by lane.
static int dot(struct cpu *c, const struct insn *i, int index)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm], *d = &c->v[i->rd];
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, 2); e < count; e++) {
        unsigned g = index < 0 ? e : (unsigned)index;
        u32 sum = d->s[e];
        for (unsigned k = 0; k < 4; k++)
            sum += simd_u(i->word) ? (u32)n->b[4 * e + k] * m->b[4 * g + k]
                                   : (u32)(n->sb[4 * e + k] * m->sb[4 * g + k]);
        r.s[e] = sum;
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(SDOT_v) { return dot(c, i, -1); }
EXEC(UDOT_v) { return dot(c, i, -1); }
EXEC(SDOT_ve) { return dot(c, i, (int)i->imm); }
EXEC(UDOT_ve) { return dot(c, i, (int)i->imm); }

/* By element: every lane of Vn with element imm of Vm. */
static ALWAYS_INLINE int by_element(struct cpu *c, const struct insn *i, lane_fn *fn)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *d = &c->v[i->rd];
    unsigned lg = simd_size(i->word);
    u64 m = elem(&c->v[i->rm], lg, (unsigned)i->imm);
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, lg); e < count; e++)
        set_elem(&r, lg, e, fn(c, elem(n, lg, e), m, elem(d, lg, e), lg));
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
#define VE(id) EXEC(id##_ve) { return by_element(c, i, lane_##id); }
#define SE(id) EXEC(id##_se) { return by_element(c, i, lane_##id); }
VE(MUL)
VE(MLA)
VE(MLS)
VE(SQDMULH) SE(SQDMULH)
VE(SQRDMULH) SE(SQRDMULH)
VE(SQRDMLAH) SE(SQRDMLAH)
VE(SQRDMLSH) SE(SQRDMLSH)
