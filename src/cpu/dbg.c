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
    c->dbg = d;
    c->dbg_watching = d && d->watch_count;
    c->dbg_resume_pc = ~0ULL;
    tlb_flush_all(c);
    cpu_update_mode(c);
}

u32 dbg_add_break(struct dbg *d, u64 addr, bool physical)
{
    if (d->brk_count == DBG_BREAKS_MAX || (addr & 3))
        return 0;
    d->brk[d->brk_count++] = (struct dbg_break){.addr = addr, .physical = physical, .id = d->next_id};
    mem_code_changed(d->mem);
    return d->next_id++;
}
u32 dbg_add_watch(struct dbg *d, gva_t addr, u64 len, bool read, bool write)
{
    if (d->watch_count == DBG_WATCHES_MAX || len == 0 || len > DBG_WATCH_LEN_MAX || !range_ok(addr, len, ~0ULL))
        return 0;
    d->watch[d->watch_count++] =
        (struct dbg_watch){.addr = addr, .len = len, .read = read, .write = write, .id = d->next_id};
    return d->next_id++;
}
bool dbg_delete(struct dbg *d, u32 id)
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
void dbg_resume(struct cpu *c)
{
    c->dbg_resume_pc = c->pc;
    c->dbg_hit.id = 0;
}

static struct dbg_break *find_break(struct cpu *c)
{
    struct dbg *d = c->dbg;
    struct xlat x;
    bool have_pa = false;
    for (unsigned k = 0; d && k < d->brk_count; k++) {
        struct dbg_break *b = &d->brk[k];
        if (!b->physical && b->addr == c->pc)
            return b;
        if (b->physical && ((b->addr ^ c->pc) & 0xfff) == 0) {
            if (!have_pa && !mmu_walk(c, c->pc, &x))
                return NULL;
            have_pa = true;
            if (x.pa == b->addr)
                return b;
        }
    }
    return NULL;
}

static EXEC(dbg_break)
{
    struct insn orig;
    struct dbg_break *b = c->dbg_resume_pc == c->pc ? NULL : find_break(c);
    if (b) {
        b->hits++;
        c->dbg_hit = (struct dbg_hit){.id = b->id, .pc = c->pc};
        c->exit.kind = EXIT_DEBUG;
        c->exit.addr = c->pc;
        return EXEC_EXIT;
    }
    c->dbg_resume_pc = ~0ULL;
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

void dbg_access(struct cpu *c, gva_t va, unsigned size, bool write)
{
    struct dbg *d = c->dbg;
    for (unsigned k = 0; d && k < d->watch_count; k++) {
        struct dbg_watch *w = &d->watch[k];
        if ((write ? w->write : w->read) && range_overlap((u64)sext(va, 56), size, (u64)sext(w->addr, 56), w->len)) {
            w->hits++;
            c->dbg_hit = (struct dbg_hit){.id = w->id, .pc = c->pc, .va = va, .size = size, .is_watch = true, .write = write};
            mmu_debug_read(c, w->addr, &c->dbg_hit.old, w->len < 8 ? w->len : 8);
            return;
        }
    }
}
