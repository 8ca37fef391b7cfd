/// VIRTIO: the MMIO transport, a disk behind it, and rings that a hostile driver wrote.
#include "virtio/devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

enum { STATUS = 0x70, QSEL = 0x30, QNUM = 0x38, QREADY = 0x44, NOTIFY = 0x50, ISR = 0x60, ACK = 0x64,
       FEAT = 0x10, FEAT_SEL = 0x14, DFEAT = 0x20, DFEAT_SEL = 0x24, CONFIG = 0x100 };
enum { QSIZE = 8, DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, NEEDS_RESET = 0x40 };
#define RAM 0x40000000ULL
#define DESC (RAM + 0x1000)
#define AVAIL (RAM + 0x2000)
#define USED (RAM + 0x3000)
#define DATA (RAM + 0x8000)

struct fixture {
    struct mem *mem;
    struct virtio *v;
    char path[32];
    bool line;
    u16 avail_idx;
};

static void set_line(void *ctx, unsigned n, bool level) { ((struct fixture *)ctx)->line = level; }
static void put(struct fixture *f, u64 off, u32 v) { assert_true(virtio_mmio_ops.io.write(f->v, off, 4, v)); }
static u32 get(struct fixture *f, u64 off)
{
    u64 v;
    assert_true(virtio_mmio_ops.io.read(f->v, off, 4, &v));
    return (u32)v;
}
static void st(struct fixture *f, gpa_t at, const void *p, u64 n) { assert_true(mem_write(f->mem, at, p, n)); }

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct err e;
    f->mem = mem_new();
    assert_true(mem_add_ram(f->mem, RAM, 1 * MIB, "ram", &e));
    strcpy(f->path, "/tmp/bruin-disk-XXXXXX");
    int fd = mkstemp(f->path);
    for (unsigned i = 0; i < 64; i++) {
        u8 sector[512];
        memset(sector, (int)i, sizeof sector);
        assert_int_equal(os_write(fd, sector, sizeof sector), sizeof sector);
    }
    os_close(fd);
    struct block *b = block_open_raw(f->path, false, &e);
    assert_non_null(b);
    f->v = virtio_new(&virtio_blk_ops, virtio_blk_new(b, "serial"), f->mem, (struct irq_line){set_line, f, 0}, false);
    *state = f;
    return 0;
}
static int teardown(void **state)
{
    struct fixture *f = *state;
    virtio_free(f->v);
    mem_free(f->mem);
    unlink(f->path);
    free(f);
    return 0;
}

/// What a driver does until DRIVER_OK, with VERSION_1 and indirect descriptors.
static void drive(struct fixture *f)
{
    u8 zero[0x3000] = {0};
    put(f, STATUS, 0);
    st(f, DESC, zero, sizeof zero);
    put(f, STATUS, 3);
    put(f, DFEAT_SEL, 0);
    put(f, DFEAT, 1U << 28);
    put(f, DFEAT_SEL, 1);
    put(f, DFEAT, 1);
    put(f, STATUS, 11);
    assert_int_equal(get(f, STATUS), 11);
    put(f, QSEL, 0);
    put(f, QNUM, QSIZE);
    put(f, 0x80, (u32)DESC);
    put(f, 0x90, (u32)AVAIL);
    put(f, 0xa0, (u32)USED);
    put(f, QREADY, 1);
    put(f, STATUS, 15);
    f->avail_idx = 0;
}

static void desc(struct fixture *f, unsigned i, gpa_t addr, u32 len, u16 flags, u16 next)
{
    u8 d[16];
    st64(d, addr);
    st32(d + 8, len);
    st16(d + 12, flags);
    st16(d + 14, next);
    st(f, DESC + i * 16, d, 16);
}

static void offer(struct fixture *f, u16 head)
{
    st(f, AVAIL + 4 + 2 * (f->avail_idx % QSIZE), &head, 2);
    f->avail_idx++;
    st(f, AVAIL + 2, &f->avail_idx, 2);
    put(f, NOTIFY, 0);
}

