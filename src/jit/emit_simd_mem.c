/// Emission of Advanced SIMD structure loads and stores. One check covers the whole transfer; when
/// it leaves the page or misses the soft TLB, the exec_ body runs.
#include "jit/emit_simd.h"

enum { REGS_MAX = 4 };

static unsigned list_reg(const struct insn *i, unsigned k) { return (i->rd + k) & 31; }
static bool is_load(const struct insn *i) { return i->flags & LD; }

/// Memory operands of the registers, bytes apart; checked for regs * bytes.
static void access_list(struct jit *j, const struct insn *i, unsigned regs, unsigned bytes, unsigned lg,
                        xrm *m)
{
    jit_clobber(j);
    struct jit_addr a = jit_addr_rn(j, i->rn, 0);
    m[0] = jit_mem(j, i, a, regs * bytes, !is_load(i), j->mode & MODE_ALIGN ? 1u << lg : 0);
    for (unsigned k = 1; k < regs; k++) {
        m[k] = m[0];
        m[k].disp += (s32)(k * bytes);
    }
}
/// Write-back, and the end of the access. The address's base holds the old value of Rn.
static int finish(struct jit *j, const struct insn *i, unsigned transferred)
{
    if (bit(i->word, 23)) {
        int base = j->mem_addr.base, d = jit_xwrite(j, i->rn, RAX);
        if (bits(i->word, 20, 16) == 31)
            x_rm(&j->b, XI_LEA | XW, d, xm(base, (s32)transferred));
        else
            x_rm(&j->b, XI_LEA | XW, d, xmi(base, jit_xread(j, i->rm, RDX), 0, 0));
        jit_xdone(j, i->rn, d);
    }
    jit_mem_done(j, i);
    return 1;
}

/* Whole registers. */

static int whole(struct jit *j, const struct insn *i, unsigned regs)
{
    bool q = simd_q(i->word);
    xrm m[REGS_MAX];
    access_list(j, i, regs, q ? 16 : 8, (unsigned)bits(i->word, 11, 10), m);
    for (unsigned k = 0; k < regs; k++) {
        unsigned r = list_reg(i, k);
        if (is_load(i)) {
            int x = jit_vwrite(j, r, X0);
            v3m(j, q ? XV_MOVUPS : XV_MOVSD, x, 0, m[k]);
            jit_vdone(j, r, x);
        } else {
            v3m(j, q ? XV_MOVUPS_ST : XV_MOVSD_ST, jit_vread(j, r, X0), 0, m[k]);
        }
    }
    return finish(j, i, regs * (q ? 16 : 8));
}
static int emit_1x1(struct jit *j, const struct insn *i) { return whole(j, i, 1); }
static int emit_1x2(struct jit *j, const struct insn *i) { return whole(j, i, 2); }
static int emit_1x3(struct jit *j, const struct insn *i) { return whole(j, i, 3); }
static int emit_1x4(struct jit *j, const struct insn *i) { return whole(j, i, 4); }

/* Any interleaving, by byte shuffles: three registers, and four of 64 bits. */

