/// F06: code that was written and is executed although the caches may still hold the old bytes. Of each
/// page that holds or may come to hold written code, two copies are kept: what the instruction cache may
/// hold (as of the last IC) and what memory holds (as of the last DC clean). Arm ARM, "Concurrent
/// modification and execution of instructions" and "Data and unified cache maintenance".
#include "debug/priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGES_MAX = 4096, PAGES_MAX_STRICT = 32768, FEW_PAGES = 24, TABLE_SIZE = 65536, LINE = 64 };

struct code_page {
    gpa_t pa;
    u64 writer_pc; ///< of the last store seen, or 0
    bool uncached; ///< was written with the MMU off: what the caches hold is not known
    u8 icache[GUEST_PAGE], clean[GUEST_PAGE];
    u8 loaded[GUEST_PAGE]; ///< before the first store
};

static unsigned slot_of(gpa_t page) { return (unsigned)((page >> GUEST_PAGE_SHIFT) * 2654435761u >> 8) % TABLE_SIZE; }

/// Slot of a page, or of the free slot where it would go.
static struct code_page **find(struct explain *x, gpa_t pa)
{
    gpa_t page = align_down(pa, GUEST_PAGE);
    if (x->code_page == NULL)
        return NULL;
    unsigned k = slot_of(page);
    while (x->code_page[k] && x->code_page[k]->pa != page)
        k = (k + 1) % TABLE_SIZE;
    return &x->code_page[k];
}

static struct code_page *watch_page(struct explain *x, gpa_t pa)
{
    if (x->code_page == NULL)
        x->code_page = xcalloc(TABLE_SIZE, sizeof *x->code_page);
    struct code_page **slot = find(x, pa);
    if (*slot)
        return *slot;
    const u8 *host = mem_host(machine_mem(x->m), align_down(pa, GUEST_PAGE), GUEST_PAGE);
    if (host == NULL || x->code_pages == (is_strict(x) ? PAGES_MAX_STRICT : PAGES_MAX))
        return NULL;
    struct code_page *p = xcalloc(1, sizeof *p);
    p->pa = align_down(pa, GUEST_PAGE);
    memcpy(p->icache, host, GUEST_PAGE);
    memcpy(p->clean, host, GUEST_PAGE);
    memcpy(p->loaded, host, GUEST_PAGE);
    *slot = p;
    x->code_pages++;
    mem_suspect_code(machine_mem(x->m), pa, true);
    return p;
}

void lint_code_free(struct explain *x)
{
    for (unsigned k = 0; x->code_page && k < TABLE_SIZE; k++)
        if (x->code_page[k]) {
            mem_suspect_code(machine_mem(x->m), x->code_page[k]->pa, false);
            free(x->code_page[k]);
        }
    free(x->code_page);
    x->code_page = NULL;
    x->code_pages = 0;
}

/// A page becomes writable for the first time: bare-metal programs only, since a kernel of the size of
/// Linux writes everything.
void lint_code_fill(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr)
{
    struct code_page *p = x->is_linux ? NULL : watch_page(x, pa);
    if (p && !(c->mode & MODE_MMU))
        p->uncached = true;
}

void lint_code_store(struct explain *x, struct cpu *c, gpa_t pa)
{
    struct code_page *p = watch_page(x, pa);
    if (p)
        p->writer_pc = c->pc;
}

static void refresh(struct explain *x, struct code_page *p, u64 off, u64 len, bool icache, bool clean)
{
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    if (host && icache)
        memcpy(p->icache + off, host + off, len);
    if (host && clean)
        memcpy(p->clean + off, host + off, len);
}
static void refresh_all(struct explain *x, bool icache, bool clean)
{
    for (unsigned k = 0; x->code_page && k < TABLE_SIZE; k++)
        if (x->code_page[k])
            refresh(x, x->code_page[k], 0, GUEST_PAGE, icache, clean);
}

static bool is_dirty(struct explain *x, const struct code_page *p, u64 off, u64 len)
{
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    return host && !p->uncached && memcmp(p->clean + off, host + off, len) != 0;
}

