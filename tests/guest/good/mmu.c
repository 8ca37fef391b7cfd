// Programs that build and change translations, in ways that are allowed.
// guest: big_tables granule16 granule64 asids bbm split_block toggle high_half permissions memory_test uncached_buffer
// guest: zero_lines alias_same dirty_by_hand contiguous el0_switch write_combining
// guest: late_dsb read_uncached same_type tlbi_batch
#include "good.h"

static volatile u64 sink, count;
#define T(n) ((volatile u64 *)(n))

static void enable(u64 mair, u64 tcr, u64 ttbr)
{
    dsb();
    WRITE(mair_el1, mair);
    WRITE(tcr_el1, tcr | 2UL << 32);
    WRITE(ttbr0_el1, ttbr);
    isb();
    ASM("tlbi vmalle1\ndsb nsh\nisb");
    WRITE(sctlr_el1, READ(sctlr_el1) | 0x1005);
    isb();
}

/// Every page of RAM on its own: a quarter of a million descriptors.
void big_tables(void)
{
    u64 l1 = allocate(4096), l2 = allocate(4096), l3 = allocate(128 * 4096);
    T(l1)[0] = 0x0060000000000401;
    T(l1)[1] = l2 | 3;
    for (u64 k = 0; k < 128; k++) {
        T(l2)[k] = (l3 + k * 4096) | 3;
        for (u64 n = 0; n < 512; n++)
            T(l3 + k * 4096)[n] = (RAM + k * 0x200000 + n * 4096) | PTE(NORMAL);
    }
    enable(0x44ff04, 25 | 0x3500 | 1 << 23, l1);
    for (u64 a = RAM + 0x2000000; a < RAM + 0x10000000; a += 4096)
        R64(a) = a;
    for (u64 a = RAM + 0x2000000; a < RAM + 0x10000000; a += 4096)
        CHECK(R64(a) == a);
}

static u64 allocate_aligned(u64 bytes, u64 align)
{
    u64 a = allocate(bytes + align);
    return (a + align - 1) & ~(align - 1);
}
/// 16 KiB, 36 bits: one level of 32 MiB blocks.
void granule16(void)
{
    u64 l2 = allocate_aligned(16384, 16384);
    for (u64 k = 0; k < 2048; k++)
        T(l2)[k] = k << 25 | (k < 32 ? 0x0060000000000401 : 0x705);
    enable(0x44ff04, 28 | 0x3500 | 2 << 14 | 1 << 23, l2);
    for (u64 a = RAM + 0x2000000; a < RAM + 0x8000000; a += 16384)
        sink += R64(a);
}
/// 64 KiB, 42 bits: level 2 of 512 MiB blocks, one of them in pages.
void granule64(void)
{
    u64 l2 = allocate_aligned(65536, 65536), l3 = allocate_aligned(65536, 65536);
    for (u64 k = 0; k < 8; k++)
        T(l2)[k] = k << 29 | (k < 2 ? 0x0060000000000401 : 0x705);
    for (u64 k = 0; k < 8192; k++)
        T(l3)[k] = (RAM + k * 65536) | PTE(NORMAL);
    T(l2)[2] = l3 | 3;
    enable(0x44ff04, 22 | 0x3500 | 1 << 14 | 1 << 23, l2);
    for (u64 a = RAM + 0x2000000; a < RAM + 0x8000000; a += 65536)
        sink += R64(a);
}

/// Four address spaces, told apart by ASIDs, switched ten thousand times without a TLBI.
static u64 space[4];
void asids(void)
{
    mmu_on();
    u64 old = READ(ttbr0_el1);
    for (u64 k = 0; k < 4; k++) {
        u64 l1 = allocate(4096), l2 = allocate(4096), l3 = allocate(4096);
        for (u64 n = 0; n < 4; n++)
            T(l1)[n] = T(old)[n];
        T(l1)[PAGES >> 30] = l2 | 3;
        T(l2)[0] = l3 | 3;
        T(l3)[0] = allocate(4096) | PTE(NORMAL) | PTE_NG | PTE_XN;
        space[k] = l1 | (k + 1) << 48;
    }
    for (u64 n = 0; n < 10000; n++) {
        dsb();
        WRITE(ttbr0_el1, space[n & 3]);
        isb();
        CHECK(R64(PAGES) == n / 4);
        R64(PAGES)++;
    }
}

