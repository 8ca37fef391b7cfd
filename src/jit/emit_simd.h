/// Shared by the Advanced SIMD emitters: operands, constants, completion.
///
/// Conventions: Vn is read into X0 and Vm into X1 unless they live in a register, X2 and X3 are for
/// intermediate values, and only the last instruction of a sequence writes the destination, which
/// may be one of the sources. All need AVX2; jit_init_simd leaves the fallback in place without it.
#ifndef BRUIN_EMIT_SIMD_H
#define BRUIN_EMIT_SIMD_H

#include "a64/simd.h"
#include "jit/jit.h"

/// Constants of 16 bytes that emitted code shares, in jit.vconst.
enum simd_const {
    SK_ZERO, SK_ONES, SK_B01, SK_H01, SK_S01, SK_D01, ///< ones in each lane
    SK_B80, SK_H80, SK_S80, SK_D80,                   ///< sign bits
    SK_H00FF, SK_S0000FFFF, SK_D00000000FFFFFFFF,     ///< low half of each lane
    SK_B0F, SK_B70,
    SK_LOW_B, SK_LOW_H, SK_LOW_S,                     ///< the lowest element only
    SK_POPCNT, SK_CLZ_HI, SK_CLZ_LO, SK_RBIT_LO, SK_RBIT_HI,                ///< by nibble
    SK_REV64_B, SK_REV64_H, SK_REV32_B, SK_REV32_H, SK_REV16_B, SK_REV64_S,
    SK_EVEN_B, SK_EVEN_H, SK_ODD_B, SK_ODD_H,         ///< pshufb: to the low half, zero above
    SK_SHA1_K0, SK_SHA1_K1, SK_SHA1_K2,
    SK_POWERS_B, SK_POWERS_H,                         ///< of two: bytes 1..80 twice; once, zeros above
    SK_COUNT
};

static inline xrm simd_k(const struct jit *j, enum simd_const k) { return xrip(j->vconst + 16 * k); }
/// SK_B01 + lg and so on.
static inline xrm simd_k_lg(const struct jit *j, enum simd_const k, unsigned lg)
{
    return simd_k(j, (enum simd_const)(k + lg));
}
/// A constant of this instruction only.
xrm simd_const128(struct jit *j, u64 lo, u64 hi);
/// The same 64 bits twice; the same lane of 1 << lg bytes everywhere.
static inline xrm simd_const64(struct jit *j, u64 v) { return simd_const128(j, v, v); }
xrm simd_const_lanes(struct jit *j, unsigned lg, u64 lane);

/// V register n as the last operand of an instruction: its register, or memory.
static inline xrm simd_rm(struct jit *j, unsigned n)
{
    return j->vmap[n] >= 0 ? xr(jit_vread(j, n, X0)) : ENV_V(n);
}
static inline int simd_n(struct jit *j, const struct insn *i) { return jit_vread(j, i->rn, X0); }
static inline int simd_m(struct jit *j, const struct insn *i) { return jit_vread(j, i->rm, X1); }
static inline int simd_d(struct jit *j, const struct insn *i) { return jit_vwrite(j, i->rd, X2); }

/// Bytes of the result that count: 16, 8 for Q = 0, or those of a scalar.
unsigned simd_width(const struct insn *i);
/// x holds the result: zeroes what is above the width (in x) and stores it to Vd. ret  1.
int simd_finish(struct jit *j, const struct insn *i, int x);
/// As simd_finish, for results whose upper part is zero already.
int simd_finish_clean(struct jit *j, const struct insn *i, int x);

/* d <- a op b on lanes of 1 << lg bytes. The arrays are indexed by lg. */
extern const u32 simd_padd[4], simd_psub[4], simd_pcmpeq[4], simd_pcmpgt[4];
extern const u32 simd_pmaxu[3], simd_pminu[3], simd_pmaxs[3], simd_pmins[3];
extern const u32 simd_pshift[4]; ///< XV_PSHIFT_*, of bytes: of words
extern const u32 simd_punpckl[4], simd_punpckh[4];