/// With the MMU off, loads from pages with lines that were not cleaned must be seen.
static void watch_dirty(struct explain *x, bool on)
{
    if (!handoff_active(x))
        return;
    for (unsigned k = 0; x->code_page && k < TABLE_SIZE; k++)
        if (x->code_page[k] && (!on || is_dirty(x, x->code_page[k], 0, GUEST_PAGE)))
            mem_watch_loads(machine_mem(x->m), x->code_page[k]->pa, GUEST_PAGE, on); /* SCTLR.M flushes */
}

static void say_dirty(struct explain *x, struct cpu *c, gpa_t pa, const char *what)
{
    char at[96];
    explain_say(x, c, "L1", true,
                "%s of 0x%llx at %s with the MMU off, from a line that was written with caches on and not cleaned since: memory "
                "still holds the old bytes; dc civac over everything written and needed, dsb sy, before SCTLR.M is cleared",
                what, (unsigned long long)pa, name_full(x, c->pc, at, sizeof at));
}

/// A load with the MMU off from a page of watch_dirty.
void lint_code_load(struct explain *x, struct cpu *c, gpa_t pa, unsigned size)
{
    struct code_page **p = find(x, pa);
    u64 off = pa % GUEST_PAGE;
    if (!p || !*p || size > GUEST_PAGE - off || !handoff_active(x))
        return;
    if (is_dirty(x, *p, off, size))
        say_dirty(x, c, pa, "load");
}

void lint_code_host_write(struct explain *x, gpa_t pa, u64 len)
{
    for (gpa_t page = align_down(pa, GUEST_PAGE); page < pa + len; page += GUEST_PAGE)
        if (!watch_page(x, page))
            return;
}

/// enc 0: caches were switched on or off, which counts as maintenance of everything before.
void lint_code_op(struct explain *x, struct cpu *c, u32 enc, gva_t va)
{
    struct xlat w;
    if (x->code_pages == 0)
        return;
    switch (enc) {
    case 0:
        if (handoff_active(x) && bit(c->sr[SYSREG_SCTLR_EL1], 0)) { /* going off: dirty lines stay in the cache */
            watch_dirty(x, true);
            return;
        }
        watch_dirty(x, false);
        refresh_all(x, true, true);
        x->code_pending.line = 0;
        return;
    case SYSREG_ENC(1, 0, 7, 1, 0):
    case SYSREG_ENC(1, 0, 7, 5, 0):
        refresh_all(x, true, false);
        x->code_pending.line = 0;
        return;
    case SYSREG_ENC(1, 0, 7, 10, 2):
    case SYSREG_ENC(1, 0, 7, 14, 2): refresh_all(x, false, true); return;
    case SYSREG_ENC(1, 0, 7, 6, 1):
    case SYSREG_ENC(1, 0, 7, 6, 2): return;
    default: break;
    }
    gpa_t pa;
    if (!mmu_op_pa(c, va, &pa)) {
        if (!mmu_walk(c, va, &w))
            return;
        pa = w.pa;
    }
    struct code_page **p = find(x, pa);
    bool ic = enc == SYSREG_ENC(1, 3, 7, 5, 1);
    u64 ctr = c->sr[SYSREG_CTR_EL0], line = 4ULL << (ic ? ctr & 15 : ctr >> 16 & 15);
    if (ic && align_down(x->code_pending.line, line) == align_down(pa, line))
        x->code_pending.line = 0;
    if (p && *p) {
        u64 off = align_down(pa % GUEST_PAGE, line);
        const u8 *host = mem_host(machine_mem(x->m), (*p)->pa, GUEST_PAGE);
        bool changes = host && memcmp((ic ? (*p)->icache : (*p)->clean) + off, host + off, line) != 0;
        refresh(x, *p, off, line, ic, !ic);
        if (changes)
            lint_barriers(x, c, align_down(pa, LINE), ic);
    }
}

