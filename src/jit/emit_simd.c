/// What the Advanced SIMD emitters share.
#include "jit/emit_simd.h"

const u32 simd_padd[4] = {XV_PADDB, XV_PADDW, XV_PADDD, XV_PADDQ};
const u32 simd_psub[4] = {XV_PSUBB, XV_PSUBW, XV_PSUBD, XV_PSUBQ};
const u32 simd_pcmpeq[4] = {XV_PCMPEQB, XV_PCMPEQW, XV_PCMPEQD, XV_PCMPEQQ};
const u32 simd_pcmpgt[4] = {XV_PCMPGTB, XV_PCMPGTW, XV_PCMPGTD, XV_PCMPGTQ};
const u32 simd_pmaxu[3] = {XV_PMAXUB, XV_PMAXUW, XV_PMAXUD};
const u32 simd_pminu[3] = {XV_PMINUB, XV_PMINUW, XV_PMINUD};
const u32 simd_pmaxs[3] = {XV_PMAXSB, XV_PMAXSW, XV_PMAXSD};
const u32 simd_pmins[3] = {XV_PMINSB, XV_PMINSW, XV_PMINSD};
const u32 simd_pshift[4] = {XV_PSHIFT_W, XV_PSHIFT_W, XV_PSHIFT_D, XV_PSHIFT_Q};
const u32 simd_punpckl[4] = {XV_PUNPCKLBW, XV_PUNPCKLWD, XV_PUNPCKLDQ, XV_PUNPCKLQDQ};
const u32 simd_punpckh[4] = {XV_PUNPCKHBW, XV_PUNPCKHWD, XV_PUNPCKHDQ, XV_PUNPCKHQDQ};

#define TWICE(x) {x, x}
static const u64 constants[SK_COUNT][2] = {
    [SK_ZERO] = {0, 0},
    [SK_ONES] = TWICE(~0ULL),
    [SK_B01] = TWICE(0x0101010101010101),
    [SK_H01] = TWICE(0x0001000100010001),
    [SK_S01] = TWICE(0x0000000100000001),
    [SK_D01] = TWICE(1),
    [SK_B80] = TWICE(0x8080808080808080),
    [SK_H80] = TWICE(0x8000800080008000),
    [SK_S80] = TWICE(0x8000000080000000),
    [SK_D80] = TWICE(0x8000000000000000),
    [SK_H00FF] = TWICE(0x00ff00ff00ff00ff),
    [SK_S0000FFFF] = TWICE(0x0000ffff0000ffff),
    [SK_D00000000FFFFFFFF] = TWICE(0x00000000ffffffff),
    [SK_B0F] = TWICE(0x0f0f0f0f0f0f0f0f),
    [SK_B70] = TWICE(0x7070707070707070),
    [SK_LOW_B] = {0xff, 0},
    [SK_LOW_H] = {0xffff, 0},
    [SK_LOW_S] = {0xffffffff, 0},
    [SK_POPCNT] = {0x0302020102010100, 0x0403030203020201},
    [SK_CLZ_HI] = {0x0101010102020308, 0x0000000000000000}, /* 8: look at the low nibble */
    [SK_CLZ_LO] = {0x0505050506060708, 0x0404040404040404},
    [SK_RBIT_LO] = {0xe060a020c0408000, 0xf070b030d0509010}, /* the low nibble, reversed, on top */
    [SK_RBIT_HI] = {0x0e060a020c040800, 0x0f070b030d050901},
    [SK_REV64_B] = {0x0001020304050607, 0x08090a0b0c0d0e0f},
    [SK_REV64_H] = {0x0100030205040706, 0x09080b0a0d0c0f0e},
    [SK_REV32_B] = {0x0405060700010203, 0x0c0d0e0f08090a0b},
    [SK_REV32_H] = {0x0504070601000302, 0x0d0c0f0e09080b0a},
    [SK_REV16_B] = {0x0607040502030001, 0x0e0f0c0d0a0b0809},
    [SK_REV64_S] = {0x0302010007060504, 0x0b0a09080f0e0d0c},
    [SK_EVEN_B] = {0x0e0c0a0806040200, 0x8080808080808080},
    [SK_EVEN_H] = {0x0d0c090805040100, 0x8080808080808080},
    [SK_ODD_B] = {0x0f0d0b0907050301, 0x8080808080808080},
    [SK_ODD_H] = {0x0f0e0b0a07060302, 0x8080808080808080},
    [SK_SHA1_K0] = TWICE(0x5a8279995a827999),
    [SK_SHA1_K1] = TWICE(0x6ed9eba16ed9eba1),
    [SK_SHA1_K2] = TWICE(0x8f1bbcdc8f1bbcdc),
    [SK_POWERS_B] = TWICE(0x8040201008040201),
    [SK_POWERS_H] = {0x8040201008040201, 0},
};

