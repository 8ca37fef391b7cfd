/// Boots a kernel that carries a BBP note, or Limine requests: the UEFI side of
/// guest/bridge/bbp_build.h and guest/bridge/limine.h.
#include "loader.h"
#include "../bridge/hash.h"
#include "../bridge/limine.h"

enum { MODULES_MAX = 16, SLACK_DESCRIPTORS = 16 };
typedef unsigned long long ull;

struct job {
    const struct boot_entry *e;
    struct bbp_plan plan;
    struct br_area file, image, stack, info, pool, arch_page, dtb;
    u64 file_len, dtb_len;
    u32 modules;
    struct br_area module[MODULES_MAX];
    u64 module_len[MODULES_MAX];
    struct hw hw;
    u64 rsdp;
    struct efi_gop *gop;
    struct bbp_entry entry;
    struct br_pt pt;
    struct bbp_writer w;
    struct efi_map map;
    struct br_memmap final_map;
    struct bbp_list *memmap_tag;
    struct bbp_efi_map *efi_tag;
    u64 efi_cap;
    struct bbp_times *times;
    struct bbp_entry_state *state;
    bool is_limine;
    struct limine limine;
    struct bbp_want limine_want;
    struct br_area answers;
    struct bbp_framebuffer fb;
};

static const char *value_of(const struct boot_entry *e, const char *key)
{
    return e->index >= 0 ? conf_get(e->conf, e->index, key, 0) : NULL;
}

/// Reads a file named by a configuration value.
static bool read_value(const char *what, const char *value, struct br_area *out, u64 *len)
{
    struct conf_path path;
    struct br_why why;
    if (!conf_path_parse(value, &path, &why))
        return complain("%s: %s", what, why.msg);
    return read_file(&path, true, out, len);
}

static bool read_modules(struct job *j)
{
    const char *v;
    for (u32 n = 0; j->e->index >= 0 && (v = conf_get(j->e->conf, j->e->index, "module_path", n));
         n++) {
        if (n == MODULES_MAX)
            return complain("more than %d modules", MODULES_MAX);
        if (!read_value("module_path", v, &j->module[n], &j->module_len[n]))
            return false;
        j->modules++;
    }
    v = value_of(j->e, "dtb_path");
    if (!v)
        return true;
    if (!read_value("dtb_path", v, &j->dtb, &j->dtb_len))
        return false;
    u64 claimed = hw_dtb_len(j->dtb.bytes);
    return (claimed && claimed <= j->dtb_len) ||
           complain("%s: is no device tree, or shorter than its header says", v);
}

/// What the firmware published, before the kernel's needs are held against it.
static void gather(struct job *j)
{
    static const struct efi_guid acpi20 = EFI_GUID_ACPI_20, acpi10 = EFI_GUID_ACPI_10;
    static const struct efi_guid dtb_guid = EFI_GUID_DTB, gop_guid = EFI_GUID_GOP;
    void *rsdp = config_table(&acpi20);
    if (!rsdp)
        rsdp = config_table(&acpi10);
    j->rsdp = (u64)(uintptr_t)rsdp;
    if (!j->dtb.bytes) {
        u8 *dtb = config_table(&dtb_guid);
        j->dtb_len = dtb ? hw_dtb_len(dtb) : 0;
        j->dtb.bytes = j->dtb_len ? dtb : NULL;
        j->dtb.phys = j->dtb_len ? (u64)(uintptr_t)dtb : 0;
    }
    if (!(j->dtb_len && hw_from_dtb(&j->hw, j->dtb.bytes, j->dtb_len)) && j->rsdp)
        hw_from_acpi(&j->hw, j->rsdp, 0);
    if (!j->hw.console.type && LOADER_ARCH == BR_ARCH_X86_64)
        j->hw.console = (struct bbp_console){BBP_CON_IO16550, 0, 0x3F8, 4, 0};
    ld.console = j->hw.console;
    void *gop = NULL;
    if (!ld.bs->locate_protocol(&gop_guid, NULL, &gop))
        j->gop = gop;
    if (j->gop && (!j->gop->mode || !j->gop->mode->info || j->gop->mode->info->format == 3))
        j->gop = NULL;
}

