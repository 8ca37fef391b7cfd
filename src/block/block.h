/// Block back ends: what a disk is made of. Calls block; the caller owns ordering.
#ifndef BRUIN_BLOCK_H
#define BRUIN_BLOCK_H

#include "base/base.h"

#include <sys/uio.h>

struct block;
struct block_ops {
    bool (*readv)(struct block *b, u64 off, const struct iovec *iov, unsigned n);
    bool (*writev)(struct block *b, u64 off, const struct iovec *iov, unsigned n);
    bool (*flush)(struct block *b);
    /// Makes the range read as zero; may give the space back.
    bool (*zero)(struct block *b, u64 off, u64 len);
    void (*close)(struct block *b);
};
struct block {
    const struct block_ops *ops;
    u64 size; ///< bytes, a multiple of 512
    bool is_read_only;
};
/// Callers keep within size and never write what is read-only.
static inline bool block_readv(struct block *b, u64 off, const struct iovec *iov, unsigned n)
{
    return b->ops->readv(b, off, iov, n);
}
static inline bool block_writev(struct block *b, u64 off, const struct iovec *iov, unsigned n)
{
    return b->ops->writev(b, off, iov, n);
}

/// A raw image or block device. A file opened for writing is locked against a second machine.
/// ret  NULL with ERR_NOT_FOUND, ERR_FORMAT (size) or ERR_USAGE (locked)
struct block *block_open_raw(const char *path, bool read_only, struct err *e);
void block_close(struct block *b);

#endif