static u16 used_idx(struct fixture *f)
{
    u16 v;
    assert_true(mem_read(f->mem, USED + 2, &v, 2));
    return v;
}

/// A request of type at sector with one data buffer. ret  its status byte
static u8 request(struct fixture *f, u32 type, u64 sector, u32 len, bool is_read)
{
    u8 head[16] = {0}, status = 0xee;
    st32(head, type);
    st64(head + 8, sector);
    st(f, DATA, head, 16);
    st(f, DATA + 16, &status, 1);
    desc(f, 0, DATA, 16, DESC_NEXT, 1);
    desc(f, 1, DATA + 0x1000, len, (u16)(DESC_NEXT | (is_read ? DESC_WRITE : 0)), 2);
    desc(f, 2, DATA + 16, 1, DESC_WRITE, 0);
    offer(f, 0);
    assert_true(mem_read(f->mem, DATA + 16, &status, 1));
    return status;
}

static void transport_identifies_itself(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(get(f, 0), 0x74726976);
    assert_int_equal(get(f, 4), 2);
    assert_int_equal(get(f, 8), 2);
    put(f, FEAT_SEL, 1);
    assert_int_equal(get(f, FEAT), 1); /* VERSION_1 */
    assert_int_equal(get(f, CONFIG), 64); /* sectors */
    assert_int_equal(get(f, STATUS), 0);
}

static void features_not_offered_are_refused(void **state)
{
    struct fixture *f = *state;
    put(f, STATUS, 3);
    put(f, DFEAT_SEL, 1);
    put(f, DFEAT, 3); /* bit 33 is not offered */
    put(f, STATUS, 11);
    assert_int_equal(get(f, STATUS), 3);
    put(f, DFEAT, 0); /* and VERSION_1 is needed */
    put(f, STATUS, 11);
    assert_int_equal(get(f, STATUS), 3);
}

static void a_disk_reads_and_writes_sectors(void **state)
{
    struct fixture *f = *state;
    u8 buf[1024];
    drive(f);
    assert_int_equal(request(f, 0, 5, 1024, true), 0);
    assert_true(f->line);
    assert_int_equal(get(f, ISR), 1);
    put(f, ACK, 1);
    assert_false(f->line);
    assert_true(mem_read(f->mem, DATA + 0x1000, buf, sizeof buf));
    assert_int_equal(buf[0], 5);
    assert_int_equal(buf[1023], 6);
    u32 written;
    assert_true(mem_read(f->mem, USED + 8, &written, 4));
    assert_int_equal(written, 1025);
    memset(buf, 0xa5, sizeof buf);
    st(f, DATA + 0x1000, buf, 512);
    assert_int_equal(request(f, 1, 7, 512, false), 0);
    assert_int_equal(request(f, 0, 7, 512, true), 0);
    assert_true(mem_read(f->mem, DATA + 0x1000, buf, 512));
    assert_int_equal(buf[511], 0xa5);
    assert_int_equal(used_idx(f), 3);
}

static void requests_beyond_the_disk_fail_and_change_nothing(void **state)
{
    struct fixture *f = *state;
    drive(f);
    assert_int_equal(request(f, 0, 63, 1024, true), 1);
    assert_int_equal(request(f, 1, 64, 512, false), 1);
    assert_int_equal(request(f, 0, ~0ULL, 512, true), 1);
    assert_int_equal(request(f, 0, 1ULL << 55, 512, true), 1);
    assert_int_equal(request(f, 0, 0, 100, true), 1); /* not a whole sector */
    assert_int_equal(request(f, 99, 0, 512, true), 2);
    assert_int_equal(get(f, STATUS), 15);
}

