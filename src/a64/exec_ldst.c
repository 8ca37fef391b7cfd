/// Loads and stores of one or two registers. Arm ARM, "Loads and stores".
#include "a64/insn.h"

/// CheckSPAlignment: a misaligned SP base faults before anything else.
static inline bool sp_bad(const struct cpu *c, const struct insn *i)
{
    return UNLIKELY(i->rn == REG_SP && (c->mode & MODE_SA) && (c->x[REG_SP] & 15));
}
static COLD int sp_fault(struct cpu *c) { return cpu_raise(c, EC_SP_ALIGN, 0, c->pc); }

static inline u64 reg_offset(const struct cpu *c, const struct insn *i)
{
    u64 v = c->x[i->rm];
    switch (i->imm >> 8) {
    case 2: v = (u32)v; break;
    case 6: v = (u64)(s32)v; break;
    default: break;
    }
    return v << (i->imm & 0xff);
}

/// What a load does with the value: extension for general registers, or the vector register.
enum kind { ZEXT, SX64, SX32, VEC };

static inline int load(struct cpu *c, const struct insn *i, u64 va, unsigned p, enum kind k, unsigned flags)
{
    u64 v[2] = {0, 0};
    if (UNLIKELY(!cpu_ld(c, va, p, flags, v)))
        return EXEC_BRANCH;
    switch (k) {
    case ZEXT: c->x[i->rd] = v[0]; break;
    case SX64: c->x[i->rd] = (u64)sext(v[0], 8u << p); break;
    case SX32: c->x[i->rd] = (u32)sext(v[0], 8u << p); break;
    case VEC:
        c->v[i->rd].d[0] = v[0];
        c->v[i->rd].d[1] = v[1];
        break;
    }
    return EXEC_NEXT;
}
static inline int store(struct cpu *c, const struct insn *i, u64 va, unsigned p, enum kind k, unsigned flags)
{
    const u64 *src = k == VEC ? c->v[i->rd].d : &c->x[i->rd];
    return LIKELY(cpu_st(c, va, p, flags, src)) ? EXEC_NEXT : EXEC_BRANCH;
}

#define FPCHECK_VEC FP_ACCESS(c)
#define FPCHECK_ZEXT
#define FPCHECK_SX64
#define FPCHECK_SX32
#define MODE_BODY(id, op, p, k, va, after)                                                         \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FPCHECK_##k;                                                                               \
        if (sp_bad(c, i))                                                                          \
            return sp_fault(c);                                                                    \
        int st = op(c, i, va, p, k, 0);                                                            \
        after;                                                                                     \
        return st;                                                                                 \
    }
#define WRITEBACK                                                                                  \
    if (LIKELY(st == EXEC_NEXT))                                                                   \
    c->x[i->rn] = base + i->imm
#define WB_BODY(id, op, p, k, va)                                                                  \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FPCHECK_##k;                                                                               \
        if (sp_bad(c, i))                                                                          \
            return sp_fault(c);                                                                    \
        u64 base = c->x[i->rn];                                                                    \
        int st = op(c, i, va, p, k, 0);                                                            \
        WRITEBACK;                                                                                 \
        return st;                                                                                 \
    }
