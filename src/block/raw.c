/// Raw images: offsets of the disk are offsets of the file.
#include "block/block.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct raw {
    struct block block;
    int fd;
};

/// Moves everything; short transfers continue. ret  false on an error or past the end of the file
static bool transfer(int fd, u64 off, const struct iovec *iov, unsigned n, bool is_write)
{
    for (unsigned i = 0; i < n; i++) {
        u8 *p = iov[i].iov_base;
        size_t left = iov[i].iov_len;
        while (left) {
            ssize_t done = is_write ? pwrite(fd, p, left, (off_t)off) : pread(fd, p, left, (off_t)off);
            if (done < 0 && errno == EINTR)
                continue;
            if (done <= 0)
                return false;
            p += done;
            off += (u64)done;
            left -= (size_t)done;
        }
    }
    return true;
}

static bool raw_rw(struct block *b, u64 off, const struct iovec *iov, unsigned n, bool is_write)
{
    int fd = ((struct raw *)b)->fd;
    u64 want = 0;
    for (unsigned i = 0; i < n; i++)
        want += iov[i].iov_len;
    ssize_t done = is_write ? pwritev(fd, iov, (int)n, (off_t)off)
                            : preadv(fd, iov, (int)n, (off_t)off);
    return done >= 0 && (u64)done == want ? true : transfer(fd, off, iov, n, is_write);
}

static bool raw_readv(struct block *b, u64 off, const struct iovec *iov, unsigned n)
{
    return raw_rw(b, off, iov, n, false);
}
static bool raw_writev(struct block *b, u64 off, const struct iovec *iov, unsigned n)
{
    return raw_rw(b, off, iov, n, true);
}

static bool raw_flush(struct block *b) { return fdatasync(((struct raw *)b)->fd) == 0; }

static bool raw_zero(struct block *b, u64 off, u64 len)
{
    int fd = ((struct raw *)b)->fd;
    if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len))
        return true;
    static const u8 zeros[64 * 1024];
    while (len) {
        u64 n = len < sizeof zeros ? len : sizeof zeros;
        struct iovec v = {(void *)(uintptr_t)zeros, n};
        if (!transfer(fd, off, &v, 1, true))
            return false;
        off += n;
        len -= n;
    }
    return true;
}

static void raw_close(struct block *b)
{
    os_close(((struct raw *)b)->fd);
    free(b);
}

static const struct block_ops raw_ops = {raw_readv, raw_writev, raw_flush, raw_zero, raw_close};

struct block *block_open_raw(const char *path, bool read_only, struct err *e)
{
    int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    struct stat st;
    u64 size = 0;
    if (fd < 0 || fstat(fd, &st)) {
        err_set(e, ERR_NOT_FOUND, "disk %s: %s%s", path, strerror(errno),
                errno == EACCES && !read_only ? " (for writing; \",ro\" opens it read-only)" : "");
        os_close(fd);
        return NULL;
    }
    if (S_ISBLK(st.st_mode))
        (void)ioctl(fd, BLKGETSIZE64, &size);
    else if (S_ISREG(st.st_mode))
        size = (u64)st.st_size;
    if (size < 512) {
        err_set(e, ERR_FORMAT, "disk %s: %llu bytes; a disk has at least one sector of 512", path,
                (unsigned long long)size);
        close(fd);
        return NULL;
    }
    if (!read_only && flock(fd, LOCK_EX | LOCK_NB)) {
        err_set(e, ERR_USAGE, "disk %s: another machine is using it", path);
        close(fd);
        return NULL;
    }
    struct raw *r = xcalloc(1, sizeof *r);
    r->block = (struct block){&raw_ops, align_down(size, 512), read_only};
    r->fd = fd;
    return &r->block;
}

void block_close(struct block *b)
{
    if (b)
        b->ops->close(b);
}
