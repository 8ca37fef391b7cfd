/// Physical memory: a bitmap, one bit a page, 1 = free. The bitmap lives in the first range that can
/// hold it.
#include "kernel.h"

static u64 *bitmap;
static u64 page_count, free_count, next_hint;

static bool get_bit(u64 i) { return bitmap[i / 64] >> (i % 64) & 1; }
static void set_bit(u64 i, bool v)
{
    bitmap[i / 64] = (bitmap[i / 64] & ~(1ULL << (i % 64))) | (u64)v << (i % 64);
}

static const struct bbp_mem *entry(const struct bbp_list *l, u32 i)
{
    return (const void *)((const u8 *)(l + 1) + (u64)i * l->entry_size);
}

static void release(u64 base, u64 len)
{
    for (u64 p = base / PAGE; p < (base + len) / PAGE && p < page_count; p++)
        if (p && !get_bit(p)) { // page 0 stays out, so that 0 can mean "none"
            set_bit(p, true);
            free_count++;
        }
}

void pmm_start(void)
{
    const struct bbp_list *l = bbp_find(k.info, BBP_TAG_MEMMAP, NULL);
    u64 top = 0;
    for (u32 i = 0; i < l->count; i++)
        if (br_mem_is_ram(entry(l, i)->type) && entry(l, i)->base + entry(l, i)->len > top)
            top = entry(l, i)->base + entry(l, i)->len;
    page_count = top / PAGE;
    u64 need = br_up(page_count / 8 + 8, PAGE), at = 0;
    for (u32 i = 0; i < l->count && !at; i++)
        if (entry(l, i)->type == BBP_MEM_USABLE && entry(l, i)->len >= need && entry(l, i)->base)
            at = entry(l, i)->base;
    if (!at) {
        print("no usable range of 0x%llx bytes for the page bitmap\n", (unsigned long long)need);
        halt(HALT_NO_MEMORY);
    }
    bitmap = phys_ptr(at);
    memset(bitmap, 0, need);
    for (u32 i = 0; i < l->count; i++)
        if (entry(l, i)->type == BBP_MEM_USABLE)
            release(entry(l, i)->base, entry(l, i)->len);
    for (u64 p = at / PAGE; p < (at + need) / PAGE; p++)
        if (get_bit(p)) {
            set_bit(p, false);
            free_count--;
        }
}

u64 pmm_alloc(u64 pages)
{
    for (int pass = 0; pass < 2; pass++) {
        u64 run = 0;
        for (u64 p = pass ? 1 : next_hint; p < page_count; p++) {
            if (!bitmap[p / 64] && p % 64 == 0) {
                p += 63;
                run = 0;
                continue;
            }
            run = get_bit(p) ? run + 1 : 0;
            if (run < pages)
                continue;
            u64 first = p + 1 - pages;
            for (u64 q = first; q <= p; q++)
                set_bit(q, false);
            free_count -= pages;
            next_hint = p + 1;
            memset(phys_ptr(first * PAGE), 0, pages * PAGE);
            return first * PAGE;
        }
    }
    return 0;
}

void pmm_free(u64 phys, u64 pages)
{
    for (u64 p = phys / PAGE; p < phys / PAGE + pages; p++) {
        ASSERT(p < page_count && !get_bit(p)); // a double free
        set_bit(p, true);
        free_count++;
    }
    next_hint = phys / PAGE;
}

u64 pmm_free_pages(void) { return free_count; }

void pmm_reclaim(void)
{
    const struct bbp_list *l = bbp_find(k.info, BBP_TAG_MEMMAP, NULL);
    u64 before = free_count;
    for (u32 i = 0; i < l->count; i++)
        if (entry(l, i)->type == BBP_MEM_LOADER)
            release(entry(l, i)->base, entry(l, i)->len);
    print("reclaimed %llu KiB of the loader's memory\n",
          (unsigned long long)((free_count - before) * PAGE / 1024));
}
