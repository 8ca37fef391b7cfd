/// F17 (strict): translation tables changed without break-before-make, or used before the TLBs know.
/// Descriptors that were used are remembered; lines that hold them count as code, so that stores to them
/// are seen. A global descriptor that was retired stays on a list until a TLBI reaches every CPU: whoever
/// uses the addresses before that may get the old translation. Arm ARM, "Using break-before-make when
/// updating translation table entries", "TLB maintenance requirements".
#include "debug/priv.h"

#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES = 1 << 16, RETIRED_MAX = 64 };
typedef unsigned long long ull;

struct entry {
    gpa_t pa;  ///< of the descriptor; 0: free
    u64 value; ///< when it was last used in a walk, or written
    gva_t va;  ///< start of what it maps
    u64 size;
    u8 level;
    bool global;
};
/// A descriptor that no longer says what TLBs may hold.
struct retired {
    gva_t va;
    u64 size; ///< 0: free
    u64 was;
    gva_t pc;       ///< of the store
    u32 writer;     ///< CPU that stored
    u64 cpus[(MACHINE_CPUS_MAX + 63) / 64]; ///< that may still hold it
    gva_t local_pc; ///< of a TLBI that reached its own CPU only; 0: none
    u32 local_cpu;
};
struct tables {
    struct explain *x;
    struct entry e[ENTRIES];
    unsigned used;
    struct retired r[RETIRED_MAX];
    unsigned retired, next;
};

static struct entry *slot(struct tables *t, gpa_t pa)
{
    unsigned k = (unsigned)(pa >> 3) * 2654435761u >> 8 & (ENTRIES - 1);
    for (unsigned n = 0; n < ENTRIES; n++, k = (k + 1) & (ENTRIES - 1))
        if (t->e[k].pa == pa || t->e[k].pa == 0)
            return &t->e[k];
    return NULL;
}

static u8 memory_type(u64 mair, u64 desc) { return (u8)(mair >> bits(desc, 4, 2) * 8); }

/// Both valid, and more than permissions, access flag or software bits differ: the output address, the
/// memory type (not only its number in MAIR) or the kind of descriptor.
static bool breaks_rule(u64 was, u64 now, u8 level, u64 mair)
{
    const u64 out = 0xfffffffff000ULL, kind = 3;
    if (!(was & 1) || !(now & 1))
        return false;
    if ((was ^ now) & kind)
        return true;
    bool table = level < 3 && (was & 2);
    return ((was ^ now) & out) || (!table && memory_type(mair, was) != memory_type(mair, now));
}

/// The descriptor is part of the walk of what it maps, on some CPU, now.
static bool is_live(struct explain *x, const struct entry *e)
{
    struct xlat w;
    for (unsigned i = 0; i < x->cpus; i++) {
        struct cpu *c = machine_cpu(x->m, i);
        if (!(c->mode & MODE_MMU) || !machine_cpu_is_on(x->m, i))
            continue;
        (void)!mmu_walk(c, e->va, &w);
        if (w.desc_pa[e->level] == e->pa)
            return true;
    }
    return false;
}

/// Uses of the old translation must be seen: nobody may go on with what the soft TLBs hold.
static void drop_cached(struct explain *x, gva_t va, u64 size)
{
    for (unsigned i = 0; i < x->cpus; i++) {
        struct cpu *c = machine_cpu(x->m, i);
        if (size > GUEST_PAGE)
            tlb_flush_all(c);
        else
            tlb_flush_va(c, TLB_EL10, va, 0, true), tlb_flush_va(c, TLB_EL2, va, 0, true);
    }
}

static void retire(struct tables *t, struct cpu *c, const struct entry *e)
{
    struct retired *r = &t->r[t->next++ % RETIRED_MAX];
    *r = (struct retired){.va = e->va, .size = e->size, .was = e->value, .pc = c->pc, .writer = c->index};
    for (unsigned i = 0; i < t->x->cpus; i++)
        if (machine_cpu_is_on(t->x->m, i))
            r->cpus[i / 64] |= 1ULL << i % 64;
    t->retired++;
    drop_cached(t->x, e->va, e->size);
}

