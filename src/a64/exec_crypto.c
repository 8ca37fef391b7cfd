/// AES, SHA1, SHA256, SHA512 and SHA3 instructions. Arm ARM, "Cryptographic AES" and the groups
/// after it; FIPS 197 and FIPS 180-4 for the algorithms.
#include "a64/simd.h"

#include "a64/aes_tables.h"

/* AES: the state is the register, byte 4 * column + row. */

static const u8 shift_rows[16] = {0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11};
static const u8 shift_rows_inv[16] = {0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3};

static int aes_round(struct cpu *c, const struct insn *i, const u8 *box, const u8 *rows)
{
    FP_ACCESS(c);
    union vreg x = c->v[i->rd], r;
    x.d[0] ^= c->v[i->rn].d[0];
    x.d[1] ^= c->v[i->rn].d[1];
    for (unsigned e = 0; e < 16; e++)
        r.b[e] = box[x.b[rows[e]]];
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(AESE) { return aes_round(c, i, aes_sbox, shift_rows); }
EXEC(AESD) { return aes_round(c, i, aes_sbox_inv, shift_rows_inv); }

/// Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1; k < 16.
static u8 gf_mul(u8 x, unsigned k)
{
    u8 r = 0;
    for (; k; k >>= 1, x = (u8)(x << 1 ^ (x & 0x80 ? 0x1b : 0)))
        r ^= k & 1 ? x : 0;
    return r;
}
/// Multiplies every column by the circulant matrix whose first row is k.
static int mix_columns(struct cpu *c, const struct insn *i, const u8 k[4])
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn];
    union vreg r = {0};
    for (unsigned e = 0; e < 16; e++)
        for (unsigned t = 0; t < 4; t++)
            r.b[e] ^= gf_mul(n->b[(e & ~3u) | ((e + t) & 3)], k[t]);
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(AESMC) { return mix_columns(c, i, (const u8[]){2, 3, 1, 1}); }
EXEC(AESIMC) { return mix_columns(c, i, (const u8[]){14, 11, 13, 9}); }

/* SHA1 and SHA256. */

static inline u32 choose(u32 x, u32 y, u32 z) { return ((y ^ z) & x) ^ z; }
static inline u32 parity(u32 x, u32 y, u32 z) { return x ^ y ^ z; }
static inline u32 majority(u32 x, u32 y, u32 z) { return (x & y) | ((x | y) & z); }

/// Four SHA1 rounds on the state Vd (a..d), Sn (e) with schedule words Vm.
static ALWAYS_INLINE int sha1_rounds(struct cpu *c, const struct insn *i, u32 (*f)(u32, u32, u32))
{
    FP_ACCESS(c);
    union vreg x = c->v[i->rd], w = c->v[i->rm];
    u32 y = c->v[i->rn].s[0];
    for (unsigned e = 0; e < 4; e++) {
        u32 t = y + ror32(x.s[0], 27) + f(x.s[1], x.s[2], x.s[3]) + w.s[e];
        y = x.s[3];
        x.s[3] = x.s[2];
        x.s[2] = ror32(x.s[1], 2);
        x.s[1] = x.s[0];
        x.s[0] = t;
    }
    c->v[i->rd] = x;
    return EXEC_NEXT;
}
EXEC(SHA1C) { return sha1_rounds(c, i, choose); }
EXEC(SHA1P) { return sha1_rounds(c, i, parity); }
EXEC(SHA1M) { return sha1_rounds(c, i, majority); }
EXEC(SHA1H)
{
    FP_ACCESS(c);
    c->v[i->rd] = (union vreg){.s = {ror32(c->v[i->rn].s[0], 2)}};
    return EXEC_NEXT;
}
EXEC(SHA1SU0)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd];
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm];
    c->v[i->rd] = (union vreg){.d = {d.d[1] ^ d.d[0] ^ m->d[0], n->d[0] ^ d.d[1] ^ m->d[1]}};
    return EXEC_NEXT;
}
EXEC(SHA1SU1)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd], n = c->v[i->rn], r;
    for (unsigned e = 0; e < 3; e++)
        r.s[e] = ror32(d.s[e] ^ n.s[e + 1], 31);
    r.s[3] = ror32(d.s[3], 31) ^ ror32(d.s[0] ^ n.s[1], 30);
    c->v[i->rd] = r;
    return EXEC_NEXT;
}

static inline u32 big_sigma0(u32 x) { return ror32(x, 2) ^ ror32(x, 13) ^ ror32(x, 22); }
static inline u32 big_sigma1(u32 x) { return ror32(x, 6) ^ ror32(x, 11) ^ ror32(x, 25); }
static inline u32 small_sigma0(u32 x) { return ror32(x, 7) ^ ror32(x, 18) ^ x >> 3; }
static inline u32 small_sigma1(u32 x) { return ror32(x, 17) ^ ror32(x, 19) ^ x >> 10; }