void jit_simd_constants(struct jit *j)
{
    j->b.p = (u8 *)align_up((u64)(uintptr_t)j->b.p, 16);
    j->vconst = j->b.p;
    memcpy(j->b.p, constants, sizeof constants);
    j->b.p += sizeof constants;
}

xrm simd_const128(struct jit *j, u64 lo, u64 hi)
{
    j->cold.p = (u8 *)align_up((u64)(uintptr_t)j->cold.p, 16);
    const u8 *at = j->cold.p;
    x_u64(&j->cold, lo);
    x_u64(&j->cold, hi);
    return xrip(at);
}

xrm simd_const_lanes(struct jit *j, unsigned lg, u64 lane)
{
    static const u64 ones[4] = {0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1};
    return simd_const64(j, (lane & lane_ones(lg)) * ones[lg]);
}

unsigned simd_width(const struct insn *i)
{
    if (!simd_is_scalar(i->word))
        return simd_q(i->word) ? 16 : 8;
    enum insn_fmt fmt = insn_rows[i->op].fmt;
    return 1u << (fmt == FMT_VSH ? simd_shift_size(i) : simd_size(i->word));
}

int simd_finish_clean(struct jit *j, const struct insn *i, int x)
{
    jit_vdone(j, i->rd, x);
    return 1;
}

int simd_finish(struct jit *j, const struct insn *i, int x)
{
    switch (simd_width(i)) {
    case 1: v3m(j, XV_PAND, x, x, simd_k(j, SK_LOW_B)); break;
    case 2: v3m(j, XV_PAND, x, x, simd_k(j, SK_LOW_H)); break;
    case 4: v3m(j, XV_PAND, x, x, simd_k(j, SK_LOW_S)); break;
    case 8: v2(j, XV_MOVQ, x, x); break;
    default: break;
    }
    return simd_finish_clean(j, i, x);
}

void simd_shift_right(struct jit *j, unsigned lg, bool is_signed, int d, int a, unsigned s)
{
    struct xbuf *b = &j->b;
    unsigned width = 8u << lg;
    if (!is_signed && s >= width) {
        v3(j, XV_PXOR, d, d, d);
    } else if (lg == 0) {
        if (s >= width)
            s = width - 1;
        x_vshift_i(b, XV_PSHIFT_W, 2, d, a, s);
        v3m(j, XV_PAND, d, d, simd_const_lanes(j, 0, 0xff >> s));
        if (is_signed) {
            xrm sign = simd_const_lanes(j, 0, 0x80 >> s);
            v3m(j, XV_PXOR, d, d, sign);
            v3m(j, XV_PSUBB, d, d, sign);
        }
    } else if (is_signed && lg == 3) {
        if (s >= width)
            s = width - 1;
        x_vshift_i(b, XV_PSHIFT_Q, 2, d, a, s);
        xrm sign = simd_const64(j, 1ULL << (63 - s));
        v3m(j, XV_PXOR, d, d, sign);
        v3m(j, XV_PSUBQ, d, d, sign);
    } else {
        x_vshift_i(b, simd_pshift[lg], is_signed ? 4 : 2, d, a, s);
    }
}

void simd_shift_left(struct jit *j, unsigned lg, int d, int a, unsigned s)
{
    if (lg == 0 && s == 1) {
        v3(j, XV_PADDB, d, a, a);
        return;
    }
    x_vshift_i(&j->b, simd_pshift[lg], 6, d, a, s);
    if (lg == 0)
        v3m(j, XV_PAND, d, d, simd_const_lanes(j, 0, 0xff << s & 0xff));
}

