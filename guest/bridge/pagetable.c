/// Page-table construction. Arm Architecture Reference Manual, "The AArch64 Virtual Memory System
/// Architecture", VMSAv8-64 descriptors; Intel SDM volume 3, "Paging".
#include "pagetable.h"

enum {
    A64_VALID = 1, A64_TABLE = 3, A64_PAGE = 3, A64_BLOCK = 1,
    A64_INNER_SHAREABLE = 3 << 8, A64_AF = 1 << 10, A64_READ_ONLY = 1 << 7,
    X64_PRESENT = 1, X64_WRITE = 2, X64_WRITE_THROUGH = 8, X64_CACHE_OFF = 16, X64_ACCESSED = 32,
    X64_DIRTY = 64, X64_LARGE = 128,
};
#define A64_PXN (1ULL << 53)
#define A64_UXN (1ULL << 54)
#define X64_NX (1ULL << 63)
#define ADDRESS_BITS 0x0000FFFFFFFFF000ULL

static u64 granule(const struct br_pt *pt) { return 1ULL << pt->granule_shift; }
static unsigned index_bits(const struct br_pt *pt) { return pt->granule_shift - 3u; }
/// log2 of the span of one entry, `depth` steps below the root.
static unsigned entry_shift(const struct br_pt *pt, unsigned depth)
{
    return pt->granule_shift + (pt->levels - 1u - depth) * index_bits(pt);
}
static u64 *table_at(const struct br_pt *pt, u64 phys)
{
    return (u64 *)(void *)(pt->pool.bytes + (phys - pt->pool.phys));
}

/// Takes one zeroed granule from the pool. ret  its physical address, 0 when the pool is empty
static u64 take_table(struct br_pt *pt)
{
    if (pt->pool.len - pt->used < granule(pt))
        return 0;
    u64 phys = pt->pool.phys + pt->used;
    u64 *t = table_at(pt, phys);
    for (u64 i = 0; i < granule(pt) / 8; i++)
        t[i] = 0;
    pt->used += granule(pt);
    return phys;
}

bool br_pt_init(struct br_pt *pt, u16 arch, u8 granule_shift, u8 levels, struct br_area pool)
{
    *pt = (struct br_pt){.arch = arch, .granule_shift = granule_shift, .levels = levels,
                         .pool = pool};
    if ((pool.phys | pool.len) & (granule(pt) - 1))
        return false;
    unsigned bits = granule_shift + levels * index_bits(pt);
    pt->va_bits = (u8)(arch == BR_ARCH_AARCH64 && bits > 48 ? 48 : bits);
    pt->root_low = take_table(pt);
    pt->root_high = arch == BR_ARCH_AARCH64 ? take_table(pt) : pt->root_low;
    return pt->root_low && pt->root_high;
}

/// The root that translates va. ret  0 if va is not canonical for these tables
static u64 root_of(const struct br_pt *pt, u64 va)
{
    unsigned half = pt->arch == BR_ARCH_AARCH64 ? pt->va_bits : pt->va_bits - 1u;
    if (va >> half == 0)
        return pt->root_low;
    return ~va >> half == 0 ? pt->root_high : 0;
}

static u64 leaf(const struct br_pt *pt, u64 pa, u32 flags, bool is_block)
{
    if (pt->arch == BR_ARCH_X86_64) {
        u64 d = pa | X64_PRESENT | X64_ACCESSED | X64_DIRTY | (is_block ? X64_LARGE : 0);
        d |= flags & BR_MAP_W ? X64_WRITE : 0;
        d |= flags & BR_MAP_X ? 0 : X64_NX;
        d |= flags & BR_MAP_DEVICE ? X64_CACHE_OFF | X64_WRITE_THROUGH : 0;
        return d | (flags & BR_MAP_UNCACHED ? X64_CACHE_OFF : 0);
    }
    u64 attr = flags & BR_MAP_DEVICE ? 1 : flags & BR_MAP_UNCACHED ? 2 : 0;
    u64 d = pa | A64_AF | A64_INNER_SHAREABLE | A64_UXN | attr << 2;
    d |= is_block ? A64_BLOCK : A64_PAGE;
    d |= flags & BR_MAP_W ? 0 : A64_READ_ONLY;
    return d | (flags & BR_MAP_X ? 0 : A64_PXN);
}

static u32 leaf_flags(const struct br_pt *pt, u64 d)
{
    if (pt->arch == BR_ARCH_X86_64)
        return (d & X64_WRITE ? BR_MAP_W : 0) | (d & X64_NX ? 0 : BR_MAP_X) |
               ((d & X64_CACHE_OFF) && (d & X64_WRITE_THROUGH) ? BR_MAP_DEVICE
                : d & X64_CACHE_OFF                            ? BR_MAP_UNCACHED
                                                               : 0);
    u64 attr = d >> 2 & 7;
    return (d & A64_READ_ONLY ? 0 : BR_MAP_W) | (d & A64_PXN ? 0 : BR_MAP_X) |
           (attr == 1 ? BR_MAP_DEVICE : attr == 2 ? BR_MAP_UNCACHED : 0);
}

static bool is_leaf(const struct br_pt *pt, u64 d, unsigned depth)
{
    if (depth == pt->levels - 1u)
        return true;
    return pt->arch == BR_ARCH_X86_64 ? (d & X64_LARGE) != 0 : (d & 3) == A64_BLOCK;
}

/// Blocks: 1 GiB and 2 MiB with 4K pages on aarch64, 2 MiB on x86_64 (1 GiB pages are optional
/// there), one level of them with 16K and 64K.
static bool block_allowed(const struct br_pt *pt, unsigned depth)
{
    unsigned up = pt->levels - 1u - depth;
    return up == 0 || up == 1 ||
           (up == 2 && pt->arch == BR_ARCH_AARCH64 && pt->granule_shift == 12);
}

