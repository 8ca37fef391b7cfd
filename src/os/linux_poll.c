/// The host, Linux: a poll loop with wake-up and timers, and the terminal. poll(2) and not epoll:
/// a redirected standard input may be a regular file, which epoll refuses.
#include "os/os.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL

struct watch {
    int fd;
    unsigned events;
    os_poll_fn fn;
    void *ctx;
};

struct os_poll {
    struct os_mutex lock; ///< guards watch[] and count
    struct watch watch[OS_POLL_MAX];
    unsigned count;
    int wake_fd, timer_fd;
};

struct os_poll *os_poll_new(struct err *e)
{
    struct os_poll *p = xcalloc(1, sizeof *p);
    os_mutex_init(&p->lock);
    p->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (p->wake_fd < 0 || p->timer_fd < 0) {
        err_set(e, ERR_USAGE, "the host gives no eventfd or timerfd: %s", strerror(errno));
        os_poll_free(p);
        return NULL;
    }
    return p;
}

void os_poll_free(struct os_poll *p)
{
    if (!p)
        return;
    os_close(p->wake_fd);
    os_close(p->timer_fd);
    os_mutex_destroy(&p->lock);
    free(p);
}

static struct watch *find(struct os_poll *p, int fd)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->watch[i].fd == fd)
            return &p->watch[i];
    return NULL;
}

bool os_poll_add(struct os_poll *p, int fd, unsigned events, os_poll_fn fn, void *ctx)
{
    os_mutex_lock(&p->lock);
    bool ok = p->count < OS_POLL_MAX;
    if (ok)
        p->watch[p->count++] = (struct watch){fd, events, fn, ctx};
    os_mutex_unlock(&p->lock);
    os_poll_wake(p);
    return ok;
}

void os_poll_set(struct os_poll *p, int fd, unsigned events)
{
    os_mutex_lock(&p->lock);
    struct watch *w = find(p, fd);
    bool changed = w && w->events != events;
    if (changed)
        w->events = events;
    os_mutex_unlock(&p->lock);
    if (changed)
        os_poll_wake(p);
}

void os_poll_del(struct os_poll *p, int fd)
{
    os_mutex_lock(&p->lock);
    struct watch *w = find(p, fd);
    if (w)
        *w = p->watch[--p->count];
    os_mutex_unlock(&p->lock);
    os_poll_wake(p);
}

static void timer_program(int fd, u64 deadline_ns)
{
    struct itimerspec t = {0};
    if (deadline_ns != ~0ULL) {
        u64 ns = deadline_ns ? deadline_ns : 1; /* 0 would disarm */
        t.it_value.tv_sec = (time_t)(ns / NS_PER_S);
        t.it_value.tv_nsec = (long)(ns % NS_PER_S);
    }
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void drain(int fd)
{
    u64 n;
    (void)os_read(fd, &n, sizeof n);
}

static void dispatch(struct os_poll *p, const struct pollfd *pf)
{
    unsigned ev = (pf->revents & POLLIN ? OS_POLL_IN : 0) | (pf->revents & POLLOUT ? OS_POLL_OUT : 0) |
                  (pf->revents & (POLLHUP | POLLERR | POLLNVAL) ? OS_POLL_HUP : 0);
    os_mutex_lock(&p->lock);
    struct watch *w = find(p, pf->fd);
    struct watch copy = w ? *w : (struct watch){0};
    os_mutex_unlock(&p->lock);
    if (copy.fn) /* may have been removed by a call before */
        copy.fn(copy.ctx, ev);
}

void os_poll_wait(struct os_poll *p, u64 deadline_ns)
{
    struct pollfd pf[OS_POLL_MAX + 2];
    unsigned n = 0;
    pf[n++] = (struct pollfd){p->wake_fd, POLLIN, 0};
    if (deadline_ns != ~0ULL) {
        timer_program(p->timer_fd, deadline_ns);
        pf[n++] = (struct pollfd){p->timer_fd, POLLIN, 0};
    }
    unsigned first = n;
    os_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->count; i++) {
        const struct watch *w = &p->watch[i];
        if (w->events)
            pf[n++] = (struct pollfd){w->fd,
                                      (short)((w->events & OS_POLL_IN ? POLLIN : 0) |
                                              (w->events & OS_POLL_OUT ? POLLOUT : 0)),
                                      0};
    }
    os_mutex_unlock(&p->lock);
    if (poll(pf, n, -1) <= 0)
        return;
    if (pf[0].revents)
        drain(p->wake_fd);
    if (first == 2 && pf[1].revents)
        drain(p->timer_fd);
    for (unsigned i = first; i < n; i++)
        if (pf[i].revents)
            dispatch(p, &pf[i]);
}

