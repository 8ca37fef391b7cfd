// The C side of running translated code: look-ups, links, attention, and the way in.
#include "jit/jit.h"
#include "jit/translate.h"

#include <stdio.h>

static const u8 *leave(struct jit *j) { return jit_rx(j, j->t_exit); }

static bool has_attention(struct cpu *c)
{
    return UNLIKELY(atomic_load_explicit(&c->attention, memory_order_relaxed));
}

/// The block at c->pc, translating when needed; NULL: an exception was taken, code ran for the first time, or
/// others had to be waited for: look again. c->exit may be set then.
static struct jit_block *block_at_pc(struct jit *j, struct cpu *c)
{
    gpa_t pa;
    const u32 *host = mmu_fetch(c, c->pc, &pa);
    if (!host) {
        c->jit[JW_RESET] = 1; // predicted returns belong to another mode
        return NULL;
    }
    struct jit_block *b = jit_find(j, pa, c->mode);
    if (!b && jit_run_cold(j, c))
        return NULL;
    if (!b && (b = jit_make(c, pa, host, c->mode)) == NULL)
        return NULL;
    jit_sync(c);
    jit_fp_mode(c, !jit_cpu_of(c)->outside && j->cpu.sse42);
    struct jc_ent *e = (struct jc_ent *)(uintptr_t)c->jit[JW_JC] + (c->pc >> 2 & (JC_SIZE - 1));
    e->va = c->pc;
    e->host = jit_rx(j, b->entry);
    return b;
}

bool jit_stops_here(struct cpu *c, const u32 *host)
{
    struct jit *j = jit_of(c);
    struct insn i;
    insn_decode(*host, &i);
    j->mode = c->mode;
    return jit_runs_once(j, &i);
}

/// A run that is being compared ends here.
static bool stops(struct jit *j, struct cpu *c)
{
    gpa_t pa;
    if ((has_attention(c) && !j->cfg.check_again) || c->exceptions != jit_cpu_of(c)->stop_exceptions || (c->twice && c->twice->blocked))
        return true;
    const u32 *host = mmu_fetch(c, c->pc, &pa);
    return !host || jit_stops_here(c, host);
}

/// Before translated code is entered at the beginning of a block, with cpu.ctx.
static void settle_drops(struct cpu *c)
{
    if (LIKELY(!c->tlb_dropped))
        return;
    if (c->tlb_dropped & DROPPED_ALL)
        c->jit[JW_RESET] = 1; // predicted returns may lead to what is elsewhere now
    c->tlb_dropped = 0;
}

/// Where to go on for c->pc. out: wanted is the block, not only its code; may be NULL. at_check: where the code
/// itself would look at attention and budget. While instructions are counted only such places look at them: which
/// of the others come here depends on what is in the cache, and so on the host.
static const u8 *lookup(struct jit *j, struct cpu *c, struct jit_block **out, bool at_check)
{
    jit_cpu_of(c)->st_lookups++;
    at_check |= !j->cfg.count || j->cfg.check;
    for (u64 taken = c->exceptions;; at_check |= c->exceptions != taken) {
        if (UNLIKELY(j->cfg.check) && stops(j, c)) {
            c->jit[JW_RESET] = 1;
            return leave(j);
        }
        if (at_check && has_attention(c) && !j->cfg.check) {
            c->jit[JW_RESET] = 1;
            jit_park(c);
            if (!cpu_serve_attention(c))
                return leave(j);
        }
        if (at_check && UNLIKELY(c->icount >= c->budget)) {
            c->exit.kind = EXIT_KICK;
            return leave(j);
        }
        if (UNLIKELY(c->mode & MODE_SS) || UNLIKELY(c->single))
            return leave(j);
        jit_sync(c);
        const struct jc_ent *e = (struct jc_ent *)(uintptr_t)c->jit[JW_JC] + (c->pc >> 2 & (JC_SIZE - 1));
        if (LIKELY(e->va == c->pc) && !out) {
            c->jit_page = c->pc & ~0xfffULL;
            settle_drops(c);
            return e->host;
        }
        struct jit_block *b = block_at_pc(j, c);
        if (b) {
            c->jit_page = c->pc & ~0xfffULL;
            if (out)
                *out = b;
            settle_drops(c);
            return jit_rx(j, b->entry);
        }
        if (UNLIKELY(c->exit.kind != EXIT_NONE))
            return leave(j);
    }
}

