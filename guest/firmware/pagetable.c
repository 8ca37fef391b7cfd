/// The identity map: devices below RAM, RAM in 2 MiB blocks split into pages where permissions differ.
/// Arm ARM, "VMSAv8-64 translation table format descriptors"; 4 KiB granule.
#include "fw.h"

enum { PT_PAGES = 128 };
enum { ATTR_DEVICE = 0, ATTR_NORMAL = 1 };
#define DESC_TABLE 3ULL
#define DESC_BLOCK 1ULL
#define DESC_PAGE 3ULL
#define DESC_AF (1ULL << 10)
#define DESC_SH (3ULL << 8)
#define DESC_RO (1ULL << 7)
#define DESC_XN (3ULL << 53) ///< UXN and PXN; where there is one privilege level, XN and a bit that is RES0
#define ADDR_MASK 0xfffffffff000ULL
#define BLOCK (2ULL << 20)

static u64 pool[PT_PAGES][512] __attribute__((aligned(4096)));
static u32 pool_used;
static u64 *root;
static u32 root_level, t0sz;

bool fw_at_el2;
void fw_mmu_on(u64 ttbr0, u64 tcr, u64 mair);
void fw_host_mode(void);

static u64 *new_table(void)
{
    if (pool_used == PT_PAGES)
        fw_stop("page tables: all pages of the pool are in use");
    u64 *t = pool[pool_used++];
    memset(t, 0, sizeof pool[0]);
    return t;
}

static u64 ram_desc(u64 pa, u64 kind, u32 perm)
{
    return pa | kind | DESC_AF | DESC_SH | (u64)ATTR_NORMAL << 2 | (perm & FW_W ? 0 : DESC_RO) |
           (perm & FW_X ? 0 : DESC_XN);
}
void fw_pt_flush(void)
{
    if (fw_at_el2)
        __asm__ volatile("dsb sy\n tlbi alle2\n dsb sy\n isb" ::: "memory");
    else
        __asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb" ::: "memory");
}

/// The level 2 descriptor of an address; tables are made on the way.
static u64 *level2(u64 addr)
{
    u64 *t = root;
    for (u32 level = root_level; level < 2; level++) {
        u64 *e = &t[addr >> (39 - 9 * level) & 511];
        if (!(*e & 1))
            *e = (u64)(uintptr_t)new_table() | DESC_TABLE;
        t = (u64 *)(uintptr_t)(*e & ADDR_MASK);
    }
    return &t[addr >> 21 & 511];
}
/// The level 3 descriptor; a block is split, break before make.
static u64 *level3(u64 addr)
{
    u64 *e = level2(addr);
    if ((*e & 3) == DESC_BLOCK) {
        u64 old = *e, *t = new_table();
        for (u64 k = 0; k < 512; k++)
            t[k] = (old & ~3ULL) + k * FW_PAGE + DESC_PAGE;
        *e = 0;
        fw_pt_flush();
        *e = (u64)(uintptr_t)t | DESC_TABLE;
        fw_pt_flush();
    }
    return &((u64 *)(uintptr_t)(*e & ADDR_MASK))[addr >> 12 & 511];
}

void fw_pt_init(void)
{
    t0sz = fw_info.t0sz ? fw_info.t0sz : 16;
    root_level = t0sz <= 24 ? 0 : 1;
    root = new_table();
    for (u64 a = 0; a < (1ULL << 30); a += BLOCK) /* devices of the board */
        *level2(a) = a | DESC_BLOCK | DESC_AF | (u64)ATTR_DEVICE << 2 | DESC_XN;
    for (u64 a = br_down(fw_info.ram_base, BLOCK); a < fw_info.ram_base + fw_info.ram_size; a += BLOCK)
        *level2(a) = ram_desc(a, DESC_BLOCK, FW_W);
    u64 el, tcr = t0sz | 1 << 8 | 1 << 10 | 3 << 12; /* write-back, inner shareable */
    __asm__("mrs %0, currentel" : "=r"(el));
    fw_at_el2 = el == 2 << 2;
    if (fw_at_el2 && fw_info.vhe)
        fw_host_mode();
    if (fw_at_el2 && !fw_info.vhe)
        tcr |= 5ULL << 16 | 1ULL << 23 | 1ULL << 31; /* 48-bit PA, RES1: one range */
    else
        tcr |= 5ULL << 32 | 1ULL << 23; /* 48-bit PA, no TTBR1 */
    /* The firmware itself must be executable before the MMU goes on: fw_main protects it first. */
    extern char _start[], _data_start[], _bss_end[];
    u64 text = (u64)(uintptr_t)_start, data = (u64)(uintptr_t)_data_start, end = (u64)(uintptr_t)_bss_end;
    for (u64 a = text; a < end; a += FW_PAGE) /* split while nothing uses the tables yet */
        *level3(a) = ram_desc(a, DESC_PAGE, a < data ? FW_X : FW_W);
    fw_mmu_on((u64)(uintptr_t)root, tcr, 0xff00);
}

void fw_pt_protect(u64 start, u64 pages, u32 perm)
{
    u64 end = start + pages * FW_PAGE;
    for (u64 a = start; a < end;) {
        if (!(a & (BLOCK - 1)) && end - a >= BLOCK) {
            u64 *e = level2(a);
            if ((*e & 3) == DESC_BLOCK) {
                *e = ram_desc(a, DESC_BLOCK, perm);
                a += BLOCK;
                continue;
            }
        }
        u64 *e = level3(a), want = ram_desc(a, DESC_PAGE, perm);
        *e = want;
        a += FW_PAGE;
    }
    fw_pt_flush();
}

bool fw_pt_get(u64 addr, u32 *perm)
{
    u64 d = *level2(addr);
    if ((d & 3) == DESC_TABLE)
        d = ((u64 *)(uintptr_t)(d & ADDR_MASK))[addr >> 12 & 511];
    *perm = (d & DESC_RO ? 0 : FW_W) | (d & DESC_XN ? 0 : FW_X);
    return d & 1;
}

void fw_sync_code(u64 start, u64 len)
{
    u64 ctr;
    __asm__ volatile("mrs %0, ctr_el0" : "=r"(ctr));
    u64 dline = 4ULL << (ctr >> 16 & 15), iline = 4ULL << (ctr & 15);
    for (u64 a = br_down(start, dline); a < start + len; a += dline)
        __asm__ volatile("dc cvau, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb ish" ::: "memory");
    for (u64 a = br_down(start, iline); a < start + len; a += iline)
        __asm__ volatile("ic ivau, %0" ::"r"(a) : "memory");
    __asm__ volatile("dsb ish\n isb" ::: "memory");
}
