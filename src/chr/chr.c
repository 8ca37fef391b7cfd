/// Character back ends. One struct serves all kinds: they differ only in which descriptors they
/// have. Descriptors are never made non-blocking, since standard input and output share their file
/// description with the user's shell: readiness is asked for before every transfer instead.
#include "chr/chr.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum {
    IN_CAP = 4096,
    OUT_CAP = 64 * 1024,
    CHUNK = 4096,    ///< a pipe that polls writable takes this much without blocking
    FLUSH_AT = 2048, ///< queued bytes that are written at once
    CTRL_A = 1,
};
#define FLUSH_DELAY_NS 3000000ULL
#define CLOSE_PATIENCE_MS 2000

struct queue {
    u8 *data;
    size_t cap, head, len;
};

enum chr_kind { CHR_NULL, CHR_STDIO, CHR_FILE, CHR_PTY, CHR_UNIX, CHR_RING };

struct chr {
    enum chr_kind kind;
    struct os_mutex lock; ///< guards everything below
    struct queue in, out;
    int in_fd, out_fd, listen_fd;
    bool is_tty, is_eof, is_starved; ///< starved: the guest saw no room
    bool had_ctrl_a;
    bool (*escape)(void *ctx, u8 key);
    void *escape_ctx;
    void (*capture)(void *ctx, u8 byte);
    void *capture_ctx;
    struct os_poll *poll;
    struct os_timer *timer;
    bool timer_set;
    int polled_fd; ///< descriptor registered with poll for input, -1 none
    int polled_out;
    void (*ready)(void *ctx);
    void *ready_ctx;
    char where[108];
};

/* ---- queues ---- */

static void queue_init(struct queue *q, size_t cap)
{
    *q = (struct queue){xcalloc(1, cap), cap, 0, 0};
}

static size_t queue_put(struct queue *q, const u8 *data, size_t len)
{
    size_t n = 0;
    for (; n < len && q->len < q->cap; n++)
        q->data[(q->head + q->len++) % q->cap] = data[n];
    return n;
}

/// The longest contiguous run at the head.
static size_t queue_run(const struct queue *q, const u8 **p)
{
    *p = q->data + q->head;
    return q->len < q->cap - q->head ? q->len : q->cap - q->head;
}

static void queue_drop(struct queue *q, size_t n)
{
    q->head = (q->head + n) % q->cap;
    q->len -= n;
}

static size_t queue_get(struct queue *q, u8 *data, size_t len)
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

/* ---- opening ---- */

static struct chr *chr_new(enum chr_kind kind, size_t out_cap)
{
    struct chr *c = xcalloc(1, sizeof *c);
    c->kind = kind;
    c->in_fd = c->out_fd = c->listen_fd = c->polled_fd = c->polled_out = -1;
    os_mutex_init(&c->lock);
    queue_init(&c->in, IN_CAP);
    queue_init(&c->out, out_cap);
    return c;
}

struct chr *chr_ring_new(size_t cap)
{
    struct chr *c = chr_new(CHR_RING, cap ? cap : 1);
    c->is_eof = true; /* until input is promised */
    return c;
}

void chr_ring_promise_input(struct chr *c, bool may_come)
{
    os_mutex_lock(&c->lock);
    c->is_eof = !may_come;
    os_mutex_unlock(&c->lock);
}

static bool open_pty(struct chr *c, const char *name, struct err *e)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) || unlockpt(fd) || ptsname_r(fd, c->where, sizeof c->where)) {
        err_set(e, ERR_USAGE, "%s pty: the host gives none: %s", name, strerror(errno));
        os_close(fd);
        return false;
    }
    struct termios t;
    if (!tcgetattr(fd, &t)) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    c->in_fd = c->out_fd = fd;
    return true;
}

static bool open_unix(struct chr *c, const char *name, const char *path, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        return err_set(e, ERR_USAGE, "%s unix:%s: the path is longer than %zu bytes", name, path,
                       sizeof a.sun_path - 1);
    memcpy(a.sun_path, path, strlen(path) + 1);
    struct stat st;
    if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
        unlink(path); /* left over from an earlier run */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1)) {
        err_set(e, ERR_USAGE, "%s unix:%s: %s", name, path, strerror(errno));
        os_close(fd);
        return false;
    }
    c->listen_fd = fd;
    snprintf(c->where, sizeof c->where, "%s", path);
    return true;
}