/// The output address changes, with break-before-make.
void bbm(void)
{
    u64 a[2] = {allocate(4096), allocate(4096)};
    mmu_on();
    R64(a[1]) = 1;
    for (u64 n = 0; n < 5000; n++) {
        map_page(PAGES, a[n & 1], PTE(NORMAL) | PTE_XN);
        CHECK(R64(PAGES) == (n & 1));
        unmap_page(PAGES);
    }
}
/// A block becomes a table of pages, while nothing uses it.
void split_block(void)
{
    u64 l1, l2 = allocate_aligned(4096, 4096), l3;
    mmu_on();
    l1 = READ(ttbr0_el1) & ~1UL;
    for (u64 k = 0; k < 512; k++)
        T(l2)[k] = 3UL << 30 | k << 21 | 0x705;
    l3 = allocate(4096);
    for (u64 k = 0; k < 512; k++)
        T(l3)[k] = 3UL << 30 | k << 12 | PTE(NORMAL);
    T(l1)[3] = 0;
    ASM("dsb ishst\ntlbi vmalle1is\ndsb ish\nisb");
    T(l1)[3] = l2 | 3;
    dsb();
    isb();
    T(l2)[0] = 0;
    ASM("dsb ishst\ntlbi vmalle1is\ndsb ish\nisb");
    T(l2)[0] = l3 | 3;
    dsb();
    isb();
}
/// On and off a thousand times, the tables staying as they are.
void toggle(void)
{
    for (u64 n = 0; n < 1000; n++) {
        mmu_on();
        sink++;
        __asm__ volatile("dc civac, %0\ndsb sy" ::"r"(&sink) : "memory");
        mmu_off();
    }
    CHECK(sink == 1000);
}

/// The program goes up to TTBR1's half and leaves the lower one.
#define HIGH 0xffffff8000000000UL
static NOINLINE u64 where(void)
{
    u64 pc;
    __asm__ volatile("adr %0, ." : "=r"(pc));
    return pc;
}
void high_half(void)
{
    u64 l1 = allocate(4096);
    T(l1)[0] = 0x0060000000000401;
    T(l1)[1] = 1UL << 30 | 0x705;
    dsb();
    WRITE(mair_el1, 0x44ff04);
    WRITE(tcr_el1, 25 | 0x3500 | 25UL << 16 | 0x35000000 | 2UL << 30 | 2UL << 32);
    WRITE(ttbr0_el1, l1);
    WRITE(ttbr1_el1, l1);
    isb();
    ASM("tlbi vmalle1\ndsb nsh\nisb");
    WRITE(sctlr_el1, READ(sctlr_el1) | 0x1005);
    isb();
    u64 (*up)(void) = (u64(*)(void))((u64)where + HIGH);
    CHECK(up() > HIGH);
    WRITE(vbar_el1, (u64)vectors + HIGH);
    isb();
    __asm__ volatile("add sp, sp, %0\nadr x9, 1f\nadd x9, x9, %0\nbr x9\n1:" ::"r"(HIGH) : "x9", "memory");
    CHECK(where() > HIGH);
    WRITE(ttbr0_el1, 0);
    WRITE(tcr_el1, READ(tcr_el1) | 1 << 7);
    ASM("isb\ntlbi vmalle1\ndsb nsh\nisb");
    sink = 7;
    *(volatile u32 *)(UART + HIGH) = 'u';
    *(volatile u32 *)(UART + HIGH) = '\n';
    for (u64 n = 0; n < 1000000; n++)
        sink++;
    WRITE(ttbr0_el1, l1);
    WRITE(tcr_el1, READ(tcr_el1) & ~(1UL << 7));
    ASM("isb\ntlbi vmalle1\ndsb nsh\nisb");
    __asm__ volatile("sub sp, sp, %0\nadr x9, 1f\nsub x9, x9, %0\nbr x9\n1:" ::"r"(HIGH) : "x9", "memory");
}

