/// F06: code that was written and is executed although the caches may still hold the old bytes. Of each
/// page that holds or may come to hold written code, two copies of what is being changed are kept: what the instruction
/// cache may hold (as of the last IC) and what memory holds (as of the last DC clean). Arm ARM, "Concurrent
/// modification and execution of instructions" and "Data and unified cache maintenance".
#include "debug/copies.h"

#include <stdio.h>

enum { FEW_PAGES = 24, LINE = COPY_LINE };

/// A page becomes writable for the first time: bare-metal programs only, since a kernel of the size of
/// Linux writes everything.
void lint_code_fill(struct explain *x, struct cpu *c, gva_t va, gpa_t pa, u8 attr)
{
    struct code_page *p = x->is_linux ? NULL : copies_watch(x, pa);
    if (p == NULL)
        return;
    copies_keep(x, p, 0, GUEST_PAGE);
    if (!(c->mode & MODE_MMU) || !bit(c->sr[cpu_regime_regs[c->regime].sctlr], 2) || attr == MAIR_NON_CACHEABLE || (attr & 0xf0) == 0)
        p->uncached = true;
}

/// A page that is watched becomes writable: what is stored there will not be told.
void lint_code_open(struct explain *x, gpa_t pa)
{
    struct code_page *p = copies_find(x, pa);
    if (p)
        copies_keep(x, p, 0, GUEST_PAGE);
}

void lint_code_store(struct explain *x, struct cpu *c, gpa_t pa, unsigned size)
{
    struct code_page *p = copies_watch(x, pa);
    if (p == NULL)
        return;
    copies_keep(x, p, pa % GUEST_PAGE, size);
    p->writer_pc = c->pc;
    p->writer = c->index;
}

static void refresh_all(struct explain *x, bool icache, bool clean)
{
    for (struct code_page *p = copies_first(x); p; p = p->next)
        if (p->lines)
            copies_refresh(x, p, 0, GUEST_PAGE, icache, clean);
}

static bool is_dirty(struct explain *x, const struct code_page *p, u64 off, u64 len)
{
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    for (u64 at = off; host && !p->uncached && at < off + len;) {
        const struct copy_line *l = copies_line(x, p, at);
        u64 end = align_down(at, LINE) + LINE, n = (end < off + len ? end : off + len) - at;
        if (l && memcmp(l->clean + at % LINE, host + at, n) != 0)
            return true;
        at += n;
    }
    return false;
}

/// With the MMU off, loads from pages with lines that were not cleaned must be seen.
static void watch_dirty(struct explain *x, bool on)
{
    if (!handoff_active(x))
        return;
    for (struct code_page *p = copies_first(x); p; p = p->next)
        if (!on || is_dirty(x, p, 0, GUEST_PAGE))
            mem_watch_loads(machine_mem(x->m), p->pa, GUEST_PAGE, on); /* SCTLR.M flushes */
}

static void say_dirty(struct explain *x, struct cpu *c, gpa_t pa, const char *what)
{
    char at[96];
    explain_say(x, c, handoff_id(x, "L1", "F07"), true,
                "%s of 0x%llx at %s with the MMU off, from a line that was written with caches on and not cleaned since: memory "
                "still holds the old bytes; dc civac over everything written and needed, dsb sy, before SCTLR.M is cleared",
                what, (unsigned long long)pa, name_full(x, c->pc, at, sizeof at));
}

/// A load with the MMU off from a page of watch_dirty.
void lint_code_load(struct explain *x, struct cpu *c, gpa_t pa, unsigned size)
{
    const struct code_page *p = copies_find(x, pa);
    u64 off = pa % GUEST_PAGE;
    if (!p || size > GUEST_PAGE - off || !handoff_active(x))
        return;
    if (is_dirty(x, p, off, size))
        say_dirty(x, c, pa, "load");
}

void lint_code_host_write(struct explain *x, gpa_t pa, u64 len)
{
    for (gpa_t page = align_down(pa, GUEST_PAGE); page < pa + len; page += GUEST_PAGE) {
        struct code_page *p = copies_watch(x, page);
        if (p == NULL)
            return;
        copies_keep(x, p, 0, GUEST_PAGE);
    }
}

void lint_code_op(struct explain *x, struct cpu *c, u32 enc)
{
    if (copies_pages(x) == 0)
        return;
    switch (enc) {
    case 0:
        if (handoff_active(x) && bit(c->sr[SYSREG_SCTLR_EL1], 0)) { /* going off: dirty lines stay in the cache */
            watch_dirty(x, true);
            return;
        }
        watch_dirty(x, false);
        refresh_all(x, true, x->is_linux || !bit(c->sr[SYSREG_SCTLR_EL1], 0)); /* going off: as above */
        x->code_pending.line = 0;
        return;
    case SYSREG_ENC(1, 0, 7, 1, 0):
    case SYSREG_ENC(1, 0, 7, 5, 0):
        refresh_all(x, true, false);
        x->code_pending.line = 0;
        return;
    case SYSREG_ENC(1, 0, 7, 10, 2):
    case SYSREG_ENC(1, 0, 7, 14, 2): refresh_all(x, false, true); return;
    default: return;
    }
}

