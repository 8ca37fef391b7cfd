// x86-64 encoders. Intel SDM volume 2, "Instruction Format".
#include "jit/x64.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

static unsigned map_of(u32 op) { return op >> 8 & 3; }
static unsigned pp_of(u32 op) { return op >> 12 & 3; }

/// ModRM, SIB and displacement. disp8_ok is false for EVEX, whose disp8 is scaled.
static void modrm(struct xbuf *b, int reg, xrm rm, unsigned imm_len, bool disp8_ok)
{
    unsigned r = (unsigned)(reg & 7) << 3;
    if (rm.reg >= 0) {
        x_u8(b, 0xc0 | r | (rm.reg & 7));
        return;
    }
    if (rm.rip) {
        x_u8(b, 5 | r);
        x_u32(b, (u32)(rm.rip - (b->p + 4 + imm_len)));
        return;
    }
    if (rm.base == RNONE) {
        x_u8(b, 4 | r);
        x_u8(b, (unsigned)rm.scale << 6 | (rm.index == RNONE ? 4u : (unsigned)rm.index & 7) << 3 | 5);
        x_u32(b, (u32)rm.disp);
        return;
    }
    unsigned mod = rm.disp == 0 && (rm.base & 7) != RBP ? 0 : disp8_ok && rm.disp == (s8)rm.disp ? 1 : 2;
    if (rm.index != RNONE || (rm.base & 7) == RSP) {
        x_u8(b, mod << 6 | r | 4);
        x_u8(b, (unsigned)rm.scale << 6 | (rm.index == RNONE ? 4u : (unsigned)rm.index & 7) << 3 | (rm.base & 7));
    } else {
        x_u8(b, mod << 6 | r | (rm.base & 7));
    }
    if (mod == 1)
        x_u8(b, (u8)rm.disp);
    else if (mod == 2)
        x_u32(b, (u32)rm.disp);
}

/// REX bits of the r/m operand: X << 1 | B.
static unsigned rex_xb(xrm rm)
{
    if (rm.reg >= 0)
        return rm.reg >> 3 & 1;
    return (rm.index != RNONE ? (unsigned)(rm.index >> 3 & 1) << 1 : 0) |
           (rm.base != RNONE ? (unsigned)(rm.base >> 3 & 1) : 0);
}

void x_op(struct xbuf *b, u32 op, int reg, xrm rm, unsigned imm_len)
{
    static const u8 prefix[4] = {0, 0x66, 0xf3, 0xf2};
    if (op & X66)
        x_u8(b, 0x66);
    if (pp_of(op))
        x_u8(b, prefix[pp_of(op)]);
    unsigned rex = (op & XW ? 8u : 0) | (unsigned)(reg >> 3 & 1) << 2 | rex_xb(rm);
    // spl, bpl, sil, dil need an empty REX
    bool byte_rex = (op & XB8 && rm.reg >= 4) || (op & XR8 && reg >= 4);
    if (rex || byte_rex)
        x_u8(b, 0x40 | rex);
    if (map_of(op))
        x_u8(b, 0x0f);
    if (map_of(op) == 2)
        x_u8(b, 0x38);
    if (map_of(op) == 3)
        x_u8(b, 0x3a);
    x_u8(b, op & 0xff);
    modrm(b, reg, rm, imm_len, true);
}

void x_vex(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm_len)
{
    if (UNLIKELY(b->sse) && x_sse(b, op, reg, second, rm, imm_len))
        return;
    unsigned xb = rex_xb(rm), r = reg >> 3 & 1;
    unsigned tail = (unsigned)(~second & 15) << 3 | (op & XL ? 4u : 0) | pp_of(op);
    if (map_of(op) == 1 && !xb && !(op & XW)) {
        x_u8(b, 0xc5);
        x_u8(b, (r ^ 1) << 7 | tail);
    } else {
        x_u8(b, 0xc4);
        x_u8(b, (r ^ 1) << 7 | (xb ^ 3) << 5 | map_of(op));
        x_u8(b, (op & XW ? 0x80u : 0) | tail);
    }
    x_u8(b, op & 0xff);
    modrm(b, reg, rm, imm_len, true);
}

