/// Direct entry: the loader's four steps on memory that belongs to no firmware.
#include "bbp_direct.h"
#include "hash.h"

enum { LOW_KEPT = 2 << 20, MAP_ENTRIES = 96, BLOCK_LEN = 65536 };
typedef unsigned long long ull;

struct layout {
    const struct bbp_direct *d;
    struct bbp_plan plan;
    u64 next; ///< first free physical address
    struct br_area image, stack, pool, block, dtb, file;
    struct br_area module[BBP_DIRECT_MODULES_MAX];
    struct bbp_mem map_entries[MAP_ENTRIES];
    struct br_memmap map;
    struct br_why *why;
};

static bool in_ram(const struct br_area *ram, u64 phys, u64 len)
{
    return phys >= ram->phys && br_range_ok(phys - ram->phys, len, ram->len);
}

/// Takes zeroed pages above everything taken before.
static bool take(struct layout *l, const char *what, u64 len, u64 align, struct br_area *out)
{
    const struct br_area *ram = &l->d->ram;
    u64 phys = br_up(l->next, align), size = br_up(len ? len : 1, 4096);
    if (!in_ram(ram, phys, size))
        return br_fail(l->why, "RAM of %llu MiB has no room for the %s of %llu KiB: give the machine "
                       "more memory", (ull)(ram->len >> 20), what, (ull)(size >> 10));
    *out = (struct br_area){ram->bytes + (phys - ram->phys), phys, size};
    memset(out->bytes, 0, size);
    l->next = phys + size;
    return true;
}

static bool take_copy(struct layout *l, const char *what, const void *bytes, u64 len,
                      struct br_area *out)
{
    if (!take(l, what, len, 4096, out))
        return false;
    memcpy(out->bytes, bytes, len);
    return true;
}

/// The image goes where it must, or above the first two MiB; all else follows it.
static bool place_image(struct layout *l)
{
    const struct br_area *ram = &l->d->ram;
    struct bbp_plan *p = &l->plan;
    l->next = ram->phys + LOW_KEPT;
    if (!p->needs_phys) {
        if (!take(l, "kernel image", p->image_len, p->image_align, &l->image))
            return false;
    } else {
        if (!in_ram(ram, p->phys, p->image_len))
            return br_fail(l->why, "the kernel is linked at physical 0x%llx and cannot be moved; RAM is "
                           "0x%llx..0x%llx: link it there, as PIE, or clear PHYS_LINK",
                           (ull)p->phys, (ull)ram->phys, (ull)(ram->phys + ram->len));
        l->image = (struct br_area){ram->bytes + (p->phys - ram->phys), p->phys, p->image_len};
        l->next = p->phys + p->image_len > l->next ? p->phys + p->image_len : l->next;
    }
    return bbp_place(p, l->image, l->why);
}

static bool take_files(struct layout *l)
{
    const struct bbp_direct *d = l->d;
    if (!take_copy(l, "kernel file", d->kernel, d->kernel_len, &l->file) ||
        (d->dtb && !take_copy(l, "device tree", d->dtb, d->dtb_len, &l->dtb)))
        return false;
    for (u32 i = 0; i < d->modules; i++)
        if (!take_copy(l, d->module[i].path, d->module[i].bytes, d->module[i].len, &l->module[i]))
            return false;
    return true;
}

static bool retype(struct layout *l, const struct br_area *a, u32 type)
{
    return !a->len || br_memmap_retype(&l->map, a->phys, a->len, type);
}

static bool make_map(struct layout *l)
{
    l->map = (struct br_memmap){l->map_entries, 0, MAP_ENTRIES};
    bool ok = br_memmap_set(&l->map, l->d->ram.phys, l->d->ram.len, BBP_MEM_USABLE, BR_NO_EFI_TYPE, 8);
    ok = ok && retype(l, &l->image, BBP_MEM_KERNEL) && retype(l, &l->stack, BBP_MEM_LOADER) &&
         retype(l, &l->pool, BBP_MEM_LOADER) && retype(l, &l->block, BBP_MEM_LOADER) &&
         retype(l, &l->dtb, BBP_MEM_LOADER) && retype(l, &l->file, BBP_MEM_LOADER);
    for (u32 i = 0; i < l->d->modules; i++)
        ok = ok && retype(l, &l->module[i], BBP_MEM_MODULE);
    return ok || br_fail(l->why, "the memory map does not fit");
}

static void write_lists(struct layout *l, struct bbp_writer *w)
{
    const struct bbp_direct *d = l->d;
    struct bbp_list *list =
        bbp_write_tag(w, BBP_TAG_MEMMAP, (u32)(sizeof *list + l->map.count * sizeof(struct bbp_mem)));
    if (list) {
        *list = (struct bbp_list){sizeof(struct bbp_mem), l->map.count};
        memcpy(list + 1, l->map_entries, l->map.count * sizeof(struct bbp_mem));
    }
    list = d->modules ? bbp_write_tag(w, BBP_TAG_MODULE, (u32)(sizeof *list + d->modules *
                                                               sizeof(struct bbp_module)))
                      : NULL;
    for (u32 i = 0; list && i < d->modules; i++) {
        struct bbp_module *m = (struct bbp_module *)(void *)(list + 1) + i;
        *list = (struct bbp_list){sizeof *m, d->modules};
        m->phys = l->module[i].phys;
        m->len = d->module[i].len;
        m->path_off = bbp_write_text(w, d->module[i].path);
        m->string_off = bbp_write_text(w, d->module[i].string ? d->module[i].string : "");
        br_sha256(l->module[i].bytes, m->len, m->sha256);
    }
    list = d->cpus ? bbp_write_tag(w, BBP_TAG_CPUS,
                                   (u32)(sizeof *list + d->cpus * sizeof(struct bbp_cpu)))
                   : NULL;
    for (u32 i = 0; list && i < d->cpus; i++) {
        *list = (struct bbp_list){sizeof(struct bbp_cpu), d->cpus};
        ((struct bbp_cpu *)(void *)(list + 1))[i] = (struct bbp_cpu){
            i, i == 0 ? BBP_CPU_BOOT : d->env.arch == BR_ARCH_AARCH64 ? BBP_CPU_PSCI : BBP_CPU_APIC,
            d->cpu_id[i], 0};
    }
}