void simd_mul(struct jit *j, unsigned lg, int d, int a, int b)
{
    if (lg) {
        v3(j, lg == 1 ? XV_PMULLW : XV_PMULLD, d, a, b);
        return;
    }
    x_vshift_i(&j->b, XV_PSHIFT_W, 2, X3, a, 8);
    x_vshift_i(&j->b, XV_PSHIFT_W, 2, d, b, 8);
    v3(j, XV_PMULLW, X3, X3, d);
    x_vshift_i(&j->b, XV_PSHIFT_W, 6, X3, X3, 8);
    v3(j, XV_PMULLW, d, a, b);
    v3m(j, XV_PAND, d, d, simd_k(j, SK_H00FF));
    v3(j, XV_POR, d, d, X3);
}

void simd_broadcast(struct jit *j, unsigned lg, int d, int a, unsigned index)
{
    static const u32 from_0[4] = {XV_PBROADCASTB, XV_PBROADCASTW, XV_PBROADCASTD, XV_PBROADCASTQ};
    if (index == 0) {
        v2(j, from_0[lg], d, a);
    } else if (lg >= 2) {
        v2i(j, XV_PSHUFD, d, a, lg == 2 ? index * 0x55 : 0xee);
    } else if (lg == 1) {
        xrm lanes = simd_const64(j, (2 * index | (2 * index + 1) << 8) * 0x0001000100010001ULL);
        v3m(j, XV_PSHUFB, d, a, lanes);
    } else {
        v3m(j, XV_PSHUFB, d, a, simd_const64(j, index * 0x0101010101010101ULL));
    }
}

void simd_extend(struct jit *j, const struct insn *i, unsigned lg, bool is_signed, int d, int a)
{
    static const u32 zero[3] = {XV_PMOVZXBW, XV_PMOVZXWD, XV_PMOVZXDQ};
    static const u32 sign[3] = {XV_PMOVSXBW, XV_PMOVSXWD, XV_PMOVSXDQ};
    if (!simd_is_scalar(i->word) && simd_q(i->word)) {
        v2i(j, XV_PSHUFD, d, a, 0xee);
        a = d;
    }
    v2(j, is_signed ? sign[lg] : zero[lg], d, a);
}

void simd_unzip(struct jit *j, unsigned lg, bool odd, int d, int a, int b)
{
    if (lg == 3) {
        v3(j, odd ? XV_PUNPCKHQDQ : XV_PUNPCKLQDQ, d, a, b);
    } else if (lg == 2) {
        v3i(j, XV_SHUFPS, d, a, b, odd ? 0xdd : 0x88);
    } else {
        xrm pick = simd_k(j, odd ? SK_ODD_B + lg : SK_EVEN_B + lg);
        v3m(j, XV_PSHUFB, X3, b, pick);
        v3m(j, XV_PSHUFB, d, a, pick);
        v3(j, XV_PUNPCKLQDQ, d, d, X3);
    }
}

void simd_qc_any(struct jit *j, int x)
{
    jit_clobber(j);
    v2(j, XV_PTEST, x, x);
    struct xbuf *c = jit_cold_begin(j, CC_NE);
    x_alu_i(c, ALU_OR, 0, ENV(fpsr), FPSR_QC);
    jit_cold_end(j);
}

void simd_qc_if(struct jit *j, const struct insn *i, int x)
{
    static const enum simd_const low[3] = {SK_LOW_B, SK_LOW_H, SK_LOW_S};
    unsigned width = simd_width(i);
    if (width == 8)
        v2(j, XV_MOVQ, x, x);
    if (width < 8)
        v3m(j, XV_PAND, x, x, simd_k(j, low[__builtin_ctz(width)]));
    simd_qc_any(j, x);
}

int simd_finish_qc(struct jit *j, const struct insn *i, int x, int bad)
{
    simd_qc_if(j, i, bad);
    return simd_finish(j, i, x);
}

void jit_init_simd(jit_emit_fn **t)
{
    simd_init_same(t);
    simd_init_misc(t);
    simd_init_shift(t);
    simd_init_vshift(t);
    simd_init_sha512(t);
    simd_init_diff(t);
    simd_init_perm(t);
    simd_init_sat(t);
    simd_init_mulh(t);
    simd_init_crypto(t);
    simd_init_mem(t);
}