static bool make_plan(struct job *j)
{
    struct bbp_env env = {0};
    struct br_why why;
    cpu_env(&env);
    env.has_dtb = j->dtb_len != 0;
    env.has_acpi = j->rsdp != 0;
    env.has_fb = j->gop != NULL;
    env.kaslr = j->e->index < 0 || conf_yes(j->e->conf, j->e->index, "kaslr", true);
    random_bytes((u8 *)&env.random, sizeof env.random);
    if (j->is_limine) {
        env.want = &j->limine_want;
        if (!limine_want(j->file.bytes, j->file_len, LOADER_ARCH, &j->limine_want, &j->limine, &why))
            return complain("%s: %s", j->e->path, why.msg);
    }
    return bbp_plan_make(&j->plan, j->file.bytes, j->file_len, &env, &why) ||
           complain("%s: %s", j->e->path, why.msg);
}

/// Says what occupies a range that the kernel insists on.
static void explain_occupied(u64 phys, u64 len)
{
    struct efi_map m;
    u64 end = phys + len;
    bool any_ram = false;
    if (!get_map(&m))
        return;
    for (u64 off = 0; off + m.desc_size <= m.size; off += m.desc_size) {
        const struct efi_memory_descriptor *d = (const void *)(m.area.bytes + off);
        u64 base = d->physical_start, size = d->pages << 12;
        if (!br_overlap(base, size, phys, len))
            continue;
        any_ram = true;
        if (d->type != EFI_CONVENTIONAL)
            say("  0x%llx..0x%llx is in use: memory type %u", (ull)base, (ull)(base + size),
                d->type);
    }
    if (!any_ram)
        say("  there is no RAM at 0x%llx..0x%llx", (ull)phys, (ull)end);
    free_area(&m.area);
}

static bool place_image(struct job *j)
{
    struct bbp_plan *p = &j->plan;
    struct br_why why;
    efi_status s;
    if (p->needs_phys && !alloc_pages_at(p->phys, p->image_len, &j->image, &s)) {
        complain("%s: is linked at physical 0x%llx and cannot be moved, and 0x%llx..0x%llx is not "
                 "free: link it as PIE, or elsewhere, or clear PHYS_LINK so that it may be mapped "
                 "there from any memory", j->e->path, (ull)p->phys, (ull)p->phys,
                 (ull)(p->phys + p->image_len));
        explain_occupied(p->phys, p->image_len);
        return false;
    }
    if (!p->needs_phys)
        j->image = alloc_pages(p->image_len, p->image_align);
    if (!j->image.bytes)
        return complain("no %llu bytes for the kernel image", (ull)p->image_len);
    return bbp_place(p, j->image, &why) || complain("%s: %s", j->e->path, why.msg);
}

/// Marks what the loader knows better than the firmware.
static bool overlay(const struct job *j, struct br_memmap *map)
{
    bool ok = br_memmap_retype(map, j->image.phys, j->image.len, BBP_MEM_KERNEL);
    for (u32 i = 0; i < j->modules; i++)
        ok = ok && br_memmap_retype(map, j->module[i].phys, j->module[i].len, BBP_MEM_MODULE);
    // A device tree in memory that the map calls free must survive until the kernel has read it.
    const struct bbp_mem *m = j->dtb_len ? br_memmap_find(map, j->dtb.phys) : NULL;
    if (m && m->type == BBP_MEM_USABLE)
        ok = ok && br_memmap_retype(map, j->dtb.phys, j->dtb_len, BBP_MEM_LOADER);
    if (j->gop)
        ok = ok && br_memmap_set(map, j->gop->mode->fb_base, j->gop->mode->fb_size,
                                 BBP_MEM_FRAMEBUFFER, BR_NO_EFI_TYPE, 0);
    return ok;
}

