/// Decoded A64 instructions. insn.def has one row per encoding; everything that knows
/// instructions is built from it.
#ifndef BRUIN_INSN_H
#define BRUIN_INSN_H

#include "base/base.h"
#include "cpu/cpu.h"

/// Row flags. Register positions: D = bits 4..0 (Rd, Rt), N = bits 9..5 (Rn), M = bits 20..16 (Rm,
/// Rs), A = bits 14..10 (Ra, Rt2).
enum {
    DW = 1 << 0,  ///< D is written (general register, 31 = discarded)
    DR = 1 << 1,  ///< D is read
    DSP = 1 << 2, ///< D: 31 is SP
    NR = 1 << 3,  ///< N is read
    NSP = 1 << 4, ///< N: 31 is SP
    NW = 1 << 5,  ///< N is written back
    MR = 1 << 6,
    MW = 1 << 7,
    AR = 1 << 8,
    AW = 1 << 9,
    VD = 1 << 10, ///< D is a SIMD&FP register (DR and DW say how it is used)
    VN = 1 << 11, ///< N is one, and is read
    VM = 1 << 12,
    VA = 1 << 13, ///< A is one (AR/AW)
    FR = 1 << 14, ///< reads NZCV
    FW = 1 << 15, ///< writes all of NZCV
    LD = 1 << 16, ///< reads memory
    ST = 1 << 17, ///< writes memory
    BR = 1 << 18, ///< may change pc other than by an exception; always the last of a block
    END = 1 << 19, ///< changes processor state: the last of a block
    FP = 1 << 20,  ///< needs FP/SIMD access
    FPX = 1 << 21, ///< depends on FPCR or sets FPSR
    UNDEF_SF0_IMM6 = 1 << 22, ///< sf = 0 with bit 15 set is unallocated
    NOSF = 1 << 23,           ///< bit 31 is not sf: sf = 0
    SF1 = 1 << 24,            ///< operates on X registers whatever bit 31 says
};

/// How the immediate is computed from the word; see decode.c.
enum insn_fmt {
    FMT_NONE,
    FMT_ADR, FMT_ADRP, FMT_ADDSUB_IMM, FMT_LOGIC_IMM, FMT_MOVW, FMT_BITFIELD, FMT_EXTR,
    FMT_BR26, FMT_BR19, FMT_TB14, FMT_IMM16, FMT_SYS, FMT_SHIFT, FMT_EXT, FMT_CCMP, FMT_COND,
    FMT_UIMM,  ///< imm12 << p
    FMT_S9, FMT_S7, ///< signed offsets; S7 is scaled by p
    FMT_LIT19, FMT_REGOFF, FMT_RMIF,
    FMT_FPIMM8, ///< imm = bits 20..13
    FMT_SIMD,   ///< free for bodies: imm = 0
    FMT_ELEM,   ///< FP by element: imm = index, of halves (p = 1) rm without the index bit
    FMT_VT, FMT_VSH, FMT_VI5, FMT_VLDM, FMT_VELEM, FMT_VIMM, ///< see insn_simd.def, decode_simd.c
};

enum insn_op {
    OP_INVALID,
#define A64(id, pattern, fmt, flags, p, dis) OP_##id,
#include "a64/insn.def"
#undef A64
    OP_COUNT,
};

struct insn;
typedef int exec_fn(struct cpu *c, const struct insn *i);

/// A decoded instruction: 32 bytes.
struct insn {
    exec_fn *fn;
    u64 imm; ///< cooked immediate (signed ones sign-extended)
    u32 word;
    u16 op; ///< enum insn_op
    u8 rd, rn, rm, ra; ///< indices of cpu.x (31 mapped to REG_SP, REG_ZR or REG_SINK) or of cpu.v
    u8 sf;   ///< 1: 64-bit general registers
    u8 p;    ///< the row's parameter: log2 of the access size for loads and stores
    u32 flags;
};
_Static_assert(sizeof(struct insn) <= 40, "decoded instructions stay small");

struct insn_row {
    const char *name, *pattern;
    enum insn_fmt fmt;
    u32 flags;
    u8 p;
    const char *dis;
    exec_fn *fn;
};
extern const struct insn_row insn_rows[OP_COUNT];

/// Fixed bits of a row: a word w is of row op when (w & mask) == value and no heavier row matches.
void insn_row_bits(enum insn_op op, u32 *mask, u32 *value);

/// Decodes one word. Unallocated words get op = OP_INVALID and a body that raises UNDEF.
void insn_decode(u32 word, struct insn *out);

/// Fills imm (and rm) of the FMT_V* formats. ret  false for unallocated arrangements.
bool insn_cook_simd(enum insn_fmt fmt, u32 word, struct insn *i);

/// Disassembles to the field's standard syntax (objdump -M no-aliases). pc is for PC-relative
/// operands. ret  length; the text is always terminated. Unallocated: ".inst 0x........".
size_t insn_disas(u32 word, gva_t pc, char *buf, size_t buf_size);

#define A64(id, pattern, fmt, flags, p, dis) exec_fn exec_##id;
#include "a64/insn.def"
#undef A64
exec_fn exec_INVALID;

/// DecodeBitMasks of the Arm ARM, "Logical (immediate)". ret  false for reserved values.
bool insn_logic_imm(unsigned n, unsigned immr, unsigned imms, bool sf, u64 *out);

/// ConditionHolds for cond on cpu.nzcv.
static inline bool cond_holds(u32 cond, u32 f)
{
    bool n = f & FLAG_N, z = f & FLAG_Z, cc = f & FLAG_C, v = f & FLAG_V, r;
    switch (cond >> 1) {
    case 0: r = z; break;
    case 1: r = cc; break;
    case 2: r = n; break;
    case 3: r = v; break;
    case 4: r = cc && !z; break;
    case 5: r = n == v; break;
    case 6: r = n == v && !z; break;
    default: return true;
    }
    return r != (cond & 1);
}

/* For bodies. */
#define EXEC(id) int exec_##id(struct cpu *c, const struct insn *i)
/// Value of D when the row both reads and writes it.
static inline u64 rd_old(const struct cpu *c, const struct insn *i)
{
    return i->rd == REG_SINK ? 0 : c->x[i->rd];
}
/// First line of every FP and SIMD body.
#define FP_ACCESS(c)                                                                               \
    do {                                                                                           \
        if (UNLIKELY(!cpu_fp_enabled(c)))                                                          \
            return cpu_fp_trap(c);                                                         \
    } while (0)

#endif
