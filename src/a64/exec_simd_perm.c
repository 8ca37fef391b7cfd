/// Advanced SIMD copy, extract, table look-up, permute and modified immediate.
/// Arm ARM, "Advanced SIMD copy" and the groups after it.
#include "a64/simd.h"

/* Copy: imm5 = index:1:0..0 with the size in its trailing zeros. */

static inline unsigned imm5_size(const struct insn *i) { return (unsigned)__builtin_ctz((u32)i->imm); }
static inline u64 imm5_elem(const struct cpu *c, const struct insn *i)
{
    unsigned lg = imm5_size(i);
    return elem(&c->v[i->rn], lg, (unsigned)i->imm >> (lg + 1));
}
static int duplicate(struct cpu *c, const struct insn *i, u64 x)
{
    unsigned lg = imm5_size(i);
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, lg); e < count; e++)
        set_elem(&r, lg, e, x);
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(DUP_ve)
{
    FP_ACCESS(c);
    return duplicate(c, i, imm5_elem(c, i));
}
EXEC(DUP_se)
{
    FP_ACCESS(c);
    return duplicate(c, i, imm5_elem(c, i));
}
EXEC(DUP_vr)
{
    FP_ACCESS(c);
    return duplicate(c, i, c->x[i->rn]);
}
EXEC(INS_vr)
{
    FP_ACCESS(c);
    unsigned lg = imm5_size(i);
    set_elem(&c->v[i->rd], lg, (unsigned)i->imm >> (lg + 1), c->x[i->rn]);
    return EXEC_NEXT;
}
EXEC(INS_ve)
{
    FP_ACCESS(c);
    unsigned lg = imm5_size(i), from = (unsigned)bits(i->word, 14, 11) >> lg;
    set_elem(&c->v[i->rd], lg, (unsigned)i->imm >> (lg + 1), elem(&c->v[i->rn], lg, from));
    return EXEC_NEXT;
}
EXEC(SMOV_w)
{
    FP_ACCESS(c);
    c->x[i->rd] = (u32)as_signed(imm5_elem(c, i), imm5_size(i));
    return EXEC_NEXT;
}
EXEC(SMOV_x)
{
    FP_ACCESS(c);
    c->x[i->rd] = (u64)as_signed(imm5_elem(c, i), imm5_size(i));
    return EXEC_NEXT;
}
EXEC(UMOV_w)
{
    FP_ACCESS(c);
    c->x[i->rd] = imm5_elem(c, i);
    return EXEC_NEXT;
}
EXEC(UMOV_x)
{
    FP_ACCESS(c);
    c->x[i->rd] = imm5_elem(c, i);
    return EXEC_NEXT;
}

/* Extract: bytes from position imm4 on of Vm:Vn. */
static int extract(struct cpu *c, const struct insn *i, unsigned count)
{
    FP_ACCESS(c);
    const union vreg *n = &c->v[i->rn], *m = &c->v[i->rm];
    unsigned pos = (unsigned)bits(i->word, 14, 11);
    union vreg r = {0};
    for (unsigned e = 0; e < count; e++, pos++)
        r.b[e] = pos < count ? n->b[pos] : m->b[pos - count];
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(EXT_8b) { return extract(c, i, 8); }
EXEC(EXT_16b) { return extract(c, i, 16); }

/* Table of one to four registers from Vn on, wrapping at V31. */
static int table(struct cpu *c, const struct insn *i, bool keep)
{
    FP_ACCESS(c);
    const union vreg *m = &c->v[i->rm], *d = &c->v[i->rd];
    unsigned len = 16 * ((unsigned)bits(i->word, 14, 13) + 1);
    union vreg r = {0};
    for (unsigned e = 0, count = simd_lanes(i->word, 0); e < count; e++) {
        unsigned k = m->b[e];
        r.b[e] = k < len ? c->v[(i->rn + k / 16) & 31].b[k % 16] : keep ? d->b[e] : 0;
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(TBL_v) { return table(c, i, false); }
EXEC(TBX_v) { return table(c, i, true); }

/* Permute. part: 0 for the first, 1 for the second form of each pair of instructions. */
static int unzip(struct cpu *c, const struct insn *i, unsigned part)
{
    FP_ACCESS(c);
    unsigned lg = simd_size(i->word), half = simd_lanes(i->word, lg) / 2;
    union vreg r = {0};
    for (unsigned e = 0; e < half; e++) {
        set_elem(&r, lg, e, elem(&c->v[i->rn], lg, 2 * e + part));
        set_elem(&r, lg, half + e, elem(&c->v[i->rm], lg, 2 * e + part));
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
static int zip(struct cpu *c, const struct insn *i, unsigned part)
{
    FP_ACCESS(c);
    unsigned lg = simd_size(i->word), half = simd_lanes(i->word, lg) / 2;
    union vreg r = {0};
    for (unsigned e = 0; e < half; e++) {
        set_elem(&r, lg, 2 * e, elem(&c->v[i->rn], lg, part * half + e));
        set_elem(&r, lg, 2 * e + 1, elem(&c->v[i->rm], lg, part * half + e));
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
static int transpose(struct cpu *c, const struct insn *i, unsigned part)
{
    FP_ACCESS(c);
    unsigned lg = simd_size(i->word), half = simd_lanes(i->word, lg) / 2;
    union vreg r = {0};
    for (unsigned e = 0; e < half; e++) {
        set_elem(&r, lg, 2 * e, elem(&c->v[i->rn], lg, 2 * e + part));
        set_elem(&r, lg, 2 * e + 1, elem(&c->v[i->rm], lg, 2 * e + part));
    }
    c->v[i->rd] = r;
    return EXEC_NEXT;
}
EXEC(UZP1_v) { return unzip(c, i, 0); }
EXEC(UZP2_v) { return unzip(c, i, 1); }
EXEC(ZIP1_v) { return zip(c, i, 0); }
EXEC(ZIP2_v) { return zip(c, i, 1); }
EXEC(TRN1_v) { return transpose(c, i, 0); }
EXEC(TRN2_v) { return transpose(c, i, 1); }

/* Modified immediate: insn.imm is the expanded 64-bit value, already inverted for MVNI and BIC. */
static inline int set_halves(struct cpu *c, const struct insn *i, u64 lo, u64 hi)
{
    c->v[i->rd] = (union vreg){.d = {lo, simd_q(i->word) ? hi : 0}};
    return EXEC_NEXT;
}
#define MOVE(id)                                                                                   \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        return set_halves(c, i, i->imm, i->imm);                                                   \
    }
#define COMBINE(id, op)                                                                            \
    EXEC(id)                                                                                       \
    {                                                                                              \
        FP_ACCESS(c);                                                                              \
        const union vreg *d = &c->v[i->rd];                                                        \
        return set_halves(c, i, d->d[0] op i->imm, d->d[1] op i->imm);                             \
    }
MOVE(MOVI_4s)
MOVE(MOVI_8h)
MOVE(MOVI_msl)
MOVE(MOVI_16b)
MOVE(MOVI_d)
MOVE(MOVI_2d)
MOVE(MVNI_4s)
MOVE(MVNI_8h)
MOVE(MVNI_msl)
COMBINE(ORR_4si, |)
COMBINE(ORR_8hi, |)
COMBINE(BIC_4si, &)
COMBINE(BIC_8hi, &)
