/// Decoder: one table look-up by twelve bits of the word, then the first matching row.
/// Arm ARM, "A64 Instruction Set Encoding".
#include "a64/insn.h"
#include "decode_tables.h"

const struct insn_row insn_rows[OP_COUNT] = {
    [OP_INVALID] = {"INVALID", "", FMT_NONE, END | NOSF, 0, "", exec_INVALID},
#define A64(id, pattern, fmt, flags, p, dis)                                                       \
    [OP_##id] = {#id, pattern, fmt, flags, p, dis, exec_##id},
#include "a64/insn.def"
#undef A64
};

void insn_row_bits(enum insn_op op, u32 *mask, u32 *value)
{
    *mask = row_bits[op][0];
    *value = row_bits[op][1];
}

bool insn_logic_imm(unsigned n, unsigned immr, unsigned imms, bool sf, u64 *out)
{
    unsigned key = n << 6 | (~imms & 0x3f);
    if (key < 2 || (!sf && n))
        return false;
    unsigned len = 31 - (unsigned)__builtin_clz(key);
    unsigned size = 1u << len, levels = size - 1;
    unsigned s = imms & levels, r = immr & levels;
    if (s == levels)
        return false;
    u64 elem = ~0ULL >> (63 - s);
    u64 ones = size == 64 ? ~0ULL : (1ULL << size) - 1;
    if (r)
        elem = (elem >> r | elem << (size - r)) & ones;
    while (size < 64) {
        elem |= elem << size;
        size *= 2;
    }
    *out = sf ? elem : (u32)elem;
    return true;
}

/// Fills imm. ret  false when the field values are unallocated.
static bool cook(enum insn_fmt fmt, u32 w, struct insn *i)
{
    switch (fmt) {
    case FMT_NONE:
    case FMT_SIMD:
        i->imm = 0;
        return true;
    case FMT_ADR:
        i->imm = (u64)sext(bits(w, 23, 5) << 2 | bits(w, 30, 29), 21);
        return true;
    case FMT_ADRP:
        i->imm = (u64)sext(bits(w, 23, 5) << 2 | bits(w, 30, 29), 21) << 12;
        return true;
    case FMT_ADDSUB_IMM:
        i->imm = bits(w, 21, 10) << (bit(w, 22) ? 12 : 0);
        return true;
    case FMT_LOGIC_IMM:
        return insn_logic_imm((unsigned)bit(w, 22), (unsigned)bits(w, 21, 16), (unsigned)bits(w, 15, 10), i->sf, &i->imm);
    case FMT_MOVW:
        i->imm = bits(w, 20, 5) << (bits(w, 22, 21) * 16);
        return i->sf || !bit(w, 22);
    case FMT_BITFIELD: /* immr in bits 5..0, imms in 13..8 */
        i->imm = bits(w, 21, 16) | bits(w, 15, 10) << 8;
        return bit(w, 22) == i->sf && (i->sf || (!bit(w, 21) && !bit(w, 15)));
    case FMT_EXTR:
        i->imm = bits(w, 15, 10);
        return bit(w, 22) == i->sf && (i->sf || !bit(w, 15));
    case FMT_BR26:
        i->imm = (u64)sext(w, 26) << 2;
        return true;
    case FMT_BR19:
    case FMT_LIT19:
        i->imm = (u64)sext(bits(w, 23, 5), 19) << 2;
        return true;
    case FMT_TB14:
        i->imm = (u64)sext(bits(w, 18, 5), 14) << 2;
        i->p = (u8)(bit(w, 31) << 5 | bits(w, 23, 19));
        return true;
    case FMT_IMM16:
        i->imm = w >> 16 ? bits(w, 20, 5) : bits(w, 15, 0);
        return true;
    case FMT_SYS: /* the SYSREG_ENC key */
        i->imm = bits(w, 20, 5);
        if (i->op == OP_MRS && i->imm == SYSREG_ENC(3, 3, 4, 2, 0)) // NZCV
            i->flags |= FR;
        return true;
    case FMT_SHIFT: /* amount; type in bits 9..8 */
        i->imm = bits(w, 15, 10) | bits(w, 23, 22) << 8;
        return !(i->p == 1 && bits(w, 23, 22) == 3);
    case FMT_EXT: /* amount; option in bits 10..8 */
        i->imm = bits(w, 12, 10) | bits(w, 15, 13) << 8;
        return bits(w, 12, 10) <= 4;
    case FMT_CCMP: /* imm5 of the immediate forms; cond and nzcv from the word */
        i->imm = bits(w, 20, 16);
        return true;
    case FMT_COND:
        i->imm = bits(w, 15, 12);
        return true;
    case FMT_UIMM:
        i->imm = bits(w, 21, 10) << i->p;
        return true;
    case FMT_S9:
        i->imm = (u64)sext(bits(w, 20, 12), 9);
        return true;
    case FMT_S7:
        i->imm = (u64)sext(bits(w, 21, 15), 7) << i->p;
        return true;
    case FMT_REGOFF: /* shift amount; option in bits 10..8 */
        i->imm = (bit(w, 12) ? i->p : 0) | bits(w, 15, 13) << 8;
        return bit(w, 14);
    case FMT_RMIF:
        i->imm = bits(w, 20, 15);
        return true;
    case FMT_ELEM:
        i->imm = bit(w, 11) << 2 | bit(w, 21) << 1 | bit(w, 20);
        i->imm >>= i->p - 1;
        if (i->p == 1)
            i->rm &= 15;
        return true;
    case FMT_FPIMM8:
        i->imm = bits(w, 20, 13);
        return true;
    default:
        return insn_cook_simd(fmt, w, i);
    }
}

static inline u8 general(unsigned r, bool is_sp, bool written)
{
    if (r != 31 || is_sp)
        return (u8)r;
    return written ? REG_SINK : REG_ZR;
}

static COLD void invalid(u32 word, struct insn *out)
{
    memset(out, 0, sizeof *out);
    out->fn = exec_INVALID;
    out->word = word;
    out->op = OP_INVALID;
    out->flags = END | NOSF;
}

void insn_decode(u32 w, struct insn *out)
{
    u32 idx = (w >> 22 & 0xff) << 4 | (w >> 10 & 15);
    for (u32 k = decode_start[idx], end = decode_start[idx + 1]; k < end; k++) {
        u32 op = decode_cand[k];
        if ((w & row_bits[op][0]) != row_bits[op][1])
            continue;
        const struct insn_row *r = &insn_rows[op];
        u32 f = r->flags;
        unsigned d = w & 31, n = w >> 5 & 31, m = w >> 16 & 31, a = w >> 10 & 31;
        out->fn = r->fn;
        out->word = w;
        out->op = (u16)op;
        out->flags = f;
        out->p = r->p;
        out->sf = f & SF1 ? 1 : f & NOSF ? 0 : (u8)(w >> 31);
        out->rd = f & VD ? (u8)d : general(d, f & DSP, f & DW);
        out->rn = f & VN ? (u8)n : general(n, f & NSP, false);
        out->rm = f & VM ? (u8)m : general(m, false, f & MW);
        out->ra = f & VA ? (u8)a : general(a, false, f & AW);
        if (!cook(r->fmt, w, out) || ((f & UNDEF_SF0_IMM6) && !out->sf && bit(w, 15)))
            break;
        return;
    }
    invalid(w, out);
}
