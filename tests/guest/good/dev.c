// Programs that drive devices by polling, with interrupts masked.
// disk: disk_reads disk_waits disk_in_pages
// guest: rng_polls fw_cfg gpio
#include "good.h"

static volatile u64 sink;
enum { Q = 8 };
struct queue {
    struct {
        u64 addr;
        u32 len;
        unsigned short flags, next;
    } desc[Q];
    struct {
        unsigned short flags, idx, ring[Q], event;
    } avail;
    u8 pad[4096 - 16 * Q - 6 - 2 * Q];
    struct {
        unsigned short flags, idx;
        struct {
            u32 id, len;
        } ring[Q];
    } used;
};
static volatile struct queue q __attribute__((aligned(4096)));

static u64 find_device(u32 id)
{
    for (u64 a = 0x0a000000; a < 0x0a004000; a += 0x200)
        if (R32(a) == 0x74726976 && R32(a + 8) == id)
            return a;
    return 0;
}
static void set_up(u64 dev)
{
    CHECK(R32(dev + 4) == 2);
    R32(dev + 0x70) = 0;
    R32(dev + 0x70) = 1;
    R32(dev + 0x70) = 3;
    R32(dev + 0x24) = 1;
    R32(dev + 0x20) = 1; /* VERSION_1 */
    R32(dev + 0x24) = 0;
    R32(dev + 0x20) = 0;
    R32(dev + 0x70) = 11;
    R32(dev + 0x30) = 0;
    R32(dev + 0x38) = Q;
    R32(dev + 0x80) = (u32)(u64)q.desc;
    R32(dev + 0x84) = 0;
    R32(dev + 0x90) = (u32)(u64)&q.avail;
    R32(dev + 0x94) = 0;
    R32(dev + 0xa0) = (u32)(u64)&q.used;
    R32(dev + 0xa4) = 0;
    R32(dev + 0x44) = 1;
    R32(dev + 0x70) = 15;
}
static void submit(u64 dev)
{
    q.avail.ring[q.avail.idx % Q] = 0;
    dsb();
    q.avail.idx++;
    dsb();
    R32(dev + 0x50) = 0;
    while (q.used.idx != q.avail.idx)
        ;
}
static volatile struct {
    u32 type, reserved;
    u64 sector;
} req;
static volatile u8 status, data[4096] __attribute__((aligned(4096)));
static void read_sector(u64 dev, u64 sector, u64 to)
{
    req.type = 0;
    req.sector = sector;
    status = 0xff;
    q.desc[0].addr = (u64)&req, q.desc[0].len = 16, q.desc[0].flags = 1, q.desc[0].next = 1;
    q.desc[1].addr = to, q.desc[1].len = 512, q.desc[1].flags = 3, q.desc[1].next = 2;
    q.desc[2].addr = (u64)&status, q.desc[2].len = 1, q.desc[2].flags = 2, q.desc[2].next = 0;
    submit(dev);
    CHECK(status == 0);
}
/// Reads, and spins on the used ring in memory each time.
void disk_reads(void)
{
    u64 dev = find_device(2);
    CHECK(dev);
    set_up(dev);
    for (u64 n = 0; n < 2000; n++)
        read_sector(dev, n % 64, (u64)data);
}
void disk_waits(void)
{
    u64 dev = find_device(2);
    CHECK(dev);
    mmu_on();
    set_up(dev);
    for (u64 end = now() + ms(MS); now() < end;)
        read_sector(dev, random_next() % 64, (u64)data);
}
/// Into pages that came on demand.
void disk_in_pages(void)
{
    u64 dev = find_device(2), a = allocate(64 * 4096);
    CHECK(dev);
    mmu_on();
    set_up(dev);
    for (u64 n = 0; n < 64; n++) {
        map_page(PAGES + n * 4096, a + n * 4096, PTE(NORMAL) | PTE_XN);
        read_sector(dev, n, a + n * 4096);
        sink += R64(PAGES + n * 4096);
    }
}
void rng_polls(void)
{
    u64 dev = find_device(4);
    if (!dev)
        return;
    set_up(dev);
    for (u64 n = 0; n < 500; n++) {
        q.desc[0].addr = (u64)data, q.desc[0].len = 64, q.desc[0].flags = 2;
        submit(dev);
    }
}
static u64 faults;
static void skip(struct frame *f)
{
    faults++;
    f->elr += 4;
}
void fw_cfg(void)
{
    on_sync = skip;
    *(volatile unsigned short *)0x09020008 = 0;
    for (unsigned k = 0; k < 4; k++)
        sink += *(volatile u8 *)0x09020000;
}
void gpio(void)
{
    for (unsigned k = 0; k < 200; k++) {
        R32(0x09030400) = k & 0x7f;
        sink += R32(0x09030000 + 0x3fc);
    }
}
