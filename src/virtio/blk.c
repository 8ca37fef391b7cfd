/// Block device. Source: VIRTIO 1.2, "Block Device". Requests are done while the driver waits: the
/// host's page cache is faster than a hand-over to another thread.
#include "virtio/devices.h"

#include <stdlib.h>

enum { F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_DISCARD = 13, F_WRITE_ZEROES = 14 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum { SECTOR = 512, ID_LEN = 20, CONFIG_SIZE = 60, RANGES_MAX = 16 };
enum { ZERO_SECTORS_MAX = 1 << 22 };

struct blk {
    struct virtio_core core;
    struct block *block;
    char id[ID_LEN];
    struct chain chain;
};

static u64 blk_features(void *dev)
{
    const struct blk *b = dev;
    u64 f = 1ULL << F_SEG_MAX | 1ULL << F_BLK_SIZE | 1ULL << F_FLUSH;
    return b->block->is_read_only ? f | 1ULL << F_RO : f | 1ULL << F_DISCARD | 1ULL << F_WRITE_ZEROES;
}

static void blk_config_read(void *dev, u32 off, void *dst, u32 len)
{
    const struct blk *b = dev;
    u8 c[CONFIG_SIZE] = {0};
    st64(c + 0, b->block->size / SECTOR);
    st32(c + 12, VIRTQ_SIZE_MAX - 2); /* seg_max: head and status take two */
    st32(c + 20, SECTOR);
    st32(c + 36, ZERO_SECTORS_MAX); /* max_discard_sectors */
    st32(c + 40, RANGES_MAX);
    st32(c + 44, 1);                /* discard_sector_alignment */
    st32(c + 48, ZERO_SECTORS_MAX); /* max_write_zeroes_sectors */
    st32(c + 52, RANGES_MAX);
    c[56] = 1; /* write_zeroes_may_unmap */
    memcpy(dst, c + off, len);
}

static bool sectors_ok(const struct blk *b, u64 sector, u64 len)
{
    return sector <= b->block->size / SECTOR && range_ok(sector * SECTOR, len, b->block->size);
}

static u8 read_data(struct blk *b, struct chain *c, u64 sector)
{
    struct iovec iov[CHAIN_SEGS_MAX];
    u64 len = c->in_len - 1, from = c->in_pos;
    if (len % SECTOR || !sectors_ok(b, sector, len))
        return S_IOERR;
    unsigned n = chain_take_in(c, len, iov);
    bool ok = block_readv(b->block, sector * SECTOR, iov, n);
    chain_filled(c, virtio_mem(b->core.v), from);
    return ok ? S_OK : S_IOERR;
}

static u8 write_data(struct blk *b, struct chain *c, u64 sector)
{
    struct iovec iov[CHAIN_SEGS_MAX];
    u64 len = c->out_len - c->out_pos;
    if (b->block->is_read_only || len % SECTOR || !sectors_ok(b, sector, len))
        return S_IOERR;
    unsigned n = chain_take_out(c, len, iov);
    return block_writev(b->block, sector * SECTOR, iov, n) ? S_OK : S_IOERR;
}

static u8 zero_ranges(struct blk *b, struct chain *c)
{
    if (b->block->is_read_only)
        return S_IOERR;
    for (unsigned i = 0; i < RANGES_MAX; i++) {
        u8 r[16]; /* sector, number of sectors, flags */
        u64 got = chain_read(c, r, sizeof r);
        if (!got)
            return S_OK;
        u64 sector = ld64(r), count = ld32(r + 8);
        if (got != sizeof r || count > ZERO_SECTORS_MAX || ld32(r + 12) & ~1U ||
            !sectors_ok(b, sector, count * SECTOR))
            return S_UNSUPP;
        if (count && !b->block->ops->zero(b->block, sector * SECTOR, count * SECTOR))
            return S_IOERR;
    }
    return S_OK;
}

static u8 serve(struct blk *b, struct chain *c)
{
    u8 head[16]; /* type, reserved, sector */
    if (chain_read(c, head, sizeof head) != sizeof head)
        return S_IOERR;
    u64 sector = ld64(head + 8);
    switch (ld32(head)) {
    case T_IN: return read_data(b, c, sector);
    case T_OUT: return write_data(b, c, sector);
    case T_FLUSH: return b->block->is_read_only || b->block->ops->flush(b->block) ? S_OK : S_IOERR;
    case T_GET_ID:
        chain_write(c, virtio_mem(b->core.v), b->id, c->in_len - 1 < ID_LEN ? c->in_len - 1 : ID_LEN);
        return S_OK;
    case T_DISCARD:
    case T_WRITE_ZEROES: return zero_ranges(b, c);
    default: return S_UNSUPP;
    }
}

static void blk_notify(void *dev, unsigned queue)
{
    struct blk *b = dev;
    struct chain *c = &b->chain;
    for (unsigned n = 0; n < VIRTQ_SIZE_MAX && virtio_pop(b->core.v, queue, c); n++) {
        if (c->in_len) {
            u8 status = serve(b, c);
            chain_patch(c, virtio_mem(b->core.v), c->in_len - 1, &status, 1);
            c->in_pos = status == S_OK ? c->in_pos + 1 : 1;
        }
        virtio_push(b->core.v, queue, c);
    }
}

static void blk_free(void *dev)
{
    struct blk *b = dev;
    block_close(b->block);
    free(b);
}

const struct virtio_device_ops virtio_blk_ops = {
    .name = "virtio-blk",
    .id = 2,
    .queue_count = 1,
    .features = blk_features,
    .config_size = CONFIG_SIZE,
    .config_read = blk_config_read,
    .notify = blk_notify,
    .free = blk_free,
};

void *virtio_blk_new(struct block *block, const char *serial)
{
    struct blk *b = xcalloc(1, sizeof *b);
    b->block = block;
    size_t n = strlen(serial);
    memcpy(b->id, serial, n < ID_LEN ? n : ID_LEN);
    return b;
}