static bool write_block(struct layout *l, const struct bbp_entry *e)
{
    const struct bbp_direct *d = l->d;
    const struct bbp_plan *p = &l->plan;
    const char *cmdline = d->cmdline ? d->cmdline : "";
    struct bbp_writer w;
    struct bbp_symbols s;
    if (!bbp_write_begin(&w, l->block))
        return br_fail(l->why, "no room for the information block");
    bbp_write_bytes(&w, BBP_TAG_CMDLINE, cmdline, (u32)br_strlen(cmdline) + 1);
    write_lists(l, &w);
    bbp_write_blob(&w, BBP_TAG_DTB, l->dtb.phys, d->dtb_len);
    bbp_write_blob(&w, BBP_TAG_KERNEL_FILE, l->file.phys, d->kernel_len);
    if (p->want.flags & BBP_WANT_SYMS &&
        br_elf_symbols(&p->elf, &s.symtab_phys, &s.symtab_len, &s.strtab_phys, &s.strtab_len)) {
        s.symtab_phys += l->file.phys;
        s.strtab_phys += l->file.phys;
        bbp_write_bytes(&w, BBP_TAG_SYMBOLS, &s, sizeof s);
    }
    if (d->entropy)
        bbp_write_bytes(&w, BBP_TAG_ENTROPY, d->entropy, 64);
    if (d->console.type)
        bbp_write_bytes(&w, BBP_TAG_CONSOLE, &d->console, sizeof d->console);
    struct bbp_loader name = {.name = "bruin", .version = "1.0"};
    bbp_write_bytes(&w, BBP_TAG_LOADER, &name, sizeof name);
    struct bbp_times times = {.freq_hz = d->counter_hz, .wall_clock_s = d->wall_clock_s};
    bbp_write_bytes(&w, BBP_TAG_TIMES, &times, sizeof times);
    if (p->mmu_on) {
        struct bbp_paging pg = {e->root_low, e->root_high, p->levels, 1u << p->granule_shift, e->mair,
                                e->tcr};
        bbp_write_bytes(&w, BBP_TAG_PAGING, &pg, sizeof pg);
    }
    u32 el = d->env.arch == BR_ARCH_AARCH64 ? (p->entry_el2 ? 2 : 1) : 0;
    struct bbp_entry_state state = {.entry_el = el, .firmware_el = el};
    bbp_write_bytes(&w, BBP_TAG_ENTRY_STATE, &state, sizeof state);
    int missing = bbp_missing_tag(&w, &p->want);
    if (missing >= 0)
        return br_fail(l->why, "the kernel requires tag %d (%s), which is not there without firmware",
                       missing, bbp_tag_name((u32)missing));
    return bbp_write_end(&w, p, BBP_FEAT_NO_FIRMWARE) ||
           br_fail(l->why, "the information block is full");
}

static bool fill(struct layout *l, struct bbp_start *out)
{
    u64 granule = 1ULL << l->plan.granule_shift;
    struct br_pt pt;
    if (!place_image(l) || !take_files(l) ||
        !take(l, "boot stack", l->plan.stack_len, granule, &l->stack) ||
        !take(l, "information block", BLOCK_LEN, granule, &l->block) || !make_map(l))
        return false;
    if (l->plan.mmu_on &&
        (!take(l, "page tables", bbp_pool_len(&l->plan, &l->map), granule, &l->pool) || !make_map(l)))
        return false;
    struct bbp_places at = {.stack = l->stack, .info_phys = l->block.phys, .dtb_phys = l->dtb.phys,
                            .dtb_len = l->d->dtb_len};
    if (l->d->console.type == BBP_CON_PL011 || l->d->console.type == BBP_CON_16550)
        at.device[0] = br_down(l->d->console.base, granule);
    return bbp_map(&l->plan, &l->map, &at, l->pool, &pt, &out->entry, l->why) &&
           write_block(l, &out->entry);
}

bool bbp_direct_load(const struct bbp_direct *d, struct bbp_start *out, struct br_why *why)
{
    struct layout l = {.d = d, .why = why};
    struct bbp_env env = d->env;
    env.has_dtb = d->dtb != NULL;
    memset(out, 0, sizeof *out);
    if (d->modules > BBP_DIRECT_MODULES_MAX || d->cpus > BBP_DIRECT_CPUS_MAX)
        return br_fail(why, "%u modules and %u CPUs; at most %d and %d", d->modules, d->cpus,
                       BBP_DIRECT_MODULES_MAX, BBP_DIRECT_CPUS_MAX);
    if (!bbp_plan_make(&l.plan, d->kernel, d->kernel_len, &env, why) || !fill(&l, out))
        return false;
    const struct bbp_plan *p = &l.plan;
    out->sctlr = p->mmu_on ? 0x30d0181d : p->entry_el2 ? 0x30c50830 : 0x30d00800;
    out->cpacr = p->want.flags & BBP_WANT_FPU_ON ? 3u << 20 : 0;
    out->el2 = p->entry_el2;
    out->vhe = p->vhe;
    out->kernel_phys = p->phys;
    out->kernel_virt = p->virt;
    out->slide = p->slide;
    out->info_phys = l.block.phys;
    out->dtb_phys = l.dtb.phys;
    return true;
}