static inline void v3(struct jit *j, u32 op, int d, int a, int b) { x_v(&j->b, op, d, a, xr(b)); }
static inline void v3m(struct jit *j, u32 op, int d, int a, xrm b) { x_v(&j->b, op, d, a, b); }
static inline void v3i(struct jit *j, u32 op, int d, int a, int b, unsigned imm)
{
    x_vi(&j->b, op, d, a, xr(b), imm);
}
static inline void v2(struct jit *j, u32 op, int d, int a) { x_v(&j->b, op, d, 0, xr(a)); }
static inline void v2i(struct jit *j, u32 op, int d, int a, unsigned imm) { x_vi(&j->b, op, d, 0, xr(a), imm); }
static inline void v_not(struct jit *j, int d, int a) { v3m(j, XV_PXOR, d, a, simd_k(j, SK_ONES)); }
static inline void v_bytes_right(struct jit *j, int d, int a, unsigned n) { x_vshift_i(&j->b, XV_PSHIFT_Q, 3, d, a, n); }
static inline void v_bytes_left(struct jit *j, int d, int a, unsigned n) { x_vshift_i(&j->b, XV_PSHIFT_Q, 7, d, a, n); }

/// Right shift of every lane by s (1..width) and left shift (0..width-1), bytes included.
/// d may be a.
void simd_shift_right(struct jit *j, unsigned lg, bool is_signed, int d, int a, unsigned s);
void simd_shift_left(struct jit *j, unsigned lg, int d, int a, unsigned s);
/// Low-half product of lanes of 1 << lg bytes (0..2). Uses X3; d must not be a or b for bytes.
void simd_mul(struct jit *j, unsigned lg, int d, int a, int b);
/// Element `index` of 1 << lg bytes of a in all lanes.
void simd_broadcast(struct jit *j, unsigned lg, int d, int a, unsigned index);
/// The half of a that a long operation reads (the upper one with Q), extended to twice the size.
void simd_extend(struct jit *j, const struct insn *i, unsigned lg, bool is_signed, int d, int a);
/// Even elements of b:a to d (odd: the odd ones), all 128 bits. Uses X3. d may be a or b.
void simd_unzip(struct jit *j, unsigned lg, bool odd, int d, int a, int b);
/// Sets FPSR.QC when any of the low simd_width bytes of x is not zero. Changes x and EFLAGS.
void simd_qc_if(struct jit *j, const struct insn *i, int x);
/// The same for all of x. Changes EFLAGS.
void simd_qc_any(struct jit *j, int x);

/// The result is x (a scratch register); the lanes of `bad` that are not zero saturated: tests bad, stores x. ret  1
int simd_finish_qc(struct jit *j, const struct insn *i, int x, int bad);
/// X2 is the wrapped result, which overflowed exactly where it is the most negative number: makes
/// it the most positive one there. X3 <- mask of those lanes.
void simd_fix_min(struct jit *j, unsigned lg);
/// X2 <- n + m (n - m) in signed lanes of 4 or 8 bytes, saturated; the sign bits of X3 say where.
/// n and m are not X2 or X3; X0 and X1 change.
void simd_add_signed(struct jit *j, unsigned lg, bool subtract, int n, int m);
/// SSHL and USHL where the host has counts for every lane (emit_simd_vshift.c).
int simd_shift_by_register(struct jit *j, const struct insn *i);
/// All shifts by register with what every host has (emit_simd_rshift.c).
int simd_shift_by_register_plain(struct jit *j, const struct insn *i, bool round, bool saturate);

void simd_init_same(jit_emit_fn **t);
void simd_init_vshift(jit_emit_fn **t);
void simd_init_sha512(jit_emit_fn **t);
void simd_init_misc(jit_emit_fn **t);
void simd_init_shift(jit_emit_fn **t);
void simd_init_diff(jit_emit_fn **t);
void simd_init_perm(jit_emit_fn **t);
void simd_init_sat(jit_emit_fn **t);
void simd_init_mulh(jit_emit_fn **t);
void simd_init_crypto(jit_emit_fn **t);
void simd_init_mem(jit_emit_fn **t);

#endif
