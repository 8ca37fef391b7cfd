/// --check: lock-step of translator and interpreter on a running machine.
///
/// A stretch of some hundred instructions runs translated, with links, slots and return prediction as
/// always. Every page is copied before it is first written. Then CPU and memory are put back, the
/// interpreter runs as many instructions, and both states are compared; the interpreter's goes on. A
/// stretch ends before anything that must happen once (device accesses, system registers with effects,
/// WFI, HVC: the interpreter runs them alone) and at exceptions. Devices are locked out meanwhile.
///
/// When states differ, the stretch is run again from its start with more and more instructions until
/// they differ, which leaves a few instructions to show.
#include "accel/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_INSNS = 64, REPORT_MAX = 16 * 1024, STRETCH_MAX = 600, HASH = 1 << 12 };

/// A page written during a stretch.
struct page {
    gpa_t gpa;
    u8 *host;
    u8 old[GUEST_PAGE], translated[GUEST_PAGE];
};

struct check {
    struct cpu *c;
    struct interp *in;
    struct cpu_twice twice;
    struct cpu start, translated; ///< states before and after translated code ran
    struct page **page;
    unsigned page_count, page_cap;
    u16 hash[HASH]; ///< of page numbers: index + 1
    u64 rng;
    gva_t path[PATH_MAX_INSNS]; ///< of the interpreter's last instructions
    u32 word[PATH_MAX_INSNS];
    u64 path_count;
    bool in_step;
    char *report;
    size_t report_len;
    u64 stretches, instructions;
};

/* ---- memory ---- */

static u16 *page_slot(struct check *k, gpa_t page)
{
    unsigned h = (unsigned)(page >> GUEST_PAGE_SHIFT) & (HASH - 1);
    while (k->hash[h] && k->page[k->hash[h] - 1]->gpa != page)
        h = (h + 1) & (HASH - 1);
    return &k->hash[h];
}

/// A store to the page is about to happen. A stretch writes fewer pages than there are hash slots: it
/// has at most STRETCH_MAX instructions and a block.
static void page_announced(void *ctx, gpa_t gpa, u8 *host)
{
    struct check *k = ctx;
    u16 *slot = page_slot(k, gpa);
    if (*slot)
        return;
    if (k->page_count == k->page_cap) {
        k->page = xrealloc(k->page, (k->page_cap + 16) * sizeof *k->page);
        for (unsigned n = 0; n < 16; n++)
            k->page[k->page_cap++] = xcalloc(1, sizeof **k->page);
    }
    struct page *p = k->page[k->page_count++];
    *slot = (u16)k->page_count;
    p->gpa = gpa;
    p->host = host;
    memcpy(p->old, host, GUEST_PAGE);
    memcpy(p->translated, host, GUEST_PAGE);
}

static void forget_pages(struct check *k)
{
    if (k->page_count)
        memset(k->hash, 0, sizeof k->hash);
    k->page_count = 0;
}

static void memory_back(struct check *k)
{
    for (unsigned n = 0; n < k->page_count; n++)
        memcpy(k->page[n]->host, k->page[n]->old, GUEST_PAGE);
}

/* ---- the state of the CPU ---- */

enum { HEAD = offsetof(struct cpu, attention), TAIL = HEAD + sizeof(u32) };
_Static_assert(offsetof(struct cpu, event) == offsetof(struct cpu, irq_lines) + 4, "what other threads write");

/// Everything but what other threads write, and the words that belong to the translator itself.
static void restore(struct cpu *c, struct cpu *from)
{
    size_t wires = offsetof(struct cpu, irq_lines), after = wires + 8;
    memcpy(from->jit, c->jit, sizeof c->jit);
    memcpy(c, from, HEAD);
    memcpy((u8 *)c + TAIL, (u8 *)from + TAIL, wires - TAIL);
    memcpy((u8 *)c + after, (u8 *)from + after, sizeof *c - after);
}

/* ---- a stretch ---- */

/// Runs translated code until `budget` more instructions. ret  how many it ran
static u64 run_translated(struct check *k, u64 budget)
{
    struct cpu *c = k->c;
    u64 before = c->icount, limit = c->budget;
    jit_cpu_of(c)->stop_exceptions = c->exceptions;
    c->budget = before + budget < limit ? before + budget : limit;
    jit_run(c);
    c->exit.kind = EXIT_NONE;
    c->budget = limit;
    if (k->twice.blocked)
        c->icount--;
    return c->icount - before;
}