/// x86_64: the kernel wants another depth of page tables than the firmware runs with.
static bool switches_levels(const struct job *j)
{
    return LOADER_ARCH == BR_ARCH_X86_64 && j->plan.levels != j->plan.env.levels;
}

static bool build_tables(struct job *j)
{
    struct br_why why;
    struct bbp_places at = {.stack = j->stack, .info_phys = j->info.phys,
                            .trampoline = (u64)(uintptr_t)handoff_page,
                            .dtb_phys = j->dtb.phys, .dtb_len = j->dtb_len,
                            .cover_4g = j->is_limine && j->limine.revision < 3,
                            .identity = j->is_limine && j->limine.revision == 0};
    u32 cap = (u32)(j->map.size / j->map.desc_size) * 2 + 2 * MODULES_MAX + 64;
    struct br_area scratch = alloc_pages(cap * sizeof(struct bbp_mem), 4096);
    struct br_memmap map = {(struct bbp_mem *)(void *)scratch.bytes, 0, cap};
    if (!scratch.bytes)
        return complain("no memory for a memory map");
    if (!br_memmap_from_efi(&map, j->map.area.bytes, j->map.size, j->map.desc_size) ||
        !overlay(j, &map))
        return complain("the firmware's memory map cannot be understood");
    if (j->hw.console.type == BBP_CON_PL011 || j->hw.console.type == BBP_CON_16550)
        at.device[0] = br_down(j->hw.console.base, 4096);
    if (j->gop) {
        at.fb_phys = j->gop->mode->fb_base;
        at.fb_len = j->gop->mode->fb_size;
    }
    if (switches_levels(j) && at.trampoline > UINT32_MAX)
        return complain("the loader lies at 0x%llx: changing the depth of paging needs it below 4 GiB",
                        (ull)at.trampoline);
    if (j->plan.mmu_on) {
        u64 need = bbp_pool_len(&j->plan, &map), granule = 1ULL << j->plan.granule_shift;
        j->pool = switches_levels(j) ? alloc_low_pages(need, granule) : alloc_pages(need, granule);
        if (!j->pool.bytes)
            return complain("no %llu bytes for page tables", (ull)bbp_pool_len(&j->plan, &map));
    }
    bool ok = bbp_map(&j->plan, &map, &at, j->pool, &j->pt, &j->entry, &why) ||
              complain("%s: refused before the jump: %s", j->e->path, why.msg);
    free_area(&scratch);
    return ok;
}

static void shift_of(u32 mask, u8 *shift, u8 *bits)
{
    *shift = *bits = 0;
    while (mask && !(mask & 1)) {
        mask >>= 1;
        ++*shift;
    }
    while (mask & 1) {
        mask >>= 1;
        ++*bits;
    }
}

static void describe_framebuffer(struct job *j)
{
    const struct efi_gop_mode *m = j->gop->mode;
    const struct efi_gop_info *g = m->info;
    struct bbp_framebuffer *f = &j->fb;
    u32 red = g->format == 0 ? 0xFF : 0xFF0000, blue = g->format == 0 ? 0xFF0000 : 0xFF;
    f->phys = m->fb_base;
    f->len = m->fb_size;
    f->width = g->width;
    f->height = g->height;
    f->pitch = g->pixels_per_line * 4;
    f->bpp = 32;
    shift_of(g->format == 2 ? g->red_mask : red, &f->red_shift, &f->red_bits);
    shift_of(g->format == 2 ? g->green_mask : 0xFF00, &f->green_shift, &f->green_bits);
    shift_of(g->format == 2 ? g->blue_mask : blue, &f->blue_shift, &f->blue_bits);
}

