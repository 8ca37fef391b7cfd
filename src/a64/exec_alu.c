/// Data processing: immediate and register. Arm ARM, "A64 Base Instruction Descriptions".
#include "a64/insn.h"

static inline u64 width(const struct insn *i, u64 v) { return i->sf ? v : (u32)v; }
static inline void put(struct cpu *c, const struct insn *i, u64 v) { c->x[i->rd] = width(i, v); }
/// SP comes from another register: the explainer wants to know where stacks begin.
static inline void note_sp(struct cpu *c, const struct insn *i)
{
    if (UNLIKELY(i->rd == REG_SP) && i->rn != REG_SP)
        c->sp_set = c->x[REG_SP];
}
static inline u64 get(const struct cpu *c, const struct insn *i, u8 r) { return width(i, c->x[r]); }

/// AddWithCarry: sets NZCV.
static inline u64 add_flags(struct cpu *c, bool sf, u64 a, u64 b, unsigned carry)
{
    u32 f = 0;
    u64 r;
    if (sf) {
        u64 t;
        bool c1 = __builtin_add_overflow(a, b, &t);
        bool c2 = __builtin_add_overflow(t, (u64)carry, &r);
        f |= c1 || c2 ? FLAG_C : 0;
        f |= ((a ^ r) & (b ^ r)) >> 63 ? FLAG_V : 0;
        f |= r >> 63 ? FLAG_N : 0;
    } else {
        u64 wide = (u64)(u32)a + (u32)b + carry;
        r = (u32)wide;
        f |= wide >> 32 ? FLAG_C : 0;
        f |= (((u32)a ^ (u32)r) & ((u32)b ^ (u32)r)) >> 31 ? FLAG_V : 0;
        f |= r >> 31 ? FLAG_N : 0;
    }
    c->nzcv = (u16)(f | (r == 0 ? FLAG_Z : 0));
    return r;
}
static inline u64 logic_flags(struct cpu *c, bool sf, u64 r)
{
    r = sf ? r : (u32)r;
    c->nzcv = (u16)((r >> (sf ? 63 : 31) ? FLAG_N : 0) | (r == 0 ? FLAG_Z : 0));
    return r;
}

static inline u64 shift_reg(const struct cpu *c, const struct insn *i)
{
    u64 v = c->x[i->rm];
    unsigned n = i->imm & 0x3f;
    if (!i->sf) {
        u32 w = (u32)v;
        switch (i->imm >> 8) {
        case 0: return w << n;
        case 1: return w >> n;
        case 2: return (u32)((s32)w >> n);
        default: return ror32(w, n);
        }
    }
    switch (i->imm >> 8) {
    case 0: return v << n;
    case 1: return v >> n;
    case 2: return (u64)((s64)v >> n);
    default: return ror64(v, n);
    }
}
static inline u64 extend_reg(const struct cpu *c, const struct insn *i)
{
    u64 v = c->x[i->rm];
    switch (i->imm >> 8) {
    case 0: v = (u8)v; break;
    case 1: v = (u16)v; break;
    case 2: v = (u32)v; break;
    case 3: break;
    case 4: v = (u64)(s8)v; break;
    case 5: v = (u64)(s16)v; break;
    case 6: v = (u64)(s32)v; break;
    default: break;
    }
    return v << (i->imm & 7);
}

EXEC(ADR) { c->x[i->rd] = c->pc + i->imm; return EXEC_NEXT; }
EXEC(ADRP) { c->x[i->rd] = (c->pc & ~0xfffULL) + i->imm; return EXEC_NEXT; }

