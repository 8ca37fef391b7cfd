/// Event ring.
#include "cpu/trace.h"
#include "cpu/cpu.h"

#include <stdlib.h>

struct trace *trace_new(u64 cap_log2, u32 mask)
{
    struct trace *t = xcalloc(1, sizeof *t);
    t->cap = 1ULL << (cap_log2 > 24 ? 24 : cap_log2);
    t->mask = mask;
    t->pc_hi = ~0ULL;
    t->rec = xcalloc(t->cap, sizeof *t->rec);
    return t;
}
void trace_free(struct trace *t)
{
    if (t)
        free(t->rec);
    free(t);
}

NOINLINE void trace_record(struct cpu *c, u32 kind, u64 pc, u64 a, u64 b, u64 cc)
{
    struct trace *t = c->trace;
    if (pc < t->pc_lo || pc > t->pc_hi)
        return;
    struct trace_rec *r = &t->rec[t->head++ & (t->cap - 1)];
    r->time_ns = c->now_ns ? c->now_ns(c->now_ctx) : c->icount;
    r->pc = pc;
    r->a = a;
    r->b = b;
    r->c = cc;
    r->kind = kind;
    r->el = c->el;
    r->cpu = (u16)c->index;
}
