/// An emitter of x86-64 machine code: encoders for the legacy, VEX and EVEX instruction formats
/// and named opcodes for the forms the translator uses. Sources: Intel SDM volume 2,
/// "Instruction Format" and "Instruction Set Reference".
#ifndef BRUIN_JIT_X64_H
#define BRUIN_JIT_X64_H

#include "base/base.h"

#include <assert.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, RNONE = -1 };

/// Where code goes. Positions are addresses in the writable mapping; relative operands come out
/// right because the executable mapping has the same distances.
struct xbuf {
    u8 *p;
    u8 *end;
    bool sse; ///< the host has no AVX: x_vex and what builds on it emit SSE instead (x64_sse.c)
};

/// A register-or-memory operand.
typedef struct {
    s8 reg;          ///< >= 0: this register
    s8 base, index;  ///< memory: base may be RNONE (then disp is absolute), index too
    u8 scale;        ///< log2
    s32 disp;
    const u8 *rip;   ///< non-NULL: RIP-relative to this place (in the writable mapping)
} xrm;

static inline xrm xr(int r) { return (xrm){.reg = (s8)r}; }
static inline xrm xm(int base, s32 disp)
{
    return (xrm){.reg = -1, .base = (s8)base, .index = RNONE, .disp = disp};
}
static inline xrm xmi(int base, int index, unsigned scale, s32 disp)
{
    return (xrm){.reg = -1, .base = (s8)base, .index = (s8)index, .scale = (u8)scale, .disp = disp};
}
static inline xrm xrip(const u8 *at) { return (xrm){.reg = -1, .rip = at, .base = RNONE, .index = RNONE}; }
static inline bool xrm_is_reg(xrm m) { return m.reg >= 0; }

/// An opcode: mandatory prefix pp (0 none, 1 66, 2 F3, 3 F2), map (0 one byte, 1 0F, 2 0F38,
/// 3 0F3A), byte.
#define XO(pp, map, byte) ((u32)((pp) << 12 | (map) << 8 | (byte)))
enum {
    XW = 1 << 16,  ///< REX.W, VEX.W, EVEX.W
    XL = 1 << 17,  ///< VEX.L: 256 bits
    XB8 = 1 << 18, ///< the r/m operand is a byte register
    XR8 = 1 << 20, ///< the reg operand is a byte register
    XZ = 1 << 19,  ///< EVEX zeroing-masking
    XSAE = 1 << 21, ///< EVEX, registers only: raises no exceptions; arithmetic rounds to nearest
};

/* Integer opcodes: reg, r/m. OR XW for 64-bit operands. */
enum {
    XI_ADD = XO(0, 0, 0x03), XI_OR = XO(0, 0, 0x0b), XI_ADC = XO(0, 0, 0x13),
    XI_SBB = XO(0, 0, 0x1b), XI_AND = XO(0, 0, 0x23), XI_SUB = XO(0, 0, 0x2b),
    XI_XOR = XO(0, 0, 0x33), XI_CMP = XO(0, 0, 0x3b), XI_TEST = XO(0, 0, 0x85),
    XI_MOV = XO(0, 0, 0x8b), XI_LEA = XO(0, 0, 0x8d), XI_MOVSXD = XO(0, 0, 0x63) | XW,
    XI_MOVZX8 = XO(0, 1, 0xb6) | XB8, XI_MOVZX16 = XO(0, 1, 0xb7),
    XI_MOVSX8 = XO(0, 1, 0xbe) | XB8, XI_MOVSX16 = XO(0, 1, 0xbf),
    XI_IMUL = XO(0, 1, 0xaf), XI_BSR = XO(0, 1, 0xbd), XI_BSF = XO(0, 1, 0xbc),
    XI_LZCNT = XO(2, 1, 0xbd), XI_TZCNT = XO(2, 1, 0xbc), XI_POPCNT = XO(2, 1, 0xb8),
    XI_CRC32B = XO(3, 2, 0xf0) | XB8, XI_CRC32 = XO(3, 2, 0xf1), XI_CRC32W = XO(3, 2, 0xf1) | 1 << 24,
    XI_MOVBE_LD = XO(0, 2, 0xf0), XI_XADD_MR = XO(0, 1, 0xc1), XI_CMPXCHG_MR = XO(0, 1, 0xb1),
    XI_XCHG = XO(0, 0, 0x87), XI_CMOV = XO(0, 1, 0x40),
    /* r/m, reg: stores and read-modify-write on memory */
    XI_ST = XO(0, 0, 0x89), XI_ST8 = XO(0, 0, 0x88) | XR8, XI_ST16 = XO(0, 0, 0x89) | 1 << 24,
    XI_ADD_MR = XO(0, 0, 0x01), XI_OR_MR = XO(0, 0, 0x09), XI_AND_MR = XO(0, 0, 0x21),
    XI_SUB_MR = XO(0, 0, 0x29), XI_XOR_MR = XO(0, 0, 0x31), XI_CMP_MR = XO(0, 0, 0x39),
};
enum { X66 = 1 << 24 }; ///< operand-size prefix on an integer form

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_SAR = 7 };
enum { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G };

