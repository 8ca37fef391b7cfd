/// User-mode network: passt, a separate and sandboxed process, at the other end of a socket. Each
/// frame is preceded by its length, 32 bits, big-endian. No privilege is needed.
#include "net/net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 4, IN_CAP = 256 * 1024, ARGS_MAX = 64, CHILD_FD = 3, SEND_PATIENCE_MS = 20 };
enum { MTU_DEFAULT = 65520, SOCKET_BUFFER = 1 << 20 };

struct user {
    struct net net;
    int fd, pid;
    struct os_poll *poll;
    void (*ready)(void *ctx);
    void *ready_ctx;
    bool is_gone;
    u32 in_len, in_pos; ///< bytes in in[], consumed
    u8 in[IN_CAP];
};

static void gone(struct user *u)
{
    if (u->is_gone)
        return;
    u->is_gone = true;
    os_poll_set(u->poll, u->fd, 0);
    log_line("net user: passt has ended; the network is down");
}

/// Sends all of a vector. A frame once begun is finished: the stream has no resynchronisation.
static bool send_all(struct user *u, struct iovec *iov, unsigned n)
{
    bool begun = false;
    while (n) {
        struct msghdr h = {.msg_iov = iov, .msg_iovlen = n};
        ssize_t done = sendmsg(u->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct pollfd p = {u->fd, POLLOUT, 0};
            if (poll(&p, 1, SEND_PATIENCE_MS) <= 0 && !begun)
                return true; /* the frame is lost, as on a full wire */
            continue;
        }
        if (done < 0)
            return false;
        begun = true;
        for (; n && (size_t)done >= iov->iov_len; iov++, n--)
            done -= (ssize_t)iov->iov_len;
        if (n) {
            iov->iov_base = (u8 *)iov->iov_base + done;
            iov->iov_len -= (size_t)done;
        }
    }
    return true;
}

static void user_send(struct net *n, const u8 *frame, u32 len)
{
    struct user *u = (struct user *)n;
    u32 be = __builtin_bswap32(len);
    struct iovec iov[2] = {{&be, HEAD}, {(u8 *)(uintptr_t)frame, len}};
    if (!u->is_gone && !send_all(u, iov, 2))
        gone(u);
}

/// Reads what the socket has behind what is there.
static void fill(struct user *u)
{
    if (u->in_pos) {
        memmove(u->in, u->in + u->in_pos, u->in_len - u->in_pos);
        u->in_len -= u->in_pos;
        u->in_pos = 0;
    }
    ssize_t got = recv(u->fd, u->in + u->in_len, IN_CAP - u->in_len, MSG_DONTWAIT);
    if (got > 0)
        u->in_len += (u32)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        gone(u);
}

static u32 user_receive(struct net *n, u8 *frame, u32 cap)
{
    struct user *u = (struct user *)n;
    for (unsigned tries = 0; tries < 2; tries++) {
        u32 have = u->in_len - u->in_pos;
        u32 len = have >= HEAD ? __builtin_bswap32(ld32(u->in + u->in_pos)) : 0;
        if (have >= HEAD && (len > NET_FRAME_MAX || !len)) {
            gone(u); /* not what passt sends */
            return 0;
        }
        if (have >= HEAD && have - HEAD >= len) {
            u32 take = len < cap ? len : cap;
            memcpy(frame, u->in + u->in_pos + HEAD, take);
            u->in_pos += HEAD + len;
            return take;
        }
        if (u->is_gone || tries)
            return 0;
        fill(u);
    }
    return 0;
}

static void user_want_input(struct net *n, bool on)
{
    struct user *u = (struct user *)n;
    if (!u->is_gone)
        os_poll_set(u->poll, u->fd, on ? OS_POLL_IN : 0);
}

static void user_close(struct net *n)
{
    struct user *u = (struct user *)n;
    os_poll_del(u->poll, u->fd);
    os_close(u->fd);
    os_child_end(u->pid);
    free(u);
}

static const struct net_ops user_ops = {user_send, user_receive, user_want_input, user_close};

static void events(void *ctx, unsigned ev)
{
    struct user *u = ctx;
    u->ready(u->ready_ctx);
}

/// One forward, "[IP:]HOST:GUEST[/udp]", as an argument of passt: "IP/HOST:GUEST".
static bool parse_forward(const char *s, size_t len, char *out, size_t cap, bool *is_udp, struct err *e)
{
    char buf[128], ip[64] = "";
    unsigned host, guest;
    int end = 0;
    if (len >= sizeof buf)
        return err_set(e, ERR_USAGE, "port forward: %zu characters are too many", len);
    memcpy(buf, s, len);
    buf[len] = 0;
    *is_udp = len > 4 && !strcmp(buf + len - 4, "/udp");
    if (*is_udp || (len > 4 && !strcmp(buf + len - 4, "/tcp")))
        buf[len - 4] = 0;
    bool ok = sscanf(buf, "%u:%u%n", &host, &guest, &end) == 2 && !buf[end];
    if (!ok)
        ok = sscanf(buf, "%63[0-9.]:%u:%u%n", ip, &host, &guest, &end) == 3 && !buf[end];
    if (!ok || !host || host > 65535 || !guest || guest > 65535)
        return err_set(e, ERR_USAGE, "port forward %.*s: [IP:]HOST:GUEST[/udp] is wanted", (int)len, s);
    snprintf(out, cap, "%s%s%u:%u", ip, *ip ? "/" : "", host, guest);
    return true;
}

struct net *net_open_user(const char *forward, struct os_poll *poll, void (*ready)(void *ctx),
                          void *ctx, struct err *e)
{
    const char *argv[ARGS_MAX] = {"passt", "--foreground", "--quiet", "--fd", "3"};
    char spec[(ARGS_MAX - 6) / 2][96];
    unsigned argc = 5, specs = 0;
    for (const char *s = forward; s && *s;) {
        size_t n = strcspn(s, ",");
        bool udp = false;
        if (specs == ARRAY_LEN(spec)) {
            err_set(e, ERR_USAGE, "more than %zu port forwards", ARRAY_LEN(spec));
            return NULL;
        }
        if (n && !parse_forward(s, n, spec[specs], sizeof spec[0], &udp, e))
            return NULL;
        if (n) {
            argv[argc++] = udp ? "-u" : "-t";
            argv[argc++] = spec[specs++];
        }
        s += n + (s[n] == ',');
    }
    int sv[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv)) {
        err_set(e, ERR_USAGE, "net user: the host gives no socket: %s", strerror(errno));
        return NULL;
    }
    int size = SOCKET_BUFFER;
    setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    int pid = os_child_start(argv, sv[1], CHILD_FD, e);
    os_close(sv[1]);
    struct user *u = pid > 0 ? xcalloc(1, sizeof *u) : NULL;
    if (!u || !os_poll_add(poll, sv[0], OS_POLL_IN, events, u)) {
        os_close(sv[0]);
        free(u);
        return NULL;
    }
    u->net = (struct net){&user_ops, MTU_DEFAULT};
    u->fd = sv[0];
    u->pid = pid;
    u->poll = poll;
    u->ready = ready;
    u->ready_ctx = ctx;
    return &u->net;
}
