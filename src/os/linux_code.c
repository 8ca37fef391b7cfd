// Memory for generated code: one anonymous file mapped twice, writable and executable, so that no
// page is ever both.
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool os_code_alloc(struct os_code *code, u64 size, struct err *e)
{
    int fd = memfd_create("bruin-code", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size)) {
        err_set(e, ERR_USAGE, "code memory: %llu bytes: %s", (unsigned long long)size, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    void *rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    void *rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    int saved = errno;
    close(fd);
    if (rw == MAP_FAILED || rx == MAP_FAILED) {
        if (rw != MAP_FAILED)
            munmap(rw, size);
        if (rx != MAP_FAILED)
            munmap(rx, size);
        return err_set(e, ERR_USAGE, "code memory: mapping %llu bytes: %s (is executable memory forbidden here?)",
                       (unsigned long long)size, strerror(saved));
    }
    *code = (struct os_code){rw, rx, size};
    return true;
}

void os_code_free(struct os_code *code)
{
    if (!code->rw)
        return;
    munmap(code->rw, code->size);
    munmap(code->rx, code->size);
    *code = (struct os_code){0};
}
