/// Advanced SIMD shift by immediate, scalar shift by immediate.
/// Arm ARM, "Advanced SIMD shift by immediate".
#include "a64/simd.h"

/// One lane shifted by s: n and d are elements, zero-extended.
typedef u64 shift_fn(struct cpu *c, u64 n, u64 d, unsigned s, unsigned lg, bool is_unsigned);

static ALWAYS_INLINE void shift_sized(struct cpu *c, const struct insn *i, bool left, shift_fn *fn,
                                      unsigned lg)
{
    const union vreg *n = &c->v[i->rn], *d = &c->v[i->rd];
    unsigned width = 8u << lg;
    unsigned s = left ? (unsigned)i->imm - width : 2 * width - (unsigned)i->imm;
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, lg); e < count; e++)
        set_elem(&r, lg, e, fn(c, elem(n, lg, e), elem(d, lg, e), s, lg, simd_u(i->word)));
    c->v[i->rd] = r;
}
static ALWAYS_INLINE int shift_lanes(struct cpu *c, const struct insn *i, bool left, shift_fn *fn)
{
    FP_ACCESS(c);
    switch (simd_shift_size(i)) {
    case 0: shift_sized(c, i, left, fn, 0); break;
    case 1: shift_sized(c, i, left, fn, 1); break;
    case 2: shift_sized(c, i, left, fn, 2); break;
    default: shift_sized(c, i, left, fn, 3); break;
    }
    return EXEC_NEXT;
}
#define SHIFT_FN(name, expr)                                                                       \
    static ALWAYS_INLINE u64 name(struct cpu *c, u64 n, u64 d, unsigned s, unsigned lg, bool u)    \
    {                                                                                              \
        (void)c, (void)d, (void)lg, (void)u;                                                       \
        return expr;                                                                               \
    }
#define RIGHT(id, fn)                                                                              \
    EXEC(id##_vi) { return shift_lanes(c, i, false, fn); }                                         \
    EXEC(id##_si) { return shift_lanes(c, i, false, fn); }
#define LEFT(id, fn)                                                                               \
    EXEC(id##_vi) { return shift_lanes(c, i, true, fn); }                                          \
    EXEC(id##_si) { return shift_lanes(c, i, true, fn); }

/* Right: 1 <= s <= width. */
SHIFT_FN(shift_r, (u64)shift_right(as_number(n, lg, u), s, false))
SHIFT_FN(shift_rr, (u64)shift_right(as_number(n, lg, u), s, true))
SHIFT_FN(shift_ra, d + shift_r(c, n, d, s, lg, u))
SHIFT_FN(shift_rra, d + shift_rr(c, n, d, s, lg, u))
SHIFT_FN(shift_ri, (u64)((u128)n >> s) | (d & ~(u64)((u128)lane_ones(lg) >> s)))
RIGHT(SSHR, shift_r)
RIGHT(USHR, shift_r)
RIGHT(SSRA, shift_ra)
RIGHT(USRA, shift_ra)
RIGHT(SRSHR, shift_rr)
RIGHT(URSHR, shift_rr)
RIGHT(SRSRA, shift_rra)
RIGHT(URSRA, shift_rra)
RIGHT(SRI, shift_ri)

/* Left: 0 <= s < width. */
SHIFT_FN(shift_l, n << s)
SHIFT_FN(shift_li, n << s | (d & ((1ULL << s) - 1)))
SHIFT_FN(shift_lsat, sat_to(c, (s128)((u128)as_number(n, lg, u) << s), lg, u))
SHIFT_FN(shift_lsatu, sat_unsigned(c, (s128)((u128)(s128)as_signed(n, lg) << s), lg))
LEFT(SHL, shift_l)
LEFT(SLI, shift_li)
LEFT(SQSHL, shift_lsat)
LEFT(UQSHL, shift_lsat)
LEFT(SQSHLU, shift_lsatu)

/// What a narrowing shift does with the shifted value.
struct narrowing {
    bool round, saturate, from_unsigned, to_unsigned;
};
static int shift_narrow(struct cpu *c, const struct insn *i, struct narrowing how)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    unsigned lg = simd_shift_size(i), s = (16u << lg) - (unsigned)i->imm;
    unsigned count = simd_is_scalar(i->word) ? 1 : 8u >> lg;
    union vreg r = {0};
    for (unsigned e = 0; e < count; e++) {
        s128 x = shift_right(as_number(elem(n, lg + 1, e), lg + 1, how.from_unsigned), s, how.round);
        set_elem(&r, lg, e, how.saturate ? sat_to(c, x, lg, how.to_unsigned) : (u64)x);
    }
    write_narrow(c, i, r.d[0]);
    return EXEC_NEXT;
}
#define NARROW(id, ...) EXEC(id##_vi) { return shift_narrow(c, i, (struct narrowing){__VA_ARGS__}); }
#define NARROW_S(id, ...)                                                                          \
    NARROW(id, __VA_ARGS__)                                                                        \
    EXEC(id##_si) { return shift_narrow(c, i, (struct narrowing){__VA_ARGS__}); }
NARROW(SHRN, .round = false)
NARROW(RSHRN, .round = true)
NARROW_S(SQSHRN, .saturate = true)
NARROW_S(SQRSHRN, .saturate = true, .round = true)
NARROW_S(SQSHRUN, .saturate = true, .to_unsigned = true)
NARROW_S(SQRSHRUN, .saturate = true, .round = true, .to_unsigned = true)
NARROW_S(UQSHRN, .saturate = true, .from_unsigned = true, .to_unsigned = true)
NARROW_S(UQRSHRN, .saturate = true, .round = true, .from_unsigned = true, .to_unsigned = true)

static int shift_lengthen(struct cpu *c, const struct insn *i)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    unsigned lg = simd_shift_size(i), s = (unsigned)i->imm - (8u << lg);
    unsigned first = simd_q(i->word) ? 8u >> lg : 0;
    union vreg r = {0};
    for (unsigned e = 0; e < 8u >> lg; e++)
        set_elem(&r, lg + 1, e, (u64)as_number(elem(n, lg, first + e), lg, simd_u(i->word)) << s);
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(SSHLL_vi) { return shift_lengthen(c, i); }
EXEC(USHLL_vi) { return shift_lengthen(c, i); }
