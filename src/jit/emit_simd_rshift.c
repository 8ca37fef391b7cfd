/// Emission of Advanced SIMD shifts by register where the host has no counts for lanes of their size: bytes
/// everywhere, halfwords without AVX-512 by multiplication, words and doublewords with AVX2 or SSE.
///
/// Both directions are computed and the sign of the count, the low byte of each lane of Vm, chooses. Vn and
/// Vm are operands in their homes or in memory, so that xmm0 to xmm3 are all free.
#include "jit/emit_simd.h"

enum {
    TEMP_SSE = 14,
    LANE_SSE = 15
}; ///< where there is no AVX: of x64_sse.c, which needs them for other forms
enum { SRL, SRA, SLL };

struct shift {
    unsigned lg;
    bool is_signed, round, saturate;
    xrm n, m;
};

static void load(struct jit *j, int d, xrm m)
{
    if (m.reg != d)
        v3m(j, XV_MOVAPS, d, 0, m);
}
static int in_register(struct jit *j, xrm m, int scratch)
{
    if (xrm_is_reg(m))
        return m.reg;
    load(j, scratch, m);
    return scratch;
}
/// d <- m with every lane of 16, 32 or 64 bits shifted by a number.
static void shift_i(struct jit *j, unsigned lg, unsigned kind, int d, xrm m, unsigned n)
{
    static const u8 host_kind[3] = {2, 4, 6};
    x_vshift_i(&j->b, simd_pshift[lg], host_kind[kind], d, in_register(j, m, d), n);
}
/// d <- all ones in the lanes of m that are negative, which is not d.
static void negative(struct jit *j, unsigned lg, int d, xrm m)
{
    v3(j, XV_PXOR, d, d, d);
    v3m(j, simd_pcmpgt[lg], d, d, m);
}
/// d <- counts in the top bytes of their lanes: their signs are the lanes'.
static void counts_on_top(struct jit *j, const struct shift *s, int d)
{
    if (s->lg)
        shift_i(j, s->lg, SLL, d, s->m, (8u << s->lg) - 8);
    else
        load(j, d, s->m);
}

/* ---- bytes and halfwords ----
 *
 * A lane times a power of two: the low half of the product is the shift to the left, the high half that to the
 * right by what is missing to the width. Powers come from a table; counts that are too large have none. */

/// X1, X0 <- low and high halves of the products, the latter rounded in the lanes that go to the right.
static void multiply_bytes(struct jit *j, const struct shift *s)
{
    if (s->is_signed) { /* further right than 8 is like 8 */
        load(j, X1, simd_const_lanes(j, 0, 0xf8));
        v3m(j, XV_PMAXSB, X1, X1, s->m);
        v3m(j, XV_PADDB, X1, X1, simd_const_lanes(j, 0, 8));
    } else {
        load(j, X1, simd_const_lanes(j, 0, 8));
        v3m(j, XV_PADDB, X1, X1, s->m);
    }
    v3m(j, XV_PADDUSB, X1, X1, simd_k(j, SK_B70)); /* above 15 the sign is set, which pshufb makes zero */
    load(j, X2, simd_k(j, SK_POWERS_B));
    v3(j, XV_PSHUFB, X2, X2, X1);
    shift_i(j, 1, s->is_signed ? SRA : SRL, X3, s->n, 8);
    shift_i(j, 1, SRL, X0, xr(X2), 8);
    v3(j, XV_PMULLW, X3, X3, X0); /* odd bytes */
    if (s->is_signed) {
        shift_i(j, 1, SLL, X0, s->n, 8);
        shift_i(j, 1, SRA, X0, xr(X0), 8);
    } else {
        load(j, X0, simd_k(j, SK_H00FF));
        v3m(j, XV_PAND, X0, X0, s->n);
    }
    v3m(j, XV_PAND, X2, X2, simd_k(j, SK_H00FF));
    v3(j, XV_PMULLW, X0, X0, X2); /* even bytes */
    shift_i(j, 1, SLL, X1, xr(X3), 8);
    v3m(j, XV_PAND, X2, X0, simd_k(j, SK_H00FF));
    v3(j, XV_POR, X1, X1, X2);
    if (s->round) {
        load(j, X2, simd_const_lanes(j, 1, 0x0080));
        v3m(j, XV_PAND, X2, X2, s->m);
        v3(j, XV_PADDW, X0, X0, X2);
        shift_i(j, 1, SRL, X2, s->m, 8);
        v3m(j, XV_PAND, X2, X2, simd_const_lanes(j, 1, 0x0080));
        v3(j, XV_PADDW, X3, X3, X2);
    }
    shift_i(j, 1, SRL, X0, xr(X0), 8);
    v3m(j, XV_PAND, X3, X3, simd_const_lanes(j, 1, 0xff00));
    v3(j, XV_POR, X0, X0, X3);
}

