/// Rings of bytes, between the guest and the host.
#include "chr/priv.h"

void queue_init(struct queue *q, size_t cap)
{
    *q = (struct queue){xcalloc(1, cap), cap, 0, 0};
}

size_t queue_put(struct queue *q, const u8 *data, size_t len)
{
    size_t n = 0;
    for (; n < len && q->len < q->cap; n++)
        q->data[(q->head + q->len++) % q->cap] = data[n];
    return n;
}

size_t queue_run(const struct queue *q, const u8 **p)
{
    *p = q->data + q->head;
    return q->len < q->cap - q->head ? q->len : q->cap - q->head;
}

void queue_drop(struct queue *q, size_t n)
{
    q->head = (q->head + n) % q->cap;
    q->len -= n;
}

size_t queue_get(struct queue *q, u8 *data, size_t len)
{
    size_t done = 0;
    while (done < len && q->len) {
        const u8 *p;
        size_t n = queue_run(q, &p);
        n = n < len - done ? n : len - done;
        memcpy(data + done, p, n);
        queue_drop(q, n);
        done += n;
    }
    return done;
}
