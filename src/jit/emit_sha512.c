/// Emission of SHA512 instructions, for hosts with AVX-512: 64-bit rotations and functions of three operands,
/// in xmm16 to xmm20.
#include "jit/emit_simd.h"

enum { A = 16, B, C, D, T }; ///< xmm registers
enum { XOR3 = 0x96, CHOOSE = 0xca, MAJORITY = 0xe8 }; ///< of the destination and the two sources

static bool has_forms(const struct jit *j) { return j->cpu.avx512vl && j->cpu.avx512dq; }

static void ternary(struct jit *j, unsigned function, int d, int x, int y) { x_evi(&j->b, XE_PTERNLOGQ, d, x, xr(y), function); }
static void add(struct jit *j, int d, int x, int y) { x_ev(&j->b, XV_PADDQ | XW, d, x, xr(y)); }
static void rotate(struct jit *j, int d, int x, unsigned n)
{
    x_evex(&j->b, XE_PRORQ, 0, d, xr(x), 0, 1);
    x_u8(&j->b, n);
}
static void shift(struct jit *j, int d, int x, unsigned n)
{
    x_evex(&j->b, XV_PSHIFT_Q | XW, 2, d, xr(x), 0, 1);
    x_u8(&j->b, n);
}
/// d <- the doublewords of x exchanged, or its upper one twice.
static void high(struct jit *j, int d, int x) { x_evi(&j->b, XV_PSHUFD, d, 0, xr(x), 0xee); }

/// d <- rotations of x by r[0..2] added without carries. Clobbers T.
static void sigma(struct jit *j, int d, int x, const u8 r[3])
{
    rotate(j, d, x, r[0]);
    rotate(j, T, x, r[1]);
    x_ev(&j->b, XV_PXOR | XW, d, d, xr(T));
    rotate(j, T, x, r[2]);
    x_ev(&j->b, XV_PXOR | XW, d, d, xr(T));
}

/// The result: low half of lo, low half of hi.
static int finish(struct jit *j, const struct insn *i, int lo, int hi)
{
    int d = simd_d(j, i);
    x_ev(&j->b, XV_PUNPCKLQDQ | XW, d, lo, xr(hi));
    return simd_finish_clean(j, i, d);
}

static int emit_SHA512H(struct jit *j, const struct insn *i)
{
    static const u8 r[3] = {14, 18, 41};
    if (!has_forms(j))
        return 0;
    int x = simd_n(j, i), y = simd_m(j, i), d = jit_vread(j, i->rd, X2);
    high(j, A, y);                                   /* y1 */
    high(j, B, x);                                   /* x1 */
    x_ev(&j->b, XV_MOVAPS, C, 0, xr(A));
    ternary(j, CHOOSE, C, x, B);                     /* y1 ? x0 : x1 */
    sigma(j, D, A, r);
    add(j, C, C, D);
    high(j, D, d);
    add(j, C, C, D);                                 /* the upper result */
    add(j, B, C, y);                                 /* t */
    sigma(j, D, B, r);
    ternary(j, CHOOSE, B, A, x);                     /* t ? y1 : x0 */
    add(j, B, B, D);
    add(j, B, B, d);
    return finish(j, i, B, C);
}
static int emit_SHA512H2(struct jit *j, const struct insn *i)
{
    static const u8 r[3] = {28, 34, 39};
    if (!has_forms(j))
        return 0;
    int x = simd_n(j, i), y = simd_m(j, i), d = jit_vread(j, i->rd, X2);
    high(j, A, y);                                   /* y1 */
    x_ev(&j->b, XV_MOVAPS, B, 0, xr(A));
    ternary(j, MAJORITY, B, x, y);
    sigma(j, C, y, r);
    add(j, C, C, B);
    high(j, D, d);
    add(j, C, C, D);                                 /* the upper result */
    x_ev(&j->b, XV_MOVAPS, B, 0, xr(C));
    ternary(j, MAJORITY, B, A, y);
    sigma(j, D, C, r);
    add(j, B, B, D);
    add(j, B, B, d);
    return finish(j, i, B, C);
}
static int emit_SHA512SU0(struct jit *j, const struct insn *i)
{
    if (!has_forms(j))
        return 0;
    int n = simd_n(j, i), old = jit_vread(j, i->rd, X2), d = simd_d(j, i);
    x_evi(&j->b, XV_SHUFPD | XW, A, old, xr(n), 1);  /* d1, n0 */
    rotate(j, B, A, 1);
    rotate(j, C, A, 8);
    shift(j, A, A, 7);
    ternary(j, XOR3, A, B, C);
    add(j, d, old, A);
    return simd_finish_clean(j, i, d);
}
static int emit_SHA512SU1(struct jit *j, const struct insn *i)
{
    if (!has_forms(j))
        return 0;
    int n = simd_n(j, i), m = simd_m(j, i), old = jit_vread(j, i->rd, X2), d = simd_d(j, i);
    rotate(j, A, n, 19);
    rotate(j, B, n, 61);
    shift(j, C, n, 6);
    ternary(j, XOR3, A, B, C);
    add(j, A, A, m);
    add(j, d, old, A);
    return simd_finish_clean(j, i, d);
}

void simd_init_sha512(jit_emit_fn **t)
{
    t[OP_SHA512H] = emit_SHA512H;
    t[OP_SHA512H2] = emit_SHA512H2;
    t[OP_SHA512SU0] = emit_SHA512SU0;
    t[OP_SHA512SU1] = emit_SHA512SU1;
}
