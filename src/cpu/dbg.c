/// External debugger's break- and watchpoints. A breakpoint is a decoded instruction with another
/// body, so that code without one runs at full speed; watchpoints take every data access to the slow
/// path and run instruction by instruction.
#include "cpu/dbg.h"
#include "a64/insn.h"

#include <stdlib.h>

struct dbg *dbg_new(struct mem *m)
{
    struct dbg *d = xcalloc(1, sizeof *d);
    d->mem = m;
    d->next_id = 1;
    return d;
}
void dbg_free(struct dbg *d) { free(d); }

void dbg_attach(struct cpu *c, struct dbg *d)
{
    bool watching = d && d->watch_count;
    if (c->dbg != d)
        c->dbg_resume_pc = ~0ULL;
    if (c->dbg_watching != watching)
        tlb_flush_all(c);
    c->dbg = d;
    c->dbg_watching = watching;
    cpu_update_mode(c);
}

u32 dbg_add_break(struct dbg *d, u64 addr, bool physical, enum dbg_owner owner)
{
    if (d->brk_count == DBG_BREAKS_MAX || (addr & 3))
        return 0;
    d->brk[d->brk_count++] = (struct dbg_break){.addr = addr, .physical = physical, .owner = owner, .id = d->next_id};
    mem_code_changed(d->mem);
    return d->next_id++;
}
u32 dbg_add_watch(struct dbg *d, const struct dbg_watch *w)
{
    if (d->watch_count == DBG_WATCHES_MAX || w->len == 0 || w->len > DBG_WATCH_LEN_MAX || !range_ok(w->addr, w->len, ~0ULL))
        return 0;
    d->watch[d->watch_count] = *w;
    d->watch[d->watch_count].hits = 0;
    d->watch[d->watch_count++].id = d->next_id;
    return d->next_id++;
}
const struct dbg_watch *dbg_find_watch(const struct dbg *d, u32 id)
{
    for (unsigned k = 0; k < d->watch_count; k++)
        if (d->watch[k].id == id)
            return &d->watch[k];
    return NULL;
}
const struct dbg_break *dbg_find_break(const struct dbg *d, u32 id)
{
    for (unsigned k = 0; k < d->brk_count; k++)
        if (d->brk[k].id == id)
            return &d->brk[k];
    return NULL;
}
bool dbg_delete(struct dbg *d, u64 id)
{
    for (unsigned k = 0; k < d->brk_count; k++)
        if (d->brk[k].id == id) {
            d->brk[k] = d->brk[--d->brk_count];
            mem_code_changed(d->mem);
            return true;
        }
    for (unsigned k = 0; k < d->watch_count; k++)
        if (d->watch[k].id == id) {
            d->watch[k] = d->watch[--d->watch_count];
            return true;
        }
    return false;
}
static struct dbg_break *find_break(struct cpu *c)
{
    struct dbg *d = c->dbg;
    struct xlat x;
    bool asked = false, mapped = false;
    for (unsigned k = 0; d && k < d->brk_count; k++) {
        struct dbg_break *b = &d->brk[k];
        if (!b->physical && b->addr == c->pc)
            return b;
        if (b->physical && ((b->addr ^ c->pc) & 0xfff) == 0) {
            if (!asked)
                mapped = mmu_walk(c, c->pc, &x);
            asked = true;
            if (mapped && x.pa == b->addr)
                return b;
        }
    }
    return NULL;
}

void dbg_resume(struct cpu *c)
{
    c->dbg_resume_pc = find_break(c) ? c->pc : ~0ULL;
    if (c->dbg_hit.id ? !c->dbg_hit.is_watch || c->dbg_hit.pc != c->pc : c->dbg_pass_pc != c->pc)
        c->dbg_pass_pc = ~0ULL;
    else
        c->dbg_pass_pc = c->pc;
    c->dbg_hit.id = 0;
}

bool dbg_meets_break(struct cpu *c)
{
    struct dbg_break *b = find_break(c);
    if (b == NULL)
        return false;
    b->hits++;
    c->dbg_hit = (struct dbg_hit){.id = b->id, .pc = c->pc};
    return true;
}

static EXEC(dbg_break)
{
    struct insn orig;
    if (c->dbg_resume_pc == c->pc) {
        c->dbg_resume_pc = ~0ULL;
    } else if (dbg_meets_break(c)) { /* not so at the same place of other pages, which an interrupt may bring first */
        c->exit.kind = EXIT_DEBUG;
        c->exit.addr = c->pc;
        return EXEC_EXIT;
    }
    insn_decode(i->word, &orig);
    return orig.fn(c, &orig);
}

void dbg_decode(const struct cpu *c, gpa_t pa, u32 word, struct insn *out)
{
    insn_decode(word, out);
    if (LIKELY(c->dbg == NULL))
        return;
    for (unsigned k = 0; k < c->dbg->brk_count; k++) {
        const struct dbg_break *b = &c->dbg->brk[k];
        if (b->physical ? b->addr == pa : ((b->addr ^ pa) & 0xfff) == 0) {
            out->fn = exec_dbg_break;
            out->op = OP_INVALID;
            out->flags = END | BR | NOSF;
            return;
        }
    }
}

static bool read_at(struct cpu *c, bool physical, u64 at, void *dst, u64 len)
{
    return physical ? mem_read(c->mem, at, dst, len) : mmu_debug_read(c, at, dst, len);
}

/// An instruction accesses memory in pieces: the first that meets the point is what is told.
bool dbg_access(struct cpu *c, gva_t va, gpa_t pa, unsigned size, bool write)
{
    struct dbg *d = c->dbg;
    for (unsigned k = 0; d && k < d->watch_count; k++) {
        struct dbg_watch *w = &d->watch[k];
        u64 from = w->physical ? pa : (u64)sext(va, 56), addr = w->physical ? w->addr : (u64)sext(w->addr, 56);
        if (!(write ? w->write : w->read) || !range_overlap(from, size, addr, w->len))
            continue;
        if (c->dbg_hit.id)
            return false;
        if (w->owner == DBG_GDB && c->dbg_pass_pc == c->pc)
            continue;
        u64 at = from > addr ? from : addr, left = addr + w->len - at;
        w->hits++;
        c->dbg_hit = (struct dbg_hit){.id = w->id, .pc = c->pc, .va = va, .at = at, .size = size, .is_watch = true,
                                      .write = write, .physical = w->physical};
        for (unsigned n = left < DBG_SHOWN_MAX ? (unsigned)left : DBG_SHOWN_MAX; n && !c->dbg_hit.shown; n /= 2)
            c->dbg_hit.shown = read_at(c, w->physical, at, c->dbg_hit.old, n) ? n : 0;
        return w->owner == DBG_GDB;
    }
    return false;
}

bool dbg_watched_now(struct cpu *c, const struct dbg_hit *h, u8 now[DBG_SHOWN_MAX])
{
    return h->shown && read_at(c, h->physical, h->at, now, h->shown);
}