/// pshufb control that moves, of a transfer of `regs` registers with elements of 1 << lg bytes,
/// what register k and 16-byte block t have in common: into the register, or into the block.
static xrm shuffle(struct jit *j, unsigned regs, unsigned bytes, unsigned lg, unsigned k, unsigned t, bool load)
{
    union vreg to_reg, to_block;
    memset(&to_reg, 0x80, sizeof to_reg);
    memset(&to_block, 0x80, sizeof to_block);
    for (unsigned b = 0; b < bytes; b++) {
        unsigned at = (((b >> lg) * regs + k) << lg) + (b & ((1u << lg) - 1));
        if (at / 16 != t)
            continue;
        to_reg.b[b] = at % 16;
        to_block.b[at % 16] = (u8)b;
    }
    const union vreg *v = load ? &to_reg : &to_block;
    return simd_const128(j, v->d[0], v->d[1]);
}
static int emit_shuffled(struct jit *j, const struct insn *i, unsigned regs)
{
    unsigned lg = (unsigned)bits(i->word, 11, 10), bytes = simd_q(i->word) ? 16 : 8, total = regs * bytes;
    unsigned blocks = (total + 15) / 16, outer = is_load(i) ? regs : blocks, inner = is_load(i) ? blocks : regs;
    xrm m[REGS_MAX], block[REGS_MAX];
    access_list(j, i, regs, bytes, lg, m);
    for (unsigned t = 0; t < blocks; t++) {
        block[t] = m[0];
        block[t].disp += (s32)(16 * t);
    }
    for (unsigned o = 0; o < outer; o++) {
        for (unsigned n = 0; n < inner; n++) {
            unsigned k = is_load(i) ? o : n, t = is_load(i) ? n : o;
            bool half = total - 16 * t < 16;
            int source = X0;
            if (is_load(i))
                v3m(j, half ? XV_MOVSD : XV_MOVUPS, X0, 0, block[t]);
            else
                source = jit_vread(j, list_reg(i, k), X0);
            v3m(j, XV_PSHUFB, n ? X1 : X2, source, shuffle(j, regs, bytes, lg, k, t, is_load(i)));
            if (n)
                v3(j, XV_POR, X2, X2, X1);
        }
        if (is_load(i))
            jit_vdone(j, list_reg(i, o), X2);
        else
            v3m(j, total - 16 * o < 16 ? XV_MOVSD_ST : XV_MOVUPS_ST, X2, 0, block[o]);
    }
    return finish(j, i, total);
}
static int emit_3(struct jit *j, const struct insn *i) { return emit_shuffled(j, i, 3); }

/* Interleaved by two and four. */

static void set_v(struct jit *j, const struct insn *i, unsigned k, int x)
{
    if (!simd_q(i->word))
        v2(j, XV_MOVQ, x, x);
    jit_vdone(j, list_reg(i, k), x);
}
static int emit_LD2(struct jit *j, const struct insn *i)
{
    unsigned lg = (unsigned)bits(i->word, 11, 10), bytes = simd_q(i->word) ? 16 : 8;
    xrm m[2];
    access_list(j, i, 2, bytes, lg, m);
    v3m(j, XV_MOVUPS, X0, 0, m[0]);
    int second = X0;
    if (simd_q(i->word))
        v3m(j, XV_MOVUPS, second = X1, 0, m[1]);
    simd_unzip(j, lg, false, X2, X0, second);
    simd_unzip(j, lg, true, X0, X0, second);
    set_v(j, i, 0, X2);
    set_v(j, i, 1, X0);
    return finish(j, i, 2 * bytes);
}
static int emit_ST2(struct jit *j, const struct insn *i)
{
    unsigned lg = (unsigned)bits(i->word, 11, 10), bytes = simd_q(i->word) ? 16 : 8;
    xrm m[2];
    access_list(j, i, 2, bytes, lg, m);
    int a = jit_vread(j, i->rd, X0), b = jit_vread(j, list_reg(i, 1), X1);
    v3(j, simd_punpckl[lg], X2, a, b);
    v3m(j, XV_MOVUPS_ST, X2, 0, m[0]);
    if (simd_q(i->word)) {
        v3(j, simd_punpckh[lg], X2, a, b);
        v3m(j, XV_MOVUPS_ST, X2, 0, m[1]);
    }
    return finish(j, i, 2 * bytes);
}
static int emit_LD4(struct jit *j, const struct insn *i)
{
    unsigned lg = (unsigned)bits(i->word, 11, 10);
    xrm m[4];
    if (!simd_q(i->word))
        return emit_shuffled(j, i, 4);
    access_list(j, i, 4, 16, lg, m);
    for (unsigned odd = 0; odd < 2; odd++) { /* registers 0 and 2, then 1 and 3 */
        v3m(j, XV_MOVUPS, X0, 0, m[0]);
        v3m(j, XV_MOVUPS, X1, 0, m[1]);
        simd_unzip(j, lg, odd, X2, X0, X1);
        v3m(j, XV_MOVUPS, X0, 0, m[2]);
        v3m(j, XV_MOVUPS, X1, 0, m[3]);
        simd_unzip(j, lg, odd, X1, X0, X1);
        simd_unzip(j, lg, false, X0, X2, X1);
        simd_unzip(j, lg, true, X2, X2, X1);
        jit_vdone(j, list_reg(i, odd), X0);
        jit_vdone(j, list_reg(i, odd + 2), X2);
    }
    return finish(j, i, 64);
}
static int emit_ST4(struct jit *j, const struct insn *i)
{
    unsigned lg = (unsigned)bits(i->word, 11, 10);
    xrm m[4];
    if (!simd_q(i->word))
        return emit_shuffled(j, i, 4);
    access_list(j, i, 4, 16, lg, m);
    for (unsigned upper = 0; upper < 2; upper++) {
        const u32 *zip = upper ? simd_punpckh : simd_punpckl;
        v3(j, zip[lg], X2, jit_vread(j, i->rd, X0), jit_vread(j, list_reg(i, 2), X1));
        v3(j, zip[lg], X3, jit_vread(j, list_reg(i, 1), X0), jit_vread(j, list_reg(i, 3), X1));
        v3(j, simd_punpckl[lg], X0, X2, X3);
        v3m(j, XV_MOVUPS_ST, X0, 0, m[2 * upper]);
        v3(j, simd_punpckh[lg], X0, X2, X3);
        v3m(j, XV_MOVUPS_ST, X0, 0, m[2 * upper + 1]);
    }
    return finish(j, i, 64);
}

