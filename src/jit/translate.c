// The translation of one superblock: decode along the fall-through path, one backward pass for
// live flags, choice of cached registers, forward emission.
#include "cpu/dbg.h"
#include "jit/jit.h"
#include "jit/translate.h"

#include <stdlib.h>

jit_emit_fn *jit_emitters[OP_COUNT];

void jit_init_tables(void)
{
    static bool emitters_known; // the same values every time: a race is harmless
    if (emitters_known)
        return;
    jit_init_int(jit_emitters);
    jit_init_mem(jit_emitters);
    jit_init_branch(jit_emitters);
    jit_init_sys(jit_emitters);
    jit_init_atomic(jit_emitters);
    jit_init_fp(jit_emitters);
    jit_init_simd(jit_emitters);
    emitters_known = true;
}

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
static s64 next_off(const struct jit *j, unsigned k) { return j->off[k] + (j->follows[k] ? (s64)j->in[k].imm : 4); }
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
static void find_loop(struct jit *j)
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
static void decode_trace(struct jit *j, const u32 *page)
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
        off = next_off(j, j->n - 1);
        if (i->flags & BR && off < GUEST_PAGE && !jit_has_run(j, j->blk->page + (gpa_t)off))
            return;
    }
}

/// Backward pass: are NZCV needed after, and before, each instruction?
static void liveness(struct jit *j, const u32 *page)
{
    const struct insn *last = &j->in[j->n - 1];
    bool live;
    s64 end = j->off[j->n - 1];
    if (last->op == OP_B || (last->op == OP_Bcond && (last->word & 15) >= 14))
        live = flags_live_at(j, page, end + (s64)last->imm);
    else if (last->flags & (END | BR) && !jit_is_cond_branch(last))
        live = true;
    else
        live = flags_live_at(j, page, next_off(j, j->n - 1));
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

static int pinned(unsigned n)
{
    switch (n) {
#define P_CASE(g, h) case g: return h;
        JIT_PINNED(P_CASE)
    default: return -1;
    }
}

/// Gives the cache registers to the guest registers used most.
static void assign(struct jit *j)
{
    u16 use[REG_COUNT] = {0}, vuse[32] = {0};
    enum { LOOP_WEIGHT = 8 };
    for (unsigned k = 0; k < j->n; k++) {
        const struct insn *i = &j->in[k];
        u32 f = i->flags;
        u16 w = j->is_loop && k < j->loop_end ? LOOP_WEIGHT : 1;
        *(f & VD ? &vuse[i->rd] : &use[i->rd]) += f & (VD | DR | DW) ? w : 0;
        *(f & VN ? &vuse[i->rn] : &use[i->rn]) += f & (VN | NR | NW) ? w : 0;
        *(f & VM ? &vuse[i->rm] : &use[i->rm]) += f & (VM | MR | MW) ? w : 0;
        *(f & VA ? &vuse[i->ra] : &use[i->ra]) += f & (VA | AR | AW) ? w : 0;
    }
    for (unsigned n = 0; n < REG_COUNT; n++) {
        j->xmap[n] = (s8)pinned(n);
        j->xloaded[n] = j->xmap[n] >= 0;
        if (j->xmap[n] >= 0 || n >= 31)
            use[n] = 0;
    }
    for (unsigned c = 0; c < 2; c++) {
        unsigned best = 0;
        for (unsigned n = 1; n < 31; n++)
            if (use[n] > use[best])
                best = n;
        if (use[best] < 2)
            break;
        j->xmap[best] = c ? XCACHE_B : XCACHE_A;
        use[best] = 0;
    }
    jit_vclasses(j);
    memset(j->vmap, -1, sizeof j->vmap);
    memset(j->vloaded, 0, sizeof j->vloaded);
    for (unsigned c = 0; c < (j->cpu.avx2 ? XV_COUNT : XV_COUNT_SSE) && j->cpu.sse42; c++) {
        unsigned best = 0;
        for (unsigned n = 1; n < 32; n++)
            if (vuse[n] > vuse[best])
                best = n;
        if (vuse[best] == 0)
            break;
        j->vmap[best] = (s8)(XV_FIRST + c);
        vuse[best] = 0;
    }
}

void jit_caches_drop(struct jit *j)
{
    for (unsigned n = 0; n < 31; n++)
        if (j->xmap[n] == XCACHE_A || j->xmap[n] == XCACHE_B)
            j->xloaded[n] = false;
    memset(j->vloaded, 0, sizeof j->vloaded);
    j->vdirty = 0;
    j->sp_aligned = false;
}

/// Loads the cached registers of the loop that are not loaded, for its top. Those it writes in full: they may
/// be stored before they are written.
void jit_caches_fill(struct jit *j, struct xbuf *b)
{
    for (unsigned n = 0; n < 31; n++)
        if (j->xmap[n] >= 0 && !j->xloaded[n] && j->loop_x >> n & 1)
            x_rm(b, XI_MOV | XW, j->xmap[n], ENV_X(n));
    for (unsigned n = 0; n < 32; n++) {
        if (j->vmap[n] < 0 || j->vloaded[n] || !(j->loop_v >> n & 1))
            continue;
        if (j->vdirty_top >> n & 1)
            x_v(b, XV_MOVAPS, j->vmap[n], 0, ENV_V(n));
        else
            jit_vload(j, b, j->vmap[n], n);
    }
}

/// Reloads what is marked as loaded: after C code ran in a slow path.
void jit_caches_reload(struct jit *j, struct xbuf *b)
{
    for (unsigned n = 0; n < 31; n++)
        if ((j->xmap[n] == XCACHE_A || j->xmap[n] == XCACHE_B) && j->xloaded[n])
            x_rm(b, XI_MOV | XW, j->xmap[n], ENV_X(n));
    for (unsigned n = 0; n < 32; n++) {
        if (j->vmap[n] < 0 || !j->vloaded[n])
            continue;
        if ((j->vdirty | j->vdirty_top) >> n & 1) // it may be stored before the loop writes it
            x_v(b, XV_MOVAPS, j->vmap[n], 0, ENV_V(n));
        else
            jit_vload(j, b, j->vmap[n], n);
    }
}

/* ---- counting ---- */

void jit_count(struct jit *j, struct xbuf *b, unsigned end)
{
    if (!j->cfg.count)
        return;
    if (end > j->counted)
        x_alu_i(b, ALU_ADD, XW, ENV(icount), (s32)(end - j->counted));
    if (b == &j->b)
        j->counted = end;
}

void jit_say_pending(struct jit *j)
{
    if (j->cfg.count)
        x_store_i(&j->cold, XW, ENV_JW(JW_PENDING), (s32)(j->k + 1 - j->counted));
}

/* ---- calls of bodies ---- */

u8 *jit_put_insn(struct jit *j, const struct insn *i)
{
    j->cold.p = (u8 *)align_up((u64)(uintptr_t)j->cold.p, 8);
    u8 *at = j->cold.p;
    memcpy(at, i, sizeof *i);
    j->cold.p += sizeof *i;
    return at;
}

static void call_exec(struct jit *j, struct xbuf *b, const u8 *at)
{
    x_rm(b, XI_LEA | XW, RAX, xrip(at));
    x_mov_ri(b, RCX, j->off[j->k]);
    x_call(b, j->t_exec);
}

void jit_exec(struct jit *j, const struct insn *i)
{
    if (j->live_in[j->k])
        jit_flags_to_env(j);
    j->waiting = j->origin = NULL;
    jit_vflush(j, ~0u);
    jit_count(j, &j->b, j->k + 1);
    call_exec(j, &j->b, jit_put_insn(j, i));
    jit_caches_drop(j);
    j->fl = FL_NONE;
    if (i->flags & FW)
        j->fl_env = true;
    j->st_fallback++;
    j->st_op_fallback[i->op]++;
}

void jit_cold_exec(struct jit *j, const struct insn *i)
{
    jit_vspill(j, &j->cold, j->vdirty_cold);
    jit_cold_body(j, i);
}

void jit_cold_body(struct jit *j, const struct insn *i)
{
    jit_say_pending(j);
    jit_wait_cold(j, RNONE);
    x_mov_ri(&j->cold, RAX, i->word);
    x_mov_ri(&j->cold, RCX, j->off[j->k]);
    x_call(&j->cold, j->t_exec_word);
}

struct xbuf *jit_cold_begin(struct jit *j, unsigned cc)
{
    if (cc < 16)
        x_jcc(&j->b, cc, j->cold.p);
    else
        x_jmp(&j->b, j->cold.p);
    return &j->cold;
}

void jit_cold_end(struct jit *j) { x_jmp(&j->cold, j->b.p); }

/* ---- exits ---- */

static struct jit_link *new_link(struct jit *j, s64 target)
{
    struct jit_link *l = &j->pending[j->pending_n++];
    memset(l, 0, sizeof *l);
    l->delta = (s32)(target & ~0xfffLL);
    l->off = (u16)(target & 0xfff);
    l->src = (u16)(j->off[j->k] & 0xfff);
    l->number = jit_link_number(j);
    l->is_cross = l->delta != 0;
    return l;
}

/// A displacement that comes after so many bytes may be patched while other CPUs run it: it must not lie
/// across eight bytes.
static void align_site(const struct jit *j, struct xbuf *b, unsigned lead)
{
    while (j->cfg.smp && ((uintptr_t)(b->p + lead) & 7) > 4)
        x_u8(b, 0x90);
}

/// jmp or call through a link. The stub in cold code asks C to resolve it.
static void link_jump(struct jit *j, struct xbuf *b, struct jit_link *l, bool call)
{
    l->is_call = call;
    align_site(j, b, 1);
    l->site = call ? x_call(b, NULL) : x_jmp(b, NULL);
}

/// A branch back: counts down on its way until the loop is hot.
static void heat(struct jit *j, struct jit_link *l, u32 number)
{
    struct xbuf *c = &j->cold;
    u32 n = j->heat_next++ % SITES;
    j->heat[n] = (s32)j->cfg.hot;
    l->heat = c->p;
    x_rm(c, XI_MOV | XW, RCX, ENV_JW(JW_HEAT));
    x_alu_i(c, ALU_SUB, 0, xm(RCX, (s32)(4 * n)), 1);
    u8 *warm = x_jcc8(c, CC_NS);
    x_mov_ri(c, RAX, number);
    x_jmp(c, j->t_hot);
    x_patch8(warm, c->p);
    align_site(j, c, 1);
    l->heat_jump = x_jmp(c, NULL);
}

static void link_stub(struct jit *j, struct jit_link *l)
{
    u32 number = l->number;
    l->stub = j->cold.p;
    if (l->is_cross && !l->guard) // a CPU whose guard holds comes here when the link was taken back
        x_alu_i(&j->cold, ALU_SUB, XW, ENV(jit_page), l->delta);
    l->miss = j->cold.p;
    if (l->is_cross) {
        jit_pc(j, &j->cold, RAX, l->delta + l->off);
        x_mov_ri(&j->cold, RDX, number);
        x_jmp(&j->cold, j->t_cross);
    } else {
        x_mov_ri(&j->cold, RAX, number);
        x_jmp(&j->cold, j->t_link);
        if (l->off <= l->src && j->cfg.hot && !l->is_call)
            heat(j, l, number);
    }
    x_patch(l->site, l->stub);
}

/// A check whether to leave: its jumps.
struct check {
    u8 *attention, *spent, *forced;
};

/// Attention is set, or the budget of instructions is used up. Counting clobbers rcx.
static struct check check(struct jit *j, struct xbuf *b)
{
    struct check k = {0};
    if (j->cfg.count) {
        x_rm(b, XI_MOV | XW, RCX, ENV(icount));
        x_rm(b, XI_CMP | XW, RCX, ENV(budget));
        k.spent = x_jcc(b, CC_AE, NULL);
    }
    x_alu_i(b, ALU_CMP, 0, ENV(attention), 0);
    k.attention = x_jcc(b, CC_NE, NULL);
    if (UNLIKELY(j->cfg.attend_every)) {
        x_alu_i(b, ALU_SUB, 0, ENV_JW(JW_ATTEND), 1);
        k.forced = x_jcc(b, CC_S, NULL);
    }
    return k;
}

/// Cold: where a check goes.
static void checked(struct jit *j, struct check k, s64 target)
{
    struct xbuf *c = &j->cold;
    x_patch(k.attention, c->p);
    if (k.spent)
        x_patch(k.spent, c->p);
    if (k.forced)
        x_patch(k.forced, c->p);
    jit_vspill(j, c, j->vdirty);
    jit_pc(j, c, RAX, target);
    x_jmp(c, j->t_attention);
}

/// cmp attention; when set, or the budget of instructions is used up, leave for `target`. In cold code
/// the path is inline. Counting clobbers rcx.
void jit_attention_check(struct jit *j, struct xbuf *b, s64 target)
{
    struct check k = check(j, b);
    u8 *skip = b == &j->cold ? x_jmp(b, NULL) : NULL;
    checked(j, k, target);
    if (skip)
        x_patch(skip, b->p);
}

/// The guard of a cross-page transfer: leaves through *miss (patched to the stub) unless the
/// source page and the context are those the link was made for; then moves jit_page.
static void cross_guard(struct jit *j, struct xbuf *b, struct jit_link *l, u8 *miss[2])
{
    if (j->cfg.smp) {
        const s32 at = (s32)(l->number % GUARDS_MAX * sizeof(struct jit_guard));
        x_rm(b, XI_MOV | XW, RCX, ENV_JW(JW_GUARDS));
        x_rm(b, XI_MOV | XW, RAX, ENV(jit_page));
        x_rm(b, XI_CMP | XW, RAX, xm(RCX, at));
        miss[0] = x_jcc(b, CC_NE, NULL);
        x_rm(b, XI_MOV | XW, RCX, xm(RCX, at + (s32)offsetof(struct jit_guard, gen)));
        x_rm(b, XI_CMP | XW, RCX, ENV_JW(JW_GEN));
        miss[1] = x_jcc(b, CC_NE, NULL);
    } else {
        if (b == &j->cold) { // data in line, jumped over by nobody: put it before
            u8 *over = x_jmp8(b);
            l->guard = b->p;
            x_u64(b, ~0ULL), x_u64(b, 0);
            x_patch8(over, b->p);
        } else {
            l->guard = j->cold.p;
            x_u64(&j->cold, ~0ULL), x_u64(&j->cold, 0);
        }
        x_rm(b, XI_MOV | XW, RAX, ENV(jit_page));
        x_rm(b, XI_CMP | XW, RAX, xrip(l->guard));
        miss[0] = x_jcc(b, CC_NE, NULL);
        x_rm(b, XI_MOV | XW, RCX, ENV_JW(JW_GEN));
        x_rm(b, XI_CMP | XW, RCX, xrip(l->guard + 8));
        miss[1] = x_jcc(b, CC_NE, NULL);
    }
    x_alu_i(b, ALU_ADD, XW, xr(RAX), l->delta);
    x_op(b, XI_ST | XW, RAX, ENV(jit_page), 0);
}

/// The jump of an exit.
static void leave_to(struct jit *j, struct xbuf *b, s64 target)
{
    jit_vspill(j, b, j->vdirty);
    struct jit_link *l = new_link(j, target);
    if (l->delta == 0) {
        link_jump(j, b, l, false);
        link_stub(j, l);
        return;
    }
    u8 *miss[2];
    cross_guard(j, b, l, miss);
    link_jump(j, b, l, false);
    link_stub(j, l);
    x_patch(miss[0], l->miss);
    x_patch(miss[1], l->miss);
}

/// Loops test attention at their top, so that the way back is a plain jump; not those that count, to
/// which it matters where they test.
static bool tests_at_top(const struct jit *j) { return !j->cfg.count; }

void jit_exit_to(struct jit *j, struct xbuf *b, s64 target)
{
    s64 here = j->off[j->k];
    bool is_back = j->loop_top && target == j->blk->off;
    struct check k = {0};
    jit_count(j, b, j->k + 1);
    if ((target <= here && !(is_back && tests_at_top(j))) || j->cfg.attention_always)
        k = check(j, b);
    if (is_back) {
        jit_vspill(j, b, j->vdirty & ~j->vdirty_top);
        jit_caches_fill(j, b);
        x_jmp(b, j->loop_top);
    } else {
        leave_to(j, b, target);
    }
    if (k.attention)
        checked(j, k, target);
}

/// True when every cached register of the loop holds its value, as its top wants it.
static bool all_loaded(const struct jit *j)
{
    for (unsigned n = 0; n < 32; n++)
        if ((n < 31 && j->xmap[n] >= 0 && !j->xloaded[n] && j->loop_x >> n & 1) ||
            (j->vmap[n] >= 0 && !j->vloaded[n] && j->loop_v >> n & 1))
            return false;
    return true;
}

/// jcc to target out of the block, saving live flags on that path only.
void jit_exit_cc(struct jit *j, unsigned cc, s64 target)
{
    s64 here = j->off[j->k];
    bool save = j->live_taken[j->k] && !j->fl_env && (j->fl != FL_NONE || j->waiting);
    if (j->follows[j->k]) { // the other way out
        cc ^= 1;
        target = here + 4;
    }
    if (j->loop_top && target == j->blk->off && tests_at_top(j) && !save && !j->cfg.attention_always &&
        !(j->vdirty & ~j->vdirty_top) && all_loaded(j)) {
        x_jcc(&j->b, cc, j->loop_top);
        return;
    }
    bool plain = target > here && target < GUEST_PAGE && !save && !j->vdirty && !j->cfg.attention_always && !j->cfg.count;
    if (plain) { // straight to the link
        struct jit_link *l = new_link(j, target);
        align_site(j, &j->b, 2);
        l->site = x_jcc(&j->b, cc, NULL);
        link_stub(j, l);
        return;
    }
    x_jcc(&j->b, cc, j->cold.p);
    if (save)
        jit_flags_save_in(j, &j->cold);
    jit_exit_to(j, &j->cold, target);
}

/// BL: pushes the return address and calls; the code after it runs when the callee returns.
void jit_call_to(struct jit *j, s64 target)
{
    s64 here = j->off[j->k];
    struct xbuf *b = &j->b;
    jit_pc(j, b, RAX, here + 4);
    jit_xset(j, 30, RAX);
    jit_count(j, b, j->k + 1);
    if (j->cfg.count || j->cfg.attention_always)
        jit_attention_check(j, b, target);
    jit_push_return(j, target);
    struct jit_link *l = new_link(j, target);
    if (l->delta == 0) {
        link_jump(j, b, l, true);
        link_stub(j, l);
    } else {
        u8 *miss[2];
        cross_guard(j, b, l, miss);
        link_jump(j, b, l, true);
        link_stub(j, l);
        // missed before the call was made: call the stub, then go on as after the call
        x_patch(miss[0], j->cold.p);
        x_patch(miss[1], j->cold.p);
        x_call(&j->cold, l->miss);
        x_jmp(&j->cold, b->p);
    }
    jit_landing(j);
}

/// rax = return address: onto the prediction stack. When that is full it is emptied, and attention
/// tested: calls that are never returned from end up here, so no other call need test it.
/// target: where the call goes, or CALL_RDX.
void jit_push_return(struct jit *j, s64 target)
{
    struct xbuf *b = &j->b;
    x_rm(b, XI_CMP | XW, RSP, ENV_JW(JW_RSP_LIMIT));
    struct xbuf *c = jit_cold_begin(j, CC_B);
    x_rm(c, XI_MOV | XW, RSP, ENV_JW(JW_RSP));
    if (j->cfg.count) { // every call has tested it, where the budget is looked at too
        jit_cold_end(j);
        x_push(b, RAX);
        return;
    }
    x_alu_i(c, ALU_CMP, 0, ENV(attention), 0);
    u8 *leaves = x_jcc8(c, CC_NE);
    jit_cold_end(j);
    x_patch8(leaves, c->p);
    if (target == CALL_RDX) {
        x_mov(c, RAX, RDX);
        x_jmp(c, j->t_indirect);
    } else {
        jit_vspill(j, c, j->vdirty);
        jit_pc(j, c, RAX, target);
        x_jmp(c, j->t_attention);
    }
    x_push(b, RAX);
}

/// Where a predicted return arrives, rax = its address.
/// Writes that code at this offset of the page runs now into cpu.trail. Clobbers rax, rcx and flags.
static void mark_trail(struct jit *j, unsigned off)
{
    const s32 e = (s32)offsetof(struct cpu, trail.e) - CPU_BIAS;
    struct xbuf *b = &j->b;
    if (!j->cfg.trail)
        return;
    x_rm(b, XI_MOV, RCX, ENV(trail.head));
    x_alu_i(b, ALU_ADD, 0, ENV(trail.head), 1);
    x_alu_i(b, ALU_AND, 0, xr(RCX), TRAIL_LEN - 1);
    x_shift_i(b, SH_SHL, 0, xr(RCX), 4);
    x_rm(b, XI_MOV | XW, RAX, ENV(jit_page));
    x_alu_i(b, ALU_ADD, XW, xr(RAX), (s32)off);
    x_op(b, XI_ST | XW, RAX, xmi(RENV, RCX, 0, e + 8), 0);
    x_store_i(b, XW, xmi(RENV, RCX, 0, e), TRAIL_MARK);
}

void jit_landing(struct jit *j)
{
    if (j->off[j->k] + 4 == GUEST_PAGE) // the block stays in the page of the call
        x_rm(&j->b, XI_LEA | XW, RAX, xm(RAX, -4));
    x_alu_i(&j->b, ALU_AND, XW, xr(RAX), -GUEST_PAGE);
    x_op(&j->b, XI_ST | XW, RAX, ENV(jit_page), 0);
    mark_trail(j, j->off[j->k] + 4u);
    jit_caches_drop(j);
    j->waiting = j->origin = NULL;
    j->fl = FL_NONE;
    j->fl_env = true;
}

/* ---- the driver ---- */

/// What the loop does with registers: which it names, and which V registers in the host's it writes whole.
/// At its top those count as newer than cpu.v, since they are after the first round. (Of lists of registers
/// this names the first.) ret  those of them that it reads before it writes them.
static u32 loop_registers(struct jit *j)
{
    u32 inputs = 0, written = 0;
    j->loop_x = 0;
    j->loop_v = j->vdirty_top = 0;
    for (unsigned k = 0; k < j->loop_end; k++) {
        const struct insn *i = &j->in[k];
        const u8 reg[4] = {i->rd, i->rn, i->rm, i->ra};
        static const u32 is_v[4] = {VD, VN, VM, VA}, reads[4] = {DR, VN, VM, AR}, writes[4] = {DW, NW, MW, AW};
        u32 wrote = 0;
        for (unsigned o = 0; o < 4; o++) {
            if (!(i->flags & is_v[o])) {
                j->loop_x |= 1ULL << reg[o];
                continue;
            }
            u32 v = 1u << reg[o];
            j->loop_v |= v;
            if (i->flags & (reads[o] | ST))
                inputs |= v & ~written;
            if (i->flags & writes[o])
                wrote |= v;
        }
        written |= wrote;
    }
    for (unsigned n = 0; n < 32; n++)
        if (j->vmap[n] >= 0 && !j->cfg.v_through)
            j->vdirty_top |= written & 1u << n;
    return inputs & j->vdirty_top;
}

/// Of registers used in their low part only, arithmetic takes for granted that the rest is zero, which it is
/// unless vector code used them last. Checks that before the first round; else runs one instruction and
/// looks for another way round.
static void check_tops(struct jit *j, u32 written)
{
    struct xbuf *b = &j->b;
    u8 *insn = NULL, *other = NULL;
    for (; written; written &= written - 1) {
        unsigned n = (unsigned)__builtin_ctz(written);
        xrm high = ENV_V(n), mid = ENV_V(n);
        if (j->vclass[n] == 16)
            continue;
        if (!insn) {
            insn = jit_put_insn(j, &j->in[0]);
            other = j->cold.p;
            jit_count(j, &j->cold, 1);
            call_exec(j, &j->cold, insn);
            x_mov_ri(&j->cold, RCX, j->off[0] + 4u);
            x_jmp(&j->cold, j->t_dispatch);
        }
        high.disp += 8;
        mid.disp += 4;
        x_alu_i(b, ALU_CMP, XW, high, 0);
        x_jcc(b, CC_NE, other);
        if (j->vclass[n] == 4) {
            x_alu_i(b, ALU_CMP, 0, mid, 0);
            x_jcc(b, CC_NE, other);
        }
    }
}

/// Before an instruction is emitted: stores V registers that could not be stored in its course.
static void settle_v(struct jit *j, const struct insn *i)
{
    bool leaves = (i->flags & (BR | END)) && !jit_is_cond_branch(i) && i->op != OP_B;
    if (leaves)
        jit_vflush(j, ~0u);
    j->vdirty_cold = j->vdirty;
}

static void begin(struct jit *j)
{
    j->vdirty = j->vdirty_top = j->vdirty_cold = 0;
    j->fl = FL_NONE;
    j->fl_env = true;
    j->waiting = j->origin = NULL;
    j->sp_aligned = false;
    j->over = false;
    j->pending_n = 0;
    memset(j->grp, 0, sizeof j->grp);
    j->grp_next = 0;
    j->counted = 0;
    j->loop_top = NULL;
    j->mem_retry = NULL;
    assign(j);
    j->b.p = (u8 *)align_up((u64)(uintptr_t)j->b.p, 16);
    j->blk->entry = j->b.p;
    if (j->cfg.smp) { // becomes a jump in one piece: nop of five bytes
        static const u8 nop5[] = {0x0f, 0x1f, 0x44, 0, 0};
        for (unsigned k = 0; k < sizeof nop5; k++)
            x_u8(&j->b, nop5[k]);
    }
    j->blk->dead_stub = j->cold.p;
    x_mov_ri(&j->cold, RCX, j->blk->off);
    x_jmp(&j->cold, j->t_dead);
    if (j->cfg.count_runs) {
        x_mov_ri(&j->b, RAX, (u64)(uintptr_t)&j->blk->runs);
        x_alu_i(&j->b, ALU_ADD, XW, xm(RAX, 0), 1);
    }
    if (!j->is_loop || j->cfg.no_link) // loops do it at their top
        mark_trail(j, j->blk->off);
    if (j->is_loop && !j->cfg.no_link) {
        j->k = 0;
        check_tops(j, loop_registers(j));
        jit_caches_fill(j, &j->b);
        for (unsigned n = 0; n < 31; n++)
            j->xloaded[n] |= j->xmap[n] >= 0 && j->loop_x >> n & 1;
        for (unsigned n = 0; n < 32; n++)
            j->vloaded[n] = j->vmap[n] >= 0 && j->loop_v >> n & 1;
        while (j->b.p - j->blk->entry > 0 && j->b.p - j->blk->entry < 5)
            x_u8(&j->b, 0x90); // both places take a jump when the block dies
        j->loop_top = j->blk->loop_top = j->b.p;
        j->vdirty = j->vdirty_top;
        j->blk->loop_dead_stub = j->cold.p;
        jit_vspill(j, &j->cold, j->vdirty_top);
        x_mov_ri(&j->cold, RCX, j->blk->off);
        x_jmp(&j->cold, j->t_dead);
        if (j->cfg.count_runs) {
            x_mov_ri(&j->b, RAX, (u64)(uintptr_t)&j->blk->runs);
            x_alu_i(&j->b, ALU_ADD, XW, xm(RAX, 0), 1);
        }
        mark_trail(j, j->blk->off);
        if (tests_at_top(j))
            jit_attention_check(j, &j->b, j->blk->off);
    }
}

static bool emit_one(struct jit *j)
{
    const struct insn *i = &j->in[j->k];
    bool trap = (i->flags & FP) && !(j->mode & MODE_FP);
    jit_wait_check(j, i);
    if ((i->op == OP_MRS || i->op == OP_MSR) && jit_fp_sysreg(j, i))
        return true;
    bool no_vec = (i->flags & FP) && !j->cpu.sse42, skip = i->op >= j->cfg.skip_lo && i->op < j->cfg.skip_hi;
    jit_emit_fn *fn = trap || no_vec || skip || j->cfg.no_inline ? NULL : jit_emitters[i->op];
    settle_v(j, i);
    if (fn && i->flags & FPX && jit_fp_run(j))
        return true;
    if (UNLIKELY(j->cfg.fault != NULL) && !strcmp(j->cfg.fault, insn_rows[i->op].name))
        j->in[j->k].imm ^= 1;
    if (fn && jit_can_wait(j, i)) {
        jit_wait(j, i);
        return true;
    }
    unsigned at = j->k;
    if (fn && fn(j, i)) {
        if (i->flags & FW && at == j->k)
            jit_flags_from(j, i);
        return !j->over;
    }
    jit_exec(j, i);
    if (trap || (i->flags & (END | BR)))
        return false;
    return true;
}

static void emit(struct jit *j)
{
    begin(j);
    for (j->k = 0; j->k < j->n; j->k++) {
        if (emit_one(j))
            continue;
        const struct insn *i = &j->in[j->k];
        if (j->over)
            return;
        // not taken, or a change of state: find out in C where to go on
        jit_vspill(j, &j->b, j->vdirty);
        x_mov_ri(&j->b, RCX, j->off[j->k] + 4u);
        x_jmp(&j->b, j->t_dispatch);
        if (jit_is_cond_branch(i) || i->op == OP_BL || i->op == OP_BLR)
            j->n = j->k + 1;
        return;
    }
    j->k = j->n - 1;
    if (j->live_out[j->k])
        jit_flags_to_env(j);
    jit_exit_to(j, &j->b, next_off(j, j->k));
}

static void account(struct jit *j, u8 *cold_from)
{
    j->blk->code_len = (u32)(j->b.p - j->blk->entry);
    j->st_blocks++;
    j->st_insns += j->n;
    j->st_hot_bytes += j->blk->code_len;
    j->st_cold_bytes += (u64)(j->cold.p - cold_from);
}

struct jit_block *jit_translate(struct jit *j, struct cpu *c, gpa_t pa, const u32 *host, u32 mode)
{
    const u32 *page = host - (pa & 0xfff) / 4;
    struct jit_block *b = xcalloc(1, sizeof *b);
    b->page = pa & ~0xfffULL;
    b->off = pa & 0xfff;
    b->mode = mode;
    b->va = c->pc;
    j->blk = b;
    j->c = c;
    j->mode = mode;
    j->cfg.trace_sysreg = c->trace != NULL;
    j->cfg.delays_sysregs = c->delays_sysregs;
    if (!j->cfg.smp && !mem_page_has_code(c->mem, pa))
        tlb_protect_page(c, pa);
    decode_trace(j, page);
    find_loop(j);
    liveness(j, page);
    u8 *cold_from = j->cold.p;
    emit(j);
    b->insns = (u16)j->n;
    b->link_count = (u16)j->pending_n;
    b->links = xcalloc(j->pending_n + 1u, sizeof *b->links);
    memcpy(b->links, j->pending, j->pending_n * sizeof *b->links);
    for (unsigned k = 0; k < j->pending_n; k++)
        b->links[k].from = b;
    for (unsigned k = 0; k < 64; k++)
        if (b->lines >> k & 1)
            mem_mark_code(c->mem, b->page + 64 * k, 64);
    jit_publish(j, b);
    account(j, cold_from);
    if (UNLIKELY(j->perf_map != NULL))
        jit_name_block(j, b);
    return b;
}