/// Four SHA256 rounds; x holds a..d, y holds e..h, both updated.
static void sha256_rounds(union vreg *x, union vreg *y, const union vreg *w)
{
    for (unsigned e = 0; e < 4; e++) {
        u32 t = y->s[3] + big_sigma1(y->s[0]) + choose(y->s[0], y->s[1], y->s[2]) + w->s[e];
        u32 a = t + big_sigma0(x->s[0]) + majority(x->s[0], x->s[1], x->s[2]);
        u32 new_e = t + x->s[3];
        for (unsigned k = 3; k > 0; k--) {
            x->s[k] = x->s[k - 1];
            y->s[k] = y->s[k - 1];
        }
        x->s[0] = a;
        y->s[0] = new_e;
    }
}
EXEC(SHA256H)
{
    FP_ACCESS(c);
    union vreg x = c->v[i->rd], y = c->v[i->rn], w = c->v[i->rm];
    sha256_rounds(&x, &y, &w);
    c->v[i->rd] = x;
    return EXEC_NEXT;
}
EXEC(SHA256H2)
{
    FP_ACCESS(c);
    union vreg y = c->v[i->rd], x = c->v[i->rn], w = c->v[i->rm];
    sha256_rounds(&x, &y, &w);
    c->v[i->rd] = y;
    return EXEC_NEXT;
}
EXEC(SHA256SU0)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd], r;
    for (unsigned e = 0; e < 4; e++)
        r.s[e] = d.s[e] + small_sigma0(e < 3 ? d.s[e + 1] : c->v[i->rn].s[0]);
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(SHA256SU1)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd], n = c->v[i->rn], m = c->v[i->rm], r;
    for (unsigned e = 0; e < 4; e++)
        r.s[e] = d.s[e] + (e < 3 ? n.s[e + 1] : m.s[0]) + small_sigma1(e < 2 ? m.s[e + 2] : r.s[e - 2]);
    c->v[i->rd] = r;
    return EXEC_NEXT;
}

/* SHA512 and SHA3. */

static inline u64 choose64(u64 x, u64 y, u64 z) { return ((y ^ z) & x) ^ z; }
static inline u64 majority64(u64 x, u64 y, u64 z) { return (x & y) | ((x | y) & z); }
static inline u64 big_sigma0_64(u64 x) { return ror64(x, 28) ^ ror64(x, 34) ^ ror64(x, 39); }
static inline u64 big_sigma1_64(u64 x) { return ror64(x, 14) ^ ror64(x, 18) ^ ror64(x, 41); }

EXEC(SHA512H)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd], x = c->v[i->rn], y = c->v[i->rm];
    u64 hi = d.d[1] + big_sigma1_64(y.d[1]) + choose64(y.d[1], x.d[0], x.d[1]);
    u64 t = hi + y.d[0];
    u64 lo = d.d[0] + big_sigma1_64(t) + choose64(t, y.d[1], x.d[0]);
    c->v[i->rd] = (union vreg){.d = {lo, hi}};
    return EXEC_NEXT;
}
EXEC(SHA512H2)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd], x = c->v[i->rn], y = c->v[i->rm];
    u64 hi = d.d[1] + big_sigma0_64(y.d[0]) + majority64(x.d[0], y.d[1], y.d[0]);
    u64 lo = d.d[0] + big_sigma0_64(hi) + majority64(hi, y.d[0], y.d[1]);
    c->v[i->rd] = (union vreg){.d = {lo, hi}};
    return EXEC_NEXT;
}
static inline u64 small_sigma0_64(u64 x) { return ror64(x, 1) ^ ror64(x, 8) ^ x >> 7; }
static inline u64 small_sigma1_64(u64 x) { return ror64(x, 19) ^ ror64(x, 61) ^ x >> 6; }
EXEC(SHA512SU0)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd], n = c->v[i->rn];
    c->v[i->rd] = (union vreg){
        .d = {d.d[0] + small_sigma0_64(d.d[1]), d.d[1] + small_sigma0_64(n.d[0])}};
    return EXEC_NEXT;
}
EXEC(SHA512SU1)
{
    FP_ACCESS(c);
    union vreg d = c->v[i->rd], n = c->v[i->rn], m = c->v[i->rm], r;
    for (unsigned e = 0; e < 2; e++)
        r.d[e] = d.d[e] + small_sigma1_64(n.d[e]) + m.d[e];
    c->v[i->rd] = r;
    return EXEC_NEXT;
}

#define SHA3(id, expr)                                                                             \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        union vreg r;                                                                              \
        for (unsigned e = 0; e < 2; e++) {                                                         \
            u64 n = c->v[i->rn].d[e], m = c->v[i->rm].d[e], a = c->v[bits(i->word, 14, 10)].d[e];  \
            (void)a;                                                                               \
            r.d[e] = expr;                                                                         \
        }                                                                                          \
        c->v[i->rd] = r;                                                                           \
        return EXEC_NEXT;                                                                          \
    }
SHA3(EOR3, n ^ m ^ a)
SHA3(BCAX, n ^ (m & ~a))
SHA3(RAX1, n ^ ror64(m, 63))
SHA3(XAR, ror64(n ^ m, (unsigned)bits(i->word, 15, 10)))
