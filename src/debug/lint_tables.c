/// F17 (strict): translation tables changed without break-before-make. Descriptors that were used are
/// remembered; lines that hold them count as code, so that stores to them are seen. Arm ARM, "Using
/// break-before-make when updating translation table entries".
#include "debug/priv.h"

#include <stdlib.h>

enum { ENTRIES = 1 << 14 };

struct entry {
    gpa_t pa;  ///< of the descriptor; 0: free
    u64 value; ///< when it was last used in a walk
    u8 level;
};
struct tables {
    struct explain *x;
    struct entry e[ENTRIES];
    unsigned used;
};

static struct entry *slot(struct tables *t, gpa_t pa)
{
    unsigned k = (unsigned)(pa >> 3) * 2654435761u >> 8 & (ENTRIES - 1);
    for (unsigned n = 0; n < ENTRIES; n++, k = (k + 1) & (ENTRIES - 1))
        if (t->e[k].pa == pa || t->e[k].pa == 0)
            return &t->e[k];
    return NULL;
}

/// Both valid, and more than permissions, access flag or software bits differ: the output address, the
/// memory type or the kind of descriptor.
static bool breaks_rule(u64 was, u64 now, u8 level)
{
    const u64 out = 0xfffffffff000ULL, attr = 7ULL << 2, kind = 3;
    if (!(was & 1) || !(now & 1))
        return false;
    if ((was ^ now) & kind)
        return true;
    bool table = level < 3 && (was & 2);
    return ((was ^ now) & out) || (!table && ((was ^ now) & attr));
}

/// Stores of 8 bytes arrive after the fact; the remembered value is what was there.
static void table_written(void *ctx, gpa_t gpa, u64 len)
{
    struct tables *t = ctx;
    struct explain *x = t->x;
    struct mem *m = machine_mem(x->m);
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
        struct cpu *c = machine_cpu(x->m, 0);
        if (breaks_rule(e->value, now, e->level))
            explain_say(x, NULL, "F17", true,
                        "pc=%s changes the live level %u descriptor at PA 0x%llx from 0x%llx to 0x%llx without "
                        "break-before-make: write 0 first, dsb ishst, tlbi, dsb ish, then the new value",
                        name_full(x, c->pc, at, sizeof at), e->level, (unsigned long long)pa,
                        (unsigned long long)e->value, (unsigned long long)now);
        e->value = now;
        mem_mark_code(m, pa, 8);
    }
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
    if (!mmu_walk(c, va, &w))
        return;
    for (int level = w.desc_first; level <= w.level && t->used < ENTRIES / 2; level++) {
        struct entry *e = slot(t, w.desc_pa[level]);
        if (e == NULL || e->pa)
            continue;
        *e = (struct entry){w.desc_pa[level], w.desc[level], (u8)level};
        t->used++;
        tlb_protect_page(c, e->pa);
        mem_mark_code(machine_mem(x->m), e->pa, 8);
    }
}

/// TLBI: the next DSB must come before the next access that depends on it.
void lint_tables_op(struct explain *x, struct cpu *c, u32 enc)
{
    enum { LOOK = 16 };
    enum rehearsal_end end;
    struct insn i;
    u32 word;
    char at[96];
    if (x->said & 1ULL << 17)
        return;
    rehearse_begin(x, c);
    x->sim->pc += 4;
    for (unsigned n = 0; n < LOOK && mmu_debug_read(x->sim, x->sim->pc, &word, 4); n++) {
        insn_decode(word, &i);
        if (i.op == OP_DSB)
            return;
        if (i.op == OP_SYS || i.op == OP_MSR) {
            x->sim->pc += 4;
            continue;
        }
        if (i.op == OP_ISB || i.op == OP_ERET || (i.flags & (LD | ST))) {
            explain_say(x, c, "F17", true,
                        "TLBI at %s is followed by `%s` without a DSB: other CPUs, and this one, may still use the old "
                        "translation; put dsb ish (and isb) after the tlbi",
                        name_full(x, c->pc, at, sizeof at),
                        i.op == OP_ISB ? "isb" : i.op == OP_ERET ? "eret" : "a memory access");
            return;
        }
        if (!rehearse_step(x, true, &end))
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
