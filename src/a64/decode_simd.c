/// Immediates and arrangement checks of the Advanced SIMD formats (see insn_simd.def).
#include "a64/simd.h"

/// True when the row (p: bit size * 2 + Q) has this arrangement.
static bool allowed(const struct insn *i, unsigned size)
{
    return i->p >> (size * 2 + simd_q(i->word)) & 1;
}

/// AdvSIMDExpandImm of the Arm ARM, without the floating-point forms. MVNI and BIC take the
/// complement.
static u64 expand_imm(u32 w)
{
    u64 imm8 = bits(w, 18, 16) << 5 | bits(w, 9, 5), x;
    unsigned cmode = (unsigned)bits(w, 15, 12);
    bool op = bit(w, 29);
    if (cmode == 14 && op) { /* one byte of the result for each bit */
        x = 0;
        for (unsigned k = 0; k < 8; k++)
            x |= bit(imm8, k) ? 0xffULL << (8 * k) : 0;
        return x;
    }
    if (cmode < 8)
        x = (imm8 << (8 * (cmode >> 1))) * 0x0000000100000001ULL;
    else if (cmode < 12)
        x = (imm8 << (8 * (cmode >> 1 & 1))) * 0x0001000100010001ULL;
    else if (cmode < 14)
        x = (cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff) * 0x0000000100000001ULL;
    else
        x = imm8 * 0x0101010101010101ULL;
    return op ? ~x : x;
}

bool insn_cook_simd(enum insn_fmt fmt, u32 w, struct insn *i)
{
    unsigned size = simd_size(w);
    switch (fmt) {
    case FMT_VT:
        i->imm = 0;
        return allowed(i, size);
    case FMT_VSH:
        i->imm = bits(w, 22, 16);
        return i->imm >= 8 && allowed(i, simd_shift_size(i));
    case FMT_VI5:
        i->imm = bits(w, 20, 16);
        return (i->imm & 15) && allowed(i, (unsigned)__builtin_ctz((u32)i->imm));
    case FMT_VLDM:
        i->imm = 0;
        return allowed(i, (unsigned)bits(w, 11, 10));
    case FMT_VELEM: /* H:L:M for halfwords, whose Vm has four bits; H:L for words */
        i->imm = bit(w, 11) << 1 | bit(w, 21);
        if (size == 1) {
            i->imm = i->imm << 1 | bit(w, 20);
            i->rm &= 15;
        }
        return allowed(i, size);
    case FMT_VIMM:
        i->imm = expand_imm(w);
        return true;
    default:
        return false;
    }
}
