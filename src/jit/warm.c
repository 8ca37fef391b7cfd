/// Code that runs for the first or second time runs in the bodies of its instructions, and each says
/// that it ran. Half of what a kernel executes while it boots runs no oftener, and translating an
/// instruction takes as long as interpreting twenty. What ran twice is translated when control comes
/// back to it, and a translation leaves out ways that were never gone.
#include "cpu/dbg.h"
#include "cpu/sysreg_id.h"
#include "jit/translate.h"

#include <stdlib.h>

enum { WARM_PAGES = 1 << 13, WARM_STEPS = 1000, WARM_WORDS = GUEST_PAGE / 4 / 64 };

/// Which instructions of a physical page ran: a bit each. Several CPUs write this at the same time without a lock:
/// what one of them loses is noted when the code runs again.
struct jit_warm {
    gpa_t page; ///< plus 1: 0 is empty
    u64 once[WARM_WORDS], twice[WARM_WORDS];
    u64 head[WARM_WORDS]; ///< a block begins there, or did
};

void jit_warm_init(struct jit *j)
{
    free(j->warm);
    j->warm = j->cfg.warm && (!j->cfg.count || j->cfg.check) ? xcalloc(WARM_PAGES, sizeof *j->warm) : NULL;
}

/// A page that takes the place of another counts as warm, so that two that fight for a place are
/// translated at once, not interpreted for ever.
static struct jit_warm *page_of(const struct jit *j, gpa_t pa)
{
    gpa_t page = pa & ~(gpa_t)(GUEST_PAGE - 1);
    struct jit_warm *w = &j->warm[pa >> GUEST_PAGE_SHIFT & (WARM_PAGES - 1)];
    if (UNLIKELY(w->page != page + 1)) {
        int all = w->page ? 0xff : 0;
        memset(w->once, all, sizeof w->once);
        memset(w->twice, all, sizeof w->twice);
        memset(w->head, all, sizeof w->head);
        w->page = page + 1;
    }
    return w;
}

static unsigned word_of(gpa_t pa) { return (unsigned)(pa & (GUEST_PAGE - 1)) / 256; }
static u64 bit_of(gpa_t pa) { return 1ULL << (pa / 4 & 63); }

bool jit_has_run(const struct jit *j, gpa_t pa)
{
    return !j->warm || page_of(j, pa)->once[word_of(pa)] & bit_of(pa);
}
bool jit_is_warm(const struct jit *j, gpa_t pa)
{
    return !j->warm || page_of(j, pa)->twice[word_of(pa)] & bit_of(pa);
}

void jit_note_head(struct jit *j, gpa_t pa)
{
    if (j->warm)
        page_of(j, pa)->head[word_of(pa)] |= bit_of(pa);
}
bool jit_may_be_head(const struct jit *j, gpa_t pa)
{
    return j->warm && page_of(j, pa)->head[word_of(pa)] & bit_of(pa);
}

void jit_forget_run(struct jit *j, gpa_t pa, u64 len)
{
    if (!j->warm)
        return;
    for (gpa_t a = pa & ~63ULL; a < pa + len; a += 64) {
        struct jit_warm *w = &j->warm[a >> GUEST_PAGE_SHIFT & (WARM_PAGES - 1)];
        u64 line = 0xffffULL << (a / 4 & 63);
        if (w->page != (a & ~(gpa_t)(GUEST_PAGE - 1)) + 1)
            continue;
        w->once[word_of(a)] &= ~line;
        w->twice[word_of(a)] &= ~line;
    }
}

/// The instruction at pa, about to run in its body: stores to it will be noticed.
static const struct insn *decode(struct cpu *c, gpa_t pa, u32 word, struct insn *own)
{
    if (!mem_page_has_code(c->mem, pa))
        tlb_protect_page(c, pa);
    if (c->hooks.stale_code && mem_is_stale(c->mem, pa))
        c->hooks.stale_code(c->hooks.ctx, c, pa);
    mem_mark_code(c->mem, pa, 4);
    if (UNLIKELY(c->dbg != NULL)) {
        dbg_decode(c, pa, word, own);
        return own;
    }
    return jit_insn(c, word);
}

/// Translated code keeps part of FPSR in MXCSR; only it reads and writes that.
bool jit_touches_fpsr(const struct insn *i)
{
    return (i->op == OP_MRS || i->op == OP_MSR) &&
           (i->imm == SYSREG_ENC(3, 3, 4, 4, 0) || i->imm == SYSREG_ENC(3, 3, 4, 4, 1));
}

/// Notes that the instruction runs. ret  false when it is warm
static bool note(struct jit *j, gpa_t pa)
{
    struct jit_warm *w = page_of(j, pa);
    u64 *once = &w->once[word_of(pa)], *twice = &w->twice[word_of(pa)], one = bit_of(pa);
    if (*twice & one)
        return false;
    *twice |= j->cfg.warm > 1 ? *once & one : one;
    *once |= one;
    return true;
}

enum jit_warmth jit_run_cold(struct jit *j, struct cpu *c)
{
    u64 taken = c->exceptions;
    if (!j->warm)
        return WARM_READY;
    for (unsigned steps = 0; steps < WARM_STEPS; steps++) {
        struct insn own;
        gpa_t pa;
        const u32 *host = mmu_fetch(c, c->pc, &pa);
        if (!host || c->icount >= c->budget)
            break;
        if (UNLIKELY(j->cfg.check) && jit_stops_here(c, host))
            return WARM_MOVED;
        if (!note(j, pa))
            return steps ? WARM_MOVED : WARM_READY;
        const struct insn *i = decode(c, pa, *host, &own);
        if (jit_touches_fpsr(i))
            return steps ? WARM_MOVED : WARM_READY;
        c->icount++;
        jit_cpu_of(c)->st_cold++;
        int status = i->fn(c, i);
        if (status == EXEC_EXIT) {
            c->jit[JW_RESET] = 1;
            return WARM_EXIT;
        }
        if (status == EXEC_NEXT)
            c->pc += 4;
        if (c->exceptions != taken || i->flags & END || (c->twice && c->twice->blocked) ||
            atomic_load_explicit(&c->attention, memory_order_relaxed))
            break;
    }
    c->jit[JW_RESET] = 1; // another mode, perhaps
    return WARM_MOVED;
}