/// The old value came back, as after a change that was only tried.
static void unretire(struct tables *t, const struct entry *e, u64 now)
{
    for (unsigned k = 0; t->retired && k < RETIRED_MAX; k++)
        if (t->r[k].size == e->size && t->r[k].va == e->va && t->r[k].was == now)
            t->r[k].size = 0;
}

/// A store takes the mark off the whole line, and with it from the neighbours of what was written.
static void mark_again(struct tables *t, gpa_t gpa, u64 len)
{
    enum { LINE = 64 };
    for (gpa_t line = align_down(gpa, LINE); line < gpa + len; line += LINE)
        for (gpa_t pa = line; pa < line + LINE; pa += 8) {
            const struct entry *e = slot(t, pa);
            if (e && e->pa == pa) {
                mem_mark_code(machine_mem(t->x->m), line, 8);
                break;
            }
        }
}

/// The store must be complete before the TLBI: a DSB comes between.
static void check_order(struct explain *x, struct cpu *c)
{
    enum { LOOK = 16 };
    enum rehearsal_end end;
    struct insn i;
    u32 word;
    char at[96], tlbi[96];
    rehearse_begin(x, c);
    x->sim->pc += 4;
    for (unsigned n = 0; n < LOOK && mmu_debug_read(x->sim, x->sim->pc, &word, 4); n++) {
        insn_decode(word, &i);
        if (i.op == OP_DSB)
            return;
        if (i.op == OP_SYS && bits(word, 15, 12) == 8) {
            explain_say(x, c, "F17", true,
                        "the descriptor written at %s is followed by the TLBI at %s without a DSB between: the TLBI may be done first, and the TLB filled "
                        "again with the old translation; put dsb ishst before the tlbi",
                        name_full(x, c->pc, at, sizeof at), name_full(x, x->sim->pc, tlbi, sizeof tlbi));
            return;
        }
        if (i.op == OP_SYS || i.op == OP_MSR) {
            x->sim->pc += 4;
            continue;
        }
        if (!rehearse_step(x, true, &end))
            return;
    }
}

/// Stores of 8 bytes arrive after the fact; the remembered value is what was there.
static void table_written(void *ctx, gpa_t gpa, u64 len)
{
    struct tables *t = ctx;
    struct explain *x = t->x;
    struct mem *m = machine_mem(x->m);
    struct cpu *c = x->store_cpu ? x->store_cpu : machine_cpu(x->m, 0);
    gpa_t end = align_up(gpa + len, 8);
    char at[96];
    if (len > GUEST_PAGE)
        return;
    for (gpa_t pa = align_down(gpa, 8); pa < end; pa += 8) {
        struct entry *e = slot(t, pa);
        const void *p = mem_host(m, pa, 8);
        if (e == NULL || e->pa != pa || p == NULL)
            continue;
        u64 now = ld64(p);
        bool breaks = breaks_rule(e->value, now, e->level, c->sr[cpu_regime_regs[c->regime].mair]), gone = (e->value & 1) && !(now & 1);
        if (breaks && !is_said(x, "F17") && is_live(x, e))
            explain_say(x, c, "F17", true,
                        "pc=%s changes the live level %u descriptor at PA 0x%llx from 0x%llx to 0x%llx without "
                        "break-before-make: write 0 first, dsb ishst, tlbi, dsb ish, then the new value",
                        name_full(x, c->pc, at, sizeof at), e->level, (ull)pa, (ull)e->value, (ull)now);
        if (gone && !is_said(x, "F17") && is_live(x, e))
            check_order(x, c);
        if (gone && e->global && !is_said(x, "F17") && is_live(x, e))
            retire(t, c, e);
        else if (now & 1)
            unretire(t, e, now);
        e->value = now;
    }
    mark_again(t, gpa, len);
}

static bool holds(const struct retired *r, unsigned cpu) { return r->cpus[cpu / 64] >> cpu % 64 & 1; }

