/// Advanced SIMD load/store multiple structures and single structure.
/// Arm ARM, "Advanced SIMD load/store multiple structures".
///
/// A load collects everything before it writes a register, so a fault on a later element leaves
/// all registers as they were; the base is written back last.
#include "a64/simd.h"

enum { REGS_MAX = 4 };

static inline unsigned list_reg(const struct insn *i, unsigned k) { return (i->rd + k) & 31; }

/// Post-index forms: adds Xm, or the size of the transfer when m is 31.
static inline void write_back(struct cpu *c, const struct insn *i, u64 transferred)
{
    if (bit(i->word, 23))
        c->x[i->rn] += bits(i->word, 20, 16) == 31 ? transferred : c->x[i->rm];
}

/// Whole registers one after the other: LD1, ST1 (multiple structures). Elements decide about
/// alignment, so where it is checked the transfer goes element by element.
static int transfer_whole(struct cpu *c, const struct insn *i, unsigned regs, bool load)
{
    FP_ACCESS(c);
    unsigned reg_lg = simd_q(i->word) ? 4 : 3, lg = c->align_strict ? bits(i->word, 11, 10) : reg_lg;
    u64 va = c->x[i->rn];
    u8 buf[REGS_MAX][16] = {{0}};
    for (unsigned k = 0; k < regs; k++) {
        if (!load)
            memcpy(buf[k], &c->v[list_reg(i, k)], 16);
        for (unsigned at = 0; at < 1u << reg_lg; at += 1u << lg, va += 1u << lg) {
            u64 x[2] = {0};
            memcpy(x, buf[k] + at, 1u << lg);
            if (load ? !cpu_ld(c, va, lg, 0, x) : !cpu_st(c, va, lg, 0, x))
                return EXEC_BRANCH;
            memcpy(buf[k] + at, x, 1u << lg);
        }
    }
    for (unsigned k = 0; load && k < regs; k++)
        memcpy(&c->v[list_reg(i, k)], buf[k], 16);
    write_back(c, i, (u64)regs << reg_lg);
    return EXEC_NEXT;
}

/// Interleaved: element e of register 0, 1, ..., then element e + 1.
static int transfer_interleaved(struct cpu *c, const struct insn *i, unsigned regs, bool load)
{
    FP_ACCESS(c);
    unsigned lg = (unsigned)bits(i->word, 11, 10), count = (simd_q(i->word) ? 16u : 8u) >> lg;
    u64 va = c->x[i->rn];
    union vreg buf[REGS_MAX] = {{{0}}};
    for (unsigned e = 0; e < count; e++)
        for (unsigned k = 0; k < regs; k++, va += 1u << lg) {
            u64 x = load ? 0 : elem(&c->v[list_reg(i, k)], lg, e);
            if (load ? !cpu_ld(c, va, lg, 0, &x) : !cpu_st(c, va, lg, 0, &x))
                return EXEC_BRANCH;
            set_elem(&buf[k], lg, e, x);
        }
    for (unsigned k = 0; load && k < regs; k++)
        c->v[list_reg(i, k)] = buf[k];
    write_back(c, i, (u64)regs * count << lg);
    return EXEC_NEXT;
}
#define MULTIPLE(id, fn, regs, load)                                                               \
    EXEC(id) { return fn(c, i, regs, load); }                                                      \
    EXEC(id##_po) { return fn(c, i, regs, load); }
MULTIPLE(LD1x1, transfer_whole, 1, true)
MULTIPLE(LD1x2, transfer_whole, 2, true)
MULTIPLE(LD1x3, transfer_whole, 3, true)
MULTIPLE(LD1x4, transfer_whole, 4, true)
MULTIPLE(ST1x1, transfer_whole, 1, false)
MULTIPLE(ST1x2, transfer_whole, 2, false)
MULTIPLE(ST1x3, transfer_whole, 3, false)
MULTIPLE(ST1x4, transfer_whole, 4, false)
MULTIPLE(LD2, transfer_interleaved, 2, true)
MULTIPLE(LD3, transfer_interleaved, 3, true)
MULTIPLE(LD4, transfer_interleaved, 4, true)
MULTIPLE(ST2, transfer_interleaved, 2, false)
MULTIPLE(ST3, transfer_interleaved, 3, false)
MULTIPLE(ST4, transfer_interleaved, 4, false)

/// One element of each register, at one lane: Q:S:size holds the lane number above the size.
static int transfer_lane(struct cpu *c, const struct insn *i, unsigned regs, bool load)
{
    FP_ACCESS(c);
    unsigned lg = i->p;
    unsigned lane = ((unsigned)bit(i->word, 30) << 3 | (unsigned)bits(i->word, 12, 10)) >> lg;
    u64 va = c->x[i->rn], x[REGS_MAX];
    for (unsigned k = 0; k < regs; k++) {
        u64 at = va + ((u64)k << lg);
        x[k] = elem(&c->v[list_reg(i, k)], lg, lane);
        if (load ? !cpu_ld(c, at, lg, 0, &x[k]) : !cpu_st(c, at, lg, 0, &x[k]))
            return EXEC_BRANCH;
    }
    for (unsigned k = 0; load && k < regs; k++)
        set_elem(&c->v[list_reg(i, k)], lg, lane, x[k]);
    write_back(c, i, (u64)regs << lg);
    return EXEC_NEXT;
}
#define LANE_SIZES(id, regs, load)                                                                 \
    MULTIPLE(id##b, transfer_lane, regs, load)                                                     \
    MULTIPLE(id##h, transfer_lane, regs, load)                                                     \
    MULTIPLE(id##s, transfer_lane, regs, load)                                                     \
    MULTIPLE(id##d, transfer_lane, regs, load)
LANE_SIZES(LD1_, 1, true)
LANE_SIZES(LD2_, 2, true)
LANE_SIZES(LD3_, 3, true)
LANE_SIZES(LD4_, 4, true)
LANE_SIZES(ST1_, 1, false)
LANE_SIZES(ST2_, 2, false)
LANE_SIZES(ST3_, 3, false)
LANE_SIZES(ST4_, 4, false)

/// One element for each register, copied to all lanes.
static int load_replicate(struct cpu *c, const struct insn *i, unsigned regs)
{
    FP_ACCESS(c);
    unsigned lg = (unsigned)bits(i->word, 11, 10), count = (simd_q(i->word) ? 16u : 8u) >> lg;
    u64 va = c->x[i->rn], x[REGS_MAX];
    for (unsigned k = 0; k < regs; k++)
        if (!cpu_ld(c, va + ((u64)k << lg), lg, 0, &x[k]))
            return EXEC_BRANCH;
    for (unsigned k = 0; k < regs; k++) {
        union vreg r = {0};
        for (unsigned e = 0; e < count; e++)
            set_elem(&r, lg, e, x[k]);
        c->v[list_reg(i, k)] = r;
    }
    write_back(c, i, (u64)regs << lg);
    return EXEC_NEXT;
}
#define REPLICATE(id, regs)                                                                        \
    EXEC(id) { return load_replicate(c, i, regs); }                                                \
    EXEC(id##_po) { return load_replicate(c, i, regs); }
REPLICATE(LD1R, 1)
REPLICATE(LD2R, 2)
REPLICATE(LD3R, 3)
REPLICATE(LD4R, 4)
