/// Opening and closing of back ends.
#include "chr/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { IN_CAP = 4096, OUT_CAP = 64 * 1024, CLOSE_PATIENCE_MS = 2000 };

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

void chr_free(struct chr *c)
{
    if (!c)
        return;
    chr_detach(c);
    for (size_t before = 0; c->kind != CHR_RING && c->out.len && c->out.len != before;) {
        before = c->out.len;
        chr_send(c, CLOSE_PATIENCE_MS);
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
