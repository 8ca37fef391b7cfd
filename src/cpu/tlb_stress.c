/// Tests of the rule in cpu.h: translations vanish while they are being used.
#include "cpu/cpu.h"

#include <stdlib.h>

enum { ENTRIES_MAX = 64 };

struct tlb_stress {
    u32 drop, entries;
    u32 accesses, kind, next;
    struct {
        struct mmuctx *t;
        enum access acc;
        unsigned k;
    } kept[ENTRIES_MAX]; ///< what was filled last, a ring
};

void tlb_stress_start(struct cpu *c, u32 drop, u32 entries)
{
    if (!drop && !entries)
        return;
    if (c->tlb_stress == NULL)
        c->tlb_stress = xcalloc(1, sizeof *c->tlb_stress);
    c->tlb_stress->drop = drop;
    c->tlb_stress->entries = entries < ENTRIES_MAX ? entries : ENTRIES_MAX;
}

void tlb_stress_access(struct cpu *c, gva_t va)
{
    struct tlb_stress *s = c->tlb_stress;
    if (!s->drop || ++s->accesses % s->drop)
        return;
    switch (s->kind++ % 6) {
    case 0: tlb_flush_all(c); break;
    case 1: tlb_flush_va(c, TLB_EL10, va, 0, true); break;
    case 2: tlb_forget_writes(c); break;
    case 3: tlb_flush_class(c, TLB_EL10); break;
    case 4: tlb_flush_va(c, TLB_EL10, c->pc, 0, true); break;
    default: tlb_address_space_changed(c, TLB_EL10); break;
    }
}

void tlb_stress_fill(struct cpu *c, struct mmuctx *t, enum access acc, unsigned k)
{
    struct tlb_stress *s = c->tlb_stress;
    bool again = false;
    if (!s->entries)
        return;
    for (u32 n = 0; n < s->entries; n++)
        again |= s->kept[n].t == t && s->kept[n].acc == acc && s->kept[n].k == k;
    if (again)
        return;
    u32 n = s->next++ % s->entries;
    if (s->kept[n].t)
        tlb_evict(s->kept[n].t, s->kept[n].acc, s->kept[n].k);
    s->kept[n].t = t;
    s->kept[n].acc = acc;
    s->kept[n].k = k;
}