/// Access permissions go to and fro, which needs a TLBI but no break.
static void skip(struct frame *f)
{
    count++;
    f->elr += 4;
}
void permissions(void)
{
    on_sync = skip;
    mmu_on();
    u64 a = allocate(4096);
    map_page(PAGES, a, PTE(NORMAL) | PTE_XN);
    for (u64 n = 0; n < 3000; n++) {
        *page_entry(PAGES) = a | PTE(NORMAL) | PTE_XN | (n & 1 ? PTE_RO : 0);
        flush_page(PAGES);
        R64(PAGES) = n;
        CHECK(R64(PAGES) == (n & ~1UL));
    }
    CHECK(count == 1500);
}
/// The dirty state and the access flag are kept by the kernel.
static void mark(struct frame *f)
{
    u64 fsc = READ(esr_el1) & 63, va = READ(far_el1);
    CHECK(fsc == 0x0b || fsc == 0x0f);
    *page_entry(va) = fsc == 0x0b ? *page_entry(va) | 1 << 10 : (*page_entry(va) & ~PTE_RO) | 1UL << 55;
    flush_page(va);
    count++;
}
void dirty_by_hand(void)
{
    on_sync = mark;
    u64 a = allocate(512 * 4096);
    mmu_on();
    for (u64 round = 0; round < 4; round++)
        for (u64 n = 0; n < 512; n++) {
            u64 va = PAGES + n * 4096;
            map_page(va, a + n * 4096, (PTE(NORMAL) & ~(1UL << 10)) | PTE_RO | PTE_XN);
            sink = R64(va);
            R64(va) = round;
            unmap_page(va);
        }
    CHECK(count == 4096);
}

void memory_test(void)
{
    mmu_on();
    static const u64 pattern[] = {0, ~0UL, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa};
    u64 lo = RAM + 0x4000000, hi = lo + 0x1000000;
    for (unsigned k = 0; k < 4; k++) {
        for (u64 a = lo; a < hi; a += 8)
            R64(a) = pattern[k] ^ a;
        for (u64 a = lo; a < hi; a += 8)
            CHECK(R64(a) == (pattern[k] ^ a));
    }
}

/// A buffer for DMA: never mapped otherwise.
void uncached_buffer(void)
{
    mmu_on();
    for (u64 n = 0; n < 64; n++)
        map_page(PAGES + n * 4096, RAM + 0x7000000 + n * 4096, PTE(UNCACHED) | PTE_XN);
    for (u64 a = PAGES; a < PAGES + 64 * 4096; a += 8)
        R64(a) = a;
    for (u64 a = PAGES; a < PAGES + 64 * 4096; a += 8)
        CHECK(R64(a) == a);
}
/// A page is cleaned out of the caches, its cached mapping goes, and it comes back uncached.
void write_combining(void)
{
    mmu_on();
    u64 pa = 3UL << 30 | 0;
    (void)pa;
    u64 a = RAM + 0x7100000;
    map_page(PAGES, a, PTE(NORMAL) | PTE_XN);
    for (u64 n = 0; n < 512; n++)
        R64(PAGES + n * 8) = n;
    for (u64 n = 0; n < 4096; n += 64)
        __asm__ volatile("dc civac, %0" ::"r"(PAGES + n) : "memory");
    dsb();
    unmap_page(PAGES);
    map_page(PAGES + 0x1000, a, PTE(UNCACHED) | PTE_XN);
    for (u64 n = 0; n < 512; n++)
        CHECK(R64(PAGES + 0x1000 + n * 8) == n);
}
void zero_lines(void)
{
    mmu_on();
    u64 a = allocate(0x100000), line = 4UL << (READ(dczid_el0) & 15);
    for (unsigned round = 0; round < 20; round++)
        for (u64 n = 0; n < 0x100000; n += line)
            __asm__ volatile("dc zva, %0" ::"r"(a + n) : "memory");
    for (u64 n = 0; n < 0x100000; n += 64)
        __asm__ volatile("dc civac, %0" ::"r"(a + n) : "memory");
    dsb();
}
/// One page at four addresses, always with the same attributes.
void alias_same(void)
{
    mmu_on();
    u64 a = allocate(4096);
    for (u64 n = 0; n < 4; n++)
        map_page(PAGES + n * 0x200000, a, PTE(NORMAL) | PTE_XN);
    for (u64 n = 0; n < 40000; n++) {
        CHECK(R64(PAGES + (n & 3) * 0x200000) == n);
        R64(PAGES + ((n + 1) & 3) * 0x200000) = n + 1;
    }
}
void contiguous(void)
{
    mmu_on();
    u64 a = allocate_aligned(65536, 65536);
    for (u64 n = 0; n < 16; n++)
        *page_entry(PAGES + n * 4096) = (a + n * 4096) | PTE(NORMAL) | PTE_XN | 1UL << 52;
    dsb();
    isb();
    for (u64 n = 0; n < 65536; n += 8)
        R64(PAGES + n) = n;
}
/// A lower half with nothing in it while the kernel works: a TTBR0 of zeros, and back.
void el0_switch(void)
{
    u64 l1 = allocate(4096), empty = allocate(4096);
    mmu_on();
    u64 old = READ(ttbr0_el1);
    for (u64 n = 0; n < 4; n++)
        T(l1)[n] = T(old)[n], T(empty)[n] = T(old)[n];
    T(l1)[PAGES >> 30] = T(old)[PAGES >> 30];
    map_page(PAGES, allocate(4096), PTE(NORMAL) | PTE_NG | PTE_XN);
    for (u64 n = 0; n < 3000; n++) {
        WRITE(ttbr0_el1, l1 | 1UL << 48);
        isb();
        CHECK(R64(PAGES) == n);
        R64(PAGES)++;
        WRITE(ttbr0_el1, empty | 2UL << 48);
        isb();
        sink++;
    }
}