bool lint_code_was(struct explain *x, gpa_t pa, u32 *old, u64 *writer)
{
    struct code_page **slot = find(x, pa);
    u32 now;
    if (slot == NULL || *slot == NULL || !mem_read(machine_mem(x->m), pa, &now, sizeof now))
        return false;
    *old = ld32((*slot)->loaded + (pa % GUEST_PAGE & ~3ULL));
    *writer = (*slot)->writer_pc;
    return *old != now;
}

static bool line_was_code(struct explain *x, gpa_t pa)
{
    const struct mem_region *r = mem_find(machine_mem(x->m), pa);
    u64 off = pa - r->base;
    return bit(r->stale_lines[off / GUEST_PAGE], off / LINE % 64);
}

/// The store that changed the code was a push: the stack ran over it.
static bool by_stack(struct explain *x, struct cpu *c, u64 pc)
{
    struct insn i;
    u32 word;
    char at[96];
    if (x->is_linux || pc == 0 || !mmu_debug_read(c, pc, &word, 4))
        return false;
    insn_decode(word, &i);
    if (!(i.flags & ST) || i.rn != REG_SP)
        return false;
    explain_say(x, c, "F14", true, "stack overflow: `stp` or `str` through SP at %s overwrote code that now runs",
                name_full(x, pc, at, sizeof at));
    return true;
}

void lint_code_run(struct explain *x, struct cpu *c, gpa_t pa)
{
    struct code_page **slot = find(x, pa);
    char at[96], by[120] = "";
    u64 off = pa % GUEST_PAGE & ~3ULL;
    u64 sctlr = c->sr[SYSREG_SCTLR_EL1];
    bool cached = (sctlr & 5) == 5;
    if (slot == NULL || *slot == NULL || (x->is_linux && c->el == 0))
        return;
    struct code_page *p = *slot;
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    u32 now = ld32(host + off);
    bool stale = ld32(p->icache + off) != now, dirty = cached && ld32(p->clean + off) != now;
    if (handoff_active(x) && !(c->mode & MODE_MMU) && is_dirty(x, p, off, 4)) {
        say_dirty(x, c, pa, "fetch");
        return;
    }
    if (!stale && !dirty)
        return;
    bool before = stale && line_was_code(x, pa);
    /* Never fetched, caches off: silicon reads memory. A loader that moves itself relies on that; a
       program that makes a little code forgot something. */
    bool icache = is_strict(x) && bit(sctlr, 12);
    if (!before && !cached && !icache && x->code_pages > FEW_PAGES)
        return;
    if (by_stack(x, c, p->writer_pc))
        return;
    name_full(x, (c->pc & ~0xfffULL) | (pa & 0xfff), at, sizeof at);
    if (p->writer_pc) {
        char w[96];
        snprintf(by, sizeof by, " by pc=%s", name_full(x, p->writer_pc, w, sizeof w));
    }
    char text[400];
    snprintf(text, sizeof text,
             "executing %s (PA 0x%llx), modified%s with no %s since: silicon may run the old bytes; after writing code: "
             "dc cvau, dsb ish, ic ivau, dsb ish, isb",
             at, (unsigned long long)pa, by, stale ? "IC IVAU" : "DC CVAU");
    if (!x->is_linux) {
        explain_say(x, c, handoff_id(x, "L2", "F06"), true, "%s", text);
        refresh(x, p, 0, GUEST_PAGE, true, true);
    } else if (x->code_pending.line == 0) {
        x->code_pending.line = align_down(pa, LINE);
        x->code_pending.samples = 0;
        memcpy(x->code_pending.text, text, sizeof text);
    }
}

/// Linux patches functions that it uses while patching (__set_fixmap) and does the maintenance right
/// after: what it runs in between is its own business.
void lint_code_sample(struct explain *x, struct cpu *c)
{
    if (x->code_pending.line == 0 || ++x->code_pending.samples < 2)
        return;
    x->code_pending.line = 0;
    explain_say(x, c, "F06", true, "%s", x->code_pending.text);
}
