/// Character back ends, the guest's side. One struct serves all kinds: they differ only in which descriptors they have.
#include "chr/priv.h"

enum { FLUSH_AT = 2048 }; ///< queued bytes that are written at once
#define FLUSH_DELAY_NS 3000000ULL

size_t chr_room(struct chr *c)
{
    os_mutex_lock(&c->lock);
    size_t room = c->kind == CHR_RING ? c->out.cap : c->out.cap - c->out.len;
    c->is_starved |= room == 0;
    os_mutex_unlock(&c->lock);
    return room;
}

size_t chr_write(struct chr *c, const u8 *data, size_t len)
{
    os_mutex_lock(&c->lock);
    if (c->kind == CHR_RING) {
        size_t over = len > c->out.cap - c->out.len ? len - (c->out.cap - c->out.len) : 0;
        queue_drop(&c->out, over < c->out.len ? over : c->out.len); /* the oldest go */
    }
    size_t n = queue_put(&c->out, data, len);
    if (c->kind == CHR_RING) {
        n = len;
    } else if (c->out.len >= FLUSH_AT || !c->timer) {
        bool line = len && data[len - 1] == '\n';
        if (c->timer || line || c->out.len >= FLUSH_AT)
            chr_send(c, 0);
    } else if (!c->timer_set) {
        c->timer_set = true;
        os_timer_set(c->timer, os_now_ns() + FLUSH_DELAY_NS);
    }
    os_mutex_unlock(&c->lock);
    return n;
}

size_t chr_read(struct chr *c, u8 *data, size_t len)
{
    os_mutex_lock(&c->lock);
    bool was_full = c->in.len == c->in.cap;
    size_t n = queue_get(&c->in, data, len);
    if (was_full && n && c->poll && c->polled_fd >= 0 && !c->is_eof)
        os_poll_set(c->poll, c->polled_fd, OS_POLL_IN);
    os_mutex_unlock(&c->lock);
    return n;
}

void chr_flush(struct chr *c)
{
    os_mutex_lock(&c->lock);
    if (c->out.len)
        chr_send(c, 0);
    os_mutex_unlock(&c->lock);
}

bool chr_can_input(struct chr *c)
{
    if (c->kind == CHR_NULL || c->kind == CHR_FILE)
        return false;
    os_mutex_lock(&c->lock);
    bool can = !c->is_eof || c->in.len;
    os_mutex_unlock(&c->lock);
    return can;
}

void chr_set_escape(struct chr *c, bool (*fn)(void *ctx, u8 key), void *ctx)
{
    os_mutex_lock(&c->lock);
    c->escape = fn;
    c->escape_ctx = ctx;
    os_mutex_unlock(&c->lock);
}

void chr_set_capture(struct chr *c, void (*fn)(void *ctx, u8 byte), void *ctx)
{
    os_mutex_lock(&c->lock);
    c->capture_ctx = ctx;
    c->capture = fn;
    os_mutex_unlock(&c->lock);
}

void chr_ring_promise_input(struct chr *c, bool may_come)
{
    os_mutex_lock(&c->lock);
    c->is_eof = !may_come;
    os_mutex_unlock(&c->lock);
}

size_t chr_ring_input(struct chr *c, const u8 *data, size_t len)
{
    os_mutex_lock(&c->lock);
    size_t n = queue_put(&c->in, data, len);
    os_mutex_unlock(&c->lock);
    chr_tell(c, n != 0);
    return n;
}

size_t chr_ring_output(struct chr *c, u8 *data, size_t len)
{
    os_mutex_lock(&c->lock);
    size_t n = queue_get(&c->out, data, len);
    os_mutex_unlock(&c->lock);
    return n;
}

const char *chr_where(const struct chr *c) { return c->where; }