static void write_framebuffer(struct job *j)
{
    struct bbp_list *list = bbp_write_tag(&j->w, BBP_TAG_FRAMEBUFFER, sizeof *list + sizeof j->fb);
    if (!list)
        return;
    *list = (struct bbp_list){sizeof j->fb, 1};
    memcpy(list + 1, &j->fb, sizeof j->fb);
}

static void write_modules(struct job *j)
{
    if (!j->modules)
        return;
    struct bbp_list *list = bbp_write_tag(
        &j->w, BBP_TAG_MODULE, (u32)(sizeof *list + j->modules * sizeof(struct bbp_module)));
    if (!list)
        return;
    *list = (struct bbp_list){sizeof(struct bbp_module), j->modules};
    struct bbp_module *m = (void *)(list + 1);
    for (u32 i = 0; i < j->modules; i++) {
        struct conf_path path;
        struct br_why why;
        if (!conf_path_parse(conf_get(j->e->conf, j->e->index, "module_path", i), &path, &why))
            continue;
        m[i].phys = j->module[i].phys;
        m[i].len = j->module_len[i];
        m[i].path_off = bbp_write_text(&j->w, path.path);
        m[i].string_off = bbp_write_text(&j->w, conf_module_string(j->e->conf, j->e->index, i));
        br_sha256(j->module[i].bytes, j->module_len[i], m[i].sha256);
    }
}

static void write_cpus(struct job *j)
{
    u32 n = j->hw.cpu_count;
    struct bbp_list *list = n ? bbp_write_tag(&j->w, BBP_TAG_CPUS,
                                              (u32)(sizeof *list + n * sizeof(struct bbp_cpu)))
                              : NULL;
    if (!list)
        return;
    *list = (struct bbp_list){sizeof(struct bbp_cpu), n};
    struct bbp_cpu *c = (void *)(list + 1);
    for (u32 i = 0; i < n; i++)
        c[i] = (struct bbp_cpu){i, i == 0 ? BBP_CPU_BOOT
                                   : LOADER_ARCH == BR_ARCH_AARCH64 ? BBP_CPU_PSCI : BBP_CPU_APIC,
                                j->hw.cpu_id[i], 0};
}

static void write_symbols(struct job *j)
{
    struct bbp_symbols s;
    if (!br_elf_symbols(&j->plan.elf, &s.symtab_phys, &s.symtab_len, &s.strtab_phys, &s.strtab_len))
        return;
    s.symtab_phys += j->file.phys; // the file stays in memory: its pages are reclaimable
    s.strtab_phys += j->file.phys;
    bbp_write_bytes(&j->w, BBP_TAG_SYMBOLS, &s, sizeof s);
}

