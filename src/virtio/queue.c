/// Split virtqueues. Every index and address comes from a guest that may be hostile: it is read
/// once, checked, and each loop is bounded by the queue's size.
#include "virtio/queue.h"

#include <stdatomic.h>

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_NO_INTERRUPT = 1 };
enum { DESC_SIZE = 16 };

static bool get16(struct virtq *q, struct mem *m, gpa_t at, u16 *v)
{
    u8 b[2];
    if (!mem_read(m, at, b, 2)) {
        q->is_broken = true;
        return false;
    }
    *v = ld16(b);
    return true;
}

static void put16(struct virtq *q, struct mem *m, gpa_t at, u16 v)
{
    u8 b[2];
    st16(b, v);
    if (!mem_write(m, at, b, 2))
        q->is_broken = true;
}

static gpa_t used_event(const struct virtq *q) { return q->avail + 4 + 2ULL * q->size; }
static gpa_t avail_event(const struct virtq *q) { return q->used + 4 + 8ULL * q->size; }

bool virtq_has_work(struct virtq *q, struct mem *m)
{
    u16 idx;
    if (!q->is_ready || q->is_broken || !get16(q, m, q->avail + 2, &idx))
        return false;
    if ((u16)(idx - q->next_avail) > q->size) {
        q->is_broken = true;
        return false;
    }
    return idx != q->next_avail;
}

/// Adds one buffer. ret  false: not RAM, too many, or a readable one after a writable one
static bool add_segment(struct chain *c, struct mem *m, gpa_t gpa, u32 len, bool is_in)
{
    unsigned n = c->out_count + c->in_count;
    if (!len)
        return true;
    const struct mem_region *r = mem_find(m, gpa);
    u8 *host = mem_host(m, gpa, len);
    if (n == CHAIN_SEGS_MAX || !host || (is_in && r->kind != MEM_RAM) || (!is_in && c->in_count))
        return false;
    c->seg[n].host = host;
    c->seg[n].gpa = gpa;
    c->seg[n].len = len;
    if (is_in) {
        c->in_count++;
        c->in_len += len;
    } else {
        c->out_count++;
        c->out_len += len;
    }
    return true;
}

/// Walks a descriptor table of `count` entries from `first`.
static bool walk(struct virtq *q, struct mem *m, struct chain *c, gpa_t table, u32 count, u16 first,
                 bool is_indirect)
{
    u32 at = first;
    for (u32 steps = 0; steps < count; steps++) {
        u8 d[DESC_SIZE];
        if (at >= count || !mem_read(m, table + (u64)at * DESC_SIZE, d, sizeof d))
            return false;
        u64 addr = ld64(d);
        u32 len = ld32(d + 8);
        u16 flags = ld16(d + 12);
        if (flags & DESC_INDIRECT) {
            if (is_indirect || !q->has_indirect || flags & DESC_NEXT || !len || len % DESC_SIZE ||
                len / DESC_SIZE > CHAIN_SEGS_MAX)
                return false;
            return walk(q, m, c, addr, len / DESC_SIZE, 0, true);
        }
        if (!add_segment(c, m, addr, len, flags & DESC_WRITE))
            return false;
        if (!(flags & DESC_NEXT))
            return true;
        at = ld16(d + 14);
    }
    return false; /* a loop */
}

bool virtq_pop(struct virtq *q, struct mem *m, struct chain *c)
{
    if (!virtq_has_work(q, m))
        return false;
    atomic_thread_fence(memory_order_acquire); /* pairs with the driver's barrier before avail.idx */
    c->out_count = c->in_count = 0;
    c->out_len = c->in_len = c->out_pos = c->in_pos = 0;
    if (!get16(q, m, q->avail + 4 + 2ULL * (q->next_avail & (q->size - 1)), &c->head))
        return false;
    if (c->head >= q->size || !walk(q, m, c, q->desc, q->size, c->head, false)) {
        q->is_broken = true;
        return false;
    }
    q->next_avail++;
    if (q->has_event_idx)
        put16(q, m, avail_event(q), q->next_avail);
    return !q->is_broken;
}

void virtq_unpop(struct virtq *q) { q->next_avail--; }