void x_evex(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned k, unsigned imm_len)
{
    assert(!b->sse);
    unsigned xb = rex_xb(rm);
    if (rm.reg >= 16)
        xb |= 2; // X extends a vector register in r/m
    x_u8(b, 0x62);
    x_u8(b, (~(unsigned)reg >> 3 & 1) << 7 | (xb ^ 3) << 5 | (~(unsigned)reg >> 4 & 1) << 4 | map_of(op));
    x_u8(b, (op & XW ? 0x80u : 0) | (~(unsigned)second & 15) << 3 | 4 | pp_of(op));
    x_u8(b, (op & XZ ? 0x80u : 0) | (op & XL ? 0x20u : 0) | (op & XSAE ? 0x10u : 0) | (~(unsigned)second >> 4 & 1) << 3 | k);
    x_u8(b, op & 0xff);
    modrm(b, reg, rm, imm_len, false);
}

void x_mov_ri(struct xbuf *b, int dst, u64 v)
{
    if (v <= 0xffffffffu) {
        if (dst >= 8)
            x_u8(b, 0x41);
        x_u8(b, 0xb8 | (dst & 7));
        x_u32(b, (u32)v);
    } else if ((s64)v == (s32)v) {
        x_op(b, XO(0, 0, 0xc7) | XW, 0, xr(dst), 4);
        x_u32(b, (u32)v);
    } else {
        x_u8(b, dst >= 8 ? 0x49 : 0x48);
        x_u8(b, 0xb8 | (dst & 7));
        x_u64(b, v);
    }
}

void x_store_i(struct xbuf *b, u32 w, xrm m, s32 v)
{
    x_op(b, XO(0, 0, 0xc7) | w, 0, m, 4);
    x_u32(b, (u32)v);
}

void x_alu_i(struct xbuf *b, unsigned alu, u32 w, xrm rm, s32 v)
{
    if (v == (s8)v) {
        x_op(b, XO(0, 0, 0x83) | w, (int)alu, rm, 1);
        x_u8(b, (u8)v);
    } else {
        x_op(b, XO(0, 0, 0x81) | w, (int)alu, rm, 4);
        x_u32(b, (u32)v);
    }
}

void x_test_i(struct xbuf *b, u32 w, xrm rm, s32 v)
{
    x_op(b, XO(0, 0, 0xf7) | w, 0, rm, 4);
    x_u32(b, (u32)v);
}

void x_test8_i(struct xbuf *b, xrm m, unsigned v)
{
    x_op(b, XO(0, 0, 0xf6), 0, m, 1);
    x_u8(b, v);
}

void x_shift_i(struct xbuf *b, unsigned sh, u32 w, xrm rm, unsigned n)
{
    x_op(b, XO(0, 0, 0xc1) | w, (int)sh, rm, 1);
    x_u8(b, n);
}

void x_shift_cl(struct xbuf *b, unsigned sh, u32 w, xrm rm) { x_op(b, XO(0, 0, 0xd3) | w, (int)sh, rm, 0); }

void x_imul_i(struct xbuf *b, u32 w, int dst, xrm rm, s32 v)
{
    if (v == (s8)v) {
        x_op(b, XO(0, 0, 0x6b) | w, dst, rm, 1);
        x_u8(b, (u8)v);
    } else {
        x_op(b, XO(0, 0, 0x69) | w, dst, rm, 4);
        x_u32(b, (u32)v);
    }
}

void x_shrd_i(struct xbuf *b, u32 w, int dst_rm, int reg, unsigned n)
{
    x_op(b, XO(0, 1, 0xac) | w, reg, xr(dst_rm), 1);
    x_u8(b, n);
}

void x_bt_i(struct xbuf *b, u32 w, xrm rm, unsigned n)
{
    x_op(b, XO(0, 1, 0xba) | w, 4, rm, 1);
    x_u8(b, n);
}

void x_rorx(struct xbuf *b, u32 w, int dst, xrm rm, unsigned n) { x_vi(b, XB_RORX | w, dst, 0, rm, n); }

void x_bswap(struct xbuf *b, u32 w, int r)
{
    if (w || r >= 8)
        x_u8(b, 0x40 | (w ? 8u : 0) | (r >= 8));
    x_u8(b, 0x0f);
    x_u8(b, 0xc8 | (r & 7));
}