static bool open_file(struct chr *c, const char *name, const char *path, struct err *e)
{
    c->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (c->out_fd < 0)
        return err_set(e, ERR_USAGE, "%s file:%s: %s", name, path, strerror(errno));
    snprintf(c->where, sizeof c->where, "%s", path);
    return true;
}

static bool open_stdio(struct chr *c)
{
    c->in_fd = STDIN_FILENO;
    c->out_fd = STDOUT_FILENO;
    c->is_tty = os_is_tty(STDIN_FILENO);
    if (c->is_tty)
        os_tty_raw(STDIN_FILENO);
    return true;
}

struct chr *chr_open(const char *name, const char *spec, struct err *e)
{
    static const struct {
        const char *name;
        enum chr_kind kind;
        bool has_path;
    } kinds[] = {{"null", CHR_NULL, false},
                 {"stdio", CHR_STDIO, false},
                 {"pty", CHR_PTY, false},
                 {"file:", CHR_FILE, true},
                 {"unix:", CHR_UNIX, true}};
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t n = strlen(kinds[i].name);
        if (kinds[i].has_path ? strncmp(spec, kinds[i].name, n) || !spec[n]
                              : strcmp(spec, kinds[i].name))
            continue;
        struct chr *c = chr_new(kinds[i].kind, OUT_CAP);
        bool ok = kinds[i].kind == CHR_PTY     ? open_pty(c, name, e)
                  : kinds[i].kind == CHR_FILE  ? open_file(c, name, spec + n, e)
                  : kinds[i].kind == CHR_UNIX  ? open_unix(c, name, spec + n, e)
                  : kinds[i].kind == CHR_STDIO ? open_stdio(c)
                                               : true;
        if (ok)
            return c;
        chr_free(c);
        return NULL;
    }
    err_set(e, ERR_USAGE, "%s %s: not one of stdio, null, pty, file:PATH, unix:PATH", name, spec);
    return NULL;
}

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

static void send_out(struct chr *c, int timeout_ms)
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

static void tell(struct chr *c, bool input)
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
    tell(c, false);
}

static void in_events(void *ctx, unsigned events)
{
    struct chr *c = ctx;
    if (events & OS_POLL_OUT)
        chr_flush(c);
    bool got = events & (OS_POLL_IN | OS_POLL_HUP) && take_in(c);
    if (c->kind == CHR_PTY && (events & OS_POLL_HUP) && !got)
        os_sleep_ns(1000000); /* nobody has opened the other side: poll says so for ever */
    tell(c, got);
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
    send_out(c, 0);
    os_mutex_unlock(&c->lock);
    tell(c, false);
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
    tell(c, got);
}

/* ---- the guest's side ---- */

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
            send_out(c, 0);
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
        send_out(c, 0);
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

size_t chr_ring_input(struct chr *c, const u8 *data, size_t len)
{
    os_mutex_lock(&c->lock);
    size_t n = queue_put(&c->in, data, len);
    os_mutex_unlock(&c->lock);
    tell(c, n != 0);
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

void chr_free(struct chr *c)
{
    if (!c)
        return;
    chr_detach(c);
    for (size_t before = 0; c->kind != CHR_RING && c->out.len && c->out.len != before;) {
        before = c->out.len;
        send_out(c, CLOSE_PATIENCE_MS);
    }
    if (c->kind == CHR_STDIO)
        os_tty_restore();
    else {
        os_close(c->out_fd);
        if (c->in_fd != c->out_fd)
            os_close(c->in_fd);
    }
    os_close(c->listen_fd);
    if (c->kind == CHR_UNIX && c->listen_fd >= 0)
        unlink(c->where);
    os_mutex_destroy(&c->lock);
    free(c->in.data);
    free(c->out.data);
    free(c);
}
