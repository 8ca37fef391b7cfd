/// Advanced SIMD three different, and the long forms of vector x indexed element.
/// Arm ARM, "Advanced SIMD three different".
#include "a64/simd.h"

/// One wide lane: n, m are numbers (sign- or zero-extended), d is the old destination element of
/// 2 << lg bytes.
typedef u64 wide_fn(struct cpu *c, s64 n, s64 m, u64 d, unsigned lg);

/// Source element as a number; upper half of the register for Q = 1 vector rows.
static inline s64 narrow_elem(const struct insn *i, const union vreg *v, unsigned lg, unsigned e)
{
    unsigned first = !simd_is_scalar(i->word) && simd_q(i->word) ? 8u >> lg : 0;
    return (s64)as_number(elem(v, lg, first + e), lg, simd_u(i->word));
}

/// Long: fn of the elements of Vn and Vm (or element `index` of Vm), twice as wide.
static ALWAYS_INLINE int lengthen(struct cpu *c, const struct insn *i, int index, wide_fn *fn)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm], *d = &c->v[i->rd];
    unsigned lg = simd_size(i->word), count = simd_is_scalar(i->word) ? 1 : 8u >> lg;
    union vreg r = {0};
    for (unsigned e = 0; e < count; e++) {
        s64 y = index < 0 ? narrow_elem(i, m, lg, e)
                          : (s64)as_number(elem(m, lg, (unsigned)index), lg, simd_u(i->word));
        set_elem(&r, lg + 1, e, fn(c, narrow_elem(i, n, lg, e), y, elem(d, lg + 1, e), lg));
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
#define WIDE_FN(name, expr)                                                                        \
    static ALWAYS_INLINE u64 name(struct cpu *c, s64 n, s64 m, u64 d, unsigned lg)                 \
    {                                                                                              \
        (void)c, (void)d, (void)lg;                                                                \
        return expr;                                                                               \
    }
#define L(id, fn) EXEC(id##_v) { return lengthen(c, i, -1, fn); }
#define LE(id, fn) L(id, fn) EXEC(id##_ve) { return lengthen(c, i, (int)i->imm, fn); }
#define LSE(id, fn)                                                                                \
    LE(id, fn)                                                                                     \
    EXEC(id##_s) { return lengthen(c, i, -1, fn); }                                                \
    EXEC(id##_se) { return lengthen(c, i, (int)i->imm, fn); }

WIDE_FN(long_add, (u64)(n + m))
WIDE_FN(long_sub, (u64)(n - m))
WIDE_FN(long_abd, (u64)(n > m ? n - m : m - n))
WIDE_FN(long_aba, d + (u64)(n > m ? n - m : m - n))
WIDE_FN(long_mul, (u64)n * (u64)m)
WIDE_FN(long_mla, d + (u64)n * (u64)m)
WIDE_FN(long_mls, d - (u64)n * (u64)m)
/* The doubled product saturates, then the sum saturates. */
WIDE_FN(long_qdmull, sat_signed(c, (s128)n * m * 2, lg + 1))
WIDE_FN(long_qdmlal, sat_signed(c, (s128)as_signed(d, lg + 1) +
                                   (s64)sext(long_qdmull(c, n, m, 0, lg), 16u << lg), lg + 1))
WIDE_FN(long_qdmlsl, sat_signed(c, (s128)as_signed(d, lg + 1) -
                                   (s64)sext(long_qdmull(c, n, m, 0, lg), 16u << lg), lg + 1))
L(SADDL, long_add)
L(UADDL, long_add)
L(SSUBL, long_sub)
L(USUBL, long_sub)
L(SABDL, long_abd)
L(UABDL, long_abd)
L(SABAL, long_aba)
L(UABAL, long_aba)
LE(SMULL, long_mul)
LE(UMULL, long_mul)
LE(SMLAL, long_mla)
LE(UMLAL, long_mla)
LE(SMLSL, long_mls)
LE(UMLSL, long_mls)
LSE(SQDMULL, long_qdmull)
LSE(SQDMLAL, long_qdmlal)
LSE(SQDMLSL, long_qdmlsl)

/// Wide: Vn has elements twice as wide as Vm's.
static inline int widen(struct cpu *c, const struct insn *i, bool subtract)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm];
    unsigned lg = simd_size(i->word);
    union vreg r = {0};
    for (unsigned e = 0; e < 8u >> lg; e++) {
        u64 y = (u64)narrow_elem(i, m, lg, e), x = elem(n, lg + 1, e);
        set_elem(&r, lg + 1, e, subtract ? x - y : x + y);
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(SADDW_v) { return widen(c, i, false); }
EXEC(UADDW_v) { return widen(c, i, false); }
EXEC(SSUBW_v) { return widen(c, i, true); }
EXEC(USUBW_v) { return widen(c, i, true); }

/// Narrow: the upper half of each sum or difference, with rounding when U.
static inline int narrow_high(struct cpu *c, const struct insn *i, bool subtract)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm];
    unsigned lg = simd_size(i->word), width = 8u << lg;
    u64 round = simd_u(i->word) ? 1ULL << (width - 1) : 0;
    union vreg r = {0};
    for (unsigned e = 0; e < 8u >> lg; e++) {
        u64 x = elem(n, lg + 1, e), y = elem(m, lg + 1, e);
        set_elem(&r, lg, e, ((subtract ? x - y : x + y) + round) >> width);
    }
    write_narrow(c, i, r.d[0]);
    return EXEC_NEXT;
}
EXEC(ADDHN_v) { return narrow_high(c, i, false); }
EXEC(RADDHN_v) { return narrow_high(c, i, false); }
EXEC(SUBHN_v) { return narrow_high(c, i, true); }
EXEC(RSUBHN_v) { return narrow_high(c, i, true); }

EXEC(PMULL_v)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm];
    unsigned half = simd_q(i->word);
    union vreg r;
    if (simd_size(i->word) == 3) {
        u128 p = poly_mul(n->d[half], m->d[half]);
        r = (union vreg){.d = {(u64)p, (u64)(p >> 64)}};
    } else {
        for (unsigned e = 0; e < 8; e++)
            r.h[e] = (u16)poly_mul(n->b[8 * half + e], m->b[8 * half + e]);
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