static void multiply_halfwords(struct jit *j, const struct shift *s)
{
    counts_on_top(j, s, X1);
    shift_i(j, 1, SRA, X1, xr(X1), 8);
    if (s->is_signed)
        v3m(j, XV_PMAXSW, X1, X1, simd_const_lanes(j, 1, 0xfff0));
    v3m(j, XV_PADDW, X1, X1, simd_const_lanes(j, 1, 16)); /* 0..15 to the right, 16..31 to the left */
    v3m(j, XV_PAND, X3, X1, simd_const_lanes(j, 1, 0xffe0));
    v3m(j, XV_PCMPEQW, X3, X3, simd_k(j, SK_ZERO));
    v3m(j, XV_PAND, X1, X1, simd_const_lanes(j, 1, 0x000f));
    shift_i(j, 1, SLL, X2, xr(X1), 8);
    v3(j, XV_POR, X1, X1, X2);
    v3m(j, XV_PXOR, X1, X1, simd_const_lanes(j, 1, 0x0800)); /* one of the two bytes is below 8 */
    load(j, X2, simd_k(j, SK_POWERS_H));
    v3(j, XV_PSHUFB, X2, X2, X1);
    v3(j, XV_PAND, X2, X2, X3);
    v3m(j, XV_PMULLW, X1, X2, s->n);
    v3m(j, XV_PMULHUW, X0, X2, s->n);
    if (s->is_signed) {
        shift_i(j, 1, SRA, X3, s->n, 15);
        v3(j, XV_PAND, X3, X3, X2);
        v3(j, XV_PSUBW, X0, X0, X3);
    }
    if (s->round) {
        counts_on_top(j, s, X2);
        shift_i(j, 1, SRA, X2, xr(X2), 15);
        shift_i(j, 1, SRL, X3, xr(X1), 15);
        v3(j, XV_PAND, X3, X3, X2);
        v3(j, XV_PADDW, X0, X0, X3);
    }
}

static int finish_small(struct jit *j, const struct insn *i, const struct shift *s)
{
    if (s->lg == 0) {
        int m = in_register(j, s->m, X3);
        x_vi(&j->b, XV_PBLENDVB, X1, X1, xr(X0), (unsigned)m << 4);
    } else {
        counts_on_top(j, s, X3);
        shift_i(j, 1, SRA, X3, xr(X3), 15);
        x_vi(&j->b, XV_PBLENDVB, X1, X1, xr(X0), X3 << 4);
    }
    return simd_finish(j, i, X1);
}

/// To the left, a lane is saturated when the high half of its product is more than copies of the low half's
/// sign, or when all of it was shifted out.
static int saturate_small(struct jit *j, const struct insn *i, const struct shift *s)
{
    unsigned lg = s->lg, width = 8u << lg;
    if (s->is_signed) {
        negative(j, lg, X2, xr(X1));
        v3(j, XV_PXOR, X2, X2, X0);
    } else {
        load(j, X2, xr(X0));
    }
    counts_on_top(j, s, X3);
    v3m(j, simd_pcmpgt[lg], X3, X3, simd_const_lanes(j, lg, lg ? 0x0fff : width - 1));
    v3m(j, XV_PAND, X3, X3, s->n);
    v3(j, XV_POR, X2, X2, X3);
    v3m(j, simd_pcmpeq[lg], X2, X2, simd_k(j, SK_ZERO));
    if (lg) {
        counts_on_top(j, s, X3);
        shift_i(j, 1, SRA, X3, xr(X3), 15);
    } else {
        negative(j, 0, X3, s->m);
    }
    x_vi(&j->b, XV_PBLENDVB, X1, X1, xr(X0), X3 << 4);
    v3(j, XV_POR, X2, X2, X3);
    v_not(j, X2, X2);
    if (s->is_signed) {
        negative(j, lg, X0, s->n);
        v3m(j, XV_PXOR, X0, X0, simd_const_lanes(j, lg, lane_ones(lg) >> 1));
        x_vi(&j->b, XV_PBLENDVB, X1, X1, xr(X0), X2 << 4);
    } else {
        v3(j, XV_POR, X1, X1, X2);
    }
    return simd_finish_qc(j, i, X1, X2);
}

/* ---- words and doublewords ---- */

