/// Elements, lanes and saturation for the Advanced SIMD bodies. Private to src/a64.
/// Arm ARM, "Advanced SIMD instructions: shared pseudocode".
#ifndef BRUIN_A64_SIMD_H
#define BRUIN_A64_SIMD_H

#include "a64/insn.h"
#include "cpu/softfp.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))


static inline unsigned simd_size(u32 w) { return w >> 22 & 3; }
static inline bool simd_q(u32 w) { return bit(w, 30); }
static inline bool simd_u(u32 w) { return bit(w, 29); }
static inline bool simd_is_scalar(u32 w) { return bit(w, 28); }
/// log2 of the element size from immh of a shift row (imm = immh:immb, immh != 0).
static inline unsigned simd_shift_size(const struct insn *i)
{
    return 28 - (unsigned)__builtin_clz((u32)i->imm);
}
/// Lanes of 1 << lg bytes that a row works on.
static inline unsigned simd_lanes(u32 w, unsigned lg)
{
    return simd_is_scalar(w) ? 1 : (simd_q(w) ? 16u : 8u) >> lg;
}

/// Element e of 1 << lg bytes, zero-extended.
static ALWAYS_INLINE u64 elem(const union vreg *v, unsigned lg, unsigned e)
{
    switch (lg) {
    case 0: return v->b[e];
    case 1: return v->h[e];
    case 2: return v->s[e];
    default: return v->d[e];
    }
}
static ALWAYS_INLINE void set_elem(union vreg *v, unsigned lg, unsigned e, u64 x)
{
    switch (lg) {
    case 0: v->b[e] = (u8)x; break;
    case 1: v->h[e] = (u16)x; break;
    case 2: v->s[e] = (u32)x; break;
    default: v->d[e] = x; break;
    }
}
/// x, an element of 1 << lg bytes, as a signed or unsigned number.
static ALWAYS_INLINE s64 as_signed(u64 x, unsigned lg) { return sext(x, 8u << lg); }
static ALWAYS_INLINE s128 as_number(u64 x, unsigned lg, bool is_unsigned)
{
    return is_unsigned ? (s128)x : (s128)as_signed(x, lg);
}
static ALWAYS_INLINE u64 lane_ones(unsigned lg) { return ~0ULL >> (64 - (8u << lg)); }

/// SignedSatQ and UnsignedSatQ: clamp to 1 << lg bytes and set FPSR.QC when that changes v.
static ALWAYS_INLINE u64 sat_signed(struct cpu *c, s128 v, unsigned lg)
{
    s128 max = (s128)(lane_ones(lg) >> 1), min = -max - 1;
    if (v > max || v < min) {
        c->fpsr |= FPSR_QC;
        v = v > max ? max : min;
    }
    return (u64)v;
}
static ALWAYS_INLINE u64 sat_unsigned(struct cpu *c, s128 v, unsigned lg)
{
    s128 max = (s128)lane_ones(lg);
    if (v > max || v < 0) {
        c->fpsr |= FPSR_QC;
        v = v > max ? max : 0;
    }
    return (u64)v;
}
static ALWAYS_INLINE u64 sat_to(struct cpu *c, s128 v, unsigned lg, bool is_unsigned)
{
    return is_unsigned ? sat_unsigned(c, v, lg) : sat_signed(c, v, lg);
}

/// v / 2^s rounded down, or to nearest with ties up. 1 <= s <= 128, |v| < 2^65.
static ALWAYS_INLINE s128 shift_right(s128 v, unsigned s, bool round)
{
    if (s > 96)
        return !round && v < 0 ? -1 : 0;
    return (v + (round ? (s128)1 << (s - 1) : 0)) >> s;
}

/// Carry-less product.
static inline u128 poly_mul(u64 a, u64 b)
{
    u128 r = 0;
    for (unsigned k = 0; k < 64; k++)
        r ^= bit(b, k) ? (u128)a << k : 0;
    return r;
}

/// One lane: n, m, d are the operand elements zero-extended (d: the old destination); the low
/// 1 << lg bytes of the result are used.
typedef u64 lane_fn(struct cpu *c, u64 n, u64 m, u64 d, unsigned lg);

static ALWAYS_INLINE void lanes_sized(struct cpu *c, const struct insn *i, lane_fn *fn, unsigned lg)
{
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm], *d = &c->v[i->rd];
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, lg); e < count; e++)
        set_elem(&r, lg, e, fn(c, elem(n, lg, e), elem(m, lg, e), elem(d, lg, e), lg));
    c->v[i->rd] = r;
}
/// Applies fn lane by lane, vector or scalar; the rest of Vd becomes zero. Rows without M get an
/// arbitrary m.
static ALWAYS_INLINE int lanes(struct cpu *c, const struct insn *i, lane_fn *fn)
{
    FP_ACCESS(c);
    switch (simd_size(i->word)) {
    case 0: lanes_sized(c, i, fn, 0); break;
    case 1: lanes_sized(c, i, fn, 1); break;
    case 2: lanes_sized(c, i, fn, 2); break;
    default: lanes_sized(c, i, fn, 3); break;
    }
    return EXEC_NEXT;
}

/// Defines the lane function of an operation. In `expr`: c, n, m, d, lg.
#define LANE(name, expr)                                                                           \
    static ALWAYS_INLINE u64 name(struct cpu *c, u64 n, u64 m, u64 d, unsigned lg)                 \
    {                                                                                              \
        (void)c, (void)n, (void)m, (void)d, (void)lg;                                              \
        return expr;                                                                               \
    }

/// Writes a narrowed half: Q = 0 to the low half with the high half zeroed, Q = 1 to the high half
/// with the low half kept. Scalar rows write their single element and zero the rest.
static inline void write_narrow(struct cpu *c, const struct insn *i, u64 half)
{
    union vreg *d = &c->v[i->rd];
    if (!simd_is_scalar(i->word) && simd_q(i->word)) {
        d->d[1] = half;
    } else {
        d->d[0] = half;
        d->d[1] = 0;
    }
}

#endif
