/// Advanced SIMD two-register miscellaneous, scalar two-register miscellaneous, across lanes.
/// Arm ARM, "Advanced SIMD two-register miscellaneous".
#include "a64/simd.h"

#define SN as_signed(n, lg)
#define SD as_signed(d, lg)

#define V2(id, expr) LANE(lane_##id, expr) EXEC(id##_v) { return lanes(c, i, lane_##id); }
#define VS2(id, expr) V2(id, expr) EXEC(id##_s) { return lanes(c, i, lane_##id); }

/// Leading zeros of an element; width when it is 0.
static ALWAYS_INLINE u64 count_lead(u64 n, unsigned lg)
{
    return n ? (u64)__builtin_clzll(n) - (64 - (8u << lg)) : 8u << lg;
}
V2(CLZ, count_lead(n, lg))
/* Leading bits equal to the sign, not counting it. */
V2(CLS, count_lead(((n >> 1) ^ n) & (lane_ones(lg) >> 1), lg) - 1)
V2(CNT, (u64)__builtin_popcountll(n))
VS2(ABS, SN < 0 ? 0 - n : n)
VS2(NEG, 0 - n)
VS2(SQABS, sat_signed(c, SN < 0 ? -(s128)SN : SN, lg))
VS2(SQNEG, sat_signed(c, -(s128)SN, lg))
VS2(SUQADD, sat_signed(c, (s128)SD + (s128)n, lg))
VS2(USQADD, sat_unsigned(c, (s128)d + SN, lg))
VS2(CMGT0, SN > 0 ? ~0ULL : 0)
VS2(CMGE0, SN >= 0 ? ~0ULL : 0)
VS2(CMEQ0, n == 0 ? ~0ULL : 0)
VS2(CMLE0, SN <= 0 ? ~0ULL : 0)
VS2(CMLT0, SN < 0 ? ~0ULL : 0)

static u64 reverse_bits(u64 x)
{
    x = (x & 0x5555555555555555) << 1 | (x >> 1 & 0x5555555555555555);
    x = (x & 0x3333333333333333) << 2 | (x >> 2 & 0x3333333333333333);
    return (x & 0x0f0f0f0f0f0f0f0f) << 4 | (x >> 4 & 0x0f0f0f0f0f0f0f0f); /* within bytes */
}
EXEC(NOT_v)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    c->v[i->rd] = (union vreg){.d = {~n->d[0], simd_q(i->word) ? ~n->d[1] : 0}};
    return EXEC_NEXT;
}
EXEC(RBIT_v)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    c->v[i->rd] = (union vreg){
        .d = {reverse_bits(n->d[0]), simd_q(i->word) ? reverse_bits(n->d[1]) : 0}};
    return EXEC_NEXT;
}

/// Reverses the elements within containers of 1 << container_lg bytes.
static int reverse(struct cpu *c, const struct insn *i, unsigned container_lg)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    unsigned lg = simd_size(i->word), flip = (1u << (container_lg - lg)) - 1;
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, lg); e < count; e++)
        set_elem(&r, lg, e, elem(n, lg, e ^ flip));
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(REV64_v) { return reverse(c, i, 3); }
EXEC(REV32_v) { return reverse(c, i, 2); }
EXEC(REV16_v) { return reverse(c, i, 1); }

/// Sums of adjacent pairs, twice as wide.
static int add_long_pairs(struct cpu *c, const struct insn *i, bool accumulate)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *d = &c->v[i->rd];
    unsigned lg = simd_size(i->word);
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, lg) / 2; e < count; e++) {
        u64 sum = (u64)(as_number(elem(n, lg, 2 * e), lg, simd_u(i->word)) +
                        as_number(elem(n, lg, 2 * e + 1), lg, simd_u(i->word)));
        set_elem(&r, lg + 1, e, sum + (accumulate ? elem(d, lg + 1, e) : 0));
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(SADDLP_v) { return add_long_pairs(c, i, false); }
EXEC(UADDLP_v) { return add_long_pairs(c, i, false); }
EXEC(SADALP_v) { return add_long_pairs(c, i, true); }
EXEC(UADALP_v) { return add_long_pairs(c, i, true); }

/// How a narrowing row treats values that do not fit.
enum narrow { NARROW_TRUNC, NARROW_SS, NARROW_SU, NARROW_UU };

static int narrow(struct cpu *c, const struct insn *i, enum narrow how)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    unsigned lg = simd_size(i->word), count = simd_is_scalar(i->word) ? 1 : 8u >> lg;
    union vreg r = {0};
    for (unsigned e = 0; e < count; e++) {
        u64 x = elem(n, lg + 1, e);
        if (how != NARROW_TRUNC)
            x = sat_to(c, as_number(x, lg + 1, how == NARROW_UU), lg, how != NARROW_SS);
        set_elem(&r, lg, e, x);
    }
    write_narrow(c, i, r.d[0]);
    return EXEC_NEXT;
}
EXEC(XTN_v) { return narrow(c, i, NARROW_TRUNC); }
EXEC(SQXTN_v) { return narrow(c, i, NARROW_SS); }
EXEC(SQXTN_s) { return narrow(c, i, NARROW_SS); }
EXEC(SQXTUN_v) { return narrow(c, i, NARROW_SU); }
EXEC(SQXTUN_s) { return narrow(c, i, NARROW_SU); }
EXEC(UQXTN_v) { return narrow(c, i, NARROW_UU); }
EXEC(UQXTN_s) { return narrow(c, i, NARROW_UU); }

EXEC(SHLL_v)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    unsigned lg = simd_size(i->word), first = simd_q(i->word) ? 8u >> lg : 0;
    union vreg r = {0};
    for (unsigned e = 0; e < 8u >> lg; e++)
        set_elem(&r, lg + 1, e, elem(n, lg, first + e) << (8u << lg));
    c->v[i->rd] = r;
    return EXEC_NEXT;
}

/* Across lanes. */

/// Folds all elements with fn, as numbers; the result has 1 << result_lg bytes.
typedef s64 fold_fn(s64 a, s64 b);
static ALWAYS_INLINE int fold(struct cpu *c, const struct insn *i, fold_fn *fn, bool is_long)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    unsigned lg = simd_size(i->word);
    bool u = simd_u(i->word);
    s64 acc = (s64)as_number(elem(n, lg, 0), lg, u);
    for (unsigned e = 1, count = simd_lanes(i->word, lg); e < count; e++)
        acc = fn(acc, (s64)as_number(elem(n, lg, e), lg, u));
    union vreg r = {0};
    set_elem(&r, lg + is_long, 0, (u64)acc);
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
static ALWAYS_INLINE s64 fold_add(s64 a, s64 b) { return a + b; }
static ALWAYS_INLINE s64 fold_max(s64 a, s64 b) { return a > b ? a : b; }
static ALWAYS_INLINE s64 fold_min(s64 a, s64 b) { return a < b ? a : b; }
EXEC(ADDV_v) { return fold(c, i, fold_add, false); }
EXEC(SADDLV_v) { return fold(c, i, fold_add, true); }
EXEC(UADDLV_v) { return fold(c, i, fold_add, true); }
EXEC(SMAXV_v) { return fold(c, i, fold_max, false); }
EXEC(UMAXV_v) { return fold(c, i, fold_max, false); }
EXEC(SMINV_v) { return fold(c, i, fold_min, false); }
EXEC(UMINV_v) { return fold(c, i, fold_min, false); }
