// VEX.128 forms on hosts without AVX: one to three SSE instructions each. Intel SDM volume 2,
// "Instruction Set Reference": the legacy form writes its first source.
#include "jit/x64.h"

enum { SCRATCH = 15, SCRATCH2 = 14 };

/// What a form is made of.
enum shape {
    UNKNOWN,   ///< not of SSE: its emitter has to look at x_features
    VEX,       ///< is no vector instruction, and needs no AVX: as it is
    TWO,       ///< reg, r/m: the same instruction
    THREE,     ///< reg = second op r/m
    COMMUTES,  ///< ... and second and r/m may change places
    GENERAL,   ///< THREE whose r/m is a general register, or memory of any alignment
    SCALAR,    ///< THREE that reads no more of memory than an element
    MOVE,      ///< TWO with memory, THREE with registers
    BROADCAST, ///< of the lowest element
};

/// An opcode without its width.
#define KEY(op) ((op) & 0x3fff)
static const u8 shapes[KEY(~0u) + 1] = {
#define F(s, op) [KEY(XV_##op)] = s,
#define FP2(s, op) F(s, op##PS) F(s, op##PD)
#define FP4(op) FP2(THREE, op) F(SCALAR, op##SS) F(SCALAR, op##SD)
#define BWD(s, op) F(s, op##B) F(s, op##W) F(s, op##D)
#define BWDQ(s, op) BWD(s, op) F(s, op##Q)
    [KEY(XB_ANDN)] = VEX, [KEY(XB_MULX)] = VEX, [KEY(XB_SHLX)] = VEX, [KEY(XB_SHRX)] = VEX, [KEY(XB_SARX)] = VEX,
    [KEY(XB_RORX)] = VEX, [KEY(XB_PDEP)] = VEX, [KEY(XB_PEXT)] = VEX, [KEY(XB_BEXTR)] = VEX,
    F(TWO, MOVAPS) F(TWO, MOVAPS_ST) F(TWO, MOVUPS) F(TWO, MOVUPS_ST) F(TWO, MOVD) F(TWO, MOVD_ST) F(TWO, MOVQ) F(TWO, MOVQ_ST)
    F(MOVE, MOVSS) F(MOVE, MOVSS_ST) F(MOVE, MOVSD) F(MOVE, MOVSD_ST) F(SCALAR, MOVHPS) F(TWO, MOVHPS_ST) F(SCALAR, MOVHLPS)
    F(TWO, MOVDDUP) F(TWO, MOVMSKPS) F(TWO, MOVMSKPD) F(TWO, PMOVMSKB) F(TWO, PTEST) F(TWO, LDMXCSR)
    FP4(ADD) FP4(MUL) FP4(SUB) FP4(DIV) FP4(MIN) FP4(MAX) FP4(CMP)
    FP2(THREE, HADD) FP2(TWO, SQRT) F(SCALAR, SQRTSS) F(SCALAR, SQRTSD) FP2(TWO, ROUND) F(SCALAR, ROUNDSS) F(SCALAR, ROUNDSD)
    F(TWO, UCOMISS) F(TWO, UCOMISD) F(TWO, COMISS) F(TWO, COMISD)
    F(SCALAR, CVTSS2SD) F(SCALAR, CVTSD2SS) F(TWO, CVTPS2PD) F(TWO, CVTPD2PS) F(GENERAL, CVTSI2SS) F(GENERAL, CVTSI2SD)
    F(TWO, CVTTSS2SI) F(TWO, CVTTSD2SI) F(TWO, CVTSS2SI) F(TWO, CVTSD2SI)
    F(TWO, CVTDQ2PS) F(TWO, CVTPS2DQ) F(TWO, CVTTPS2DQ) F(TWO, CVTDQ2PD) F(TWO, CVTTPD2DQ)
    F(COMMUTES, ANDPS) F(THREE, ANDNPS) F(COMMUTES, ORPS) F(COMMUTES, XORPS)
    FP2(THREE, UNPCKL) FP2(THREE, SHUF) FP2(THREE, BLEND) F(THREE, PBLENDW) F(SCALAR, INSERTPS)
    BWDQ(COMMUTES, PADD) BWDQ(THREE, PSUB) BWDQ(COMMUTES, PCMPEQ) BWDQ(THREE, PCMPGT)
    F(COMMUTES, PADDSB) F(COMMUTES, PADDSW) F(COMMUTES, PADDUSB) F(COMMUTES, PADDUSW)
    F(THREE, PSUBSB) F(THREE, PSUBSW) F(THREE, PSUBUSB) F(THREE, PSUBUSW)
    F(COMMUTES, PAND) F(THREE, PANDN) F(COMMUTES, POR) F(COMMUTES, PXOR)
    BWD(COMMUTES, PMINU) BWD(COMMUTES, PMINS) BWD(COMMUTES, PMAXU) BWD(COMMUTES, PMAXS)
    F(COMMUTES, PMULLW) F(COMMUTES, PMULLD) F(COMMUTES, PMULHW) F(COMMUTES, PMULHUW) F(COMMUTES, PMULUDQ) F(COMMUTES, PMULDQ)
    F(COMMUTES, PMULHRSW) F(COMMUTES, PMADDWD) F(THREE, PMADDUBSW) F(COMMUTES, PSADBW) F(COMMUTES, PAVGB) F(COMMUTES, PAVGW)
    BWD(TWO, PABS) F(THREE, PSHUFB) F(TWO, PSHUFD) F(TWO, PSHUFLW) F(TWO, PSHUFHW)
    F(THREE, PUNPCKLBW) F(THREE, PUNPCKLWD) F(THREE, PUNPCKLDQ) F(THREE, PUNPCKLQDQ)
    F(THREE, PUNPCKHBW) F(THREE, PUNPCKHWD) F(THREE, PUNPCKHDQ) F(THREE, PUNPCKHQDQ)
    F(THREE, PACKSSWB) F(THREE, PACKSSDW) F(THREE, PACKUSWB) F(THREE, PACKUSDW) F(THREE, PALIGNR) F(THREE, PHADDW) F(THREE, PHADDD)
    F(TWO, PMOVZXBW) F(TWO, PMOVZXWD) F(TWO, PMOVZXDQ) F(TWO, PMOVZXBD) F(TWO, PMOVSXBW) F(TWO, PMOVSXWD) F(TWO, PMOVSXDQ) F(TWO, PMOVSXBD)
    F(THREE, PSLLW) F(THREE, PSLLD) F(THREE, PSLLQ) F(THREE, PSRLW) F(THREE, PSRLD) F(THREE, PSRLQ) F(THREE, PSRAW) F(THREE, PSRAD)
    BWDQ(BROADCAST, PBROADCAST)
    F(GENERAL, PINSRB) F(GENERAL, PINSRW) F(GENERAL, PINSRD) F(TWO, PEXTRB) F(TWO, PEXTRW) F(TWO, PEXTRD)
    F(THREE, AESENC) F(THREE, AESENCLAST) F(THREE, AESDEC) F(THREE, AESDECLAST) F(TWO, AESIMC) F(THREE, PCLMULQDQ)
};