/// d's lanes shifted by those of `by`. Without AVX2, lane after lane; temp is clobbered.
static void shift_lanes(struct jit *j, unsigned lg, unsigned kind, int d, int by, int temp)
{
    static const u32 with_avx2[3] = {XV_PSRLVD, XV_PSRAVD, XV_PSLLVD};
    static const u32 words[3] = {XV_PSRLD, XV_PSRAD, XV_PSLLD}, doubles[3] = {XV_PSRLQ, 0, XV_PSLLQ};
    if (j->cpu.avx2) {
        v3(j, with_avx2[kind] | (lg == 3 ? XW : 0), d, d, by);
    } else if (lg == 3) {
        v2(j, XV_MOVAPS, LANE_SSE, d);
        v2i(j, XV_PSHUFD, TEMP_SSE, by, 0xee);
        v3(j, doubles[kind], d, d, by);
        v3(j, doubles[kind], LANE_SSE, LANE_SSE, TEMP_SSE);
        v3i(j, XV_PBLENDW, d, d, LANE_SSE, 0xf0);
    } else {
        v2(j, XV_MOVAPS, temp, d);
        for (unsigned k = 0; k < 4; k++) {
            v3i(j, XV_INSERTPS, TEMP_SSE, TEMP_SSE, by, k << 6 | 0x0e); /* zeros above */
            v3(j, words[kind], LANE_SSE, temp, TEMP_SSE);
            v3i(j, XV_PBLENDW, d, d, LANE_SSE, 3u << 2 * k);
        }
    }
}
/// d <- lanes of n to the right by those of `by` (X1, changes), 0..255. Clobbers X0.
static void lanes_right(struct jit *j, const struct shift *s, int d, xrm n, int by)
{
    if (s->lg == 3 &&
        s->is_signed) { /* 63 gives what is more, and the sign, turned round, is subtracted again */
        v3m(j, XV_PMINUD, by, by, simd_const64(j, 63));
        load(j, X0, simd_k(j, SK_D80));
        shift_lanes(j, 3, SRL, X0, by, -1);
        v3m(j, XV_PXOR, d, in_register(j, n, d), simd_k(j, SK_D80));
        shift_lanes(j, 3, SRL, d, by, -1);
        v3(j, XV_PSUBQ, d, d, X0);
    } else {
        load(j, d, n);
        shift_lanes(j, s->lg, s->is_signed ? SRA : SRL, d, by, X0);
    }
}
/// X2 <- lanes to the left.
static void wide_left(struct jit *j, const struct insn *i, const struct shift *s)
{
    unsigned lg = s->lg;
    load(j, X1, simd_const_lanes(j, lg, 0xff));
    v3m(j, XV_PAND, X1, X1, s->m);
    load(j, X2, s->n);
    shift_lanes(j, lg, SLL, X2, X1, X0);
    if (!s->saturate)
        return;
    lanes_right(j, s, X3, xr(X2), X1); /* lanes that come back are right */
    v3m(j, simd_pcmpeq[lg], X3, X3, s->n);
    counts_on_top(j, s, X1);
    negative(j, lg, X0, xr(X1));
    v3(j, XV_POR, X3, X3, X0);
    v_not(j, X3, X3);
    if (s->is_signed) {
        negative(j, lg, X0, s->n);
        v3m(j, XV_PXOR, X0, X0, simd_const_lanes(j, lg, lane_ones(lg) >> 1));
        x_vi(&j->b, XV_PBLENDVB, X2, X2, xr(X0), X3 << 4);
    } else {
        v3(j, XV_POR, X2, X2, X3);
    }
    simd_qc_if(j, i, X3);
}
static int wide(struct jit *j, const struct insn *i, const struct shift *s)
{
    unsigned lg = s->lg;
    wide_left(j, i, s);
    load(j, X1, s->m);
    v3m(j, XV_PANDN, X1, X1, simd_const_lanes(j, lg, 0xff)); /* one less than to the right */
    lanes_right(j, s, X3, s->n, X1);
    if (s->round) {
        load(j, X0, simd_k_lg(j, SK_B01, lg));
        v3(j, XV_PAND, X0, X0, X3);
    }
    simd_shift_right(j, lg, s->is_signed, X3, X3, 1);
    if (s->round)
        v3(j, simd_padd[lg], X3, X3, X0);
    counts_on_top(j, s, X1);
    x_vi(&j->b, lg == 3 ? XV_BLENDVPD : XV_BLENDVPS, X2, X2, xr(X3), X1 << 4);
    return simd_finish(j, i, X2);
}

int simd_shift_by_register_plain(struct jit *j, const struct insn *i, bool round, bool saturate)
{
    struct shift s = {.lg = simd_size(i->word),
                      .is_signed = !simd_u(i->word),
                      .round = round,
                      .saturate = saturate};
    s.n = simd_rm(j, i->rn);
    s.m = simd_rm(j, i->rm);
    if (s.lg > 1)
        return wide(j, i, &s);
    if (s.lg == 0)
        multiply_bytes(j, &s);
    else
        multiply_halfwords(j, &s);
    return saturate ? saturate_small(j, i, &s) : finish_small(j, i, &s);
}