/* VEX general-register opcodes: x_v(op, dst, second, r/m). */
enum {
    XB_ANDN = XO(0, 2, 0xf2), ///< dst = ~second & rm
    XB_MULX = XO(3, 2, 0xf6), ///< dst:second = rdx * rm
    XB_SHLX = XO(1, 2, 0xf7), XB_SHRX = XO(3, 2, 0xf7), XB_SARX = XO(2, 2, 0xf7), ///< rm by second
    XB_RORX = XO(3, 3, 0xf0), ///< imm8
    XB_PDEP = XO(3, 2, 0xf5), XB_PEXT = XO(2, 2, 0xf5), XB_BEXTR = XO(0, 2, 0xf7),
};

/// Any legacy form: reg field, r/m; imm_len bytes of immediate follow (written by the caller).
void x_op(struct xbuf *b, u32 op, int reg, xrm rm, unsigned imm_len);
/// VEX and EVEX forms. For two-operand forms pass second = 0. Without AVX the former come out as SSE
/// instructions, of which dst = second op rm takes up to three. xmm14 and xmm15 are theirs then.
void x_vex(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm_len);
/// EVEX, 128-bit (256 with XL); xmm16..31 allowed; k is the mask register, 0 none.
void x_evex(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned k, unsigned imm_len);

/// Of x_vex and x_vi. ret  false: the form has no other than the VEX encoding, or is no blend
bool x_sse(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm_len);
bool x_sse_blend(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm8);

static inline void x_u8(struct xbuf *b, unsigned v) { *b->p++ = (u8)v; }
static inline void x_u16(struct xbuf *b, unsigned v) { st16(b->p, (u16)v); b->p += 2; }
static inline void x_u32(struct xbuf *b, u32 v) { st32(b->p, v); b->p += 4; }
static inline void x_u64(struct xbuf *b, u64 v) { st64(b->p, v); b->p += 8; }

/// reg <- reg op r/m, or as the opcode says.
static inline void x_rm(struct xbuf *b, u32 op, int reg, xrm rm) { x_op(b, op, reg, rm, 0); }
static inline void x_rr(struct xbuf *b, u32 op, int reg, int rm) { x_op(b, op, reg, xr(rm), 0); }
static inline void x_v(struct xbuf *b, u32 op, int reg, int second, xrm rm) { x_vex(b, op, reg, second, rm, 0); }
static inline void x_vi(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm8)
{
    if (UNLIKELY(b->sse) && x_sse_blend(b, op, reg, second, rm, imm8))
        return;
    x_vex(b, op, reg, second, rm, 1);
    x_u8(b, imm8);
}
static inline void x_ev(struct xbuf *b, u32 op, int reg, int second, xrm rm) { x_evex(b, op, reg, second, rm, 0, 0); }
static inline void x_evi(struct xbuf *b, u32 op, int reg, int second, xrm rm, unsigned imm8)
{
    x_evex(b, op, reg, second, rm, 0, 1);
    x_u8(b, imm8);
}

