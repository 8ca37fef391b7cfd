/// Transfers with the host, and what its poll says. Descriptors are never made non-blocking, since standard input and
/// output share their file description with the user's shell: readiness is asked for before every transfer instead.
#include "chr/priv.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum {
    CHUNK = 4096, ///< a pipe that polls writable takes this much without blocking
    CTRL_A = 1,
};

/* ---- transfers with the host; lock held ---- */

static bool fd_ready(int fd, short events, int timeout_ms)
{
    struct pollfd p = {fd, events, 0};
    int n;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

static void hang_up(struct chr *c)
{
    if (c->kind == CHR_UNIX && c->in_fd >= 0) {
        if (c->poll && c->polled_fd >= 0)
            os_poll_del(c->poll, c->polled_fd);
        os_close(c->in_fd);
        c->in_fd = c->out_fd = c->polled_fd = -1;
        return;
    }
    c->is_eof = true;
    if (c->poll && c->polled_fd >= 0)
        os_poll_set(c->poll, c->polled_fd, 0);
}

static void out_events(void *ctx, unsigned events);

/// Watches the output descriptor while the host does not take what is queued.
static void watch_output(struct chr *c, bool on)
{
    if (!c->poll || c->out_fd < 0)
        return;
    if (c->out_fd == c->polled_fd) {
        os_poll_set(c->poll, c->out_fd, OS_POLL_IN | (on ? OS_POLL_OUT : 0));
    } else if (on && c->polled_out < 0) {
        if (os_poll_add(c->poll, c->out_fd, OS_POLL_OUT, out_events, c))
            c->polled_out = c->out_fd;
    } else if (c->polled_out >= 0) {
        os_poll_set(c->poll, c->polled_out, on ? OS_POLL_OUT : 0);
    }
}

void chr_send(struct chr *c, int timeout_ms)
{
    if (c->kind == CHR_RING)
        return;
    if (c->kind == CHR_NULL || (c->kind == CHR_UNIX && c->out_fd < 0)) {
        queue_drop(&c->out, c->out.len); /* nobody listens */
        return;
    }
    while (c->out.len && fd_ready(c->out_fd, POLLOUT, timeout_ms)) {
        const u8 *p;
        size_t n = queue_run(&c->out, &p);
        long done = c->kind == CHR_UNIX
                        ? send(c->out_fd, p, n < CHUNK ? n : CHUNK, MSG_NOSIGNAL | MSG_DONTWAIT)
                        : os_write(c->out_fd, p, n < CHUNK ? n : CHUNK);
        if (done <= 0) { /* the reader is gone: the guest must not notice */
            if (done != -1 || c->kind == CHR_UNIX)
                queue_drop(&c->out, c->out.len);
            break;
        }
        queue_drop(&c->out, (size_t)done);
    }
    watch_output(c, c->out.len != 0);
}

/// Takes bytes from a terminal, acting on Ctrl-A. Called unlocked for the callback's sake.
static void take_terminal(struct chr *c, const u8 *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        u8 b = data[i];
        bool was_ctrl_a = c->had_ctrl_a;
        c->had_ctrl_a = !was_ctrl_a && b == CTRL_A && c->escape;
        if (c->had_ctrl_a)
            continue;
        if (was_ctrl_a && b != CTRL_A) {
            if (c->escape(c->escape_ctx, b))
                continue;
            const u8 a = CTRL_A;
            os_mutex_lock(&c->lock);
            queue_put(&c->in, &a, 1);
            os_mutex_unlock(&c->lock);
        }
        os_mutex_lock(&c->lock);
        void (*capture)(void *, u8) = c->capture;
        os_mutex_unlock(&c->lock);
        if (capture) {
            capture(c->capture_ctx, b);
            continue;
        }
        os_mutex_lock(&c->lock);
        queue_put(&c->in, &b, 1); /* a guest that does not read loses keys, not the escape */
        os_mutex_unlock(&c->lock);
    }
}

/// Reads what the host has. ret  true when the guest should be told
static bool take_in(struct chr *c)
{
    u8 buf[512];
    os_mutex_lock(&c->lock);
    size_t room = c->in.cap - c->in.len;
    int fd = c->in_fd;
    bool tty = c->is_tty;
    if (fd < 0 || c->is_eof || (!room && !tty)) {
        if (!room && c->poll && c->polled_fd >= 0)
            os_poll_set(c->poll, c->polled_fd,
                        c->out.len && c->out_fd == c->polled_fd ? OS_POLL_OUT : 0);
        os_mutex_unlock(&c->lock);
        return false;
    }
    os_mutex_unlock(&c->lock);
    if (!fd_ready(fd, POLLIN, 0))
        return false;
    long n = os_read(fd, buf, tty || room > sizeof buf ? sizeof buf : room);
    if (n > 0 && tty) {
        take_terminal(c, buf, (size_t)n);
        return true;
    }
    os_mutex_lock(&c->lock);
    if (n > 0)
        queue_put(&c->in, buf, (size_t)n);
    else if (n == 0 || (n == -2 && c->kind != CHR_PTY)) /* a pty reads EIO until it is opened */
        hang_up(c);
    os_mutex_unlock(&c->lock);
    return n > 0;
}