static void move(struct xbuf *b, int dst, int src)
{
    if (dst != src)
        x_rr(b, XV_MOVAPS, dst, src);
}

/// Memory of 16 bytes that is known to be aligned: the CPU's fields, and constants where they are.
static bool is_aligned(xrm rm) { return rm.rip ? !((uintptr_t)rm.rip & 15) : rm.base == RBP && rm.index == RNONE; }

static bool broadcast(struct xbuf *b, u32 op, int dst, xrm rm)
{
    switch (KEY(op)) {
    case KEY(XV_PBROADCASTB):
        if (xrm_is_reg(rm)) {
            move(b, dst, rm.reg);
        } else {
            x_op(b, XV_PINSRB, dst, rm, 1);
            x_u8(b, 0);
        }
        x_rr(b, XV_PXOR, SCRATCH, SCRATCH);
        x_rr(b, XV_PSHUFB, dst, SCRATCH);
        return true;
    case KEY(XV_PBROADCASTW):
        if (!xrm_is_reg(rm)) {
            x_op(b, XV_PINSRW, dst, rm, 1);
            x_u8(b, 0);
            rm = xr(dst);
        }
        x_op(b, XV_PSHUFLW, dst, rm, 1);
        x_u8(b, 0);
        x_rr(b, XV_PUNPCKLQDQ, dst, dst);
        return true;
    case KEY(XV_PBROADCASTD):
        if (!xrm_is_reg(rm)) {
            x_rm(b, XV_MOVD, dst, rm);
            rm = xr(dst);
        }
        x_op(b, XV_PSHUFD, dst, rm, 1);
        x_u8(b, 0);
        return true;
    default: x_rm(b, XV_MOVDDUP, dst, rm); return true;
    }
}

bool x_sse(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm_len)
{
    enum shape s = shapes[KEY(op)];
    if (s == VEX)
        return false;
    assert(s != UNKNOWN && !(op & XL));
    if (s == BROADCAST)
        return broadcast(b, op, reg, rm);
    if (s == MOVE)
        s = xrm_is_reg(rm) ? THREE : TWO;
    if (s == TWO) {
        x_op(b, op, reg, rm, imm_len);
        return true;
    }
    if (s == GENERAL) {
        move(b, reg, second);
    } else if (!xrm_is_reg(rm)) {
        if (s != SCALAR && !is_aligned(rm)) {
            x_rm(b, XV_MOVUPS, SCRATCH, rm);
            rm = xr(SCRATCH);
        }
        move(b, reg, second);
    } else if (rm.reg != reg) {
        move(b, reg, second);
    } else if (s == COMMUTES) {
        rm = xr(second);
    } else if (second != reg) {
        move(b, SCRATCH, reg);
        move(b, reg, second);
        rm = xr(SCRATCH);
    }
    x_op(b, op, reg, rm, imm_len);
    return true;
}

/// dst = mask's sign bits ? rm : second, mask in imm8. The legacy form takes it in xmm0.
bool x_sse_blend(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm8)
{
    u32 legacy = KEY(op) == KEY(XV_PBLENDVB) ? XO(1, 2, 0x10) : KEY(op) == KEY(XV_BLENDVPS) ? XO(1, 2, 0x14) : XO(1, 2, 0x15);
    int mask = (int)imm8 >> 4;
    assert((op & 0x3ff) != (XV_CMPPS & 0x3ff) || imm8 < 8); // predicates of AVX
    if (KEY(op) != KEY(XV_PBLENDVB) && KEY(op) != KEY(XV_BLENDVPS) && KEY(op) != KEY(XV_BLENDVPD))
        return false;
    move(b, SCRATCH2, second);
    if (mask != 0) {
        move(b, SCRATCH, 0);
        if (rm.reg == 0)
            rm = xr(SCRATCH);
        move(b, 0, mask);
    }
    assert(xrm_is_reg(rm) || is_aligned(rm));
    x_rm(b, legacy, SCRATCH2, rm);
    if (mask != 0)
        move(b, 0, SCRATCH);
    move(b, reg, SCRATCH2);
    return true;
}