/// dst <- src (64-bit); nothing when they are equal.
static inline void x_mov(struct xbuf *b, int dst, int src)
{
    if (dst != src)
        x_rr(b, XI_MOV | XW, dst, src);
}
/// dst <- src, 32-bit with zero extension.
static inline void x_mov32(struct xbuf *b, int dst, int src) { x_rr(b, XI_MOV, dst, src); }
void x_mov_ri(struct xbuf *b, int dst, u64 v);               ///< leaves EFLAGS alone
void x_store_i(struct xbuf *b, u32 w, xrm m, s32 v);         ///< w: 0 or XW
void x_alu_i(struct xbuf *b, unsigned alu, u32 w, xrm rm, s32 v);
void x_test_i(struct xbuf *b, u32 w, xrm rm, s32 v);
void x_test8_i(struct xbuf *b, xrm m, unsigned v);           ///< memory byte
void x_shift_i(struct xbuf *b, unsigned sh, u32 w, xrm rm, unsigned n);
void x_shift_cl(struct xbuf *b, unsigned sh, u32 w, xrm rm);
void x_imul_i(struct xbuf *b, u32 w, int dst, xrm rm, s32 v);
void x_shrd_i(struct xbuf *b, u32 w, int dst_rm, int reg, unsigned n);
void x_bt_i(struct xbuf *b, u32 w, xrm rm, unsigned n);
void x_rorx(struct xbuf *b, u32 w, int dst, xrm rm, unsigned n);
void x_bswap(struct xbuf *b, u32 w, int r);
static inline void x_not(struct xbuf *b, u32 w, xrm rm) { x_op(b, XO(0, 0, 0xf7) | w, 2, rm, 0); }
static inline void x_neg(struct xbuf *b, u32 w, xrm rm) { x_op(b, XO(0, 0, 0xf7) | w, 3, rm, 0); }
static inline void x_mul(struct xbuf *b, u32 w, xrm rm) { x_op(b, XO(0, 0, 0xf7) | w, 4, rm, 0); }
static inline void x_imul1(struct xbuf *b, u32 w, xrm rm) { x_op(b, XO(0, 0, 0xf7) | w, 5, rm, 0); }
static inline void x_div(struct xbuf *b, u32 w, xrm rm) { x_op(b, XO(0, 0, 0xf7) | w, 6, rm, 0); }
static inline void x_idiv(struct xbuf *b, u32 w, xrm rm) { x_op(b, XO(0, 0, 0xf7) | w, 7, rm, 0); }
static inline void x_cqo(struct xbuf *b, u32 w) { if (w) x_u8(b, 0x48); x_u8(b, 0x99); } ///< cdq, cqo
static inline void x_setcc(struct xbuf *b, unsigned cc, xrm rm) { x_op(b, (XO(0, 1, 0x90) + cc) | XB8, 0, rm, 0); }
static inline void x_cmov(struct xbuf *b, unsigned cc, u32 w, int dst, xrm rm) { x_op(b, (XI_CMOV + cc) | w, dst, rm, 0); }
static inline void x_lahf(struct xbuf *b) { x_u8(b, 0x9f); }
static inline void x_rdtsc(struct xbuf *b) { x_u8(b, 0x0f), x_u8(b, 0x31); }
static inline void x_sahf(struct xbuf *b) { x_u8(b, 0x9e); }
static inline void x_cmc(struct xbuf *b) { x_u8(b, 0xf5); }
static inline void x_clc(struct xbuf *b) { x_u8(b, 0xf8); }
static inline void x_stc(struct xbuf *b) { x_u8(b, 0xf9); }
static inline void x_ret(struct xbuf *b) { x_u8(b, 0xc3); }
static inline void x_ret_i(struct xbuf *b, unsigned n) { x_u8(b, 0xc2); x_u16(b, n); }
static inline void x_int3(struct xbuf *b) { x_u8(b, 0xcc); }
void x_push(struct xbuf *b, int r);
void x_pop(struct xbuf *b, int r);

/// Jumps. With target NULL the displacement is left open: the returned place goes to x_patch.
u8 *x_jmp(struct xbuf *b, const u8 *target);
u8 *x_jcc(struct xbuf *b, unsigned cc, const u8 *target);
u8 *x_call(struct xbuf *b, const u8 *target);
/// Short forward jumps, patched by x_patch8.
u8 *x_jmp8(struct xbuf *b);
u8 *x_jcc8(struct xbuf *b, unsigned cc);
static inline void x_jmp_rm(struct xbuf *b, xrm rm) { x_op(b, XO(0, 0, 0xff), 4, rm, 0); }
static inline void x_call_rm(struct xbuf *b, xrm rm) { x_op(b, XO(0, 0, 0xff), 2, rm, 0); }
static inline void x_push_rm(struct xbuf *b, xrm rm) { x_op(b, XO(0, 0, 0xff), 6, rm, 0); }
/// Makes the jump whose displacement is at `at` go to target.
static inline void x_patch(u8 *at, const u8 *target) { st32(at, (u32)(target - (at + 4))); }
static inline void x_patch8(u8 *at, const u8 *target)
{
    assert(target - (at + 1) <= 127);
    *at = (u8)(target - (at + 1));
}

