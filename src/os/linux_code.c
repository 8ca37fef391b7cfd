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
    // side by side, so that one is at a small constant distance from the other
    u8 *both = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool ok = both != MAP_FAILED &&
              mmap(both, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED &&
              mmap(both + size, size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0) !=
                  MAP_FAILED;
    int saved = errno;
    close(fd);
    if (!ok) {
        if (both != MAP_FAILED)
            munmap(both, 2 * size);
        return err_set(e, ERR_USAGE,
                       "code memory: mapping %llu bytes: %s (is executable memory forbidden here?)",
                       (unsigned long long)size, strerror(saved));
    }
    u8 *rw = both, *rx = both + size;
    *code = (struct os_code){rw, rx, size};
    return true;
}

void os_code_trim(struct os_code *code, u8 *from, u64 len)
{
    (void)code;
    madvise(from, len, MADV_DONTNEED);
}

void os_code_free(struct os_code *code)
{
    if (!code->rw)
        return;
    munmap(code->rw, code->size);
    munmap(code->rx, code->size);
    *code = (struct os_code){0};
}
