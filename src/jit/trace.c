// What a block consists of: the trace along the fall-through path, and where in it flags are live.
#include "cpu/dbg.h"
#include "jit/translate.h"

/// An instruction by its word, decoded before or now.
static const struct insn *decoded(struct jit *j, u32 word)
{
    struct insn *i = &j->decoded[(word * 0x9e3779b1u >> 16) & (DECODED - 1)];
    if (UNLIKELY(i->word != word || !i->fn))
        insn_decode(word, i);
    return i;
}

/// A look ahead: how far it may still go, and where it has been.
struct look {
    unsigned left, n;
    s16 seen[8];
};

/// A way round that reads nothing adds nothing: places seen before count as dead.
static bool is_new(struct look *l, s64 off)
{
    for (unsigned k = 0; k < l->n; k++)
        if (l->seen[k] == off)
            return false;
    if (l->n < ARRAY_LEN(l->seen))
        l->seen[l->n++] = (s16)off;
    return true;
}

/// The block depends on the line at this offset of its page, which is about to be read. Another CPU that
/// writes there either sees the mark, and waits to invalidate the block, or has written already.
static void use_line(struct jit *j, s64 off)
{
    u64 bit = 1ULL << (off / 64);
    if (j->blk->lines & bit)
        return;
    j->blk->lines |= bit;
    if (j->cfg.smp)
        mem_mark_code(j->mem, j->blk->page + (gpa_t)align_down((u64)off, 64), 64);
}

/// Whether the flags are read before they are written from page offset `off` on. Looks a short way
/// ahead within the page; in doubt they are live. What was looked at becomes part of the block's
/// lines, so that a change of it invalidates the block.
static bool look_ahead(struct jit *j, const u32 *page, s64 off, struct look *l)
{
    for (;; off += 4) {
        if (off < 0 || off >= GUEST_PAGE || l->left-- == 0)
            return true;
        use_line(j, off);
        const struct insn *i = decoded(j, page[off / 4]);
        if (i->flags & FR && !(i->op == OP_Bcond && (i->word & 15) >= 14))
            return true;
        if (i->flags & FW)
            return false;
        if (i->flags & END)
            return true;
        if (i->op == OP_B) {
            off += (s64)i->imm - 4;
            if (!is_new(l, off + 4))
                return false;
        } else if (i->flags & BR) {
            s64 to = off + (s64)i->imm;
            if (!jit_is_cond_branch(i) || l->n == ARRAY_LEN(l->seen) || (is_new(l, to) && look_ahead(j, page, to, l)))
                return true;
        }
    }
}

static bool flags_live_at(struct jit *j, const u32 *page, s64 off)
{
    struct look l = {.left = 40};
    return j->cfg.no_lookahead || look_ahead(j, page, off, &l);
}

bool jit_flags_right_at(struct jit *j, gpa_t pa, const u32 *host)
{
    const u32 *page = host - (pa & 0xfff) / 4;
    s64 off = (s64)(pa & 0xfff);
    for (unsigned left = 40; left && off >= 0 && off < GUEST_PAGE; left--) {
        const struct insn *i = decoded(j, page[off / 4]);
        if (i->flags & FR && !(i->op == OP_Bcond && (i->word & 15) >= 14))
            return true;
        if (i->flags & FW || (i->op != OP_B && i->flags & (END | BR)))
            return false;
        off += i->op == OP_B ? (s64)i->imm : 4;
    }
    return false;
}

/// Where the block goes on after instruction k, and where else a conditional branch leads.
s64 jit_next_off(const struct jit *j, unsigned k) { return j->off[k] + (j->follows[k] ? (s64)j->in[k].imm : 4); }
static s64 exit_off(const struct jit *j, unsigned k) { return j->off[k] + (j->follows[k] ? 4 : (s64)j->in[k].imm); }

/// True when the block goes on at the target of this conditional branch: it is known to be mostly taken, or
/// was never not taken.
static bool follow(const struct jit *j, const struct insn *i, s64 off)
{
    gpa_t pa = j->blk->page + (gpa_t)off;
    if (!jit_is_cond_branch(i) || (s64)i->imm <= 4 || off + (s64)i->imm >= GUEST_PAGE || j->cfg.no_link)
        return false;
    return jit_is_taken(j, pa) || (!jit_is_decided(j, pa) && off + 4 < GUEST_PAGE && !jit_has_run(j, pa + 4) && jit_has_run(j, pa + i->imm));
}