static u64 branch_addr(const struct cpu *c, u64 va)
{
    if (bit(va, 55))
        return c->mode & MODE_TBI1 ? va | 0xff00000000000000ULL : va;
    return c->mode & MODE_TBI0 ? va & 0x00ffffffffffffffULL : va;
}

const u8 *jit_c_lookup(struct cpu *c)
{
    jit_cpu_of(c)->st_indirect_calls++;
    c->pc = branch_addr(c, c->pc);
    if (c->jit[JW_FROM])
        cpu_trail(c, c->jit_page + c->jit[JW_FROM] - 1, c->pc);
    c->jit[JW_FROM] = 0;
    return lookup(jit_of(c), c, NULL, false);
}

/// jit_c_exec_word: the instruction is done, but translations were taken away.
enum { EXEC_DROPPED = 4 };

/// status: as a body returned it. After EXEC_NEXT or EXEC_DROPPED the block is left where translated code may not
/// look at its budget.
const u8 *jit_c_after(struct cpu *c, int status)
{
    jit_cpu_of(c)->st_after++;
    if (status == EXEC_EXIT)
        return leave(jit_of(c));
    return lookup(jit_of(c), c, NULL, status == EXEC_BRANCH);
}

/// Stress: a check pretended to find something. ret  true when translated code is to be left
static bool forced(struct jit *j, struct cpu *c)
{
    if (LIKELY(!j->cfg.attend_every) || (s32)c->jit[JW_ATTEND] >= 0)
        return false;
    if (j->cfg.check) {
        c->jit[JW_ATTEND] = j->cfg.attend_every;
        return false;
    }
    if (j->cfg.irq_every && ++jit_cpu_of(c)->st_forced % j->cfg.irq_every == 0)
        cpu_take_spurious(c);
    return true;
}

const u8 *jit_c_attention(struct cpu *c)
{
    jit_cpu_of(c)->st_attention++;
    if (UNLIKELY(forced(jit_of(c), c)))
        return leave(jit_of(c));
    return lookup(jit_of(c), c, NULL, true);
}

/// The jump cache may still name the dead block: look further.
const u8 *jit_c_dead(struct cpu *c)
{
    struct jit_block *b;
    return lookup(jit_of(c), c, &b, false);
}

/// A link is followed for the first time, from `from` to cpu.pc: a transfer, unless the block only ended there.
static void note_transfer(struct cpu *c, u64 from)
{
    if (c->pc != from + 4)
        cpu_trail(c, from, c->pc);
}

const u8 *jit_c_link(struct cpu *c, u32 number)
{
    struct jit *j = jit_of(c);
    struct jit_link *l = jit_link_at(j, number);
    gpa_t pa = l->from->page + l->off;
    u64 removals = j->removals;
    c->pc = c->jit_page + l->off;
    note_transfer(c, c->jit_page + l->src);
    struct jit_block *b = jit_find(j, pa, l->from->mode);
    if (!b) {
        const u32 *host = mem_host(c->mem, pa, 4);
        if (!jit_is_warm(j, pa))
            return lookup(j, c, NULL, false);
        if (UNLIKELY(j->cfg.check) && jit_stops_here(c, host))
            return leave(j);
        b = jit_make(c, pa, host, c->mode);
    }
    if (UNLIKELY(!b))
        return lookup(j, c, NULL, false);
    if (removals == j->removals) {
        mem_code_lock(j->mem);
        if (!l->from->is_dead)
            jit_link_to(j, l, b);
        mem_code_unlock(j->mem);
    }
    settle_drops(c);
    return jit_rx(j, b->entry);
}