void lint_code_line(struct explain *x, struct cpu *c, u32 enc, gpa_t pa)
{
    struct code_page *p = copies_find(x, pa);
    bool ic = enc == SYSREG_ENC(1, 3, 7, 5, 1);
    u64 ctr = c->sr[SYSREG_CTR_EL0], line = 4ULL << (ic ? ctr & 15 : ctr >> 16 & 15);
    if (enc == SYSREG_ENC(1, 0, 7, 6, 1)) /* DC IVAC cleans nothing */
        return;
    if (ic && align_down(x->code_pending.line, line) == align_down(pa, line))
        x->code_pending.line = 0;
    if (p == NULL)
        return;
    u64 off = align_down(pa % GUEST_PAGE, line);
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    const struct copy_line *l = copies_line(x, p, off);
    bool changes = l && host && memcmp((ic ? l->icache : l->clean) + off % LINE, host + off, line < LINE ? line : LINE) != 0;
    copies_refresh(x, p, off, line, ic, !ic);
    if (changes)
        lint_barriers(x, c, align_down(pa, LINE), ic);
}

bool lint_code_was(struct explain *x, gpa_t pa, u32 *old, u64 *writer)
{
    const struct code_page *p = copies_find(x, pa);
    u32 now;
    if (p == NULL || p->loaded == NULL || !mem_read(machine_mem(x->m), pa, &now, sizeof now))
        return false;
    *old = ld32(p->loaded + (pa % GUEST_PAGE & ~3ULL));
    *writer = p->writer_pc;
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

/// Instructions that one CPU may change while another runs them: the other executes the old or the new one. Arm ARM,
/// "Concurrent modification and execution of instructions".
static bool may_change_running(u32 word)
{
    bool branch = (word & 0x7c000000) == 0x14000000, hint = word == 0xd503201f || word == 0xd5033fdf;
    bool call = (word & 0xffe00000) == 0xd4000000 && (word & 0x1c) == 0 && (word & 3) != 0, brk = (word & 0xffe0001f) == 0xd4200000;
    return branch || hint || call || brk;
}

void lint_code_run(struct explain *x, struct cpu *c, gpa_t pa)
{
    struct code_page *p = copies_find(x, pa);
    char at[96], by[120] = "";
    u64 off = pa % GUEST_PAGE & ~3ULL;
    const struct copy_line *l = p ? copies_line(x, p, off) : NULL;
    u64 sctlr = c->sr[SYSREG_SCTLR_EL1];
    bool cached = (sctlr & 5) == 5;
    if (l == NULL)
        return;
    if (x->is_linux && c->el == 0) {
        copies_settle(x, p, off);
        return;
    }
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    u32 now = ld32(host + off);
    bool stale = ld32(l->icache + off % LINE) != now, dirty = cached && ld32(l->clean + off % LINE) != now;
    if ((handoff_active(x) || !x->is_linux) && !(c->mode & MODE_MMU) && is_dirty(x, p, off, 4)) {
        say_dirty(x, c, pa, "fetch");
        return;
    }
    if (!stale && !dirty) {
        copies_settle(x, p, off);
        return;
    }
    bool before = stale && line_was_code(x, pa);
    /* Never fetched, caches off: silicon reads memory. A loader that moves itself relies on that; a
       program that makes a little code forgot something. */
    bool icache = is_strict(x) && bit(sctlr, 12);
    if (!before && !cached && !icache && copies_pages(x) > FEW_PAGES)
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
    bool in_time = x->is_linux || (p->writer != c->index && may_change_running(now) && may_change_running(ld32(l->icache + off % LINE)));
    if (!in_time) {
        explain_say(x, c, handoff_id(x, "L2", "F06"), true, "%s", text);
        copies_refresh(x, p, 0, GUEST_PAGE, true, true);
    } else if (x->code_pending.line == 0) {
        x->code_pending.line = align_down(pa, LINE);
        x->code_pending.writer = p->writer;
        x->code_pending.samples = 0;
        memcpy(x->code_pending.text, text, sizeof text);
    }
}

/// Linux patches functions that it uses while patching (__set_fixmap) and does the maintenance right
/// after: what it runs in between is its own business. So it may be with code that another CPU is about to maintain. The
/// host may let that one wait for long; so only time in which it runs counts.
void lint_code_sample(struct explain *x, struct cpu *c)
{
    if (x->code_pending.line == 0 || c->index != x->code_pending.writer || ++x->code_pending.samples < 2)
        return;
    x->code_pending.line = 0;
    explain_say(x, c, "F06", true, "%s", x->code_pending.text);
}
