/// Entered with the MMU off: the first page tables, built at physical addresses. Every data access
/// is Device memory here: no unaligned access, no exclusives, no DC ZVA (the build uses strict
/// alignment), and no pointer from initialised data, for those are virtual already.
#include "arch.h"

struct early_tables {
    u64 root_low, root_high, tcr, mair, entry, info;
};
_Static_assert(offsetof(struct early_tables, entry) == 32, "entry.S");

static u8 pool[96 * 4096] __attribute__((aligned(4096)));
static struct br_pt pt;
static struct early_tables result;
extern char entry_high[];

static bool map_part(u64 delta, const char *from, const char *to, u32 flags)
{
    u64 pa = (u64)(uintptr_t)from, len = br_up((u64)(to - from), 4096);
    return !len || br_pt_map(&pt, pa + delta, pa, len, flags);
}

/// Symbols are PC-relative, so running at physical addresses they are physical.
const struct early_tables *early_map(const struct bbp_info *info)
{
    u64 phys = (u64)(uintptr_t)__image_start, delta = info->kernel_virt - phys;
    const struct bbp_list *l = bbp_find(info, BBP_TAG_MEMMAP, NULL);
    const struct bbp_console *con = bbp_find(info, BBP_TAG_CONSOLE, NULL);
    if (con) {
        console_start(con, 0);
        print("\nkernel: MMU is off; building the first tables at 0x%llx\n",
              (unsigned long long)(uintptr_t)pool);
    }
    bool ok = br_pt_init(&pt, BR_ARCH_AARCH64, 12, 4,
                         (struct br_area){pool, (u64)(uintptr_t)pool, sizeof pool});
    ok = ok && map_part(0, __text_start, __text_end, BR_MAP_X); // where we stand when M is set
    ok = ok && map_part(delta, __text_start, __text_end, BR_MAP_X);
    ok = ok && map_part(delta, __rodata_start, __rodata_end, 0);
    ok = ok && map_part(delta, __data_start, __bss_end, BR_MAP_W);
    for (u32 i = 0; l && ok && i < l->count; i++) {
        const struct bbp_mem *m = (const void *)((const u8 *)(l + 1) + (u64)i * l->entry_size);
        if (br_mem_is_ram(m->type))
            ok = br_pt_map(&pt, HHDM_DEFAULT + m->base, m->base, m->len, BR_MAP_W);
    }
    u64 page = con ? br_down(con->base, 4096) : 0;
    ok = ok && (!con || br_pt_map(&pt, HHDM_DEFAULT + page, page, 4096, BR_MAP_W | BR_MAP_DEVICE));
    if (!ok) {
        print("kernel: the first tables do not fit\n");
        arch_stop(HALT_NO_MEMORY);
    }
    result = (struct early_tables){pt.root_low, pt.root_high,
                                   br_pt_tcr(&pt, READ("ID_AA64MMFR0_EL1") & 15), BR_MAIR,
                                   (u64)(uintptr_t)entry_high + delta,
                                   HHDM_DEFAULT + (u64)(uintptr_t)info};
    return &result;
}