static void used(struct explain *x, struct cpu *c, struct retired *r, gva_t va, u64 pc)
{
    char at[96], by[96], tlbi[96];
    bool local = r->local_pc && r->local_cpu != c->index, own = r->writer == c->index && !r->local_pc;
    if (!local && !own)
        return; /* another CPU may still be about to invalidate it */
    name_full(x, pc, at, sizeof at);
    name_full(x, r->pc, by, sizeof by);
    if (local)
        explain_say(x, c, "F17", true,
                    "cpu%u uses 0x%llx at pc=%s, whose descriptor was changed at %s; the TLBI at %s reached cpu%u only: use the "
                    "Inner Shareable form (tlbi ...is) when other CPUs share the tables",
                    c->index, (ull)va, at, by, name_full(x, r->local_pc, tlbi, sizeof tlbi), r->local_cpu);
    else
        explain_say(x, c, "F17", true,
                    "0x%llx is used at pc=%s although its descriptor (0x%llx) was changed at %s and no TLBI followed: the TLB "
                    "may still hold the old translation; dsb ishst, tlbi, dsb ish, isb after the change",
                    (ull)va, at, (ull)r->was, by);
    r->size = 0;
}

static void check_use(struct explain *x, struct cpu *c, gva_t va, u64 pc)
{
    struct tables *t = x->tables;
    for (unsigned k = 0; t->retired && k < RETIRED_MAX && !is_said(x, "F17"); k++)
        if (t->r[k].size && va - t->r[k].va < t->r[k].size && holds(&t->r[k], c->index))
            used(x, c, &t->r[k], va, pc);
}

/// A fault on the address is a use too: silicon might have hit the TLB.
void lint_tables_fault(struct explain *x, struct cpu *c, gva_t va, u64 pc) { check_use(x, c, va, pc); }

static void remember(struct explain *x, struct cpu *c, struct tables *t, const struct xlat *w, int level, gva_t va)
{
    struct entry *e = slot(t, w->desc_pa[level]);
    unsigned page_bits = w->level == 3 ? (unsigned)__builtin_ctzll(w->page_size) : 12;
    if (w->level < 3) /* the granule follows from the size of the block */
        page_bits = w->page_size == 1ULL << 25 ? 14 : w->page_size == 1ULL << 29 ? 16 : 12;
    u64 size = 1ULL << (page_bits + (unsigned)(3 - level) * (page_bits - 3));
    if (e == NULL)
        return;
    if (e->pa) {
        e->va = va & ~(size - 1);
        return;
    }
    *e = (struct entry){w->desc_pa[level], w->desc[level], va & ~(size - 1), size, (u8)level, w->global};
    t->used++;
    tlb_protect_page(c, e->pa);
    mem_mark_code(machine_mem(x->m), e->pa, 8);
}

void lint_tables_fill(struct explain *x, struct cpu *c, gva_t va)
{
    struct xlat w;
    if (x->tables == NULL) {
        x->tables = xcalloc(1, sizeof *x->tables);
        x->tables->x = x;
        mem_watch_code(machine_mem(x->m), table_written, x->tables);
    }
    struct tables *t = x->tables;
    if (is_said(x, "F17"))
        return;
    check_use(x, c, va, c->pc);
    if (!mmu_walk(c, va, &w))
        return;
    for (int level = w.desc_first; level <= w.level && t->used < ENTRIES / 2; level++)
        remember(x, c, t, &w, level, va);
}

/// A TLBI of one page. Those of ranges and of stage 2 have other operands.
static bool is_by_va(u32 enc)
{
    u32 crm = enc >> 3 & 15, op = enc & 7;
    return (crm == 1 || crm == 3 || crm == 7) && (op & 1);
}
static gva_t tlbi_va(u64 val) { return (gva_t)sext(val << 12, 56); }