/// A TLBI whose DSB comes later, and in time: before anybody uses the address again. Linux 7.3 relocates itself so.
void late_dsb(void)
{
    u64 page = allocate(4096);
    mmu_on();
    for (u64 n = 0; n < 50; n++) {
        map_page(PAGES, page, PTE(NORMAL));
        dsb();
        isb();
        R64(PAGES) = n;
        *(volatile u64 *)page_entry(PAGES) = 0;
        ASM("dsb ishst\nisb\ntlbi vmalle1is\nisb");
        for (u64 k = 0; k < 100; k++)
            sink += k;
        CHECK(R64(page) == n);
        dsb();
        isb();
    }
}

/// A live descriptor gets another number for the same memory type, and loses its write permission: no break is needed.
void same_type(void)
{
    u64 page = allocate(4096);
    mmu_on();
    WRITE(mair_el1, (READ(mair_el1) & ~(0xffUL << 56)) | (READ(mair_el1) >> 8 & 0xff) << 56);
    isb();
    map_page(PAGES, page, PTE(NORMAL));
    dsb();
    isb();
    R64(PAGES) = 7;
    *(volatile u64 *)page_entry(PAGES) = page | PTE(7) | PTE_RO;
    flush_page(PAGES);
    CHECK(R64(PAGES) == 7);
}

/// Pages are taken back one by one, with a TLBI each, and one DSB serves them all.
void tlbi_batch(void)
{
    enum { N = 64 };
    u64 page = allocate(4096);
    mmu_on();
    for (u64 round = 0; round < 20; round++) {
        for (u64 n = 0; n < N; n++)
            map_page(PAGES + n * 4096, page, PTE(NORMAL) | (round & 1 ? PTE_NG : 0));
        dsb();
        isb();
        for (u64 n = 0; n < N; n++)
            R64(PAGES + n * 4096) = n;
        for (u64 n = 0; n < N; n++) {
            *(volatile u64 *)page_entry(PAGES + n * 4096) = 0;
            __asm__ volatile("dsb ishst\ntlbi vaae1is, %0" ::"r"((PAGES + n * 4096) >> 12) : "memory");
            sink += n;
        }
        dsb();
        isb();
    }
}

/// A module of the loader, mapped read-only, is read uncached: nobody can have made the cache dirty. Xen copies its modules so.
void read_uncached(void)
{
    u64 page = allocate(4096);
    mmu_on();
    map_page(PAGES, page, PTE(NORMAL) | PTE_RO);
    map_page(PAGES + 4096, page, PTE(UNCACHED));
    dsb();
    isb();
    for (u64 n = 0; n < 512; n++)
        CHECK(R64(PAGES + 8 * n) == R64(PAGES + 4096 + 8 * n));
}
