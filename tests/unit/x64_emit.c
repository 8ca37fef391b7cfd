// Every form of the x86-64 emitter against GNU as: the same instructions are written as text, put
// through `as`, and the bytes compared. Skipped (exit 77) when no assembler is installed.
#include "jit/x64.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CODE_MAX = 4 << 20, LINES_MAX = 400000 }; // a line: what one call emitted, an instruction or several
static struct xbuf buf;
static u8 *code;
static u32 *line_at;
static unsigned lines;
static FILE *text;
static char dir[64] = "/tmp/x64_emit.XXXXXX";

static const char *const r64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const r32[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};
static const char *const r16[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w"};
static const char *const r8[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"};

/// Register file of an operand: 1, 2, 4, 8 bytes or 16 (xmm), 32 (ymm).
static const char *reg_name(unsigned kind, int r)
{
    static char names[8][8];
    static unsigned n;
    switch (kind) {
    case 1: return r8[r];
    case 2: return r16[r];
    case 4: return r32[r];
    case 8: return r64[r];
    default: break;
    }
    char *s = names[n++ & 7];
    snprintf(s, 8, "%cmm%d", kind == 32 ? 'y' : 'x', r);
    return s;
}

static const xrm mems[] = {
    {.reg = -1, .base = RAX, .index = RNONE}, {.reg = -1, .base = RBP, .index = RNONE},
    {.reg = -1, .base = RSP, .index = RNONE, .disp = 8}, {.reg = -1, .base = R12, .index = RNONE, .disp = -128},
    {.reg = -1, .base = R13, .index = RNONE}, {.reg = -1, .base = R15, .index = RNONE, .disp = 0x12345},
    {.reg = -1, .base = RBX, .index = RCX, .scale = 3, .disp = 0}, {.reg = -1, .base = R13, .index = R12, .scale = 1, .disp = 0},
    {.reg = -1, .base = RDI, .index = R8, .scale = 2, .disp = 127}, {.reg = -1, .base = R9, .index = RBP, .scale = 0, .disp = 128},
    {.reg = -1, .base = RNONE, .index = RDX, .scale = 2, .disp = 0x1000}, {.reg = -1, .base = RNONE, .index = RNONE, .disp = 0x1000},
};

static const char *rm_text(xrm m, unsigned kind, bool sized)
{
    static char s[96];
    if (m.reg >= 0) {
        snprintf(s, sizeof s, "%s", reg_name(kind, m.reg));
        return s;
    }
    char d[16] = "", i[24] = "";
    const char *size = !sized ? "" : kind == 8 ? "qword ptr " : "dword ptr ";
    if (m.disp || m.base == RNONE)
        snprintf(d, sizeof d, "%+d", m.disp);
    if (m.index != RNONE)
        snprintf(i, sizeof i, "%s%s*%d", m.base == RNONE ? "" : "+", r64[m.index], 1 << m.scale);
    if (m.base == RNONE && m.index == RNONE)
        snprintf(s, sizeof s, "%sds:%d", size, m.disp);
    else
        snprintf(s, sizeof s, "%s[%s%s%s]", size, m.base == RNONE ? "" : r64[m.base], i, d);
    return s;
}

static void done(void)
{
    line_at[lines++] = (u32)(buf.p - code);
    if (lines >= LINES_MAX || buf.p > buf.end - 64)
        exit(2);
}

/// kinds: bytes of the register operand and of the r/m operand.
struct form {
    const char *name;
    u32 op;
    unsigned reg_kind, rm_kind;
    char order; ///< 'l' reg, rm; 's' rm, reg; 'V' reg, second, rm; 'v' reg, rm, second
    signed char imm;
    bool reg_only, mem_only;
};

static void one(const struct form *f, int reg, int second, xrm rm, bool evex)
{
    const char *pre = evex ? "{evex} {disp32} " : f->op == XI_TEST || (f->op & 0xff) == 0x87 ? "" : f->order == 's' ? "{store} " : "{load} ";
    if (evex && rm.reg < 0 && rm.disp == 0 && rm.base != RNONE && (rm.base & 7) != RBP)
        pre = "{evex} ";
    fprintf(text, "%s%s ", pre, f->name);
    const char *r = reg_name(f->reg_kind, reg), *m = rm_text(rm, f->rm_kind, !strcmp(f->name, "crc32"));
    if (f->order == 's')
        fprintf(text, "%s,%s", m, r);
    else if (f->order == 'V')
        fprintf(text, "%s,%s,%s", r, reg_name(f->reg_kind, second), m);
    else if (f->order == 'v')
        fprintf(text, "%s,%s,%s", r, m, reg_name(f->reg_kind, second));
    else
        fprintf(text, "%s,%s", r, m);
    if (f->imm >= 0)
        fprintf(text, ",%d", f->imm);
    fputc('\n', text);
}

static void run_form(const struct form *f, int enc)
{
    for (int reg = 0; reg < 16; reg++)
        for (int k = 0; k < 16 + (int)ARRAY_LEN(mems); k++) {
            xrm rm = k < 16 ? xr(k) : mems[k - 16];
            if (!strcmp(f->name, "lea") && k == 16 + (int)ARRAY_LEN(mems) - 1)
                continue;
            if ((k < 16 && f->mem_only) || (k >= 16 && f->reg_only))
                continue;
            int second = f->order == 'V' || f->order == 'v' ? (reg * 7 + k) & 15 : 0;
            if (enc == 2 && f->order == 'V' && k < 16 && (k & 1)) { // reach xmm16..31
                rm = xr(k + 16);
                second += 16;
            }
            one(f, reg, second, rm, enc == 2);
            unsigned il = f->imm >= 0;
            if (enc == 0)
                x_op(&buf, f->op, reg, rm, il);
            else if (enc == 1)
                x_vex(&buf, f->op, reg, second, rm, il);
            else
                x_evex(&buf, f->op, reg, second, rm, 0, il);
            if (il)
                x_u8(&buf, (unsigned)f->imm);
            done();
        }
}

static const struct form legacy[] = {
#define RM2(n, o) {n, o, 4, 4, 'l', -1, 0, 0}, {n, o | XW, 8, 8, 'l', -1, 0, 0}
#define MR2(n, o) {n, o, 4, 4, 's', -1, 0, 1}, {n, o | XW, 8, 8, 's', -1, 0, 1}
    RM2("add", XI_ADD), RM2("or", XI_OR), RM2("adc", XI_ADC), RM2("sbb", XI_SBB), RM2("and", XI_AND),
    RM2("sub", XI_SUB), RM2("xor", XI_XOR), RM2("cmp", XI_CMP), RM2("mov", XI_MOV), RM2("imul", XI_IMUL),
    RM2("bsr", XI_BSR), RM2("bsf", XI_BSF), RM2("lzcnt", XI_LZCNT), RM2("tzcnt", XI_TZCNT), RM2("popcnt", XI_POPCNT),
    {"lea", XI_LEA, 4, 4, 'l', -1, 0, 1}, {"lea", XI_LEA | XW, 8, 8, 'l', -1, 0, 1},
    {"movsxd", XI_MOVSXD, 8, 4, 'l', -1, 0, 0}, {"movzx", XI_MOVZX16, 4, 2, 'l', -1, 1, 0},
    {"movsx", XI_MOVSX16, 4, 2, 'l', -1, 1, 0}, {"movsx", XI_MOVSX16 | XW, 8, 2, 'l', -1, 1, 0},
    {"movzx", XI_MOVZX8, 4, 1, 'l', -1, 1, 0}, {"movsx", XI_MOVSX8, 4, 1, 'l', -1, 1, 0},
    {"crc32", XI_CRC32, 4, 4, 'l', -1, 0, 0}, {"crc32", XI_CRC32 | XW, 8, 8, 'l', -1, 0, 0},
    {"cmovbe", XI_CMOV + CC_BE, 4, 4, 'l', -1, 0, 0}, {"cmovg", (XI_CMOV + CC_G) | XW, 8, 8, 'l', -1, 0, 0},
    MR2("mov", XI_ST), MR2("add", XI_ADD_MR), MR2("or", XI_OR_MR), MR2("and", XI_AND_MR), MR2("sub", XI_SUB_MR),
    MR2("xor", XI_XOR_MR), MR2("cmp", XI_CMP_MR), MR2("xadd", XI_XADD_MR), MR2("cmpxchg", XI_CMPXCHG_MR), MR2("xchg", XI_XCHG),
    MR2("test", XI_TEST), {"mov", XI_ST8, 1, 1, 's', -1, 0, 1}, {"mov", XI_ST16, 2, 2, 's', -1, 0, 1},
    {"sha256rnds2", XS_SHA256RNDS2, 16, 16, 'l', -1, 0, 0}, {"sha256msg1", XS_SHA256MSG1, 16, 16, 'l', -1, 0, 0},
    {"sha256msg2", XS_SHA256MSG2, 16, 16, 'l', -1, 0, 0}, {"sha1rnds4", XS_SHA1RNDS4, 16, 16, 'l', 2, 0, 0},
    {"sha1nexte", XS_SHA1NEXTE, 16, 16, 'l', -1, 0, 0}, {"sha1msg1", XS_SHA1MSG1, 16, 16, 'l', -1, 0, 0},
};

static const struct form vexes[] = {
#define V3(n, o) {n, o, 16, 16, 'V', -1, 0, 0}
#define V2(n, o) {n, o, 16, 16, 'l', -1, 0, 0}
#define V3I(n, o) {n, o, 16, 16, 'V', 3, 0, 0}
#define V2I(n, o) {n, o, 16, 16, 'l', 3, 0, 0}
#define G3(n, o, c) {n, o, 4, 4, c, -1, 0, 0}, {n, o | XW, 8, 8, c, -1, 0, 0}
    G3("andn", XB_ANDN, 'V'), G3("mulx", XB_MULX, 'V'), G3("shlx", XB_SHLX, 'v'), G3("shrx", XB_SHRX, 'v'),
    G3("sarx", XB_SARX, 'v'), G3("pdep", XB_PDEP, 'V'), G3("pext", XB_PEXT, 'V'), {"rorx", XB_RORX | XW, 8, 8, 'l', 9, 0, 0},
    V2("vmovaps", XV_MOVAPS), V2("vmovups", XV_MOVUPS), V2("vmovq", XV_MOVQ),
    {"vmovups", XV_MOVUPS_ST, 16, 16, 's', -1, 0, 1}, {"vmovaps", XV_MOVAPS_ST, 16, 16, 's', -1, 0, 1},
    {"vmovss", XV_MOVSS, 16, 16, 'l', -1, 0, 1}, {"vmovsd", XV_MOVSD, 16, 16, 'l', -1, 0, 1},
    {"vmovss", XV_MOVSS_ST, 16, 16, 's', -1, 0, 1}, {"vmovsd", XV_MOVSD_ST, 16, 16, 's', -1, 0, 1}, {"vmovq", XV_MOVQ_ST, 16, 16, 's', -1, 0, 1},
    {"vmovd", XV_MOVD, 16, 4, 'l', -1, 0, 0}, {"vmovq", XV_MOVD | XW, 16, 8, 'l', -1, 1, 0},
    {"vmovd", XV_MOVD_ST, 16, 4, 's', -1, 0, 0}, {"vmovq", XV_MOVD_ST | XW, 16, 8, 's', -1, 1, 0},
    V3("vaddps", XV_ADDPS), V3("vaddpd", XV_ADDPD), V3("vaddss", XV_ADDSS), V3("vaddsd", XV_ADDSD), V3("vmulsd", XV_MULSD),
    V3("vsubsd", XV_SUBSD), V3("vdivsd", XV_DIVSD), V3("vminsd", XV_MINSD), V3("vmaxss", XV_MAXSS), V3("vsqrtsd", XV_SQRTSD),
    V2("vucomisd", XV_UCOMISD), V2("vucomiss", XV_UCOMISS), V3I("vcmppd", XV_CMPPD), V3("vcvtss2sd", XV_CVTSS2SD), V3("vcvtsd2ss", XV_CVTSD2SS),
    {"vcvttsd2si", XV_CVTTSD2SI, 4, 16, 'l', -1, 0, 0}, {"vcvttsd2si", XV_CVTTSD2SI | XW, 8, 16, 'l', -1, 0, 0},
    V2("vcvtdq2ps", XV_CVTDQ2PS), V2("vcvttps2dq", XV_CVTTPS2DQ), V2("vcvtph2ps", XV_CVTPH2PS),
    V3("vandps", XV_ANDPS), V3("vandnps", XV_ANDNPS), V3("vorps", XV_ORPS), V3("vxorps", XV_XORPS), V3("vunpcklpd", XV_UNPCKLPD),
    V3I("vshufps", XV_SHUFPS), V3I("vroundsd", XV_ROUNDSD), V2I("vroundps", XV_ROUNDPS), V3I("vblendps", XV_BLENDPS), V3I("vinsertps", XV_INSERTPS),
    V3("vfmadd231ps", XV_FMADD231PS), V3("vfmadd231sd", XV_FMADD231SS | XW), V3("vfnmadd231sd", XV_FNMADD231SS | XW), V3("vfmsub231ss", XV_FMSUB231SS),
    V3("vpaddb", XV_PADDB), V3("vpaddq", XV_PADDQ), V3("vpsubd", XV_PSUBD), V3("vpand", XV_PAND), V3("vpandn", XV_PANDN), V3("vpor", XV_POR), V3("vpxor", XV_PXOR),
    V3("vpcmpeqq", XV_PCMPEQQ), V3("vpcmpgtq", XV_PCMPGTQ), V3("vpminud", XV_PMINUD), V3("vpmaxsb", XV_PMAXSB), V3("vpmulld", XV_PMULLD), V3("vpmuludq", XV_PMULUDQ),
    V3("vpsadbw", XV_PSADBW), V3("vpavgb", XV_PAVGB), V2("vpabsd", XV_PABSD), V3("vpshufb", XV_PSHUFB), V2I("vpshufd", XV_PSHUFD), V2I("vpshuflw", XV_PSHUFLW),
    V3("vpunpcklbw", XV_PUNPCKLBW), V3("vpunpckhqdq", XV_PUNPCKHQDQ), V3("vpackuswb", XV_PACKUSWB), V3("vpackusdw", XV_PACKUSDW), V3I("vpalignr", XV_PALIGNR),
    V2("vpmovzxbw", XV_PMOVZXBW), V2("vpmovsxdq", XV_PMOVSXDQ), V3("vpsllq", XV_PSLLQ), V3("vpsrad", XV_PSRAD), V3("vpsllvd", XV_PSLLVD), V3("vpsrlvq", XV_PSRLVD | XW),
    V2("vpbroadcastb", XV_PBROADCASTB), V2("vpbroadcastd", XV_PBROADCASTD), V2("vptest", XV_PTEST), {"vpmovmskb", XV_PMOVMSKB, 4, 16, 'l', -1, 1, 0},
    V3("vaesdec", XV_AESDEC), V3("vhaddpd", XV_HADDPD), V3("vhaddps", XV_HADDPS), V3("vmulpd", XV_MULPD), V3("vmulps", XV_MULPS),
    V3("vmulss", XV_MULSS), V3("vsubpd", XV_SUBPD), V3("vsubps", XV_SUBPS), V3("vsubss", XV_SUBSS), V3("vdivps", XV_DIVPS), V3("vdivpd", XV_DIVPD),
    V3("vdivss", XV_DIVSS), V3("vminps", XV_MINPS), V3("vminpd", XV_MINPD), V3("vminss", XV_MINSS), V3("vmaxps", XV_MAXPS), V3("vmaxpd", XV_MAXPD),
    V3("vmaxsd", XV_MAXSD), V3("vunpcklps", XV_UNPCKLPS), V3("vpackssdw", XV_PACKSSDW), V3("vpacksswb", XV_PACKSSWB), V3("vpaddsb", XV_PADDSB),
    V3("vpaddsw", XV_PADDSW), V3("vpaddusb", XV_PADDUSB), V3("vpaddusw", XV_PADDUSW), V3("vpaddw", XV_PADDW), V3("vpaddd", XV_PADDD),
    V3("vpavgw", XV_PAVGW), V3("vpcmpeqb", XV_PCMPEQB), V3("vpcmpeqd", XV_PCMPEQD), V3("vpcmpeqw", XV_PCMPEQW), V3("vpcmpgtb", XV_PCMPGTB),
    V3("vpcmpgtd", XV_PCMPGTD), V3("vpcmpgtw", XV_PCMPGTW), V3("vpmaddubsw", XV_PMADDUBSW), V3("vpmaddwd", XV_PMADDWD), V3("vpmaxsd", XV_PMAXSD),
    V3("vpmaxsw", XV_PMAXSW), V3("vpmaxub", XV_PMAXUB), V3("vpmaxud", XV_PMAXUD), V3("vpmaxuw", XV_PMAXUW), V3("vpminsb", XV_PMINSB),
    V3("vpminsd", XV_PMINSD), V3("vpminsw", XV_PMINSW), V3("vpminub", XV_PMINUB), V3("vpminuw", XV_PMINUW), V3("vpmuldq", XV_PMULDQ),
    V3("vpmulhrsw", XV_PMULHRSW), V3("vpmulhuw", XV_PMULHUW), V3("vpmulhw", XV_PMULHW), V3("vpmullw", XV_PMULLW), V3("vpslld", XV_PSLLD),
    V3("vpsllw", XV_PSLLW), V3("vpsrlw", XV_PSRLW), V3("vpsrld", XV_PSRLD), V3("vpsrlq", XV_PSRLQ), V3("vpsraw", XV_PSRAW), V3("vpsubb", XV_PSUBB),
    V3("vpsubq", XV_PSUBQ), V3("vpsubw", XV_PSUBW), V3("vpsubsb", XV_PSUBSB), V3("vpsubsw", XV_PSUBSW), V3("vpsubusb", XV_PSUBUSB),
    V3("vpsubusw", XV_PSUBUSW), V3("vpunpckhbw", XV_PUNPCKHBW), V3("vpunpckhdq", XV_PUNPCKHDQ), V3("vpunpckhwd", XV_PUNPCKHWD),
    V3("vpunpckldq", XV_PUNPCKLDQ), V3("vpunpcklqdq", XV_PUNPCKLQDQ), V3("vpunpcklwd", XV_PUNPCKLWD), V3("vsqrtss", XV_SQRTSS),
    V2("vcomisd", XV_COMISD), V2("vcomiss", XV_COMISS), {"vcvtpd2ps", XV_CVTPD2PS, 16, 16, 'l', -1, 1, 0}, V2("vcvtps2dq", XV_CVTPS2DQ), {"vcvttpd2dq", XV_CVTTPD2DQ, 16, 16, 'l', -1, 1, 0},
    V2("vsqrtps", XV_SQRTPS), V2("vsqrtpd", XV_SQRTPD), V2("vpabsb", XV_PABSB), V2("vpabsw", XV_PABSW), V2("vpmovsxbw", XV_PMOVSXBW),
    V2("vpmovsxwd", XV_PMOVSXWD), V2("vpmovzxwd", XV_PMOVZXWD),
    V3I("vpblendw", XV_PBLENDW), V3I("vblendpd", XV_BLENDPD), V3I("vshufpd", XV_SHUFPD), V3I("vroundss", XV_ROUNDSS), V3I("vcmpps", XV_CMPPS),
    V3I("vcmpss", XV_CMPSS), V3I("vcmpsd", XV_CMPSD),
    V2I("vroundpd", XV_ROUNDPD), V2I("vpshufhw", XV_PSHUFHW),
    {"vmovmskps", XV_MOVMSKPS, 4, 16, 'l', -1, 1, 0}, {"vmovmskpd", XV_MOVMSKPD, 4, 16, 'l', -1, 1, 0},
    {"vpinsrb", XV_PINSRB, 16, 4, 'V', 3, 1, 0}, {"vpextrb", XV_PEXTRB, 16, 4, 's', 3, 1, 0}, {"vpextrw", XV_PEXTRW, 16, 4, 's', 3, 1, 0},
    V3("vpsravd", XV_PSRAVD), V3("vpsrlvd", XV_PSRLVD), V3("vpsllvq", XV_PSLLVD | XW), V3("vfnmadd231ps", XV_FNMADD231PS), V3("vfnmsub231ss", XV_FNMSUB231SS),
    V3("vaesenc", XV_AESENC), V3("vaesenclast", XV_AESENCLAST), V3("vaesdeclast", XV_AESDECLAST), V2("vaesimc", XV_AESIMC), V3I("vpclmulqdq", XV_PCLMULQDQ),
};

/* The same without AVX. */

static bool named(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(name, *list))
            return true;
    return false;
}

static void say_move(int to, int from)
{
    if (to != from)
        fprintf(text, "movaps xmm%d,xmm%d\n", to, from);
}

/// Form f as SSE has it: dst = second op rm is a move and dst op= rm, with xmm15 where they overlap or
/// where memory may be unaligned.
static void one_sse(const struct form *f, int reg, int second, xrm rm)
{
    static const char *const commute[] = {"andps", "orps", "xorps", "paddb", "paddq", "pand", "por", "pxor", "pcmpeqq", "pminud",
        "pmaxsb", "pmulld", "pmuludq", "psadbw", "pavgb", "paddsb", "paddsw", "paddusb", "paddusw", "paddw", "paddd", "pavgw", "pcmpeqb",
        "pcmpeqd", "pcmpeqw", "pmaddwd", "pmaxsd", "pmaxsw", "pmaxub", "pmaxud", "pmaxuw", "pminsb", "pminsd", "pminsw", "pminub", "pminuw",
        "pmuldq", "pmulhrsw", "pmulhuw", "pmulhw", "pmullw", NULL};
    static const char *const scalar[] = {"insertps", "roundsd", "sqrtsd", "cvtss2sd", "cvtsd2ss", "addss", "addsd", "mulsd", "subsd",
        "divsd", "minsd", "maxss", "mulss", "subss", "divss", "minss", "maxsd", "sqrtss", "roundss", "cmpss", "cmpsd", NULL};
    const char *name = f->name + 1;
    bool takes_any = named(name, scalar) || (rm.reg < 0 && rm.base == RBP && rm.index == RNONE);
    if (f->order == 'V') {
        if (rm.reg < 0) {
            if (!takes_any) {
                fprintf(text, "movups xmm15,%s\n", rm_text(rm, 16, false));
                rm = xr(15);
            }
            say_move(reg, second);
        } else if (rm.reg == reg && named(name, commute)) {
            rm = xr(second);
        } else if (rm.reg == reg && second != reg) {
            say_move(15, reg);
            say_move(reg, second);
            rm = xr(15);
        } else {
            say_move(reg, second);
        }
    }
    const char *r = reg_name(f->reg_kind, reg), *m = rm_text(rm, f->rm_kind, false);
    fprintf(text, f->order == 's' ? "{store} %s %s,%s" : "{load} %s %s,%s", name, f->order == 's' ? m : r, f->order == 's' ? r : m);
    if (f->imm >= 0)
        fprintf(text, ",%d", f->imm);
    fputc('\n', text);
}

static bool has_sse(const struct form *f)
{
    static const char *const avx[] = {"vcvtph2ps", "vpinsrb", "vpsllvd", "vpsrlvq", "vpsravd", "vpsrlvd", "vpsllvq", "vpbroadcastb", "vpbroadcastd", NULL};
    return f->name[0] == 'v' && strncmp(f->name, "vf", 2) && !named(f->name, avx);
}

static void run_sse(const struct form *f)
{
    for (int reg = 0; reg < 14; reg++)
        for (int k = 0; k < 14 + (int)ARRAY_LEN(mems); k++) {
            xrm rm = k < 14 ? xr(k) : mems[k - 14];
            int second = f->order == 'V' ? (reg * 5 + k) % 14 : 0;
            if ((k < 14 && f->mem_only) || (k >= 14 && f->reg_only))
                continue;
            one_sse(f, reg, second, rm);
            x_vex(&buf, f->op, reg, second, rm, f->imm >= 0);
            if (f->imm >= 0)
                x_u8(&buf, (unsigned)f->imm);
            done();
        }
}

/// What is made of several instructions.
static void sse_singles(void)
{
    for (int r = 0; r < 14; r++) {
        int s = (r + 5) % 14, mask = (r * 3) % 14;
        say_move(14, s);
        if (mask) {
            fprintf(text, "movaps xmm15,xmm0\n");
            say_move(0, mask);
        }
        fprintf(text, "pblendvb xmm14,xmm%d\n", mask && r == 0 ? 15 : r);
        if (mask)
            fprintf(text, "movaps xmm0,xmm15\n");
        say_move(r, 14);
        x_vi(&buf, XV_PBLENDVB, r, s, xr(r), (unsigned)mask << 4), done();
        fprintf(text, "pxor xmm15,xmm15\n"), say_move(15, 15), fprintf(text, "pshufb xmm%d,xmm15\n", r);
        x_v(&buf, XV_PBROADCASTB, r, 0, xr(r)), done();
        fprintf(text, "pinsrb xmm%d,[rcx+7],0\npxor xmm15,xmm15\npshufb xmm%d,xmm15\n", r, r);
        x_v(&buf, XV_PBROADCASTB, r, 0, xm(RCX, 7)), done();
        fprintf(text, "pshuflw xmm%d,xmm%d,0\npunpcklqdq xmm%d,xmm%d\n", r, s, r, r), x_v(&buf, XV_PBROADCASTW, r, 0, xr(s)), done();
        fprintf(text, "pshufd xmm%d,xmm%d,0\n", r, s), x_v(&buf, XV_PBROADCASTD, r, 0, xr(s)), done();
        fprintf(text, "movd xmm%d,[rcx+7]\npshufd xmm%d,xmm%d,0\n", r, r, r), x_v(&buf, XV_PBROADCASTD, r, 0, xm(RCX, 7)), done();
        fprintf(text, "movddup xmm%d,xmm%d\n", r, s), x_v(&buf, XV_PBROADCASTQ, r, 0, xr(s)), done();
        say_move(r, s), fprintf(text, "psrad xmm%d,5\n", r), x_vshift_i(&buf, XV_PSHIFT_D, 4, r, s, 5), done();
        say_move(r, s), fprintf(text, "pinsrd xmm%d,%s,2\n", r, r32[r]), x_vi(&buf, XV_PINSRD, r, s, xr(r), 2), done();
        say_move(r, s), fprintf(text, "cvtsi2sd xmm%d,%s\n", r, r64[r]), x_v(&buf, XV_CVTSI2SD | XW, r, s, xr(r)), done();
        fprintf(text, "stmxcsr [rbp+16]\n"), x_vex(&buf, XV_LDMXCSR, 3, 0, xm(RBP, 16), 0), done();
        fprintf(text, "andn %s,%s,%s\n", r64[r], r64[s], r64[mask]), x_v(&buf, XB_ANDN | XW, r, s, xr(mask)), done();
    }
}

static const struct form evexes[] = {
    V3("vpaddd", XV_PADDD), V3("vaddpd", XV_ADDPD | XW), V3I("vpternlogd", XE_PTERNLOGD), V3I("vpternlogq", XE_PTERNLOGQ), V3I("vrangepd", XE_RANGEPD), V3("vpmullq", XE_PMULLQ),
    V3("vpmaxsq", XE_PMAXSQ), V3("vpsravw", XE_PSRAVW), V3("vpsllvw", XE_PSLLVW), V3("vpsrlvw", XE_PSRLVW), V2("vpopcntb", XE_POPCNTB), V2("vplzcntd", XE_LZCNTD),
};

/// Exceptions suppressed: the rounding is part of the encoding.
static void suppressed(void)
{
    for (int r = 0; r < 16; r++) {
        fprintf(text, "vaddsd xmm%d,xmm%d,xmm%d,{rn-sae}\n", r, 15 - r, r ^ 5);
        x_ev(&buf, XV_ADDSD | XW | XSAE, r, 15 - r, xr(r ^ 5)), done();
        fprintf(text, "vaddss xmm%d,xmm%d,xmm%d,{rn-sae}\n", r, 15 - r, r ^ 5);
        x_ev(&buf, XV_ADDSS | XSAE, r, 15 - r, xr(r ^ 5)), done();
        fprintf(text, "vcvttsd2si %s,xmm%d,{sae}\n", r64[r], r ^ 9), x_ev(&buf, XV_CVTTSD2SI | XW | XSAE, r, 0, xr(r ^ 9)), done();
        fprintf(text, "vcmppd k1{k2},xmm%d,xmm%d,12\n", r + 16, r ^ 5), x_evex(&buf, XV_CMPPD | XW, 1, r + 16, xr(r ^ 5), 2, 1), x_u8(&buf, 12), done();
        fprintf(text, "vcmpps k2,xmm%d,xmm%d,7\n", r, r + 16), x_evi(&buf, XV_CMPPS, 2, r, xr(r + 16), 7), done();
        fprintf(text, "kmovw %s,k%d\n", r32[r], r & 7), x_v(&buf, XV_KMOVW_R, r, 0, xr(r & 7)), done();
        fprintf(text, "vcvtusi2sd xmm%d,xmm%d,%s\n", r, r ^ 7, r64[r ^ 3]), x_ev(&buf, XE_CVTUSI2SD | XW, r, r ^ 7, xr(r ^ 3)), done();
        fprintf(text, "vcvtusi2ss xmm%d,xmm%d,%s\n", r, r ^ 7, r64[r ^ 3]), x_ev(&buf, XE_CVTUSI2SS | XW, r, r ^ 7, xr(r ^ 3)), done();
        fprintf(text, "vcvttsd2usi %s,xmm%d\n", r64[r], r ^ 9), x_ev(&buf, XE_CVTTSD2USI | XW, r, 0, xr(r ^ 9)), done();
        fprintf(text, "vprorq xmm%d,xmm%d,%d\n", r + 16, r, r + 1), x_evex(&buf, XE_PRORQ, 0, r + 16, xr(r), 0, 1), x_u8(&buf, (unsigned)r + 1), done();
        fprintf(text, "vcvtps2ph xmm%d,xmm%d,4\n", r ^ 6, r), x_vex(&buf, XV_CVTPS2PH, r, 0, xr(r ^ 6), 1), x_u8(&buf, 4), done();
        fprintf(text, "vcvttss2usi %s,xmm%d,{sae}\n", r32[r], r ^ 9), x_ev(&buf, XE_CVTTSS2USI | XSAE, r, 0, xr(r ^ 9)), done();
    }
}

/// Forms with their own encoders.
static void singles(void)
{
    static const char *const alu[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
    static const char *const sh[] = {"rol", "ror", "rcl", "rcr", "shl", "shr", 0, "sar"};
    for (int r = 0; r < 16; r++) {
        for (unsigned a = 0; a < 8; a++) {
            fprintf(text, "%s %s,5\n", alu[a], r64[r]), x_alu_i(&buf, a, XW, xr(r), 5), done();
            fprintf(text, "%s dword ptr [%s+%d],-100\n", alu[a], r64[r], 8), x_alu_i(&buf, a, 0, xm(r, 8), -100), done();
            fprintf(text, "%s qword ptr [%s+%d],70000\n", alu[a], r64[r], 800), x_alu_i(&buf, a, XW, xm(r, 800), 70000), done();
            if (sh[a]) {
                fprintf(text, "%s %s,7\n", sh[a], r32[r]), x_shift_i(&buf, a, 0, xr(r), 7), done();
                fprintf(text, "%s %s,cl\n", sh[a], r64[r]), x_shift_cl(&buf, a, XW, xr(r)), done();
            }
        }
        fprintf(text, "mov %s,0x12345678\n", r32[r]), x_mov_ri(&buf, r, 0x12345678), done();
        fprintf(text, "mov %s,-2\n", r64[r]), x_mov_ri(&buf, r, -2ULL), done();
        fprintf(text, "movabs %s,0x123456789abcdef0\n", r64[r]), x_mov_ri(&buf, r, 0x123456789abcdef0), done();
        fprintf(text, "mov qword ptr [%s+4],-7\n", r64[r]), x_store_i(&buf, XW, xm(r, 4), -7), done();
        if (r)
            fprintf(text, "test %s,0x4000\n", r32[r]), x_test_i(&buf, 0, xr(r), 0x4000), done();
        fprintf(text, "test byte ptr [%s+4],64\n", r64[r]), x_test8_i(&buf, xm(r, 4), 64), done();
        fprintf(text, "imul %s,%s,100\n", r64[r], r64[15 - r]), x_imul_i(&buf, XW, r, xr(15 - r), 100), done();
        fprintf(text, "imul %s,%s,1000\n", r32[r], r32[15 - r]), x_imul_i(&buf, 0, r, xr(15 - r), 1000), done();
        fprintf(text, "shrd %s,%s,9\n", r64[r], r64[15 - r]), x_shrd_i(&buf, XW, r, 15 - r, 9), done();
        fprintf(text, "bt %s,33\n", r64[r]), x_bt_i(&buf, XW, xr(r), 33), done();
        fprintf(text, "bswap %s\nbswap %s\n", r64[r], r32[r]), x_bswap(&buf, XW, r), x_bswap(&buf, 0, r), done();
        lines++, line_at[lines - 1] = line_at[lines - 2];
        fprintf(text, "not %s\n", r64[r]), x_not(&buf, XW, xr(r)), done();
        fprintf(text, "neg %s\n", r32[r]), x_neg(&buf, 0, xr(r)), done();
        fprintf(text, "mul %s\n", r64[r]), x_mul(&buf, XW, xr(r)), done();
        fprintf(text, "imul %s\n", r64[r]), x_imul1(&buf, XW, xr(r)), done();
        fprintf(text, "div %s\n", r32[r]), x_div(&buf, 0, xr(r)), done();
        fprintf(text, "idiv %s\n", r64[r]), x_idiv(&buf, XW, xr(r)), done();
        fprintf(text, "setl %s\n", r8[r]), x_setcc(&buf, CC_L, xr(r)), done();
        fprintf(text, "push %s\n", r64[r]), x_push(&buf, r), done();
        fprintf(text, "pop %s\n", r64[r]), x_pop(&buf, r), done();
        fprintf(text, "jmp %s\n", r64[r]), x_jmp_rm(&buf, xr(r)), done();
        fprintf(text, "call qword ptr [%s+16]\n", r64[r]), x_call_rm(&buf, xm(r, 16)), done();
        fprintf(text, "push qword ptr [%s+16]\n", r64[r]), x_push_rm(&buf, xm(r, 16)), done();
        fprintf(text, "vpsrld xmm3,xmm%d,5\n", r), x_vshift_i(&buf, XV_PSHIFT_D, 2, 3, r, 5), done();
        fprintf(text, "vpslldq xmm%d,xmm4,5\n", r), x_vshift_i(&buf, XV_PSHIFT_Q, 7, r, 4, 5), done();
        fprintf(text, "crc32 %s,%s\n", r32[r], r8[15 - r]), x_op(&buf, XI_CRC32B, r, xr(15 - r), 0), done();
        fprintf(text, "crc32 %s,%s\n", r32[r], r16[15 - r]), x_op(&buf, XI_CRC32W, r, xr(15 - r), 0), done();
    }
    fprintf(text, "rdtsc\nlahf\nsahf\ncmc\nclc\nstc\nret\nret 8\ncqo\ncdq\n");
    x_rdtsc(&buf), done(), x_lahf(&buf), done(), x_sahf(&buf), done(), x_cmc(&buf), done(), x_clc(&buf), done(), x_stc(&buf), done();
    x_ret(&buf), done(), x_ret_i(&buf, 8), done(), x_cqo(&buf, XW), done(), x_cqo(&buf, 0), done();
    u8 *here = buf.p;
    fprintf(text, "lea rax,[rip-7]\n"), x_rm(&buf, XI_LEA | XW, RAX, xrip(here)), done();
    here = buf.p;
    fprintf(text, "{disp32} jmp .\n"), x_jmp(&buf, here), done();
    here = buf.p;
    fprintf(text, "{disp32} jne .\n"), x_jcc(&buf, CC_NE, here), done();
    here = buf.p;
    fprintf(text, "call .\n"), x_call(&buf, here), done();
}

static void show_difference(const u8 *want, size_t n)
{
    size_t have = (size_t)(buf.p - code), at = 0;
    while (at < n && at < have && want[at] == code[at])
        at++;
    unsigned line = 0;
    while (line < lines && line_at[line] <= at)
        line++;
    u32 from = line ? line_at[line - 1] : 0;
    printf("not ok: first difference in line %u, ours:", line + 2);
    for (u32 i = from; i < line_at[line]; i++)
        printf(" %02x", code[i]);
    printf(", as:");
    for (u32 i = from; i < from + 12 && i < n; i++)
        printf(" %02x", want[i]);
    printf("\n");
    char cmd[128];
    snprintf(cmd, sizeof cmd, "sed -n %up %s/t.s", line + 2, dir);
    if (system(cmd)) {}
}

int main(void)
{
    if (system("as --version >/dev/null 2>&1 && objcopy --version >/dev/null 2>&1"))
        return 77;
    code = malloc(CODE_MAX);
    line_at = calloc(LINES_MAX, sizeof *line_at);
    buf = (struct xbuf){code, code + CODE_MAX, false};
    char path[128], cmd[320];
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/t.s", dir);
    text = fopen(path, "w");
    fprintf(text, ".intel_syntax noprefix\n");
    for (size_t i = 0; i < ARRAY_LEN(legacy); i++)
        run_form(&legacy[i], 0);
    for (size_t i = 0; i < ARRAY_LEN(vexes); i++)
        run_form(&vexes[i], 1);
    for (size_t i = 0; i < ARRAY_LEN(evexes); i++)
        run_form(&evexes[i], 2);
    singles();
    suppressed();
    buf.sse = true;
    for (size_t i = 0; i < ARRAY_LEN(vexes); i++)
        if (has_sse(&vexes[i]))
            run_sse(&vexes[i]);
    sse_singles();
    fclose(text);
    snprintf(cmd, sizeof cmd, "as -O0 -o %s/t.o %s/t.s && objcopy -O binary -j .text %s/t.o %s/t.bin", dir, dir, dir, dir);
    if (system(cmd))
        return 1;
    snprintf(path, sizeof path, "%s/t.bin", dir);
    FILE *f = fopen(path, "r");
    u8 *want = malloc(CODE_MAX);
    size_t n = fread(want, 1, CODE_MAX, f);
    bool same = n == (size_t)(buf.p - code) && !memcmp(want, code, n);
    if (same)
        printf("ok: %u forms, %zu bytes\n", lines, n);
    else
        show_difference(want, n);
    fclose(f);
    free(want);
    if (!getenv("KEEP")) {
        snprintf(cmd, sizeof cmd, "rm -r %s", dir);
        if (system(cmd)) {}
    }
    return !same;
}