/* ---- poll callbacks ---- */

void chr_tell(struct chr *c, bool input)
{
    os_mutex_lock(&c->lock);
    bool room = c->is_starved && c->out.len < c->out.cap;
    if (room)
        c->is_starved = false;
    void (*fn)(void *) = c->ready;
    void *ctx = c->ready_ctx;
    os_mutex_unlock(&c->lock);
    if (fn && (input || room))
        fn(ctx);
}

static void out_events(void *ctx, unsigned events)
{
    struct chr *c = ctx;
    (void)events;
    chr_flush(c);
    chr_tell(c, false);
}

static void in_events(void *ctx, unsigned events)
{
    struct chr *c = ctx;
    if (events & OS_POLL_OUT)
        chr_flush(c);
    bool got = events & (OS_POLL_IN | OS_POLL_HUP) && take_in(c);
    if (c->kind == CHR_PTY && (events & OS_POLL_HUP) && !got)
        os_sleep_ns(1000000); /* nobody has opened the other side: poll says so for ever */
    chr_tell(c, got);
}

static void accept_events(void *ctx, unsigned events)
{
    struct chr *c = ctx;
    (void)events;
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    os_mutex_lock(&c->lock);
    bool taken = c->in_fd < 0;
    if (taken) {
        c->in_fd = c->out_fd = fd;
        if (c->poll && os_poll_add(c->poll, fd, OS_POLL_IN, in_events, c))
            c->polled_fd = fd;
    }
    os_mutex_unlock(&c->lock);
    if (!taken)
        os_close(fd); /* one client at a time */
}

static void timer_flush(void *ctx)
{
    struct chr *c = ctx;
    os_mutex_lock(&c->lock);
    c->timer_set = false;
    chr_send(c, 0);
    os_mutex_unlock(&c->lock);
    chr_tell(c, false);
}

bool chr_attach(struct chr *c, struct os_poll *poll, void (*ready)(void *ctx), void *ctx, struct err *e)
{
    chr_detach(c);
    os_mutex_lock(&c->lock);
    c->ready = ready;
    c->ready_ctx = ctx;
    c->poll = poll;
    bool ok = true;
    if (poll && c->kind != CHR_RING && c->kind != CHR_NULL) {
        c->timer = os_timer_new(poll, timer_flush, c, e);
        ok = c->timer != NULL;
        if (ok && c->in_fd >= 0 && !c->is_eof) {
            ok = os_poll_add(poll, c->in_fd, OS_POLL_IN, in_events, c);
            c->polled_fd = ok ? c->in_fd : -1;
        }
        if (ok && c->listen_fd >= 0)
            ok = os_poll_add(poll, c->listen_fd, OS_POLL_IN, accept_events, c);
    }
    os_mutex_unlock(&c->lock);
    if (!ok) {
        chr_detach(c);
        return err_set(e, ERR_USAGE, "serial: more than %d descriptors are watched", OS_POLL_MAX);
    }
    return true;
}

void chr_detach(struct chr *c)
{
    os_mutex_lock(&c->lock);
    struct os_poll *p = c->poll;
    struct os_timer *t = c->timer;
    if (p && c->polled_fd >= 0)
        os_poll_del(p, c->polled_fd);
    if (p && c->polled_out >= 0)
        os_poll_del(p, c->polled_out);
    if (p && c->listen_fd >= 0)
        os_poll_del(p, c->listen_fd);
    c->polled_fd = c->polled_out = -1;
    c->poll = NULL;
    c->timer = NULL;
    c->timer_set = false;
    c->ready = NULL;
    os_mutex_unlock(&c->lock);
    os_timer_free(t);
}

void chr_poll(struct chr *c)
{
    if (c->kind == CHR_RING || c->kind == CHR_NULL)
        return;
    if (c->listen_fd >= 0 && fd_ready(c->listen_fd, POLLIN, 0))
        accept_events(c, OS_POLL_IN);
    bool got = take_in(c);
    chr_flush(c);
    chr_tell(c, got);
}