/// A loop keeps its registers in the host's unless C code runs in the course of it.
void jit_find_loop(struct jit *j)
{
    j->loop_end = 0;
    for (unsigned k = 0; k < j->n; k++) {
        const struct insn *i = &j->in[k];
        if ((i->op == OP_B || jit_is_cond_branch(i)) && j->off[k] + (s64)i->imm == j->blk->off)
            j->loop_end = k + 1;
    }
    j->is_loop = j->loop_end > 0;
    for (unsigned k = 0; k < j->loop_end; k++)
        if (j->in[k].op == OP_BL || j->in[k].op == OP_BLR || !jit_emitters[j->in[k].op])
            j->is_loop = false;
}

/// Decodes the trace. Follows forward branches within the page, conditional ones when they are known to be
/// mostly taken; goes on after calls. Ends before code that has not run yet, and where another block begins:
/// a hot loop goes on there.
void jit_decode_trace(struct jit *j, const u32 *page)
{
    s64 off = j->blk->off;
    bool may_cut = j->warm && !j->cfg.no_link && !jit_site_is_hot(j, j->blk->page + j->blk->off + SITE_HEAD);
    j->n = 0;
    while (off < GUEST_PAGE && j->n < j->cfg.block_max) {
        if (may_cut && j->n && jit_may_be_head(j, j->blk->page + (gpa_t)off) && jit_find(j, j->blk->page + (gpa_t)off, j->mode)) {
            j->blk->is_cut = true;
            return;
        }
        struct insn *i = &j->in[j->n];
        use_line(j, off);
        if (LIKELY(j->c->dbg == NULL))
            *i = *decoded(j, page[off / 4]);
        else
            dbg_decode(j->c, j->blk->page + (gpa_t)off, page[off / 4], i);
        if (j->cfg.check && j->n && jit_runs_once(j, i))
            return;
        j->off[j->n] = (u16)off;
        j->follows[j->n++] = false;
        if ((i->flags & FP) && !(j->mode & MODE_FP))
            return; // traps: nothing follows
        if (i->op == OP_B) {
            s64 to = off + (s64)i->imm;
            if (to <= off || to >= GUEST_PAGE || j->cfg.no_link)
                return;
            off = to;
            continue;
        }
        if (((i->flags & END) && !jit_sys_is_inline(j, i)) || (i->flags & BR && !jit_is_cond_branch(i) && i->op != OP_BL && i->op != OP_BLR))
            return;
        if (i->op == OP_Bcond && (i->word & 15) >= 14)
            return;
        j->follows[j->n - 1] = follow(j, i, off);
        off = jit_next_off(j, j->n - 1);
        if (i->flags & BR && off < GUEST_PAGE && !jit_has_run(j, j->blk->page + (gpa_t)off))
            return;
    }
}

/// Backward pass: are NZCV needed after, and before, each instruction?
void jit_liveness(struct jit *j, const u32 *page)
{
    const struct insn *last = &j->in[j->n - 1];
    bool live;
    s64 end = j->off[j->n - 1];
    if (last->op == OP_B || (last->op == OP_Bcond && (last->word & 15) >= 14))
        live = flags_live_at(j, page, end + (s64)last->imm);
    else if (last->flags & (END | BR) && !jit_is_cond_branch(last))
        live = true;
    else
        live = flags_live_at(j, page, jit_next_off(j, j->n - 1));
    for (unsigned k = j->n; k-- > 0;) {
        const struct insn *i = &j->in[k];
        j->live_taken[k] = 0;
        if (jit_is_cond_branch(i)) {
            // an exit needs the flags if its target does
            j->live_taken[k] = flags_live_at(j, page, exit_off(j, k));
            j->live_out[k] = live;
            live = live || j->live_taken[k] || (i->flags & FR);
        } else if (i->op == OP_BL || i->op == OP_BLR) {
            live = true;
            j->live_out[k] = 1;
        } else {
            j->live_out[k] = live;
            live = (i->flags & FR) || (live && !(i->flags & FW));
        }
        if (j->cfg.precise_flags && (i->flags & (LD | ST | FP | END) || !jit_emitters[i->op]))
            live = true; // an exception would show them
        j->live_in[k] = live;
    }
}
