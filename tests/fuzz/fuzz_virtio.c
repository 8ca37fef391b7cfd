/// A hostile driver: register writes, descriptors, rings and kicks for each VIRTIO device, with input
/// from the host in between.
#include "fuzz.h"
#include "virtio/devices.h"

#include <stdlib.h>

enum { DISK_BYTES = 64 * 512, STEPS_MAX = 512, QSIZE = 8, FRAME_LEN_MAX = 2000 };
enum {
    FEATURES = 0x10,
    FEATURES_SEL = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_SEL = 0x24,
    GUEST_PAGE_SIZE = 0x28,
    QUEUE_SEL = 0x30,
    QUEUE_NUM = 0x38,
    QUEUE_ALIGN = 0x3c,
    QUEUE_PFN = 0x40,
    QUEUE_READY = 0x44,
    NOTIFY = 0x50,
    STATUS = 0x70,
    DESC = 0x80,
    AVAIL = 0x90,
    USED = 0xa0,
    FRAME_SIZE = 0x200
};
#define RAM 0x40000000ULL
/// Rings of queue q; the legacy layout has all three in a row.
#define RING(q) (RAM + 0x4000 * (q))

static u8 disk[DISK_BYTES];

static void copy_vector(u64 off, const struct iovec *iov, unsigned n, bool write)
{
    for (unsigned k = 0; k < n; off += iov[k++].iov_len) {
        FUZZ_CHECK(range_ok(off, iov[k].iov_len, DISK_BYTES)); /* the device keeps within the disk */
        if (write)
            memcpy(disk + off, iov[k].iov_base, iov[k].iov_len);
        else
            memcpy(iov[k].iov_base, disk + off, iov[k].iov_len);
    }
}
static bool disk_readv(struct block *b, u64 off, const struct iovec *iov, unsigned n)
{
    copy_vector(off, iov, n, false);
    return true;
}
static bool disk_writev(struct block *b, u64 off, const struct iovec *iov, unsigned n)
{
    FUZZ_CHECK(!b->is_read_only);
    copy_vector(off, iov, n, true);
    return true;
}
static bool disk_flush(struct block *b) { return true; }
static bool disk_zero(struct block *b, u64 off, u64 len)
{
    FUZZ_CHECK(!b->is_read_only && range_ok(off, len, DISK_BYTES));
    memset(disk + off, 0, len);
    return true;
}
static void disk_close(struct block *b) { free(b); }
static const struct block_ops disk_ops = {disk_readv, disk_writev, disk_flush, disk_zero, disk_close};

struct wire {
    struct net net;
    u32 waiting; ///< length of a frame that arrived
};
static void wire_send(struct net *n, const u8 *frame, u32 len)
{
    volatile u8 sink = 0;
    for (u32 k = 0; k < len; k++)
        sink = (u8)(sink + frame[k]);
    (void)sink;
}
static u32 wire_receive(struct net *n, u8 *frame, u32 cap)
{
    struct wire *w = (struct wire *)n;
    u32 len = w->waiting < cap ? w->waiting : cap;
    memset(frame, 0x5a, len);
    w->waiting = 0;
    return len;
}
static void wire_want_input(struct net *n, bool on) {}
static void wire_close(struct net *n) { free(n); }
static const struct net_ops wire_ops = {wire_send, wire_receive, wire_want_input, wire_close};

struct world {
    struct mem *mem;
    struct virtio *v;
    struct chr *chr;
    struct wire *wire;
    void *core;
    u64 rng;
};

static void make_device(struct world *w, unsigned kind, bool legacy, bool read_only)
{
    static const u8 mac[6] = {2};
    const struct virtio_device_ops *ops = &virtio_rng_ops;
    if (kind == 0) {
        struct block *b = xcalloc(1, sizeof *b);
        *b = (struct block){&disk_ops, DISK_BYTES, read_only};
        ops = &virtio_blk_ops;
        w->core = virtio_blk_new(b, "fuzz");
    } else if (kind == 1) {
        w->wire = xcalloc(1, sizeof *w->wire);
        w->wire->net = (struct net){&wire_ops, 1500};
        ops = &virtio_net_ops;
        w->core = virtio_net_new(&w->wire->net, mac);
    } else if (kind == 2) {
        w->chr = chr_ring_new(4096);
        ops = &virtio_console_ops;
        w->core = virtio_console_new(w->chr);
    } else
        w->core = virtio_rng_new(&w->rng);
    w->v = virtio_new(ops, w->core, w->mem, (struct irq_line){0}, legacy);
}

static void put(struct world *w, u64 off, u64 v) { virtio_mmio_ops.io.write(w->v, off, 4, (u32)v); }