void x_push(struct xbuf *b, int r)
{
    if (r >= 8)
        x_u8(b, 0x41);
    x_u8(b, 0x50 | (r & 7));
}

void x_pop(struct xbuf *b, int r)
{
    if (r >= 8)
        x_u8(b, 0x41);
    x_u8(b, 0x58 | (r & 7));
}

static u8 *rel32(struct xbuf *b, const u8 *target)
{
    u8 *at = b->p;
    b->p += 4;
    x_patch(at, target ? target : b->p);
    return at;
}

u8 *x_jmp(struct xbuf *b, const u8 *target)
{
    x_u8(b, 0xe9);
    return rel32(b, target);
}

u8 *x_jcc(struct xbuf *b, unsigned cc, const u8 *target)
{
    x_u8(b, 0x0f);
    x_u8(b, 0x80 | cc);
    return rel32(b, target);
}

u8 *x_call(struct xbuf *b, const u8 *target)
{
    x_u8(b, 0xe8);
    return rel32(b, target);
}

u8 *x_jmp8(struct xbuf *b)
{
    x_u8(b, 0xeb);
    return b->p++;
}

u8 *x_jcc8(struct xbuf *b, unsigned cc)
{
    x_u8(b, 0x70 | cc);
    return b->p++;
}

void x_vshift_i(struct xbuf *b, u32 op, unsigned kind, int dst, int src, unsigned n)
{
    if (UNLIKELY(b->sse)) {
        if (dst != src)
            x_rr(b, XV_MOVAPS, dst, src);
        x_op(b, op, (int)kind, xr(dst), 1);
    } else {
        x_vex(b, op, (int)kind, dst, xr(src), 1);
    }
    x_u8(b, n);
}

void x_detect(struct x_features *f)
{
    memset(f, 0, sizeof *f);
#ifdef __x86_64__
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return;
    bool osxsave = bit(c, 27), avx = bit(c, 28);
    unsigned xcr0 = 0, xcr0_hi;
    if (osxsave)
        __asm__("xgetbv" : "=a"(xcr0), "=d"(xcr0_hi) : "c"(0));
    bool ymm = avx && (xcr0 & 6) == 6, zmm = ymm && (xcr0 & 0xe0) == 0xe0;
    f->fma = ymm && bit(c, 12);
    f->sse42 = bit(c, 0) && bit(c, 9) && bit(c, 19) && bit(c, 20); // and what comes before it
    f->popcnt = bit(c, 23);
    f->movbe = bit(c, 22);
    f->aes = bit(c, 25);
    f->pclmul = bit(c, 1);
    f->f16c = ymm && bit(c, 29);
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        f->avx2 = ymm && bit(b, 5);
        f->bmi1 = ymm && bit(b, 3);
        f->bmi2 = ymm && bit(b, 8);
        f->sha = bit(b, 29);
        f->avx512dq = zmm && bit(b, 17);
        f->avx512bw = zmm && bit(b, 30);
        f->avx512vl = zmm && bit(b, 31);
        f->gfni = ymm && bit(c, 8);
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d))
        f->lzcnt = bit(c, 5);
#endif
}

void x_disable(struct x_features *f, const char *names)
{
    static const struct {
        const char *name;
        size_t at;
    } all[] = {
#define FEATURE(n) {#n, offsetof(struct x_features, n)}
        FEATURE(sse42), FEATURE(avx2), FEATURE(fma), FEATURE(bmi1), FEATURE(bmi2), FEATURE(lzcnt), FEATURE(popcnt),
        FEATURE(movbe), FEATURE(aes), FEATURE(pclmul), FEATURE(sha), FEATURE(f16c), FEATURE(avx512vl),
        FEATURE(avx512dq), FEATURE(avx512bw), FEATURE(gfni),
#undef FEATURE
    };
    while (names && *names) {
        size_t len = strcspn(names, ",");
        for (size_t k = 0; k < ARRAY_LEN(all); k++)
            if (strlen(all[k].name) == len && !memcmp(all[k].name, names, len))
                *(bool *)((char *)f + all[k].at) = false;
        names += len + (names[len] != 0);
    }
    f->avx2 = f->avx2 && f->sse42;
    if (!f->avx2) // their forms take AVX for granted
        f->fma = f->f16c = f->gfni = f->avx512vl = f->avx512dq = f->avx512bw = false;
}