/* Vector opcodes, for x_v / x_vi (VEX) and x_ev / x_evi (EVEX). */
enum {
    XV_MOVAPS = XO(0, 1, 0x28), XV_MOVAPS_ST = XO(0, 1, 0x29),
    XV_MOVUPS = XO(0, 1, 0x10), XV_MOVUPS_ST = XO(0, 1, 0x11),
    XV_MOVSS = XO(2, 1, 0x10), XV_MOVSS_ST = XO(2, 1, 0x11), ///< memory forms: second = 0
    XV_MOVSD = XO(3, 1, 0x10), XV_MOVSD_ST = XO(3, 1, 0x11),
    XV_MOVD = XO(1, 1, 0x6e), XV_MOVD_ST = XO(1, 1, 0x7e),   ///< OR XW: movq with general registers
    XV_MOVQ = XO(2, 1, 0x7e),                                ///< xmm <- low 64 of xmm/m64
    XV_MOVQ_ST = XO(1, 1, 0xd6),
    XV_ADDPS = XO(0, 1, 0x58), XV_ADDPD = XO(1, 1, 0x58), XV_ADDSS = XO(2, 1, 0x58), XV_ADDSD = XO(3, 1, 0x58),
    XV_MULPS = XO(0, 1, 0x59), XV_MULPD = XO(1, 1, 0x59), XV_MULSS = XO(2, 1, 0x59), XV_MULSD = XO(3, 1, 0x59),
    XV_SUBPS = XO(0, 1, 0x5c), XV_SUBPD = XO(1, 1, 0x5c), XV_SUBSS = XO(2, 1, 0x5c), XV_SUBSD = XO(3, 1, 0x5c),
    XV_DIVPS = XO(0, 1, 0x5e), XV_DIVPD = XO(1, 1, 0x5e), XV_DIVSS = XO(2, 1, 0x5e), XV_DIVSD = XO(3, 1, 0x5e),
    XV_MINPS = XO(0, 1, 0x5d), XV_MINPD = XO(1, 1, 0x5d), XV_MINSS = XO(2, 1, 0x5d), XV_MINSD = XO(3, 1, 0x5d),
    XV_HADDPS = XO(3, 1, 0x7c), XV_HADDPD = XO(1, 1, 0x7c),
    XV_MAXPS = XO(0, 1, 0x5f), XV_MAXPD = XO(1, 1, 0x5f), XV_MAXSS = XO(2, 1, 0x5f), XV_MAXSD = XO(3, 1, 0x5f),
    XV_SQRTPS = XO(0, 1, 0x51), XV_SQRTPD = XO(1, 1, 0x51), XV_SQRTSS = XO(2, 1, 0x51), XV_SQRTSD = XO(3, 1, 0x51),
    XV_UCOMISS = XO(0, 1, 0x2e), XV_UCOMISD = XO(1, 1, 0x2e), XV_COMISS = XO(0, 1, 0x2f), XV_COMISD = XO(1, 1, 0x2f),
    XV_CMPPS = XO(0, 1, 0xc2), XV_CMPPD = XO(1, 1, 0xc2), XV_CMPSS = XO(2, 1, 0xc2), XV_CMPSD = XO(3, 1, 0xc2),
    XV_CVTSS2SD = XO(2, 1, 0x5a), XV_CVTSD2SS = XO(3, 1, 0x5a), XV_CVTPS2PD = XO(0, 1, 0x5a), XV_CVTPD2PS = XO(1, 1, 0x5a),
    XV_CVTSI2SS = XO(2, 1, 0x2a), XV_CVTSI2SD = XO(3, 1, 0x2a),
    XV_CVTTSS2SI = XO(2, 1, 0x2c), XV_CVTTSD2SI = XO(3, 1, 0x2c), XV_CVTSS2SI = XO(2, 1, 0x2d), XV_CVTSD2SI = XO(3, 1, 0x2d),
    XV_CVTDQ2PS = XO(0, 1, 0x5b), XV_CVTPS2DQ = XO(1, 1, 0x5b), XV_CVTTPS2DQ = XO(2, 1, 0x5b),
    XV_CVTDQ2PD = XO(2, 1, 0xe6), XV_CVTTPD2DQ = XO(1, 1, 0xe6),
    XV_CVTPH2PS = XO(1, 2, 0x13), XV_CVTPS2PH = XO(1, 3, 0x1d),
    XV_ANDPS = XO(0, 1, 0x54), XV_ANDNPS = XO(0, 1, 0x55), XV_ORPS = XO(0, 1, 0x56), XV_XORPS = XO(0, 1, 0x57),
    XV_UNPCKLPS = XO(0, 1, 0x14), XV_UNPCKLPD = XO(1, 1, 0x14), XV_SHUFPS = XO(0, 1, 0xc6), XV_SHUFPD = XO(1, 1, 0xc6),
    XV_MOVHLPS = XO(0, 1, 0x12), XV_MOVLHPS = XO(0, 1, 0x16), XV_MOVHPS = XO(0, 1, 0x16), XV_MOVHPS_ST = XO(0, 1, 0x17),
    XV_MOVDDUP = XO(3, 1, 0x12), XV_MOVMSKPS = XO(0, 1, 0x50), XV_MOVMSKPD = XO(1, 1, 0x50),
    XV_ROUNDPS = XO(1, 3, 0x08), XV_ROUNDPD = XO(1, 3, 0x09), XV_ROUNDSS = XO(1, 3, 0x0a), XV_ROUNDSD = XO(1, 3, 0x0b),
    XV_BLENDVPS = XO(1, 3, 0x4a), XV_BLENDVPD = XO(1, 3, 0x4b), XV_PBLENDVB = XO(1, 3, 0x4c), ///< imm8 = mask << 4
    XV_BLENDPS = XO(1, 3, 0x0c), XV_BLENDPD = XO(1, 3, 0x0d), XV_PBLENDW = XO(1, 3, 0x0e), XV_INSERTPS = XO(1, 3, 0x21),
    /* fused multiply-add: dst = second * rm + dst (231), OR XW for double */
    XV_FMADD231PS = XO(1, 2, 0xb8), XV_FMADD231SS = XO(1, 2, 0xb9), XV_FMSUB231PS = XO(1, 2, 0xba), XV_FMSUB231SS = XO(1, 2, 0xbb),
    XV_FNMADD231PS = XO(1, 2, 0xbc), XV_FNMADD231SS = XO(1, 2, 0xbd), XV_FNMSUB231PS = XO(1, 2, 0xbe), XV_FNMSUB231SS = XO(1, 2, 0xbf),
    XV_FMADD213PS = XO(1, 2, 0xa8), XV_FMADD213SS = XO(1, 2, 0xa9), ///< dst = second * dst + rm
    /* integer */
    XV_PADDB = XO(1, 1, 0xfc), XV_PADDW = XO(1, 1, 0xfd), XV_PADDD = XO(1, 1, 0xfe), XV_PADDQ = XO(1, 1, 0xd4),
    XV_PSUBB = XO(1, 1, 0xf8), XV_PSUBW = XO(1, 1, 0xf9), XV_PSUBD = XO(1, 1, 0xfa), XV_PSUBQ = XO(1, 1, 0xfb),
    XV_PADDSB = XO(1, 1, 0xec), XV_PADDSW = XO(1, 1, 0xed), XV_PADDUSB = XO(1, 1, 0xdc), XV_PADDUSW = XO(1, 1, 0xdd),
    XV_PSUBSB = XO(1, 1, 0xe8), XV_PSUBSW = XO(1, 1, 0xe9), XV_PSUBUSB = XO(1, 1, 0xd8), XV_PSUBUSW = XO(1, 1, 0xd9),
    XV_PAND = XO(1, 1, 0xdb), XV_PANDN = XO(1, 1, 0xdf), XV_POR = XO(1, 1, 0xeb), XV_PXOR = XO(1, 1, 0xef),
    XV_PCMPEQB = XO(1, 1, 0x74), XV_PCMPEQW = XO(1, 1, 0x75), XV_PCMPEQD = XO(1, 1, 0x76), XV_PCMPEQQ = XO(1, 2, 0x29),
    XV_PCMPGTB = XO(1, 1, 0x64), XV_PCMPGTW = XO(1, 1, 0x65), XV_PCMPGTD = XO(1, 1, 0x66), XV_PCMPGTQ = XO(1, 2, 0x37),
    XV_PMINUB = XO(1, 1, 0xda), XV_PMINUW = XO(1, 2, 0x3a), XV_PMINUD = XO(1, 2, 0x3b),
    XV_PMINSB = XO(1, 2, 0x38), XV_PMINSW = XO(1, 1, 0xea), XV_PMINSD = XO(1, 2, 0x39),
    XV_PMAXUB = XO(1, 1, 0xde), XV_PMAXUW = XO(1, 2, 0x3e), XV_PMAXUD = XO(1, 2, 0x3f),
    XV_PMAXSB = XO(1, 2, 0x3c), XV_PMAXSW = XO(1, 1, 0xee), XV_PMAXSD = XO(1, 2, 0x3d),
    XV_PMULLW = XO(1, 1, 0xd5), XV_PMULLD = XO(1, 2, 0x40), XV_PMULHW = XO(1, 1, 0xe5), XV_PMULHUW = XO(1, 1, 0xe4),
    XV_PMULUDQ = XO(1, 1, 0xf4), XV_PMULDQ = XO(1, 2, 0x28), XV_PMULHRSW = XO(1, 2, 0x0b),
    XV_PMADDWD = XO(1, 1, 0xf5), XV_PMADDUBSW = XO(1, 2, 0x04), XV_PSADBW = XO(1, 1, 0xf6),
    XV_PAVGB = XO(1, 1, 0xe0), XV_PAVGW = XO(1, 1, 0xe3), XV_PABSB = XO(1, 2, 0x1c), XV_PABSW = XO(1, 2, 0x1d), XV_PABSD = XO(1, 2, 0x1e),
    XV_PSHUFB = XO(1, 2, 0x00), XV_PSHUFD = XO(1, 1, 0x70), XV_PSHUFLW = XO(3, 1, 0x70), XV_PSHUFHW = XO(2, 1, 0x70),
    XV_PUNPCKLBW = XO(1, 1, 0x60), XV_PUNPCKLWD = XO(1, 1, 0x61), XV_PUNPCKLDQ = XO(1, 1, 0x62), XV_PUNPCKLQDQ = XO(1, 1, 0x6c),
    XV_PUNPCKHBW = XO(1, 1, 0x68), XV_PUNPCKHWD = XO(1, 1, 0x69), XV_PUNPCKHDQ = XO(1, 1, 0x6a), XV_PUNPCKHQDQ = XO(1, 1, 0x6d),
    XV_PACKSSWB = XO(1, 1, 0x63), XV_PACKSSDW = XO(1, 1, 0x6b), XV_PACKUSWB = XO(1, 1, 0x67), XV_PACKUSDW = XO(1, 2, 0x2b),
    XV_PALIGNR = XO(1, 3, 0x0f), XV_PHADDW = XO(1, 2, 0x01), XV_PHADDD = XO(1, 2, 0x02),
    XV_PMOVZXBW = XO(1, 2, 0x30), XV_PMOVZXWD = XO(1, 2, 0x33), XV_PMOVZXDQ = XO(1, 2, 0x35), XV_PMOVZXBD = XO(1, 2, 0x31),
    XV_PMOVSXBW = XO(1, 2, 0x20), XV_PMOVSXWD = XO(1, 2, 0x23), XV_PMOVSXDQ = XO(1, 2, 0x25), XV_PMOVSXBD = XO(1, 2, 0x21),
    XV_PSLLW = XO(1, 1, 0xf1), XV_PSLLD = XO(1, 1, 0xf2), XV_PSLLQ = XO(1, 1, 0xf3), ///< by xmm count
    XV_PSRLW = XO(1, 1, 0xd1), XV_PSRLD = XO(1, 1, 0xd2), XV_PSRLQ = XO(1, 1, 0xd3),
    XV_PSRAW = XO(1, 1, 0xe1), XV_PSRAD = XO(1, 1, 0xe2),
    XV_PSHIFT_W = XO(1, 1, 0x71), XV_PSHIFT_D = XO(1, 1, 0x72), XV_PSHIFT_Q = XO(1, 1, 0x73), ///< see x_vshift_i
    XV_PSLLVD = XO(1, 2, 0x47), XV_PSRLVD = XO(1, 2, 0x45), XV_PSRAVD = XO(1, 2, 0x46), ///< OR XW: q (psravq EVEX)
    XV_PBROADCASTB = XO(1, 2, 0x78), XV_PBROADCASTW = XO(1, 2, 0x79), XV_PBROADCASTD = XO(1, 2, 0x58), XV_PBROADCASTQ = XO(1, 2, 0x59),
    XV_PMOVMSKB = XO(1, 1, 0xd7), XV_PTEST = XO(1, 2, 0x17),
    XV_PINSRB = XO(1, 3, 0x20), XV_PINSRW = XO(1, 1, 0xc4), XV_PINSRD = XO(1, 3, 0x22), ///< OR XW: pinsrq
    XV_PEXTRB = XO(1, 3, 0x14), XV_PEXTRW = XO(1, 3, 0x15), XV_PEXTRD = XO(1, 3, 0x16), ///< reg field = xmm
    XV_AESENC = XO(1, 2, 0xdc), XV_AESENCLAST = XO(1, 2, 0xdd), XV_AESDEC = XO(1, 2, 0xde), XV_AESDECLAST = XO(1, 2, 0xdf),
    XV_AESIMC = XO(1, 2, 0xdb), XV_PCLMULQDQ = XO(1, 3, 0x44),
    /* legacy encoding only (x_op): SHA extensions */
    XS_SHA1RNDS4 = XO(0, 3, 0xcc), XS_SHA1NEXTE = XO(0, 2, 0xc8), XS_SHA1MSG1 = XO(0, 2, 0xc9), XS_SHA1MSG2 = XO(0, 2, 0xca),
    XS_SHA256RNDS2 = XO(0, 2, 0xcb), XS_SHA256MSG1 = XO(0, 2, 0xcc), XS_SHA256MSG2 = XO(0, 2, 0xcd),
    /* EVEX only */
    XE_PTERNLOGD = XO(1, 3, 0x25), XE_RANGEPS = XO(1, 3, 0x50), XE_RANGEPD = XO(1, 3, 0x50) | XW,
    XE_PMULLQ = XO(1, 2, 0x40) | XW, XE_PABSQ = XO(1, 2, 0x1f) | XW, XE_PSRAVW = XO(1, 2, 0x11) | XW,
    XE_PSLLVW = XO(1, 2, 0x12) | XW, XE_PSRLVW = XO(1, 2, 0x10) | XW,
    XE_PMAXSQ = XO(1, 2, 0x3d) | XW, XE_PMINSQ = XO(1, 2, 0x39) | XW, XE_PMAXUQ = XO(1, 2, 0x3f) | XW, XE_PMINUQ = XO(1, 2, 0x3b) | XW,
    XE_POPCNTB = XO(1, 2, 0x54), XE_LZCNTD = XO(1, 2, 0x44),
    XE_CVTUSI2SD = XO(3, 1, 0x7b), XE_CVTUSI2SS = XO(2, 1, 0x7b), XE_CVTTSD2USI = XO(3, 1, 0x78), XE_CVTTSS2USI = XO(2, 1, 0x78),
    XE_PTERNLOGQ = XO(1, 3, 0x25) | XW,
    XE_PROLD = XO(1, 1, 0x72), XE_PRORQ = XO(1, 1, 0x72) | XW, ///< with x_evex: /1 left, /0 right
    XE_GF2P8AFFINEQB = XO(1, 3, 0xce) | XW,
    XV_LDMXCSR = XO(0, 1, 0xae), ///< /2 load, /3 store
    XV_KMOVW_R = XO(0, 1, 0x93), ///< general register <- mask register
    XV_KNOTW = XO(0, 1, 0x44),
};
/// Vector shifts by an immediate: op is XV_PSHIFT_W/D/Q, kind 2 srl, 4 sra, 6 sll (Q: 3 srldq,
/// 7 slldq).
void x_vshift_i(struct xbuf *b, u32 op, unsigned kind, int dst, int src, unsigned n);

/// What this host's CPUID offers; the translator uses what is set.
struct x_features {
    bool sse42, avx2, fma, bmi1, bmi2, lzcnt, popcnt, movbe, aes, pclmul, sha, f16c;
    bool avx512vl, avx512dq, avx512bw, gfni;
};
void x_detect(struct x_features *f);
/// Clears the features named in a list with commas, for tests. names may be NULL.
void x_disable(struct x_features *f, const char *names);

#endif