static void write_facts(struct job *j)
{
    static const struct efi_guid smbios3 = EFI_GUID_SMBIOS3, smbios = EFI_GUID_SMBIOS;
    struct bbp_writer *w = &j->w;
    void *sm = config_table(&smbios3) ? config_table(&smbios3) : config_table(&smbios);
    const char *cmdline = j->e->cmdline ? j->e->cmdline : "";
    u8 seed[64];
    bbp_write_bytes(w, BBP_TAG_CMDLINE, cmdline, (u32)br_strlen(cmdline) + 1);
    bbp_write_blob(w, BBP_TAG_RSDP, j->rsdp, 0);
    bbp_write_blob(w, BBP_TAG_SMBIOS, (u64)(uintptr_t)sm, 0);
    bbp_write_blob(w, BBP_TAG_DTB, j->dtb.phys, j->dtb_len);
    bbp_write_blob(w, BBP_TAG_EFI_ST, (u64)(uintptr_t)ld.st, sizeof *ld.st);
    bbp_write_blob(w, BBP_TAG_KERNEL_FILE, j->file.phys, j->file_len);
    if (j->gop) {
        describe_framebuffer(j);
        write_framebuffer(j);
    }
    write_modules(j);
    write_cpus(j);
    if (j->plan.want.flags & BBP_WANT_SYMS)
        write_symbols(j);
    if (random_bytes(seed, sizeof seed))
        bbp_write_bytes(w, BBP_TAG_ENTROPY, seed, sizeof seed);
    if (j->hw.console.type)
        bbp_write_bytes(w, BBP_TAG_CONSOLE, &j->hw.console, sizeof j->hw.console);
    struct bbp_loader name = {.name = "bruin loader", .version = LOADER_VERSION};
    bbp_write_bytes(w, BBP_TAG_LOADER, &name, sizeof name);
    if (j->plan.mmu_on) {
        struct bbp_paging pg = {j->entry.root_low, j->entry.root_high, j->plan.levels,
                                1u << j->plan.granule_shift, j->entry.mair, j->entry.tcr};
        bbp_write_bytes(w, BBP_TAG_PAGING, &pg, sizeof pg);
    }
    j->state = bbp_write_tag(w, BBP_TAG_ENTRY_STATE, sizeof *j->state);
    if (j->state) {
        cpu_entry_state(j->state);
        j->state->entry_el = j->plan.entry_el2 ? 2 : LOADER_ARCH == BR_ARCH_AARCH64 ? 1 : 0;
    }
    j->times = bbp_write_tag(w, BBP_TAG_TIMES, sizeof *j->times);
    if (j->times)
        *j->times = (struct bbp_times){cpu_tick_hz(), ld.entry_ticks, 0, 0, wall_clock()};
}

/// The answers to Limine requests, all but the memory map.
static bool answer_limine(struct job *j)
{
    static const struct efi_guid smbios3 = EFI_GUID_SMBIOS3, smbios = EFI_GUID_SMBIOS;
    static struct conf_path kernel, path[MODULES_MAX];
    struct br_why why;
    struct limine_facts f = {
        .cmdline = j->e->cmdline ? j->e->cmdline : "", .kernel_file = j->file.phys,
        .kernel_file_len = j->file_len, .rsdp = j->rsdp, .efi_table = (u64)(uintptr_t)ld.st,
        .smbios32 = (u64)(uintptr_t)config_table(&smbios),
        .smbios64 = (u64)(uintptr_t)config_table(&smbios3), .dtb = j->dtb.phys,
        .wall_clock_s = wall_clock(), .fb = j->gop ? &j->fb : NULL, .modules = j->modules,
        .memmap_entries = j->final_map.cap, .efi_map = j->info.phys +
            (u64)((u8 *)(j->efi_tag + 1) - j->info.bytes), .efi_desc_size = j->map.desc_size,
        .efi_desc_version = j->map.desc_version};
    bool ok = conf_path_parse(j->e->path, &kernel, &why);
    f.kernel_path = kernel.path;
    for (u32 i = 0; ok && i < j->modules; i++) {
        ok = conf_path_parse(conf_get(j->e->conf, j->e->index, "module_path", i), &path[i], &why);
        f.module[i].path = path[i].path;
        f.module[i].string = conf_module_string(j->e->conf, j->e->index, i);
        f.module[i].phys = j->module[i].phys;
        f.module[i].len = j->module_len[i];
    }
    j->answers = alloc_pages(65536 + j->final_map.cap * 32ULL, 1ULL << j->plan.granule_shift);
    if (!j->answers.bytes)
        return complain("no memory for the answers to Limine requests");
    ok = ok && limine_answer(&j->limine, j->image.bytes, &j->plan, &f, j->answers, &why);
    struct br_walk w;
    u64 entry = j->limine.entry ? j->limine.entry : j->entry.pc;
    if (ok && (!br_pt_walk(&j->pt, entry, &w) || !(w.flags & BR_MAP_X)))
        ok = br_fail(&why, "the entry point request names 0x%llx, which is not mapped executable",
                     (ull)entry);
    j->entry.pc = entry;
    j->entry.arg = 0;
    return ok || complain("%s: %s", j->e->path, why.msg);
}