#define ADDSUB(sfx, operand)                                                                       \
    EXEC(ADD_##sfx) { put(c, i, c->x[i->rn] + operand); note_sp(c, i); return EXEC_NEXT; }         \
    EXEC(SUB_##sfx) { put(c, i, c->x[i->rn] - operand); note_sp(c, i); return EXEC_NEXT; }         \
    EXEC(ADDS_##sfx) { c->x[i->rd] = add_flags(c, i->sf, c->x[i->rn], operand, 0); return EXEC_NEXT; } \
    EXEC(SUBS_##sfx) { c->x[i->rd] = add_flags(c, i->sf, c->x[i->rn], ~(operand), 1); return EXEC_NEXT; }
ADDSUB(i, i->imm)
ADDSUB(r, shift_reg(c, i))
ADDSUB(x, extend_reg(c, i))

EXEC(AND_i) { put(c, i, c->x[i->rn] & i->imm); note_sp(c, i); return EXEC_NEXT; }
EXEC(ORR_i) { put(c, i, c->x[i->rn] | i->imm); note_sp(c, i); return EXEC_NEXT; }
EXEC(EOR_i) { put(c, i, c->x[i->rn] ^ i->imm); note_sp(c, i); return EXEC_NEXT; }
EXEC(ANDS_i) { c->x[i->rd] = logic_flags(c, i->sf, c->x[i->rn] & i->imm); return EXEC_NEXT; }
EXEC(AND_r) { put(c, i, c->x[i->rn] & shift_reg(c, i)); return EXEC_NEXT; }
EXEC(BIC_r) { put(c, i, c->x[i->rn] & ~shift_reg(c, i)); return EXEC_NEXT; }
EXEC(ORR_r) { put(c, i, c->x[i->rn] | shift_reg(c, i)); return EXEC_NEXT; }
EXEC(ORN_r) { put(c, i, c->x[i->rn] | ~shift_reg(c, i)); return EXEC_NEXT; }
EXEC(EOR_r) { put(c, i, c->x[i->rn] ^ shift_reg(c, i)); return EXEC_NEXT; }
EXEC(EON_r) { put(c, i, c->x[i->rn] ^ ~shift_reg(c, i)); return EXEC_NEXT; }
EXEC(ANDS_r) { c->x[i->rd] = logic_flags(c, i->sf, c->x[i->rn] & shift_reg(c, i)); return EXEC_NEXT; }
EXEC(BICS_r) { c->x[i->rd] = logic_flags(c, i->sf, c->x[i->rn] & ~shift_reg(c, i)); return EXEC_NEXT; }

EXEC(MOVN) { put(c, i, ~i->imm); return EXEC_NEXT; }
EXEC(MOVZ) { c->x[i->rd] = i->imm; return EXEC_NEXT; }
EXEC(MOVK)
{
    u64 field = 0xffffULL << (bits(i->word, 22, 21) * 16);
    put(c, i, (rd_old(c, i) & ~field) | i->imm);
    return EXEC_NEXT;
}

/// Rotates right within the operand size.
static inline u64 rotate(const struct insn *i, u64 v, unsigned r)
{
    return i->sf ? ror64(v, r) : ror32((u32)v, r);
}
/// SBFM, UBFM and BFM move the field src<s:r> down, or src<s:0> up to bit size - r.
static inline u64 bf_mask(const struct insn *i, unsigned *lsb)
{
    unsigned r = i->imm & 0x3f, s = i->imm >> 8, size = i->sf ? 64 : 32;
    unsigned len = s >= r ? s - r + 1 : s + 1;
    *lsb = s >= r ? 0 : size - r;
    return (~0ULL >> (64 - len)) << *lsb;
}
EXEC(UBFM)
{
    unsigned lsb;
    u64 mask = bf_mask(i, &lsb);
    put(c, i, rotate(i, c->x[i->rn], i->imm & 0x3f) & mask);
    return EXEC_NEXT;
}
EXEC(SBFM)
{
    unsigned lsb;
    u64 mask = bf_mask(i, &lsb);
    u64 v = rotate(i, c->x[i->rn], i->imm & 0x3f) & mask;
    unsigned top = 63 - (unsigned)__builtin_clzll(mask);
    put(c, i, (u64)sext(v, top + 1));
    return EXEC_NEXT;
}
EXEC(BFM)
{
    unsigned lsb;
    u64 mask = bf_mask(i, &lsb);
    put(c, i, (rotate(i, c->x[i->rn], i->imm & 0x3f) & mask) | (rd_old(c, i) & ~mask));
    return EXEC_NEXT;
}
EXEC(EXTR)
{
    unsigned n = (unsigned)i->imm;
    if (i->sf)
        c->x[i->rd] = n ? c->x[i->rm] >> n | c->x[i->rn] << (64 - n) : c->x[i->rm];
    else
        c->x[i->rd] = (u32)((c->x[i->rn] << 32 | (u32)c->x[i->rm]) >> n);
    return EXEC_NEXT;
}

EXEC(UDIV)
{
    u64 n = get(c, i, i->rn), m = get(c, i, i->rm);
    c->x[i->rd] = m ? n / m : 0;
    return EXEC_NEXT;
}
EXEC(SDIV)
{
    s64 n = (s64)c->x[i->rn], m = (s64)c->x[i->rm];
    if (!i->sf) {
        n = (s32)n;
        m = (s32)m;
    }
    put(c, i, m == 0 ? 0 : m == -1 ? -(u64)n : (u64)(n / m));
    return EXEC_NEXT;
}
static inline unsigned amount(const struct cpu *c, const struct insn *i)
{
    return c->x[i->rm] & (i->sf ? 63 : 31);
}
EXEC(LSLV) { put(c, i, c->x[i->rn] << amount(c, i)); return EXEC_NEXT; }
EXEC(LSRV) { c->x[i->rd] = get(c, i, i->rn) >> amount(c, i); return EXEC_NEXT; }
EXEC(ASRV)
{
    s64 v = i->sf ? (s64)c->x[i->rn] : (s32)c->x[i->rn];
    put(c, i, (u64)(v >> amount(c, i)));
    return EXEC_NEXT;
}
EXEC(RORV) { c->x[i->rd] = rotate(i, c->x[i->rn], amount(c, i)); return EXEC_NEXT; }

/// CRC over the low `bytes` bytes of v, reflected polynomial.
static u32 crc32(u32 poly, u32 crc, u64 v, unsigned bytes)
{
    for (unsigned k = 0; k < bytes; k++) {
        crc ^= (u8)(v >> (8 * k));
        for (int b = 0; b < 8; b++)
            crc = crc >> 1 ^ (poly & -(crc & 1));
    }
    return crc;
}
#define CRC(id, poly)                                                                              \
    EXEC(id) { c->x[i->rd] = crc32(poly, (u32)c->x[i->rn], c->x[i->rm], 1u << i->p); return EXEC_NEXT; }
CRC(CRC32B, 0xedb88320) CRC(CRC32H, 0xedb88320) CRC(CRC32W, 0xedb88320) CRC(CRC32X, 0xedb88320)
CRC(CRC32CB, 0x82f63b78) CRC(CRC32CH, 0x82f63b78) CRC(CRC32CW, 0x82f63b78) CRC(CRC32CX, 0x82f63b78)

static inline u64 rev16(u64 v) { return (v & 0x00ff00ff00ff00ffULL) << 8 | (v >> 8 & 0x00ff00ff00ff00ffULL); }
EXEC(RBIT)
{
    u64 v = c->x[i->rn];
    v = (v & 0x5555555555555555ULL) << 1 | (v >> 1 & 0x5555555555555555ULL);
    v = (v & 0x3333333333333333ULL) << 2 | (v >> 2 & 0x3333333333333333ULL);
    v = (v & 0x0f0f0f0f0f0f0f0fULL) << 4 | (v >> 4 & 0x0f0f0f0f0f0f0f0fULL);
    v = __builtin_bswap64(v);
    c->x[i->rd] = i->sf ? v : v >> 32;
    return EXEC_NEXT;
}
EXEC(REV16) { put(c, i, rev16(c->x[i->rn])); return EXEC_NEXT; }
EXEC(REVw) { c->x[i->rd] = __builtin_bswap32((u32)c->x[i->rn]); return EXEC_NEXT; }
EXEC(REVx) { c->x[i->rd] = __builtin_bswap64(c->x[i->rn]); return EXEC_NEXT; }
EXEC(REV32) { c->x[i->rd] = ror64(__builtin_bswap64(c->x[i->rn]), 32); return EXEC_NEXT; }
EXEC(CLZ)
{
    u64 v = get(c, i, i->rn);
    c->x[i->rd] = v ? (u64)__builtin_clzll(v) - (i->sf ? 0 : 32) : i->sf ? 64 : 32;
    return EXEC_NEXT;
}
EXEC(CLS)
{
    s64 v = i->sf ? (s64)c->x[i->rn] : (s32)c->x[i->rn];
    c->x[i->rd] = (u64)__builtin_clrsbll(v) - (i->sf ? 0 : 32);
    return EXEC_NEXT;
}

#define CARRY(c) ((c)->nzcv & FLAG_C ? 1u : 0u)
EXEC(ADC) { put(c, i, c->x[i->rn] + c->x[i->rm] + CARRY(c)); return EXEC_NEXT; }
EXEC(SBC) { put(c, i, c->x[i->rn] + ~c->x[i->rm] + CARRY(c)); return EXEC_NEXT; }
EXEC(ADCS) { c->x[i->rd] = add_flags(c, i->sf, c->x[i->rn], c->x[i->rm], CARRY(c)); return EXEC_NEXT; }
EXEC(SBCS) { c->x[i->rd] = add_flags(c, i->sf, c->x[i->rn], ~c->x[i->rm], CARRY(c)); return EXEC_NEXT; }
EXEC(CFINV) { c->nzcv ^= FLAG_C; return EXEC_NEXT; }
EXEC(RMIF)
{
    u32 mask = i->word & 15, now = cpu_nzcv(c) >> 28;
    u32 rot = (u32)ror64(c->x[i->rn], (unsigned)i->imm) & 15;
    cpu_set_nzcv(c, ((rot & mask) | (now & ~mask)) << 28);
    return EXEC_NEXT;
}
static inline void setf(struct cpu *c, u64 v, unsigned msb)
{
    u32 f = c->nzcv & FLAG_C;
    f |= bit(v, msb) ? FLAG_N : 0;
    f |= bits(v, msb, 0) == 0 ? FLAG_Z : 0;
    f |= bit(v, msb + 1) != bit(v, msb) ? FLAG_V : 0;
    c->nzcv = (u16)f;
}
EXEC(SETF8) { setf(c, c->x[i->rn], 7); return EXEC_NEXT; }
EXEC(SETF16) { setf(c, c->x[i->rn], 15); return EXEC_NEXT; }

static inline void ccmp(struct cpu *c, const struct insn *i, u64 b, unsigned carry)
{
    if (cond_holds((u32)bits(i->word, 15, 12), c->nzcv))
        add_flags(c, i->sf, c->x[i->rn], b, carry);
    else
        cpu_set_nzcv(c, (i->word & 15) << 28);
}
EXEC(CCMN_r) { ccmp(c, i, c->x[i->rm], 0); return EXEC_NEXT; }
EXEC(CCMN_i) { ccmp(c, i, i->imm, 0); return EXEC_NEXT; }
EXEC(CCMP_r) { ccmp(c, i, ~c->x[i->rm], 1); return EXEC_NEXT; }
EXEC(CCMP_i) { ccmp(c, i, ~i->imm, 1); return EXEC_NEXT; }

#define SELECT(id, other)                                                                          \
    EXEC(id)                                                                                       \
    {                                                                                              \
        put(c, i, cond_holds((u32)i->imm, c->nzcv) ? c->x[i->rn] : (other));                       \
        return EXEC_NEXT;                                                                          \
    }
SELECT(CSEL, c->x[i->rm])
SELECT(CSINC, c->x[i->rm] + 1)
SELECT(CSINV, ~c->x[i->rm])
SELECT(CSNEG, -c->x[i->rm])

EXEC(MADD) { put(c, i, c->x[i->ra] + c->x[i->rn] * c->x[i->rm]); return EXEC_NEXT; }
EXEC(MSUB) { put(c, i, c->x[i->ra] - c->x[i->rn] * c->x[i->rm]); return EXEC_NEXT; }
#define SPROD ((u64)((s64)(s32)c->x[i->rn] * (s32)c->x[i->rm]))
#define UPROD ((u64)(u32)c->x[i->rn] * (u32)c->x[i->rm])
EXEC(SMADDL) { c->x[i->rd] = c->x[i->ra] + SPROD; return EXEC_NEXT; }
EXEC(SMSUBL) { c->x[i->rd] = c->x[i->ra] - SPROD; return EXEC_NEXT; }
EXEC(UMADDL) { c->x[i->rd] = c->x[i->ra] + UPROD; return EXEC_NEXT; }
EXEC(UMSUBL) { c->x[i->rd] = c->x[i->ra] - UPROD; return EXEC_NEXT; }
EXEC(SMULH)
{
    c->x[i->rd] = (u64)((s128)(s64)c->x[i->rn] * (s64)c->x[i->rm] >> 64);
    return EXEC_NEXT;
}
EXEC(UMULH) { c->x[i->rd] = (u64)((u128)c->x[i->rn] * c->x[i->rm] >> 64); return EXEC_NEXT; }