const u8 *jit_c_cross(struct cpu *c, u32 number)
{
    struct jit *j = jit_of(c);
    struct jit_block *b = NULL;
    u64 removals = j->removals, page = c->jit_page, gen = c->jit[JW_GEN], va;
    if (number & CROSS_UNLINKED) {
        c->jit[JW_FROM] = (number & (GUEST_PAGE - 1)) + 1;
        return jit_c_lookup(c);
    }
    struct jit_link *l = jit_link_at(j, number);
    jit_cpu_of(c)->st_cross_calls++;
    note_transfer(c, page + l->src);
    va = c->pc;
    const u8 *host = lookup(j, c, &b, false);
    if (b && removals == j->removals && c->pc == va && gen == c->jit[JW_GEN] &&
        b->mode == l->from->mode) {
        mem_code_lock(j->mem);
        if (!l->from->is_dead) {
            if (l->to != b && !j->cfg.smp)
                jit_unlink(j, l);
            jit_link_to(j, l, b);
            if (l->to == b)
                jit_set_guard(c, l, page, gen);
        }
        mem_code_unlock(j->mem);
    }
    return host;
}

/// Runs the body of an instruction from a slow path. ret  exec_status.
int jit_c_exec_word(struct cpu *c, u32 word)
{
    const struct insn *i = jit_insn(c, word);
    c->jit[JW_SLOW_EXEC]++;
    c->icount += c->jit[JW_PENDING];
    int status = i->fn(c, i);
    if (status != EXEC_NEXT)
        return status;
    if (UNLIKELY(c->tlb_dropped)) { // the rest of the block may rely on what is gone
        c->pc += 4;
        return EXEC_DROPPED;
    }
    c->icount -= c->jit[JW_PENDING]; // translated code will add them
    return EXEC_NEXT;
}

/// The slot of the instruction at this offset of the running page missed often: its blocks are
/// dropped and will be translated to look the address up in the soft TLB. Only misses within a
/// period count, since what they cost is time.
void jit_c_hot_site(struct cpu *c, u32 off)
{
    struct jit *j = jit_of(c);
    u64 now = j->cfg.count ? c->icount : os_now_ns();
    if (now - j->patience_ns > PATIENCE_NS) {
        u32 n = j->site_next < SITES ? j->site_next : SITES;
        for (u32 k = 0; k < n; k++)
            j->patience[k] = SITE_PATIENCE;
        j->patience_ns = now;
        return;
    }
    unsigned k = c->jit_page >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1);
    if (c->ctx->x[k].tag != c->jit_page)
        return;
    gpa_t pa = (c->ctx->xi[k].pa & ~0xfffULL) + off;
    mem_code_lock(j->mem);
    jit_site_set_hot(j, pa);
    jit_invalidate(j, pa, 4);
    mem_code_unlock(j->mem);
}