#define LS_SET(id, op, p, k)                                                                       \
    MODE_BODY(id##_ui, op, p, k, c->x[i->rn] + i->imm, )                                           \
    MODE_BODY(id##_ur, op, p, k, c->x[i->rn] + i->imm, )                                           \
    MODE_BODY(id##_ro, op, p, k, c->x[i->rn] + reg_offset(c, i), )                                 \
    WB_BODY(id##_po, op, p, k, base)                                                               \
    WB_BODY(id##_pr, op, p, k, base + i->imm)

LS_SET(STRB, store, 0, ZEXT)
LS_SET(STRH, store, 1, ZEXT)
LS_SET(STRw, store, 2, ZEXT)
LS_SET(STRx, store, 3, ZEXT)
LS_SET(LDRB, load, 0, ZEXT)
LS_SET(LDRH, load, 1, ZEXT)
LS_SET(LDRw, load, 2, ZEXT)
LS_SET(LDRx, load, 3, ZEXT)
LS_SET(LDRSBx, load, 0, SX64)
LS_SET(LDRSBw, load, 0, SX32)
LS_SET(LDRSHx, load, 1, SX64)
LS_SET(LDRSHw, load, 1, SX32)
LS_SET(LDRSW, load, 2, SX64)
LS_SET(STRvb, store, 0, VEC)
LS_SET(STRvh, store, 1, VEC)
LS_SET(STRvs, store, 2, VEC)
LS_SET(STRvd, store, 3, VEC)
LS_SET(STRvq, store, 4, VEC)
LS_SET(LDRvb, load, 0, VEC)
LS_SET(LDRvh, load, 1, VEC)
LS_SET(LDRvs, load, 2, VEC)
LS_SET(LDRvd, load, 3, VEC)
LS_SET(LDRvq, load, 4, VEC)

#define UNPRIV(id, op, p, k)                                                                       \
    EXEC(id)                                                                                       \
    {                                                                                              \
        if (sp_bad(c, i))                                                                          \
            return sp_fault(c);                                                                    \
        return op(c, i, c->x[i->rn] + i->imm, p, k, ACCF_UNPRIV);                                  \
    }
UNPRIV(STTRB, store, 0, ZEXT)
UNPRIV(STTRH, store, 1, ZEXT)
UNPRIV(STTRw, store, 2, ZEXT)
UNPRIV(STTRx, store, 3, ZEXT)
UNPRIV(LDTRB, load, 0, ZEXT)
UNPRIV(LDTRH, load, 1, ZEXT)
UNPRIV(LDTRw, load, 2, ZEXT)
UNPRIV(LDTRx, load, 3, ZEXT)
UNPRIV(LDTRSBx, load, 0, SX64)
UNPRIV(LDTRSBw, load, 0, SX32)
UNPRIV(LDTRSHx, load, 1, SX64)
UNPRIV(LDTRSHw, load, 1, SX32)
UNPRIV(LDTRSW, load, 2, SX64)

EXEC(PRFM_ui) { return EXEC_NEXT; }
EXEC(PRFM_ur) { return EXEC_NEXT; }
EXEC(PRFM_ro) { return EXEC_NEXT; }
EXEC(PRFM_l) { return EXEC_NEXT; }

EXEC(LDRw_l) { return load(c, i, c->pc + i->imm, 2, ZEXT, 0); }
EXEC(LDRx_l) { return load(c, i, c->pc + i->imm, 3, ZEXT, 0); }
EXEC(LDRSW_l) { return load(c, i, c->pc + i->imm, 2, SX64, 0); }
EXEC(LDRvs_l) { FP_ACCESS(c); return load(c, i, c->pc + i->imm, 2, VEC, 0); }
EXEC(LDRvd_l) { FP_ACCESS(c); return load(c, i, c->pc + i->imm, 3, VEC, 0); }
EXEC(LDRvq_l) { FP_ACCESS(c); return load(c, i, c->pc + i->imm, 4, VEC, 0); }

/// Both halves are read before either register changes: a fault in the second leaves the first.
static inline int load_pair(struct cpu *c, const struct insn *i, u64 va, unsigned p, enum kind k)
{
    u64 a[2] = {0, 0}, b[2] = {0, 0};
    if (UNLIKELY(!cpu_ld(c, va, p, 0, a)) || UNLIKELY(!cpu_ld(c, va + (1u << p), p, 0, b)))
        return EXEC_BRANCH;
    if (k == VEC) {
        memcpy(&c->v[i->rd], a, 16);
        memcpy(&c->v[i->ra], b, 16);
    } else if (k == SX64) {
        c->x[i->rd] = (u64)(s32)a[0];
        c->x[i->ra] = (u64)(s32)b[0];
    } else {
        c->x[i->rd] = a[0];
        c->x[i->ra] = b[0];
    }
    return EXEC_NEXT;
}
static inline int store_pair(struct cpu *c, const struct insn *i, u64 va, unsigned p, enum kind k)
{
    const u64 *a = k == VEC ? c->v[i->rd].d : &c->x[i->rd];
    const u64 *b = k == VEC ? c->v[i->ra].d : &c->x[i->ra];
    u64 first[2] = {a[0], k == VEC ? a[1] : 0}, second[2] = {b[0], k == VEC ? b[1] : 0};
    unsigned bytes = 1u << p;
    /* A pair that crosses a page must not store its first half when the second faults. */
    if (UNLIKELY((va & 0xfff) + 2 * bytes > 0x1000)) {
        struct xlat x;
        u8 fsc;
        u64 next = align_up(va + 1, GUEST_PAGE);
        if (range_overlap(va, 2 * bytes, next, 1) && !mmu_translate(c, next, ACC_STORE, 0, &x, &fsc) &&
            !(range_overlap(va, bytes, next, 1)))
            return cpu_st(c, va + bytes, p, 0, second) ? EXEC_NEXT : EXEC_BRANCH;
    }
    if (UNLIKELY(!cpu_st(c, va, p, 0, first)) || UNLIKELY(!cpu_st(c, va + bytes, p, 0, second)))
        return EXEC_BRANCH;
    return EXEC_NEXT;
}
#define LP_OFFSET(id, op, p, k)                                                                    \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FPCHECK_##k;                                                                               \
        if (sp_bad(c, i))                                                                          \
            return sp_fault(c);                                                                    \
        return op(c, i, c->x[i->rn] + i->imm, p, k);                                               \
    }
#define LP_WB(id, op, p, k, va)                                                                    \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FPCHECK_##k;                                                                               \
        if (sp_bad(c, i))                                                                          \
            return sp_fault(c);                                                                    \
        u64 base = c->x[i->rn];                                                                    \
        int st = op(c, i, va, p, k);                                                               \
        WRITEBACK;                                                                                 \
        return st;                                                                                 \
    }
#define LP_REST(id, op, p, k)                                                                      \
    LP_OFFSET(id##_of, op, p, k)                                                                   \
    LP_WB(id##_po, op, p, k, base)                                                                 \
    LP_WB(id##_pr, op, p, k, base + i->imm)
#define LP_SET(id, op, p, k) LP_OFFSET(id##_na, op, p, k) LP_REST(id, op, p, k)
LP_SET(STPw, store_pair, 2, ZEXT)
LP_SET(STPx, store_pair, 3, ZEXT)
LP_SET(LDPw, load_pair, 2, ZEXT)
LP_SET(LDPx, load_pair, 3, ZEXT)
LP_REST(LDPSW, load_pair, 2, SX64)
LP_SET(STPvs, store_pair, 2, VEC)
LP_SET(STPvd, store_pair, 3, VEC)
LP_SET(STPvq, store_pair, 4, VEC)
LP_SET(LDPvs, load_pair, 2, VEC)
LP_SET(LDPvd, load_pair, 3, VEC)
LP_SET(LDPvq, load_pair, 4, VEC)
