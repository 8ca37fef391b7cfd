/// Memory maps as a sorted table. Firmware maps arrive unsorted and, on some boards, overlapping:
/// a later and less usable claim wins over an earlier, more usable one.
#include "memmap.h"

enum { PAGE = 4096, EFI_DESC_MIN = 40 };
#define EFI_MEMORY_WB 8ULL
#define EFI_MEMORY_SP 0x40000ULL

bool br_mem_is_ram(u32 type)
{
    return type == BBP_MEM_USABLE || type == BBP_MEM_LOADER || type == BBP_MEM_KERNEL ||
           type == BBP_MEM_MODULE || type == BBP_MEM_ACPI_RECLAIM || type == BBP_MEM_ACPI_NVS ||
           type == BBP_MEM_EFI_RUNTIME;
}

const char *br_mem_name(u32 type)
{
    static const char names[12][16] = {"?", "usable", "loader", "kernel", "module",
                                       "acpi-reclaim", "acpi-nvs", "efi-runtime", "framebuffer",
                                       "mmio", "reserved", "bad"};
    return names[type < ARRAY_LEN(names) ? type : 0];
}

static void insert(struct br_memmap *m, u32 at, struct bbp_mem e)
{
    for (u32 i = m->count; i > at; i--)
        m->v[i] = m->v[i - 1];
    m->v[at] = e;
    m->count++;
}

static void erase(struct br_memmap *m, u32 at, u32 n)
{
    for (u32 i = at; i + n < m->count; i++)
        m->v[i] = m->v[i + n];
    m->count -= n;
}

/// Makes `at` a boundary: the entry spanning it becomes two.
static void split_at(struct br_memmap *m, u64 at)
{
    for (u32 i = 0; i < m->count; i++) {
        struct bbp_mem *e = &m->v[i];
        if (at <= e->base || at - e->base >= e->len)
            continue;
        struct bbp_mem tail = *e;
        tail.base = at;
        tail.len = e->base + e->len - at;
        e->len = at - e->base;
        insert(m, i + 1, tail);
        return;
    }
}

static void merge(struct br_memmap *m)
{
    for (u32 i = 0; i + 1 < m->count;) {
        struct bbp_mem *a = &m->v[i], *b = a + 1;
        if (a->base + a->len == b->base && a->type == b->type && a->efi_type == b->efi_type &&
            a->attr == b->attr) {
            a->len += b->len;
            erase(m, i + 1, 1);
        } else {
            i++;
        }
    }
}

/// ret  false if the range is empty, wraps, or the table might overflow
static bool admit(struct br_memmap *m, u64 *base, u64 *len)
{
    if (!*len || *base + *len < *base || *base + *len > UINT64_MAX - PAGE || m->cap - m->count < 3)
        return false;
    u64 end = br_up(*base + *len, PAGE);
    *base = br_down(*base, PAGE);
    *len = end - *base;
    return true;
}

bool br_memmap_set(struct br_memmap *m, u64 base, u64 len, u32 type, u32 efi_type, u64 attr)
{
    if (!admit(m, &base, &len))
        return false;
    split_at(m, base);
    split_at(m, base + len);
    u32 first = 0;
    while (first < m->count && m->v[first].base < base)
        first++;
    u32 n = 0;
    while (first + n < m->count && m->v[first + n].base < base + len)
        n++;
    if (n)
        erase(m, first, n);
    insert(m, first, (struct bbp_mem){base, len, type, efi_type, attr});
    merge(m);
    return true;
}

bool br_memmap_retype(struct br_memmap *m, u64 base, u64 len, u32 type)
{
    if (!admit(m, &base, &len))
        return false;
    split_at(m, base);
    split_at(m, base + len);
    for (u32 i = 0; i < m->count; i++)
        if (m->v[i].base >= base && m->v[i].base - base < len)
            m->v[i].type = type;
    merge(m);
    return true;
}

/// UEFI Specification, "Memory Allocation Services", table of memory type usage after
/// ExitBootServices.
static u32 type_of_efi(u32 efi_type, u64 attr)
{
    static const u8 rows[15] = {BBP_MEM_RESERVED,     BBP_MEM_LOADER,   BBP_MEM_LOADER,
                                BBP_MEM_USABLE,       BBP_MEM_USABLE,   BBP_MEM_EFI_RUNTIME,
                                BBP_MEM_EFI_RUNTIME,  BBP_MEM_USABLE,   BBP_MEM_BAD,
                                BBP_MEM_ACPI_RECLAIM, BBP_MEM_ACPI_NVS, BBP_MEM_MMIO,
                                BBP_MEM_MMIO,         BBP_MEM_RESERVED, BBP_MEM_RESERVED};
    u32 type = efi_type < ARRAY_LEN(rows) ? rows[efi_type] : BBP_MEM_RESERVED;
    if (type == BBP_MEM_USABLE && (!(attr & EFI_MEMORY_WB) || attr & EFI_MEMORY_SP))
        return BBP_MEM_RESERVED;
    return type;
}

bool br_memmap_from_efi(struct br_memmap *m, const void *map, u64 map_size, u64 desc_size)
{
    const u8 *d = map;
    m->count = 0;
    if (desc_size < EFI_DESC_MIN)
        return false;
    // Usable memory first, so that an overlapping reservation prevails whatever the order.
    for (int pass = 0; pass < 2; pass++)
        for (u64 off = 0; off + desc_size <= map_size; off += desc_size) {
            u32 efi = br_ld32(d + off);
            u64 base = br_ld64(d + off + 8), pages = br_ld64(d + off + 24);
            u64 attr = br_ld64(d + off + 32);
            u32 type = type_of_efi(efi, attr);
            if ((type == BBP_MEM_USABLE) != (pass == 0) || !pages)
                continue;
            if (pages > UINT64_MAX >> 12 || !br_memmap_set(m, base, pages << 12, type, efi, attr))
                return false;
        }
    return true;
}

const struct bbp_mem *br_memmap_find(const struct br_memmap *m, u64 addr)
{
    for (u32 i = 0; i < m->count; i++)
        if (addr - m->v[i].base < m->v[i].len && addr >= m->v[i].base)
            return &m->v[i];
    return NULL;
}