/// The check of a group of accesses failed. key: bytes it spans, 1 << 16 for stores, slot + 1 << 17 or 0,
/// site << 32, page offset of the instruction << 48. ret  true when the check will succeed now.
bool jit_c_fill(struct cpu *c, gva_t va, u64 key)
{
    struct jit *j = jit_of(c);
    bool write = bit(key, 16);
    u32 slot = (u32)bits(key, 31, 17), site = (u32)bits(key, 47, 32);
    gva_t page = va & ~0xfffULL;
    struct mmuctx *t = c->ctx;
    struct tlb_ent *e = &(write ? t->w : t->r)[va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    c->pc = c->jit_page + (key >> 48);
    if ((va & 0xfff) + (key & 0xffff) > GUEST_PAGE || (e->tag != page && !(mmu_fill(c, va, write) && e->tag == page && !c->tlb_dropped))) {
        j->patience[site] -= SITE_FAR;
        if (j->patience[site] < 0)
            jit_c_hot_site(c, (u32)(key >> 48) + SITE_ALONE);
        return false;
    }
    if (!slot--)
        return true;
    j->patience[site] -= t->slot_page[slot] - page + GUEST_PAGE <= 2 * GUEST_PAGE ? 1 : SITE_FAR;
    t->slot_page[slot] = page;
    t->slot[slot] = (struct slot_ent){e->addend, GUEST_PAGE + 1 - (key & 0xffff)};
    if (j->patience[site] >= 0)
        return true;
    jit_c_hot_site(c, (u32)(key >> 48));
    return false; // not back into a block that may be dead
}

void jit_set_counting(struct cpu *c, bool on)
{
    struct jit *j = jit_of(c);
    if (LIKELY(j->cfg.count == on))
        return;
    jit_flush_exclusive(c);
    j->cfg.count = on;
    jit_warm_init(j);
    c->jit[JW_PENDING] = 0;
}

void jit_run(struct cpu *c)
{
    struct jit *j = jit_of(c);
    jit_enter(c);
    if (UNLIKELY(j->cfg.trail != (c->full_trail == TRAIL_FULL))) {
        while (!jit_begin_exclusive(c))
            ;
        if (c->full_trail != TRAIL_ENDING)
            jit_flush(j);
        j->cfg.trail = c->full_trail == TRAIL_FULL;
        jit_end_exclusive(c);
    }
    struct jit_block *b;
    jit_cpu_of(c)->outside = true;
    const u8 *host = lookup(j, c, &b, true);
    jit_cpu_of(c)->outside = false;
    if (host == leave(j)) {
        jit_leave(c);
        return;
    }
    c->jit[JW_RESET] = 0;
    c->jit[JW_ATTEND] = j->cfg.attend_every; // one check at least passes: that at the top was just made
    void (*enter)(struct cpu *, const u8 *) = (void (*)(struct cpu *, const u8 *))(uintptr_t)jit_rx(j, j->t_enter);
    enter(c, host);
    jit_leave(c);
    jit_fp_left(c);
}

/* ---- what people ask ---- */

static u64 weight(const struct jit_block *b) { return b->runs * b->insns; }

unsigned jit_top(const struct jit *j, const struct jit_block **top, unsigned n)
{
    unsigned count = 0;
    for (unsigned s = 0; s < j->seg_count; s++)
        for (const struct jit_block *b = j->seg[s].blocks; b; b = b->all_next) {
            unsigned k = count;
            if (weight(b) == 0 || (count == n && weight(b) <= weight(top[n - 1])))
                continue;
            k = count < n ? count++ : n - 1;
            for (; k && weight(top[k - 1]) < weight(b); k--)
                top[k] = top[k - 1];
            top[k] = b;
        }
    return count;
}

void jit_name_block(struct jit *j, struct jit_block *b)
{
    char name[160];
    const struct cpu_engine_opts *o = j->c->engine_opts;
    if (!o->name || !o->name(o->name_ctx, b->va, name, sizeof name))
        snprintf(name, sizeof name, "guest_0x%llx", (unsigned long long)b->va);
    fprintf(j->perf_map, "%llx %x %s\n", (unsigned long long)(uintptr_t)jit_rx(j, b->entry), b->code_len, name);
}

void jit_dump_top(const struct jit *j)
{
    const struct jit_block *top[16];
    unsigned count = jit_top(j, top, ARRAY_LEN(top));
    for (unsigned k = 0; k < count; k++) {
        const struct jit_block *b = top[k];
        fprintf(stderr, "jit: top %u: %llu runs of %u instructions at %llx, mode %x, %u bytes at %p\n", k,
                (unsigned long long)b->runs, b->insns, (unsigned long long)b->page + b->off, b->mode, b->code_len,
                (const void *)jit_rx(j, b->entry));
        for (unsigned n = 0; n < b->insns; n++) {
            const u32 *w = mem_host(j->mem, b->page + b->off + 4 * n, 4);
            char text[96];
            if (!w || b->off + 4 * n >= GUEST_PAGE)
                break;
            insn_disas(*w, b->off + 4 * n, text, sizeof text);
            fprintf(stderr, "jit:    %3x  %s\n", b->off + 4 * n, text);
        }
        fprintf(stderr, "jit:    code");
        for (unsigned n = 0; n < b->code_len; n++)
            fprintf(stderr, " %02x", b->entry[n]);
        fprintf(stderr, "\n");
    }
}