void virtq_push(struct virtq *q, struct mem *m, const struct chain *c)
{
    u8 e[8];
    st32(e, c->head);
    st32(e + 4, c->in_pos > UINT32_MAX ? UINT32_MAX : (u32)c->in_pos);
    if (!mem_write(m, q->used + 4 + 8ULL * (q->next_used & (q->size - 1)), e, sizeof e)) {
        q->is_broken = true;
        return;
    }
    atomic_thread_fence(memory_order_release); /* pairs with the driver's barrier after used.idx */
    put16(q, m, q->used + 2, ++q->next_used);
}

bool virtq_wants_interrupt(struct virtq *q, struct mem *m)
{
    u16 v;
    if (!q->is_ready || q->is_broken || (q->has_signalled && q->signalled == q->next_used))
        return false;
    atomic_thread_fence(memory_order_seq_cst); /* used.idx before the driver's wish is read */
    if (!get16(q, m, q->has_event_idx ? used_event(q) : q->avail, &v))
        return false;
    bool wanted = q->has_event_idx ? !q->has_signalled || (u16)(q->next_used - v - 1) <
                                                              (u16)(q->next_used - q->signalled)
                                   : !(v & AVAIL_NO_INTERRUPT);
    q->signalled = q->next_used;
    q->has_signalled = true;
    return wanted;
}

/* ---- buffers ---- */

/// Ranges of segments [first, first + count) that hold bytes [pos, pos + len) of them.
static unsigned ranges(const struct chain *c, unsigned first, unsigned count, u64 pos, u64 len,
                       struct iovec *iov)
{
    unsigned n = 0;
    for (unsigned i = first; i < first + count && len; i++) {
        u64 seg = c->seg[i].len;
        if (pos >= seg) {
            pos -= seg;
            continue;
        }
        u64 take = seg - pos < len ? seg - pos : len;
        iov[n].iov_base = c->seg[i].host + pos;
        iov[n++].iov_len = take;
        pos = 0;
        len -= take;
    }
    return n;
}

unsigned chain_take_out(struct chain *c, u64 len, struct iovec *iov)
{
    if (!range_ok(c->out_pos, len, c->out_len))
        return 0;
    unsigned n = ranges(c, 0, c->out_count, c->out_pos, len, iov);
    c->out_pos += len;
    return n;
}

unsigned chain_take_in(struct chain *c, u64 len, struct iovec *iov)
{
    if (!range_ok(c->in_pos, len, c->in_len))
        return 0;
    unsigned n = ranges(c, c->out_count, c->in_count, c->in_pos, len, iov);
    c->in_pos += len;
    return n;
}

void chain_filled(struct chain *c, struct mem *m, u64 from)
{
    u64 at = 0;
    for (unsigned i = c->out_count; i < c->out_count + c->in_count && at < c->in_pos; i++) {
        u64 seg = c->seg[i].len, lo = from > at ? from - at : 0;
        u64 hi = c->in_pos - at < seg ? c->in_pos - at : seg;
        if (lo < hi)
            mem_written(m, c->seg[i].gpa + lo, hi - lo);
        at += seg;
    }
}

u64 chain_read(struct chain *c, void *dst, u64 len)
{
    struct iovec iov[CHAIN_SEGS_MAX];
    u64 done = 0, left = c->out_len - c->out_pos;
    unsigned n = chain_take_out(c, len < left ? len : left, iov);
    for (unsigned i = 0; i < n; i++) {
        memcpy((u8 *)dst + done, iov[i].iov_base, iov[i].iov_len);
        done += iov[i].iov_len;
    }
    return done;
}

u64 chain_write(struct chain *c, struct mem *m, const void *src, u64 len)
{
    struct iovec iov[CHAIN_SEGS_MAX];
    u64 done = 0, left = c->in_len - c->in_pos, from = c->in_pos;
    unsigned n = chain_take_in(c, len < left ? len : left, iov);
    for (unsigned i = 0; i < n; i++) {
        memcpy(iov[i].iov_base, (const u8 *)src + done, iov[i].iov_len);
        done += iov[i].iov_len;
    }
    chain_filled(c, m, from);
    return done;
}

bool chain_patch(struct chain *c, struct mem *m, u64 off, const void *src, u64 len)
{
    u64 pos = c->in_pos;
    if (!range_ok(off, len, c->in_len))
        return false;
    c->in_pos = off;
    chain_write(c, m, src, len);
    c->in_pos = pos;
    return true;
}