/// What a proper driver does until DRIVER_OK, with every feature that is offered.
static void start(struct world *w, bool legacy, unsigned queues)
{
    u64 features;
    put(w, STATUS, 3);
    for (unsigned half = 0; half < 2; half++) {
        put(w, FEATURES_SEL, half);
        virtio_mmio_ops.io.read(w->v, FEATURES, 4, &features);
        put(w, DRIVER_SEL, half);
        put(w, DRIVER_FEATURES, features);
    }
    put(w, STATUS, 11);
    put(w, GUEST_PAGE_SIZE, 4096);
    for (unsigned q = 0; q < queues; q++) {
        put(w, QUEUE_SEL, q);
        put(w, QUEUE_NUM, QSIZE);
        put(w, QUEUE_ALIGN, 4096);
        if (legacy)
            put(w, QUEUE_PFN, RING(q) >> 12);
        put(w, DESC, RING(q));
        put(w, AVAIL, RING(q) + 16 * QSIZE);
        put(w, USED, RING(q) + 0x1000);
        put(w, QUEUE_READY, 1);
    }
    put(w, STATUS, 15);
}

static void poke(struct world *w, gpa_t at, u64 v, u64 size)
{
    (void)!mem_write(w->mem, at, &v, size);
}

/// A descriptor in the table of queue q; addresses mostly in RAM.
static void descriptor(struct world *w, struct input *in, unsigned q)
{
    gpa_t at = RING(q) + 16 * (take(in, 1) % QSIZE);
    u64 how = take(in, 1), addr = how & 0x80 ? take(in, 8) : RAM + take(in, 2) * (how & 0x40 ? 16 : 1);
    poke(w, at, addr, 8);
    poke(w, at + 8, take(in, how & 0x20 ? 4 : 2), 4);
    poke(w, at + 12, how & 0x10 ? take(in, 2) : how & 7, 2);
    poke(w, at + 14, how & 8 ? take(in, 2) : take(in, 1) % QSIZE, 2);
}
/// Makes heads available: the next index, an entry, a kick.
static void offer(struct world *w, struct input *in, unsigned q)
{
    gpa_t avail = RING(q) + 16 * QSIZE;
    u16 idx = 0;
    (void)!mem_read(w->mem, avail + 2, &idx, 2);
    poke(w, avail + 4 + 2 * (idx % QSIZE), take(in, 1), 2);
    poke(w, avail + 2, (u16)(idx + 1), 2);
    put(w, NOTIFY, q);
}
static void from_host(struct world *w, struct input *in)
{
    u8 text[8] = "keyboard";
    if (w->wire) {
        w->wire->waiting = (u32)take(in, 2) % FRAME_LEN_MAX + 1;
        virtio_net_ready(w->core);
    } else if (w->chr) {
        u8 out[64];
        chr_ring_input(w->chr, text, 1 + take(in, 1) % 8);
        chr_ring_output(w->chr, out, sizeof out);
        virtio_console_ready(w->core);
    }
}

static void step(struct world *w, struct input *in, bool legacy)
{
    unsigned what = (unsigned)take(in, 1), q = what >> 4 & 1;
    u64 v;
    switch (what & 15) {
    case 0:
        virtio_mmio_ops.io.write(w->v, take(in, 1) % (FRAME_SIZE / 4) * 4, 4, take(in, 4));
        break;
    case 1:
        virtio_mmio_ops.io.read(w->v, take(in, 2) % FRAME_SIZE, 1u << (what >> 5 & 3), &v);
        break;
    case 2:
        virtio_mmio_ops.io.write(w->v, take(in, 2) % FRAME_SIZE, 1u << (what >> 5 & 3), take(in, 8));
        break;
    case 3: start(w, legacy, 2); break;
    case 4: from_host(w, in); break;
    case 5: poke(w, RAM + take(in, 2) * 8, take(in, 8), 8); break;
    case 6: poke(w, RING(q) + 16 * QSIZE + take(in, 1) % 32, take(in, 2), 2); break;
    case 7: put(w, NOTIFY, take(in, 1)); break;
    case 8:
    case 9:
    case 10: offer(w, in, q); break;
    default: descriptor(w, in, q); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct err e = {0};
    struct world w = {.mem = mem_new(), .rng = 1};
    unsigned kind = (unsigned)take(&in, 1);
    bool legacy = kind & 4;
    FUZZ_CHECK(mem_add_ram(w.mem, RAM, 1 * MIB, "ram", &e));
    make_device(&w, kind & 3, legacy, kind & 8);
    start(&w, legacy, 2);
    for (unsigned k = 0; k < STEPS_MAX && in.len; k++)
        step(&w, &in, legacy);
    struct state s = {0};
    virtio_mmio_ops.state(w.v, &s);
    for (size_t k = 0; k < s.len && in.len; k++)
        s.data[k] ^= (u8)take(&in, 1);
    struct state load = {.is_loading = true, .data = s.data, .len = s.len};
    virtio_mmio_ops.state(w.v, &load);
    put(&w, NOTIFY, 0);
    free(s.data);
    virtio_free(w.v);
    if (w.chr)
        chr_free(w.chr);
    mem_free(w.mem);
    return 0;
}
