/// A kernel for either boot protocol, through every step before the jump.
#include "fuzz.h"

#include "limine.h"

enum { IMAGE_MAX = 1 << 20, POOL_MAX = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(65536) u8 image[IMAGE_MAX], pool[POOL_MAX], stack[65536];
    static struct bbp_mem mem[64];
    struct br_elf elf;
    struct br_why why;
    struct bbp_plan p;
    struct br_memmap map = {mem, 0, 64};
    if (!br_elf_check(data, size, 0, &elf, &why))
        return 0;
    u64 so, sl, to, tl;
    (void)br_elf_symbols(&elf, &so, &sl, &to, &tl);
    struct bbp_env env = {.arch = elf.arch,
                          .granules = 7,
                          .pa_range = 5,
                          .levels = 4,
                          .at_el2 = true,
                          .has_vhe = true,
                          .has_dtb = true,
                          .has_acpi = true,
                          .kaslr = true,
                          .random = size * 0x9E3779B97F4A7C15ULL};
    struct limine l;
    struct bbp_want want;
    bool is_limine = limine_is(data, size);
    if (is_limine && limine_want(data, size, elf.arch, &want, &l, &why))
        env.want = &want;
    if (!bbp_plan_make(&p, data, size, &env, &why) || p.image_len > IMAGE_MAX)
        return 0;
    struct br_area img = {image, p.needs_phys ? p.phys : 1ULL << 30, sizeof image};
    if (!bbp_place(&p, img, &why) || !br_memmap_set(&map, 1 << 30, 1 << 30, BBP_MEM_USABLE, 7, 8))
        return 0;
    static _Alignas(4096) u8 answers[16384];
    struct limine_facts facts = {.cmdline = "x", .kernel_path = "/k", .rsdp = 4096, .memmap_entries = 32};
    if (env.want &&
        limine_answer(&l, image, &p, &facts, (struct br_area){answers, 4096, sizeof answers}, &why))
        (void)!limine_memmap(&l, &map, 0);
    memset(answers, 0, sizeof answers);
    (void)!br_memmap_retype(&map, img.phys, p.image_len, BBP_MEM_KERNEL);
    struct bbp_places at = {.stack = {stack, (1ULL << 30) + (64 << 20), sizeof stack},
                            .info_phys = (1ULL << 30) + (80 << 20),
                            .trampoline = (1ULL << 30) + (81 << 20),
                            .device = {0x9000000}};
    struct br_pt pt;
    struct bbp_entry entry;
    struct br_walk w;
    if (bbp_map(&p, &map, &at, (struct br_area){pool, 1ULL << 31, sizeof pool}, &pt, &entry, &why) &&
        p.mmu_on && (!br_pt_walk(&pt, entry.pc, &w) || w.flags != BR_MAP_X))
        __builtin_trap(); // an entry that is not code must have been refused
    return 0;
}