/// What a TLBI reaches leaves the list.
static void invalidated(struct explain *x, struct cpu *c, u32 enc, u64 val)
{
    struct tables *t = x->tables;
    bool local = (enc >> 3 & 15) == 7;
    u32 op = enc & 7;
    gva_t va = tlbi_va(val);
    bool left = false;
    for (unsigned k = 0; t->retired && k < RETIRED_MAX; k++) {
        struct retired *r = &t->r[k];
        if (r->size && op != 2 && !(is_by_va(enc) && (va - r->va) >= r->size)) {
            if (!local)
                memset(r->cpus, 0, sizeof r->cpus);
            r->cpus[c->index / 64] &= ~(1ULL << c->index % 64);
            if (r->writer == c->index) {
                r->local_pc = c->pc;
                r->local_cpu = c->index;
            }
            bool any = false;
            for (unsigned i = 0; i < ARRAY_LEN(r->cpus); i++)
                any |= r->cpus[i] != 0;
            if (!any)
                r->size = 0;
        }
        left |= r->size != 0;
    }
    if (!left)
        t->retired = 0;
}

/// Translations that changed and that one TLBI is for.
struct stale {
    struct {
        gva_t va;
        u64 size;
    } r[RETIRED_MAX + 1];
    unsigned count;
};

static bool is_stale(const struct stale *s, gva_t va)
{
    for (unsigned k = 0; k < s->count; k++)
        if (va - s->r[k].va < s->r[k].size)
            return true;
    return false;
}

static void collect(const struct tables *t, u32 enc, u64 val, struct stale *s)
{
    if (is_by_va(enc))
        s->r[s->count].va = tlbi_va(val), s->r[s->count++].size = GUEST_PAGE;
    for (unsigned k = 0; t && t->retired && k < RETIRED_MAX; k++)
        if (t->r[k].size) {
            s->r[s->count].va = t->r[k].va;
            s->r[s->count++].size = t->r[k].size;
        }
}

/// Without a DSB the TLBI may not be over yet. What relies on it: a use of translations that it is for, or where those
/// are not known (a TLBI of all) what makes sure that changes count. Whole batches may go before one DSB.
static const char *relies_on_it(const struct stale *s, const struct insn *i, const struct cpu_probe *probe)
{
    if (s->count)
        return (i->flags & (LD | ST)) && is_stale(s, probe->va) ? "a use of what changed" : NULL;
    return i->op == OP_ISB ? "`isb`" : i->op == OP_ERET ? "`eret`" : NULL;
}

/// TLBI: the next DSB must come before the next access that depends on it.
void lint_tables_op(struct explain *x, struct cpu *c, u32 enc, u64 val)
{
    enum { LOOK = 16, LOOK_FAR = 200 };
    enum rehearsal_end end;
    struct stale stale = {.count = 0};
    struct insn i;
    u32 word;
    char at[96];
    bool is_stage2 = (enc >> 11 & 7) == 4 && ((enc >> 3 & 15) == 0 || (enc >> 3 & 15) == 4);
    if (is_said(x, "F17") || is_stage2)
        return;
    collect(x->tables, enc, val, &stale);
    if (x->tables)
        invalidated(x, c, enc, val);
    rehearse_begin(x, c);
    x->sim->pc += 4;
    for (unsigned n = 0; n < (stale.count ? LOOK_FAR : LOOK) && mmu_debug_read(x->sim, x->sim->pc, &word, 4); n++) {
        insn_decode(word, &i);
        if (i.op == OP_DSB)
            return;
        bool is_system = i.op == OP_SYS || i.op == OP_MSR;
        bool goes_on = !is_system && rehearse_step(x, true, &end);
        bool translates = x->sim->mode & MODE_MMU; /* else a TLBI concerns nothing that it does */
        const char *what = is_system || !translates ? NULL : relies_on_it(&stale, &i, &x->sim_probe);
        if (what) {
            explain_say(x, c, "F17", true,
                        "TLBI at %s is followed by %s without a DSB: other CPUs, and this one, may still use the old "
                        "translation; put dsb ish (and isb) after the tlbi",
                        name_full(x, c->pc, at, sizeof at), what);
            return;
        }
        if (is_system)
            x->sim->pc += 4;
        else if (!goes_on)
            return;
    }
}

void lint_tables_free(struct explain *x)
{
    if (x->tables)
        mem_unwatch_code(machine_mem(x->m), x->tables);
    free(x->tables);
    x->tables = NULL;
}
