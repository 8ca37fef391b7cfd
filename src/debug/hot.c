/// Where a guest spends its time: the blocks that samples met, for the report of a timeout.
#include "debug/priv.h"

#include <stdlib.h>

struct hot {
    struct hot_block block[HOT_BLOCKS];
    unsigned count;
    u64 total;
};

void hot_count(struct explain *x, struct cpu *c)
{
    if (x->hot == NULL)
        x->hot = xcalloc(1, sizeof *x->hot);
    struct hot *h = x->hot;
    struct hot_block *least = &h->block[0];
    h->total++;
    for (unsigned i = 0; i < h->count; i++) {
        struct hot_block *b = &h->block[i];
        if (b->pc == c->pc && b->el == c->el) {
            b->samples++;
            return;
        }
        if (b->samples < least->samples)
            least = b;
    }
    if (h->count < HOT_BLOCKS)
        least = &h->block[h->count++];
    *least = (struct hot_block){.pc = c->pc, .el = c->el, .samples = 1};
}

static int by_samples(const void *a, const void *b)
{
    const struct hot_block *p = a, *q = b;
    return p->samples != q->samples ? (p->samples < q->samples ? 1 : -1) : (p->pc > q->pc) - (p->pc < q->pc);
}

const struct hot_block *hot_top(struct explain *x, unsigned *count, u64 *total)
{
    struct hot *h = x->hot;
    *count = 0;
    *total = 0;
    if (h == NULL)
        return NULL;
    qsort(h->block, h->count, sizeof h->block[0], by_samples);
    *count = h->count;
    *total = h->total;
    return h->block;
}
