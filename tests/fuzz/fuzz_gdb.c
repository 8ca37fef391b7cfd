/// Packets of a debugger. Each line of the input becomes a packet; the first byte decides whether the
/// input goes as it is instead. The connection ends with the input, which stops a machine that runs.
#include "debug/gdbstub.h"
#include "target.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct gdbstub *stub;
static char path[64];

static void remove_socket(void) { unlink(path); }

static int connect_to_stub(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, path, strlen(path));
    FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

static void send_packets(int fd, const u8 *data, size_t size)
{
    struct text t = {0};
    text_add(&t, "$");
    for (size_t k = 0; k < size; k++) {
        if (data[k] == '\n')
            text_add(&t, "#00$");
        else
            text_bytes(&t, (const char *)data + k, 1);
    }
    text_add(&t, "#00");
    os_write(fd, t.s, t.len);
    text_free(&t);
}

/// Takes the replies until the stub closes, so that it never waits for room.
static void drain(void *arg)
{
    u8 buf[4096];
    while (os_read(*(int *)arg, buf, sizeof buf) > 0)
        ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct machine_exit x;
    struct os_thread reader = {0};
    struct debugger *d = debugger_new(target_machine(), NULL);
    snprintf(path, sizeof path, "/tmp/bruin-fuzz-gdb-%d", (int)getpid());
    stub = gdbstub_new(d, 0, path, &e);
    FUZZ_CHECK(stub);
    int fd = connect_to_stub();
    FUZZ_CHECK(os_thread_start(&reader, "drain", drain, &fd, &e));
    if (size && data[0] == 0xff)
        os_write(fd, data + 1, size - 1);
    else
        send_packets(fd, data, size);
    shutdown(fd, SHUT_WR);
    gdbstub_serve(stub, &x);
    gdbstub_free(stub);
    os_thread_join(&reader);
    os_close(fd);
    debugger_free(d);
    remove_socket();
    return 0;
}
