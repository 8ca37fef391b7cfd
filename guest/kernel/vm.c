/// The kernel's own page tables: image with the least rights each part needs, all RAM at hhdm, and
/// devices as devices. Built beside the loader's, then switched to.
#include "kernel.h"

struct br_pt vm_tables;
enum { POOL_PAGES = 256 };

extern char __stack_guard[], __stack_bottom[];

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    print("vm: cannot map %s\n", what);
    halt(HALT_NO_MEMORY);
}

static void map_part(const char *what, const char *from, const char *to, u32 flags)
{
    u64 g = 1ULL << vm_tables.granule_shift;
    u64 va = br_down((u64)(uintptr_t)from, g), end = br_up((u64)(uintptr_t)to, g);
    if (end > va)
        must(br_pt_map(&vm_tables, va, image_phys((const void *)(uintptr_t)va), end - va, flags),
             what);
}

static void map_image(void)
{
    map_part("text", __text_start, __text_end, BR_MAP_X);
    map_part("rodata", __rodata_start, __rodata_end, 0);
    // What lies below the stack stays unmapped: an overflow faults instead of eating data.
    map_part("data", __data_start, __stack_guard, BR_MAP_W);
    map_part("bss", __stack_bottom, __bss_end, BR_MAP_W);
}

/// RAM ranges of one kind become one call, so that large blocks are used.
static void map_ram(void)
{
    const struct bbp_list *l = bbp_find(k.info, BBP_TAG_MEMMAP, NULL);
    const u8 *p = (const u8 *)(l + 1);
    u64 g = 1ULL << vm_tables.granule_shift, end = 0;
    for (u32 i = 0; i < l->count;) {
        const struct bbp_mem *m = (const void *)(p + (u64)i * l->entry_size);
        bool ram = br_mem_is_ram(m->type), ours = m->type == BBP_MEM_KERNEL;
        u64 from = br_down(m->base, g), to = br_up(m->base + m->len, g);
        for (i++; ram && i < l->count; i++) {
            m = (const void *)(p + (u64)i * l->entry_size);
            if (!br_mem_is_ram(m->type) || (m->type == BBP_MEM_KERNEL) != ours ||
                br_down(m->base, g) > to)
                break;
            to = br_up(m->base + m->len, g);
        }
        from = from < end ? end : from;
        if (!ram || from >= to)
            continue;
        must(br_pt_map(&vm_tables, k.hhdm + from, from, to - from, ours ? 0 : BR_MAP_W), "RAM");
        end = to;
    }
}

void vm_start(void)
{
    const struct bbp_paging *pg = bbp_find(k.info, BBP_TAG_PAGING, NULL);
    u32 granule = pg ? pg->granule : 4096, levels = pg ? pg->levels : 4;
    u16 arch = sizeof(void *) == 8 && granule ? BR_ARCH_X86_64 : 0;
#if defined(__aarch64__)
    arch = BR_ARCH_AARCH64;
#endif
    u8 shift = granule == 65536 ? 16 : granule == 16384 ? 14 : 12;
    u64 bytes = POOL_PAGES * (u64)granule, phys = pmm_alloc((bytes + granule) / PAGE);
    u64 at = br_up(phys, granule);
    must(phys && br_pt_init(&vm_tables, arch, shift, (u8)levels,
                            (struct br_area){phys_ptr(at), at, bytes}), "its own pool");
    map_image();
    map_ram();
    const struct bbp_console *con = bbp_find(k.info, BBP_TAG_CONSOLE, NULL);
    struct br_walk w;
    u64 page = con ? br_down(con->base, granule) : 0;
    if (con && con->type != BBP_CON_IO16550 && !vm_walk(k.hhdm + page, &w))
        must(br_pt_map(&vm_tables, k.hhdm + page, page, granule, BR_MAP_W | BR_MAP_DEVICE),
             "the console");
    const struct bbp_blob *dtb = bbp_find(k.info, BBP_TAG_DTB, NULL);
    for (u64 a = dtb ? br_down(dtb->phys, granule) : 0; dtb && a < dtb->phys + dtb->len;
         a += granule)
        if (!vm_walk(k.hhdm + a, &w))
            must(br_pt_map(&vm_tables, k.hhdm + a, a, granule, 0), "the device tree");
    arch_use_tables(&vm_tables);
}

bool vm_map(u64 va, u64 phys, u64 len, u32 flags)
{
    bool ok = br_pt_map(&vm_tables, va, phys, len, flags);
    arch_flush_tlb();
    return ok;
}

static bool map_missing(u64 phys, u64 len, u32 flags)
{
    u64 g = 1ULL << vm_tables.granule_shift;
    struct br_walk w;
    for (u64 a = br_down(phys, g); a < phys + len; a += g)
        if (!vm_walk(k.hhdm + a, &w) && !br_pt_map(&vm_tables, k.hhdm + a, a, g, flags))
            return false;
    arch_flush_tlb();
    return true;
}

volatile void *vm_device(u64 phys, u64 len)
{
    must(map_missing(phys, len, BR_MAP_W | BR_MAP_DEVICE), "a device");
    return phys_ptr(phys);
}

bool vm_uncached(u64 phys, u64 len) { return map_missing(phys, len, BR_MAP_W | BR_MAP_UNCACHED); }
bool vm_walk(u64 va, struct br_walk *out) { return br_pt_walk(&vm_tables, va, out); }

void vm_dump(u64 va)
{
    struct br_walk w;
    bool ok = vm_walk(va, &w);
    print("0x%llx: %s at level %u, descriptor 0x%llx", (unsigned long long)va,
          ok ? "mapped" : "not mapped", w.level, (unsigned long long)w.descriptor);
    if (ok)
        print(" -> 0x%llx %s %s%s", (unsigned long long)w.pa, w.flags & BR_MAP_W ? "RW" : "RO",
              w.flags & BR_MAP_X ? "X" : "NX",
              w.flags & BR_MAP_DEVICE     ? " device"
              : w.flags & BR_MAP_UNCACHED ? " uncached"
                                          : "");
    print("\n");
}