/* Single elements, and one element to all lanes. */

static unsigned structure_regs(const struct insn *i) { return (unsigned)(bit(i->word, 13) << 1 | bit(i->word, 21)) + 1; }

static int emit_lane(struct jit *j, const struct insn *i)
{
    static const u32 insert[4] = {XV_PINSRB, XV_PINSRW, XV_PINSRD, XV_PINSRD | XW};
    static const u32 extract[4] = {XV_PEXTRB, XV_PEXTRW, XV_PEXTRD, XV_PEXTRD | XW};
    unsigned lg = i->p, regs = structure_regs(i);
    unsigned lane = ((unsigned)bit(i->word, 30) << 3 | (unsigned)bits(i->word, 12, 10)) >> lg;
    xrm m[REGS_MAX];
    access_list(j, i, regs, 1u << lg, lg, m);
    for (unsigned k = 0; k < regs; k++) {
        unsigned r = list_reg(i, k);
        int old = jit_vread(j, r, X0);
        if (is_load(i)) {
            int x = jit_vwrite(j, r, X0);
            x_vi(&j->b, insert[lg], x, old, m[k], lane);
            jit_vdone(j, r, x);
        } else {
            x_vi(&j->b, extract[lg], old, 0, m[k], lane);
        }
    }
    return finish(j, i, regs << lg);
}
static int emit_replicate(struct jit *j, const struct insn *i)
{
    static const u32 op[4] = {XV_PBROADCASTB, XV_PBROADCASTW, XV_PBROADCASTD, XV_PBROADCASTQ};
    unsigned lg = (unsigned)bits(i->word, 11, 10), regs = structure_regs(i);
    xrm m[REGS_MAX];
    access_list(j, i, regs, 1u << lg, lg, m);
    for (unsigned k = 0; k < regs; k++) {
        int x = jit_vwrite(j, list_reg(i, k), X0);
        v3m(j, op[lg], x, 0, m[k]);
        set_v(j, i, k, x);
    }
    return finish(j, i, regs << lg);
}

void simd_init_mem(jit_emit_fn **t)
{
#define BOTH(id, fn) t[OP_##id] = t[OP_##id##_po] = fn;
#define LANES(id) BOTH(id##b, emit_lane) BOTH(id##h, emit_lane) BOTH(id##s, emit_lane) BOTH(id##d, emit_lane)
    BOTH(LD1x1, emit_1x1) BOTH(ST1x1, emit_1x1)
    BOTH(LD1x2, emit_1x2) BOTH(ST1x2, emit_1x2)
    BOTH(LD1x3, emit_1x3) BOTH(ST1x3, emit_1x3)
    BOTH(LD1x4, emit_1x4) BOTH(ST1x4, emit_1x4)
    BOTH(LD2, emit_LD2) BOTH(ST2, emit_ST2)
    BOTH(LD3, emit_3) BOTH(ST3, emit_3)
    BOTH(LD4, emit_LD4) BOTH(ST4, emit_ST4)
    LANES(LD1_) LANES(LD2_) LANES(LD3_) LANES(LD4_)
    LANES(ST1_) LANES(ST2_) LANES(ST3_) LANES(ST4_)
    BOTH(LD1R, emit_replicate) BOTH(LD2R, emit_replicate)
    BOTH(LD3R, emit_replicate) BOTH(LD4R, emit_replicate)
}