/// Allocates the block with room for both maps as they may be at the very end.
static bool begin_info(struct job *j)
{
    u64 descriptors = j->map.size / j->map.desc_size + SLACK_DESCRIPTORS;
    u64 entries = descriptors * 2 + 2 * MODULES_MAX + 16;
    j->efi_cap = descriptors * j->map.desc_size;
    u64 maps = entries * sizeof(struct bbp_mem) + j->efi_cap;
    u64 texts = 16384 + (j->e->cmdline ? br_strlen(j->e->cmdline) : 0) + MODULES_MAX * 1024;
    j->info = alloc_pages(maps + texts + LOADER_LOG_MAX, 1ULL << j->plan.granule_shift);
    if (!j->info.bytes || !bbp_write_begin(&j->w, j->info))
        return complain("no memory for the information block");
    j->memmap_tag = bbp_write_tag(&j->w, BBP_TAG_MEMMAP,
                                  (u32)(sizeof(struct bbp_list) + entries * sizeof(struct bbp_mem)));
    j->efi_tag = bbp_write_tag(&j->w, BBP_TAG_EFI_MEMMAP, (u32)(sizeof *j->efi_tag + j->efi_cap));
    j->final_map = (struct br_memmap){(void *)(j->memmap_tag + 1), 0, (u32)entries};
    return true;
}

/// The last step with a firmware: from here on nothing may allocate or print.
static void finish(struct job *j)
{
    struct bbp_plan *p = &j->plan;
    void *raw = j->efi_tag + 1;
    u64 features = BBP_FEAT_VERIFIED * (ld.any_hash && ld.all_verified);
    features |= BBP_FEAT_SECURE_BOOT * secure_boot_on();
    struct handoff h = {j->entry.mair, j->entry.tcr, j->entry.root_low, j->entry.root_high,
                        0x30d0181d, // SCTLR_EL1: RES1, M, C, SA, SA0, I
                        j->entry.pc, j->entry.sp, j->entry.arg, cpu_handoff_flags(),
                        ld.console.type == BBP_CON_PL011 ? ld.console.base : 0, 0,
                        p->hhdm_base + j->arch_page.phys};
    h.console_virt = h.console_phys ? h.console_phys + p->hhdm_base : 0;
    h.flags |= (p->mmu_on ? HANDOFF_MMU_ON : 0) | (p->entry_el2 ? HANDOFF_STAY_EL2 : 0) |
               (p->vhe ? HANDOFF_VHE : 0) |
               (p->want.flags & BBP_WANT_FPU_ON ? HANDOFF_FPU : 0);
    h.flags |= switches_levels(j) ? HANDOFF_SWITCH_LEVELS : 0;
    cpu_fill_page(j->arch_page.bytes);
    memcpy(j->arch_page.bytes + HANDOFF_COPY, &h, sizeof h);
    if (!leave_firmware(raw, j->efi_cap, &j->map))
        stop_visibly("the firmware refused ExitBootServices eight times; the machine must be reset");
    cpu_mask_interrupts();
    j->times->exit_boot = cpu_ticks();
    *j->efi_tag = (struct bbp_efi_map){(u32)j->map.desc_size, j->map.desc_version,
                                       (u32)j->map.size, 0};
    if (!br_memmap_from_efi(&j->final_map, raw, j->map.size, j->map.desc_size) ||
        !overlay(j, &j->final_map))
        stop_visibly("the final memory map has more entries than room was reserved for");
    *j->memmap_tag = (struct bbp_list){sizeof(struct bbp_mem), j->final_map.count};
    if (j->is_limine && !limine_memmap(&j->limine, &j->final_map, j->map.size))
        stop_visibly("the final memory map does not fit into the Limine answer");
    cpu_quiet_devices(&j->hw);
    j->times->jump = cpu_ticks();
    if (!bbp_write_end(&j->w, p, features) || bbp_check(j->info.bytes, j->info.len))
        stop_visibly("the information block does not check");
    cpu_clean(j->image.bytes, j->image.len);
    cpu_clean(j->info.bytes, j->info.len);
    cpu_clean(j->stack.bytes, j->stack.len);
    cpu_clean(j->file.bytes, j->file.len);
    if (j->pool.bytes)
        cpu_clean(j->pool.bytes, j->pool.len);
    if (j->answers.bytes)
        cpu_clean(j->answers.bytes, j->answers.len);
    if (j->dtb_len)
        cpu_clean(j->dtb.bytes, j->dtb_len);
    for (u32 i = 0; i < j->modules; i++)
        cpu_clean(j->module[i].bytes, j->module[i].len);
    cpu_clean(handoff_page, 4096);
    cpu_sync_code();
    cpu_jump(&h);
}

