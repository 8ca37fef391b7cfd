/// Shared parts of devices: register rows, timers, saved state.
#include "dev/dev.h"

#include <stdlib.h>

void state_bytes(struct state *s, void *p, size_t len)
{
    if (!s->is_loading) {
        if (s->pos + len > s->len) {
            s->len = (s->pos + len) * 2;
            s->data = xrealloc(s->data, s->len);
        }
        memcpy(s->data + s->pos, p, len);
    } else if (!range_ok(s->pos, len, s->len)) {
        s->is_bad = true;
        memset(p, 0, len);
        return;
    } else {
        memcpy(p, s->data + s->pos, len);
    }
    s->pos += len;
}

void state_bool(struct state *s, bool *v)
{
    u8 b = *v;
    state_u8(s, &b);
    s->is_bad |= b > 1;
    *v = b == 1;
}

void state_u32_max(struct state *s, u32 *v, u32 max)
{
    state_u32(s, v);
    if (s->is_loading && *v > max) {
        s->is_bad = true;
        *v = 0;
    }
}

void dev_timer_set(struct dev_host *h, struct dev_timer *t, u64 deadline_ns)
{
    struct dev_timer *first = h->timers;
    u64 before = first ? first->deadline_ns : ~0ULL;
    for (struct dev_timer **p = &h->timers; *p; p = &(*p)->next)
        if (*p == t) {
            *p = t->next;
            break;
        }
    t->deadline_ns = deadline_ns;
    t->next = NULL;
    if (deadline_ns != ~0ULL) {
        struct dev_timer **p = &h->timers;
        while (*p && (*p)->deadline_ns <= deadline_ns)
            p = &(*p)->next;
        t->next = *p;
        *p = t;
    }
    if (h->timers_changed && (h->timers ? h->timers->deadline_ns : ~0ULL) != before)
        h->timers_changed(h->ctx);
}

u64 dev_timers_run(struct dev_host *h, u64 now_ns)
{
    /* A device that re-arms at once in the past waits for the next call: no endless loop. */
    for (unsigned n = 0; n < 64 && h->timers && h->timers->deadline_ns <= now_ns; n++) {
        struct dev_timer *t = h->timers;
        h->timers = t->next;
        t->next = NULL;
        t->deadline_ns = ~0ULL;
        t->fire(t->dev);
    }
    return h->timers ? h->timers->deadline_ns : ~0ULL;
}

int dev_reg_find(const struct dev_reg *rows, unsigned count, u64 off)
{
    for (unsigned i = 0; i < count; i++)
        if (rows[i].off == (off & ~3ULL))
            return (int)i;
    return -1;
}

void dev_regs_reset(const struct dev_reg *rows, unsigned count, u32 *val)
{
    for (unsigned i = 0; i < count; i++)
        val[i] = rows[i].reset;
}

void dev_reg_write(const struct dev_reg *row, u32 *val, u64 off, unsigned size, u64 v)
{
    unsigned shift = (unsigned)(off & 3) * 8;
    u32 lanes = size >= 4 ? ~0U : ((1U << size * 8) - 1) << shift;
    u32 mask = row->writable & lanes;
    *val = (*val & ~mask) | ((u32)(v << shift) & mask);
}

u32 primecell_id(u32 part_and_rev, u64 off)
{
    static const u8 cell[4] = {0x0d, 0xf0, 0x05, 0xb1};
    unsigned i = (unsigned)((off - PRIMECELL_ID_OFF) / 4) & 7;
    return i < 4 ? part_and_rev >> i * 8 & 0xff : cell[i - 4];
}
