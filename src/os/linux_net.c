/// Local sockets for debuggers and monitors.
#include "os/os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_unix(const char *path, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof a.sun_path) {
        err_set(e, ERR_USAGE, "socket %s: the path has %zu characters, at most %zu are possible",
                path, strlen(path), sizeof a.sun_path - 1);
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path));
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode)) { /* left over, or somebody's who is alive */
        int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool alive = probe >= 0 && connect(probe, (struct sockaddr *)&a, sizeof a) == 0;
        if (probe >= 0)
            close(probe);
        if (alive) {
            err_set(e, ERR_USAGE, "socket %s: another program serves it", path);
            return -1;
        }
        unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 8) == 0)
        return fd;
    err_set(e, ERR_USAGE, "socket %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int os_listen(const char *path, unsigned *port, struct err *e)
{
    if (path)
        return listen_unix(path, e);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((u16)*port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int one = 1, fd = *port > 65535 ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0) {
        *port = ntohs(a.sin_port);
        return fd;
    }
    err_set(e, ERR_USAGE, "port %u on 127.0.0.1: %s", *port,
            *port > 65535 ? "ports end at 65535" : strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int os_accept(int listener)
{
    int fd, one = 1;
    do
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* refused by UNIX sockets: no harm */
    return fd;
}

long os_send(int fd, const void *buf, size_t len)
{
    ssize_t n;
    do
        n = send(fd, buf, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? (long)n : errno == EAGAIN || errno == EWOULDBLOCK ? -1 : -2;
}

bool os_wait_readable(int fd, u64 timeout_ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, (int)(timeout_ns / 1000000)) > 0;
}
