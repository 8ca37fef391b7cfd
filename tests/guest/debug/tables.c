// Tables of GRANULE (12, 14, 16) for 39 bits in both halves, or of EL2. What they map is in tests/integration/monitor.py.
#include <stdint.h>

#define STRIDE (GRANULE - 3)
#define PAGE (1ULL << GRANULE)
#define SHIFT(level) (GRANULE + (3 - (level)) * STRIDE)
#define FIRST (GRANULE == 16 ? 2 : 1)
#define BLOCK_LEVEL (GRANULE == 12 ? 1 : 2)

#define VALID 3ULL
#define TABLE 3ULL
#define ATTR(n) ((uint64_t)(n) << 2)
#define EL0 (1ULL << 6)
#define RO (1ULL << 7)
#define OUTER (2ULL << 8)
#define INNER (3ULL << 8)
#define AF (1ULL << 10)
#define CONTIG (1ULL << 52)
#define PXN (1ULL << 53)
#define UXN (1ULL << 54)

extern char tables[];
static uint64_t used;

static uint64_t *new_table(void)
{
    uint64_t *t = (uint64_t *)(tables + used);
    used += PAGE;
    for (unsigned k = 0; k < PAGE / 8; k++)
        t[k] = 0;
    return t;
}

/// Entry of va at `level`; the tables above it are made, with `above` in what points to the last of them.
static uint64_t *entry(uint64_t *table, uint64_t va, int level, uint64_t above)
{
    for (int l = FIRST;; l++) {
        uint64_t *e = &table[(va >> SHIFT(l)) & (PAGE / 8 - 1) & ((1ULL << (39 - SHIFT(l))) - 1)];
        if (l == level)
            return e;
        if (!(*e & 1))
            *e = (uint64_t)new_table() | TABLE | (l + 1 == level ? above : 0);
        table = (uint64_t *)(*e & 0xffffffffffffULL & ~(PAGE - 1));
    }
}

static void page(uint64_t *root, uint64_t va, uint64_t pa, uint64_t bits) { *entry(root, va, 3, 0) = pa | VALID | bits; }

/// ret  MAIR, TCR, TTBR0, TTBR1
uint64_t *build_tables(void)
{
    static uint64_t out[4];
    uint64_t *low = new_table(), *high = new_table(), va = 0x80000000;
    const uint64_t pa = 0x48000000, n = AF | INNER | ATTR(1);
    *entry(low, 0x40000000, BLOCK_LEVEL, 0) = 0x40000000 | 1 | n;
    page(low, 0x09000000, 0x09000000, AF | ATTR(0) | PXN | UXN);
    page(low, va + 0 * PAGE, pa, n | PXN | UXN);
    page(low, va + 1 * PAGE, pa + PAGE, n | RO | PXN | UXN);
    page(low, va + 2 * PAGE, pa + 2 * PAGE, n | EL0 | PXN | UXN);
    page(low, va + 3 * PAGE, pa + 3 * PAGE, n | EL0 | RO | PXN);
    page(low, va + 4 * PAGE, pa + 4 * PAGE, (n & ~AF) | PXN | UXN);          /* no access flag */
    page(low, va + 5 * PAGE, pa + 5 * PAGE, AF | OUTER | ATTR(2) | PXN | UXN); /* 6 is not mapped */
    page(low, va + 7 * PAGE, pa + 7 * PAGE, AF | ATTR(3) | RO | UXN);
    for (unsigned k = 0; k < 32; k++) /* contiguous, but one range only as far as it is alike */
        page(low, va + (32 + k) * PAGE, pa + (32 + k) * PAGE, n | CONTIG | PXN | UXN | (k < 16 ? 0 : RO));
    /* The pointer to the table makes it read-only, and not executable at EL0. */
    uint64_t other = va + (1ULL << SHIFT(2));
    *entry(low, other, 3, 1ULL << 62 | 1ULL << 60) = pa | VALID | n | EL0;
    *entry(high, 0x40000000, BLOCK_LEVEL, 0) = 0x40000000 | 1 | n | UXN;
    page(high, 0x7fffff0000 & ~(PAGE - 1), pa, n | PXN | UXN);
    out[0] = 0x0000bb44ff00; /* Device-nGnRnE, WB, NC, WT */
    unsigned tg0 = GRANULE == 12 ? 0 : GRANULE == 14 ? 2 : 1, tg1 = GRANULE == 12 ? 2 : GRANULE == 14 ? 1 : 3;
#ifdef AT_EL2
    (void)tg1;
    out[1] = 25 | tg0 << 14 | 0x3500 | 5 << 16 | 1u << 23 | 1u << 31;
#else
    out[1] = 25 | 25 << 16 | tg0 << 14 | (uint64_t)tg1 << 30 | 0x35003500 | 5ULL << 32;
#endif
    out[2] = (uint64_t)low;
    out[3] = (uint64_t)high;
    __asm__ volatile("dsb sy" ::: "memory");
    return out;
}