static u64 table_descriptor(const struct br_pt *pt, u64 phys)
{
    return pt->arch == BR_ARCH_X86_64 ? phys | X64_PRESENT | X64_WRITE | X64_ACCESSED
                                      : phys | A64_TABLE;
}

/// Maps one entry as large as alignment permits. ret  bytes mapped, 0 on failure
static u64 map_one(struct br_pt *pt, u64 va, u64 pa, u64 len, u32 flags)
{
    u64 phys = root_of(pt, va);
    if (!phys)
        return 0;
    for (unsigned depth = 0;; depth++) {
        unsigned shift = entry_shift(pt, depth);
        u64 span = 1ULL << shift;
        u64 *e = &table_at(pt, phys)[va >> shift & ((1u << index_bits(pt)) - 1)];
        // The root of a 16K tree translates one bit only; canonical addresses keep it in range.
        if (depth == 0 && pt->arch == BR_ARCH_AARCH64 && pt->va_bits - shift < index_bits(pt))
            e = &table_at(pt, phys)[va >> shift & ((1u << (pt->va_bits - shift)) - 1)];
        if (block_allowed(pt, depth) && !((va | pa) & (span - 1)) && len >= span && !*e) {
            *e = leaf(pt, pa, flags, depth != pt->levels - 1u);
            return span;
        }
        if (*e & 1 && is_leaf(pt, *e, depth))
            return 0;
        if (!(*e & 1)) {
            u64 next = take_table(pt);
            if (!next)
                return 0;
            *e = table_descriptor(pt, next);
        }
        phys = *e & ADDRESS_BITS & ~(granule(pt) - 1);
    }
}

bool br_pt_map(struct br_pt *pt, u64 va, u64 pa, u64 len, u32 flags)
{
    if ((va | pa | len) & (granule(pt) - 1) || (len && va + (len - 1) < va))
        return false;
    while (len) {
        u64 done = map_one(pt, va, pa, len, flags);
        if (!done)
            return false;
        va += done;
        pa += done;
        len -= done;
    }
    return true;
}

/// The entry that translates va. ret  NULL if va is not canonical
static u64 *find_entry(const struct br_pt *pt, u64 va, unsigned *depth_out)
{
    u64 phys = root_of(pt, va);
    if (!phys)
        return NULL;
    for (unsigned depth = 0;; depth++) {
        unsigned shift = entry_shift(pt, depth);
        unsigned bits = index_bits(pt);
        if (depth == 0 && pt->arch == BR_ARCH_AARCH64 && pt->va_bits - shift < bits)
            bits = pt->va_bits - shift;
        u64 *e = &table_at(pt, phys)[va >> shift & ((1u << bits) - 1)];
        *depth_out = depth;
        if (!(*e & 1) || is_leaf(pt, *e, depth))
            return e;
        phys = *e & ADDRESS_BITS & ~(granule(pt) - 1);
    }
}

bool br_pt_walk(const struct br_pt *pt, u64 va, struct br_walk *out)
{
    unsigned depth = 0;
    *out = (struct br_walk){0};
    const u64 *e = find_entry(pt, va, &depth);
    if (!e)
        return false;
    u64 span = 1ULL << entry_shift(pt, depth);
    out->level = (u8)(depth + 4 - (pt->levels < 4 ? pt->levels : 4));
    out->descriptor = *e;
    out->pa = (*e & ADDRESS_BITS & ~(span - 1)) | (va & (span - 1));
    out->flags = leaf_flags(pt, *e);
    return *e & 1;
}

/// Replaces a block by a table of smaller entries with the same rights.
static bool split(struct br_pt *pt, u64 *e, unsigned depth)
{
    u64 span = 1ULL << entry_shift(pt, depth), pa = *e & ADDRESS_BITS & ~(span - 1);
    u32 flags = leaf_flags(pt, *e);
    u64 next = take_table(pt), step = span >> index_bits(pt);
    if (!next)
        return false;
    u64 *t = table_at(pt, next);
    for (u64 i = 0; i < granule(pt) / 8; i++)
        t[i] = leaf(pt, pa + i * step, flags, depth + 1 != pt->levels - 1u);
    *e = table_descriptor(pt, next);
    return true;
}

bool br_pt_protect(struct br_pt *pt, u64 va, u64 len, u32 flags)
{
    if ((va | len) & (granule(pt) - 1))
        return false;
    while (len) {
        unsigned depth = 0;
        u64 *e = find_entry(pt, va, &depth);
        if (!e || !(*e & 1))
            return false;
        u64 span = 1ULL << entry_shift(pt, depth);
        if (va & (span - 1) || len < span) {
            if (!split(pt, e, depth))
                return false;
            continue;
        }
        *e = leaf(pt, *e & ADDRESS_BITS & ~(span - 1), flags, depth != pt->levels - 1u);
        va += span;
        len -= span;
    }
    return true;
}

u64 br_pt_tcr(const struct br_pt *pt, unsigned pa_range)
{
    u64 tsz = 64u - pt->va_bits;
    u64 tg0 = pt->granule_shift == 12 ? 0 : pt->granule_shift == 14 ? 2 : 1;
    u64 tg1 = pt->granule_shift == 12 ? 2 : pt->granule_shift == 14 ? 1 : 3;
    u64 walk = 1u | 1u << 2 | 3u << 4; // IRGN, ORGN write-back, SH inner
    u64 ips = pa_range > 5 ? 5 : pa_range;
    return tsz | tsz << 16 | walk << 8 | walk << 24 | tg0 << 14 | tg1 << 30 | ips << 32;
}