/// Each of these must end in NEEDS_RESET, and a reset must bring a device that works.
static void broken_rings_need_a_reset(void **state)
{
    struct fixture *f = *state;
    for (unsigned kind = 0; kind < 8; kind++) {
        drive(f);
        desc(f, 0, DATA, 16, 0, 0);
        u16 head = 0;
        switch (kind) {
        case 0: head = QSIZE; break;                                  /* head out of range */
        case 1: desc(f, 0, DATA, 16, DESC_NEXT, 0); break;            /* loop */
        case 2: desc(f, 0, DATA, 16, DESC_NEXT, 100); break;          /* next out of range */
        case 3: desc(f, 0, 0x1000, 16, 0, 0); break;                  /* not RAM */
        case 4: desc(f, 0, RAM + 1 * MIB - 8, 16, 0, 0); break;       /* runs over the end */
        case 5: desc(f, 0, DATA, 17, DESC_INDIRECT, 0); break;        /* not a whole table */
        case 6: desc(f, 0, DESC, 16, DESC_INDIRECT, 0); break;        /* indirect in indirect */
        case 7:                                                       /* readable after writable */
            desc(f, 0, DATA, 16, DESC_WRITE | DESC_NEXT, 1);
            desc(f, 1, DATA, 16, 0, 0);
            break;
        }
        offer(f, head);
        assert_int_equal(get(f, STATUS) & NEEDS_RESET, NEEDS_RESET);
        assert_int_equal(used_idx(f), 0);
        put(f, NOTIFY, 0); /* silent until reset */
        assert_int_equal(used_idx(f), 0);
    }
    drive(f);
    assert_int_equal(request(f, 0, 1, 512, true), 0);
}

static void an_index_that_jumps_breaks_the_queue(void **state)
{
    struct fixture *f = *state;
    drive(f);
    u16 idx = 1000;
    st(f, AVAIL + 2, &idx, 2);
    put(f, NOTIFY, 0);
    assert_int_equal(get(f, STATUS) & NEEDS_RESET, NEEDS_RESET);
}

static void state_survives_saving(void **state)
{
    struct fixture *f = *state;
    drive(f);
    assert_int_equal(request(f, 0, 2, 512, true), 0);
    struct state s = {0};
    virtio_mmio_ops.state(f->v, &s);
    size_t len = s.pos;
    virtio_mmio_ops.reset(f->v);
    s = (struct state){.is_loading = true, .data = s.data, .len = len};
    virtio_mmio_ops.state(f->v, &s);
    assert_false(s.is_bad);
    assert_true(f->line);
    assert_int_equal(request(f, 0, 3, 512, true), 0);
    assert_int_equal(used_idx(f), 2);
    free(s.data);
}

/// Random registers, random rings: nothing may harm the host (run under ASan), and afterwards a
/// reset brings a device that works.
static void hostile_drivers_do_no_harm(void **state)
{
    struct fixture *f = *state;
    u64 rng = 4711;
    for (unsigned i = 0; i < 20000; i++) {
        u64 r = rng_next(&rng), v;
        if (!(i % 100)) {
            u8 junk[0x3000];
            drive(f);
            for (unsigned k = 0; k < sizeof junk; k += 8)
                st64(junk + k, rng_next(&rng) & (r & 1 ? 0x000f0007000fffffULL : ~0ULL) & ~0ULL);
            for (unsigned k = 0; k < QSIZE; k++)
                st64(junk + k * 16, RAM + (rng_next(&rng) & 0xfffff));
            st(f, DESC, junk, sizeof junk);
        }
        u64 off = r >> 8 & 0xff & ~3ULL;
        if (r >> 20 & 1)
            virtio_mmio_ops.io.write(f->v, off, 4, r >> 21 & 1 ? rng_next(&rng) : r >> 32 & 15);
        else
            virtio_mmio_ops.io.read(f->v, off, 4, &v);
        virtio_mmio_ops.io.write(f->v, NOTIFY, 4, 0);
    }
    drive(f);
    u8 status = request(f, 0, 1, 512, true);
    assert_int_equal(status, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(transport_identifies_itself), T(features_not_offered_are_refused),
        T(a_disk_reads_and_writes_sectors), T(requests_beyond_the_disk_fail_and_change_nothing),
        T(broken_rings_need_a_reset), T(an_index_that_jumps_breaks_the_queue),
        T(state_survives_saving), T(hostile_drivers_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