void os_poll_wake(struct os_poll *p)
{
    u64 one = 1;
    int saved = errno;
    (void)!write(p->wake_fd, &one, sizeof one);
    errno = saved;
}

/* ---- timers ---- */

struct os_timer {
    struct os_poll *poll;
    int fd;
    void (*fn)(void *);
    void *ctx;
    struct os_mutex lock;
    u64 deadline_ns;
};

static void timer_fired(void *ctx, unsigned events)
{
    struct os_timer *t = ctx;
    (void)events;
    os_mutex_lock(&t->lock);
    drain(t->fd);
    bool due = t->deadline_ns != ~0ULL && os_now_ns() >= t->deadline_ns;
    if (due)
        t->deadline_ns = ~0ULL;
    os_mutex_unlock(&t->lock);
    if (due)
        t->fn(t->ctx);
}

struct os_timer *os_timer_new(struct os_poll *p, void (*fn)(void *), void *ctx, struct err *e)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
        err_set(e, ERR_USAGE, "the host gives no timerfd: %s", strerror(errno));
        return NULL;
    }
    struct os_timer *t = xcalloc(1, sizeof *t);
    *t = (struct os_timer){.poll = p, .fd = fd, .fn = fn, .ctx = ctx, .deadline_ns = ~0ULL};
    os_mutex_init(&t->lock);
    if (!os_poll_add(p, fd, OS_POLL_IN, timer_fired, t)) {
        err_set(e, ERR_USAGE, "more than %d descriptors are watched", OS_POLL_MAX);
        os_close(fd);
        free(t);
        return NULL;
    }
    return t;
}

void os_timer_free(struct os_timer *t)
{
    if (!t)
        return;
    os_poll_del(t->poll, t->fd);
    os_close(t->fd);
    os_mutex_destroy(&t->lock);
    free(t);
}

void os_timer_set(struct os_timer *t, u64 deadline_ns)
{
    os_mutex_lock(&t->lock);
    if (t->deadline_ns != deadline_ns) {
        t->deadline_ns = deadline_ns;
        timer_program(t->fd, deadline_ns);
    }
    os_mutex_unlock(&t->lock);
}

/* ---- terminal: process-wide state, since there is one controlling terminal ---- */

static struct termios tty_saved;
static volatile sig_atomic_t tty_fd = -1;

bool os_is_tty(int fd) { return isatty(fd); }

void os_tty_restore(void)
{
    int fd = tty_fd;
    if (fd < 0)
        return;
    tty_fd = -1;
    tcsetattr(fd, TCSADRAIN, &tty_saved);
}

/// Restores the terminal and dies of the same signal, so that the parent sees the truth.
static void tty_signal(int sig)
{
    int fd = tty_fd;
    if (fd >= 0)
        tcsetattr(fd, TCSANOW, &tty_saved);
    signal(sig, SIG_DFL);
    raise(sig);
}

void os_tty_raw(int fd)
{
    static const int sigs[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV,
                               SIGBUS, SIGFPE,  SIGILL, SIGABRT};
    static bool is_hooked;
    if (tty_fd >= 0 || tcgetattr(fd, &tty_saved))
        return;
    if (!is_hooked) {
        is_hooked = true;
        atexit(os_tty_restore);
        for (unsigned i = 0; i < ARRAY_LEN(sigs); i++) {
            struct sigaction old, sa = {.sa_handler = tty_signal, .sa_flags = SA_RESETHAND};
            if (!sigaction(sigs[i], NULL, &old) && old.sa_handler == SIG_DFL &&
                !(old.sa_flags & SA_SIGINFO))
                sigaction(sigs[i], &sa, NULL);
        }
    }
    tty_fd = fd;
    struct termios t = tty_saved;
    t.c_iflag &= (tcflag_t) ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t.c_oflag |= OPOST;
    t.c_lflag &= (tcflag_t) ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    t.c_cflag = (t.c_cflag & (tcflag_t) ~(CSIZE | PARENB)) | CS8;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSADRAIN, &t);
}