static void note_path(struct check *k)
{
    const struct cpu *c = k->c;
    unsigned at = k->path_count % PATH_MAX_INSNS;
    const struct tlb_ent *e = &c->ctx->x[c->pc >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    k->path[at] = c->pc;
    k->word[at] = e->tag == (c->pc & ~0xffcULL) ? ld32((const void *)(uintptr_t)(c->pc + e->addend)) : 0;
    k->path_count++;
}

/// Runs n instructions in the interpreter, and one more that cannot be fetched when translated code
/// took an exception there. ret  false when it came to something that must not be done twice
static bool run_interpreted(struct check *k, u64 n)
{
    struct cpu *c = k->c;
    u64 end = c->icount + n;
    while (c->icount < end) {
        u64 taken = c->exceptions;
        note_path(k);
        int status = interp_step(k->in);
        if (status == EXEC_EXIT || k->twice.blocked)
            return false;
        if (c->exceptions != taken && c->icount < end)
            return true; // translated code did not: the comparison will tell
    }
    if (k->translated.exceptions > c->exceptions)
        interp_step(k->in);
    return true;
}

/* ---- comparison ---- */

static void say(struct check *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct check *k, const char *fmt, ...)
{
    va_list ap;
    if (!k->report)
        k->report = xcalloc(1, REPORT_MAX);
    va_start(ap, fmt);
    int n = vsnprintf(k->report + k->report_len, REPORT_MAX - k->report_len, fmt, ap);
    va_end(ap);
    k->report_len += (size_t)(n < 0 ? 0 : n);
    if (k->report_len >= REPORT_MAX)
        k->report_len = REPORT_MAX - 1;
}

/// Says that a field differs, when wanted. ret  whether it does
static bool differs(struct check *k, bool tell, const char *name, u64 interp, u64 jit)
{
    if (interp == jit)
        return false;
    if (tell)
        say(k, "  %-14s %16llx %16llx\n", name, (unsigned long long)interp, (unsigned long long)jit);
    return true;
}

/// Whether NZCV has to be right: only when what follows reads it (the translator leaves dead flags out).
/// A wrong flag that is read further away shows there.
static bool flags_matter(struct check *k, bool mid_block)
{
    struct cpu *c = k->c;
    struct jit *j = jit_of(c);
    if (j->cfg.precise_flags)
        return true;
    const struct tlb_ent *e = &c->ctx->x[c->pc >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    if (mid_block || e->tag != (c->pc & ~0xffcULL))
        return false;
    return jit_flags_right_at(j, c->pc & 0xfff, (const u32 *)(uintptr_t)(c->pc + e->addend));
}

/// Of the exception just taken.
static u64 esr_of(const struct cpu *c) { return c->sr[c->el == 2 ? SYSREG_ESR_EL2 : SYSREG_ESR_EL1]; }

static bool compare_registers(struct check *k, bool tell)
{
    struct cpu *a = k->c, *b = &k->translated;
    char name[8];
    bool bad = false;
    bool took = b->exceptions != k->start.exceptions;
    bool svc = took && esr_of(a) >> 26 == EC_SVC64;
    u64 spsr_mask = took && !svc && !jit_of(a)->cfg.precise_flags ? 0xf0000000ULL : 0;
    bool all = memcmp(a->x, b->x, sizeof(u64) * (REG_SP + 1)) || memcmp(a->v, b->v, sizeof a->v) || memcmp(a->sr, b->sr, sizeof a->sr);
    for (unsigned n = 0; all && n <= REG_SP; n++) {
        snprintf(name, sizeof name, n == REG_SP ? "sp" : "x%u", n);
        bad |= differs(k, tell, name, a->x[n], b->x[n]);
    }
    bad |= differs(k, tell, "pc", a->pc, b->pc);
    if (flags_matter(k, k->twice.blocked || (took && !svc)))
        bad |= differs(k, tell, "nzcv", cpu_nzcv(a), cpu_nzcv(b));
    bad |= differs(k, tell, "daif", a->daif, b->daif) | differs(k, tell, "el", a->el, b->el) |
           differs(k, tell, "spsel", a->sp_sel, b->sp_sel) | differs(k, tell, "pan", a->pan, b->pan) |
           differs(k, tell, "fpcr", a->fpcr, b->fpcr) | differs(k, tell, "fpsr", a->fpsr, b->fpsr) |
           differs(k, tell, "exceptions", a->exceptions - k->start.exceptions, b->exceptions - k->start.exceptions) |
           differs(k, tell, "monitor", a->excl_va, b->excl_va) | differs(k, tell, "erets", a->erets, b->erets);
    for (unsigned n = 0; n < 4; n++)
        bad |= n != (a->sp_sel ? a->el : 0u) && differs(k, tell, "sp (banked)", a->sp_bank[n], b->sp_bank[n]);
    for (unsigned n = 0; all && n < 32; n++) {
        snprintf(name, sizeof name, "v%u.d0", n);
        bad |= differs(k, tell, name, a->v[n].d[0], b->v[n].d[0]);
        name[strlen(name) - 1] = '1';
        bad |= differs(k, tell, name, a->v[n].d[1], b->v[n].d[1]);
    }
    for (unsigned n = 0; all && n < SYSREG_COUNT; n++) {
        u64 mask = n == SYSREG_SPSR_EL1 || n == SYSREG_SPSR_EL2 ? spsr_mask : 0;
        bad |= differs(k, tell, sysreg_id_name((enum sysreg_id)n), a->sr[n] & ~mask, b->sr[n] & ~mask);
    }
    return bad;
}

static bool compare_memory(struct check *k, bool tell)
{
    bool bad = false;
    for (unsigned n = 0; n < k->page_count; n++) {
        struct page *p = k->page[n];
        const u8 *jit = p->translated;
        if (memcmp(jit, p->host, GUEST_PAGE) == 0)
            continue;
        bad = true;
        for (unsigned at = 0, said = 0; tell && at < GUEST_PAGE && said < 4; at += 8)
            if (ld64(jit + at) != ld64(p->host + at)) {
                char name[24];
                snprintf(name, sizeof name, "[%llx]", (unsigned long long)p->gpa + at);
                differs(k, true, name, ld64(p->host + at), ld64(jit + at));
                said++;
            }
    }
    return bad;
}

static bool compare(struct check *k, bool in_step, bool tell)
{
    bool bad = !in_step;
    if (!in_step && tell)
        say(k, "  the interpreter came to something that translated code did not do\n");
    bad |= compare_registers(k, tell);
    bad |= compare_memory(k, tell);
    return bad;
}

/* ---- running ---- */

/// One stretch in both engines. out: its length. ret  false when they differ, with nothing put back
static bool stretch(struct check *k, u64 budget, u64 *length)
{
    struct cpu *c = k->c;
    k->twice.blocked = false;
    tlb_forget_writes(c);
    u64 n = *length = run_translated(k, budget);
    bool blocked = k->twice.blocked;
    k->translated = *c;
    for (unsigned i = 0; i < k->page_count; i++)
        memcpy(k->page[i]->translated, k->page[i]->host, GUEST_PAGE);
    memory_back(k);
    restore(c, &k->start);
    tlb_forget_writes(c);
    k->twice.blocked = false;
    k->path_count = 0;
    k->in_step = run_interpreted(k, n);
    k->twice.blocked = blocked;
    return !compare(k, k->in_step, false);
}

static void show_state(struct check *k, const struct cpu *c)
{
    static const char digits[][3] = {"0",  "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11", "12", "13", "14", "15",
                                     "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30"};
    for (unsigned n = 0; n <= REG_SP; n++)
        say(k, "  %c%-2s %016llx%s", n == REG_SP ? 's' : 'x', n == REG_SP ? "p" : digits[n], (unsigned long long)c->x[n],
            n % 4 == 3 ? "\n" : "");
    say(k, "  pc  %016llx  nzcv %08x  fpcr %08x  fpsr %08x  el%u  daif %03x\n", (unsigned long long)c->pc, cpu_nzcv(c),
        c->fpcr, c->fpsr, c->el, c->daif);
}

static void show_path(struct check *k, u64 shown)
{
    if (shown > PATH_MAX_INSNS)
        shown = PATH_MAX_INSNS;
    for (u64 n = k->path_count > shown ? k->path_count - shown : 0; n < k->path_count; n++) {
        char text[96];
        gva_t pc = k->path[n % PATH_MAX_INSNS];
        insn_disas(k->word[n % PATH_MAX_INSNS], pc, text, sizeof text);
        say(k, "  %016llx  %08x  %s\n", (unsigned long long)pc, k->word[n % PATH_MAX_INSNS], text);
    }
}

/// The difference just found, between `before` and now; in_step as compare has it.
static void show(struct check *k, const struct cpu *before, u64 length, bool in_step)
{
    k->report_len = 0;
    say(k, "translated code and the interpreter differ within %llu instructions from pc 0x%llx (EL%u)\n",
        (unsigned long long)length, (unsigned long long)before->pc, before->el);
    say(k, "  %-14s %16s %16s\n", "", "interpreter", "translated");
    compare(k, in_step, true);
    say(k, "instructions:\n");
    show_path(k, length);
    say(k, "before:\n");
    show_state(k, before);
    say(k, "after, interpreted:\n");
    show_state(k, k->c);
    say(k, "after, translated:\n");
    show_state(k, &k->translated);
}

/// A stretch of this many instructions differs. Runs it again from its start with more and more
/// instructions until it does, and describes what lies between the last agreement and there.
static void describe(struct check *k, u64 whole)
{
    struct jit *j = jit_of(k->c);
    u64 good = 0, length = 0;
    struct cpu before = k->start;
    show(k, &before, whole, k->in_step);
    j->cfg.check_again = true; /* interrupts wait */
    for (u64 b = 1; b <= whole; b = length + 1) {
        memory_back(k);
        restore(k->c, &k->start);
        if (!stretch(k, b, &length)) {
            show(k, &before, length - good, k->in_step);
            break;
        }
        good = length;
        before = *k->c;
        if (length < b) // it ends before the budget is used up
            break;
    }
    j->cfg.check_again = false;
}

/// Most stretches are long enough for loops, links and calls; some are short.
static u64 next_budget(struct check *k)
{
    u64 r = rng_next(&k->rng);
    return r & 3 ? 1 + (r >> 8) % STRETCH_MAX : 1 + (r >> 8) % 8;
}

/// ret  false when the engines differ
static bool run_both(struct check *k)
{
    struct cpu *c = k->c;
    struct mem *m = c->mem;
    struct cpu_hooks hooks = c->hooks;
    struct trace *trace = c->trace;
    u64 taken = c->exceptions, budget = next_budget(k), length;
    if (m->lock)
        m->lock(m->lock_ctx);
    c->hooks = (struct cpu_hooks){0};
    c->trace = NULL;
    c->twice = &k->twice;
    k->start = *c;
    bool same = stretch(k, budget, &length);
    k->stretches++;
    k->instructions += length;
    if (!same)
        describe(k, length);
    forget_pages(k);
    tlb_forget_writes(c);
    c->twice = NULL;
    c->hooks = hooks;
    c->trace = trace;
    if (m->unlock)
        m->unlock(m->lock_ctx);
    if (same && c->exceptions != taken && hooks.exception)
        hooks.exception(hooks.ctx, c, (u32)(c->pc & 0x7ff), esr_of(c), c->sr[c->el == 2 ? SYSREG_FAR_EL2 : SYSREG_FAR_EL1],
                        c->trail.e[(c->trail.head - 1) & (TRAIL_LEN - 1)].from);
    return same;
}

void check_run(struct check *k)
{
    struct cpu *c = k->c;
    while (c->exit.kind == EXIT_NONE) {
        if (atomic_load_explicit(&c->attention, memory_order_relaxed) && !accel_attention(c))
            return;
        if (c->icount >= c->budget) {
            c->exit.kind = EXIT_KICK;
            return;
        }
        if (c->single || (c->mode & MODE_SS))
            return;
        if (!run_both(k)) {
            c->exit.kind = EXIT_FAIL;
            return;
        }
        gpa_t pa;
        const u32 *host = mmu_fetch(c, c->pc, &pa);
        if (host && (k->twice.blocked || jit_stops_here(c, host)) && interp_step(k->in) == EXEC_EXIT)
            return;
    }
}

struct check *check_new(struct cpu *c, struct interp *in)
{
    struct check *k = NULL;
    if (posix_memalign((void **)&k, 64, sizeof *k) != 0)
        abort();
    memset(k, 0, sizeof *k);
    k->c = c;
    k->in = in;
    k->rng = 1;
    k->twice = (struct cpu_twice){.page = page_announced, .ctx = k};
    return k;
}

void check_free(struct check *k)
{
    if (!k)
        return;
    for (unsigned n = 0; n < k->page_cap; n++)
        free(k->page[n]);
    free(k->page);
    free(k->report);
    free(k);
}

const char *check_report(const struct check *k) { return k->report; }