static void announce(const struct job *j)
{
    const struct bbp_plan *p = &j->plan;
    say("%s: %s %u.%u, image 0x%llx at 0x%llx (virtual 0x%llx, slide 0x%llx), entry 0x%llx, MMU %s, "
        "EL%u%s", j->e->path, j->is_limine ? "Limine" : "BBP", j->is_limine ? 0 : p->want.major,
        j->is_limine ? (u32)j->limine.revision : p->want.minor, (ull)p->image_len, (ull)p->phys,
        (ull)p->virt, (ull)p->slide, (ull)j->entry.pc, p->mmu_on ? "on" : "off",
        j->state ? j->state->entry_el : 0, p->vhe ? " VHE" : "");
}

/// True for a kernel without a note that holds Limine requests.
static bool speaks_limine(const struct job *j)
{
    u32 len;
    struct br_elf elf;
    struct br_why why;
    return br_elf_check(j->file.bytes, j->file_len, LOADER_ARCH, &elf, &why) &&
           !br_elf_note(&elf, BBP_NOTE_NAME, BBP_NOTE_TYPE, &len) &&
           limine_is(j->file.bytes, j->file_len);
}

static bool prepare(struct job *j)
{
    if (!read_modules(j))
        return false;
    gather(j);
    j->is_limine = speaks_limine(j);
    if (!make_plan(j) || !place_image(j))
        return false;
    u64 granule = 1ULL << j->plan.granule_shift;
    j->stack = alloc_pages(j->plan.stack_len, granule);
    j->arch_page = alloc_pages(4096, 4096);
    if (!j->stack.bytes || !j->arch_page.bytes)
        return complain("no %llu bytes for the boot stack", (ull)j->plan.stack_len);
    if (!get_map(&j->map) || !begin_info(j) || !build_tables(j))
        return false;
    write_facts(j);
    announce(j);
    if (j->is_limine && !answer_limine(j))
        return false;
    bbp_write_bytes(&j->w, BBP_TAG_LOG, ld.log, ld.log_len + 1);
    int missing = bbp_missing_tag(&j->w, &j->plan.want);
    if (missing >= 0)
        return complain("%s: the kernel requires tag %d (%s), which this machine cannot give",
                        j->e->path, missing, bbp_tag_name((u32)missing));
    return !j->w.is_full || complain("the information block is full");
}

bool boot_bbp(const struct boot_entry *e)
{
    static struct job job;
    memset(&job, 0, sizeof job);
    job.e = e;
    if (!read_value("path", e->path, &job.file, &job.file_len))
        return false;
    if (prepare(&job))
        finish(&job);
    free_area(&job.file);
    free_area(&job.image);
    free_area(&job.stack);
    free_area(&job.info);
    free_area(&job.pool);
    free_area(&job.arch_page);
    free_area(&job.answers);
    free_area(&job.map.area);
    for (u32 i = 0; i < job.modules; i++)
        free_area(&job.module[i]);
    return false;
}
