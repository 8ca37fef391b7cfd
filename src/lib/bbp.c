/// Kernels that carry a BBP note, started without firmware: this machine plays the loader of
/// guest/bridge/bbp_build.h. The image is never moved from its link address, so symbols fit.
#include "lib/lib.h"

#include "../guest/bridge/bbp_build.h"
#include "../guest/bridge/hash.h"
#include "../guest/bridge/hw.h"
#include "os/os.h"

#include <stdio.h>
#include <stdlib.h>

/// SCTLR_EL1 at entry with the MMU on: RES1, M, C, SA, SA0, I.
#define SCTLR_MMU_ON 0x30d0181d
#define MEM_ATTR_WB 8 /* EFI_MEMORY_WB */
enum { MAP_ENTRIES = 96 };

struct bbp {
    bruin_vm *vm;
    struct boot_job *job;
    struct bbp_plan plan;
    gpa_t next; ///< memory from here on is free
    struct br_area dtb, image, stack, info, pool, file, module[BOOT_INITRDS_MAX];
    u64 dtb_len;
    struct hw hw;
    struct bbp_mem map_entries[MAP_ENTRIES];
    struct br_memmap map;
    struct br_pt pt;
    struct bbp_entry entry;
    struct bbp_writer w;
};

bool bbp_is_kernel(const struct blob *kernel)
{
    struct br_elf elf;
    struct br_why why;
    u32 len;
    return boot_detect(kernel->data, kernel->len, NULL) == BOOT_ELF &&
           br_elf_check(kernel->data, kernel->len, BR_ARCH_AARCH64, &elf, &why) &&
           br_elf_note(&elf, BBP_NOTE_NAME, BBP_NOTE_TYPE, &len) != NULL;
}

static bool refuse(const struct bbp *b, const char *msg, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%s: %s", b->job->req.kernel.name, msg);
}

/// Guest memory at a fixed place, zeroed. ret  false when it is not RAM
static bool take_at(struct bbp *b, gpa_t at, u64 len, struct br_area *out, struct err *e)
{
    struct mem *m = machine_mem(b->vm->machine);
    u8 *host = mem_host(m, at, len);
    const struct machine_config *mc = &b->vm->mc;
    if (host == NULL || !range_ok(at - mc->ram_base, len, mc->ram_size))
        return err_set(e, ERR_FORMAT, "%s: needs 0x%llx-0x%llx, but RAM is 0x%llx-0x%llx: %s",
                       b->job->req.kernel.name, (unsigned long long)at, (unsigned long long)(at + len - 1),
                       (unsigned long long)mc->ram_base, (unsigned long long)(mc->ram_base + mc->ram_size - 1),
                       at < mc->ram_base ? "link it elsewhere" : "too little memory, use a larger -m");
    memset(host, 0, len);
    *out = (struct br_area){host, at, len};
    return true;
}

/// The next free memory, beside the image when that has a fixed place.
static bool take(struct bbp *b, u64 len, u64 align, struct br_area *out, struct err *e)
{
    gpa_t at = align_up(b->next, align);
    len = align_up(len, 4096);
    if (range_overlap(at, len, b->image.phys, b->image.len))
        at = align_up(b->image.phys + b->image.len, align);
    if (!take_at(b, at, len, out, e))
        return false;
    b->next = at + len;
    return true;
}

static bool place_dtb(struct bbp *b, struct err *e)
{
    struct machine_chosen chosen = {.bootargs = b->job->cmdline};
    u8 *buf = xcalloc(1, BOOT_DTB_MAX);
    u64 size = 0;
    bool ok = machine_fdt(b->vm->machine, &chosen, buf, BOOT_DTB_MAX, &size, e) &&
              take(b, size, 4096, &b->dtb, e);
    if (ok) {
        memcpy(b->dtb.bytes, buf, size);
        b->dtb_len = size;
        hw_from_dtb(&b->hw, b->dtb.bytes, size);
    }
    free(buf);
    return ok;
}

static bool make_plan(struct bbp *b, struct err *e)
{
    const struct blob *k = &b->job->req.kernel;
    struct bbp_env env = {.arch = BR_ARCH_AARCH64, .levels = 4, .has_dtb = true,
                          .granules = BBP_GRANULE_4K | BBP_GRANULE_16K | BBP_GRANULE_64K};
    struct br_why why;
    u64 mmfr0 = 0;
    sysreg_get(machine_cpu(b->vm->machine, 0), "ID_AA64MMFR0_EL1", &mmfr0);
    env.pa_range = (u8)bits(mmfr0, 3, 0);
    return bbp_plan_make(&b->plan, k->data, k->len, &env, &why) || refuse(b, why.msg, e);
}

static bool place(struct bbp *b, struct err *e)
{
    const struct boot_request *r = &b->job->req;
    struct bbp_plan *p = &b->plan;
    u64 granule = 1ULL << p->granule_shift;
    struct br_why why;
    bool ok = p->needs_phys ? take_at(b, p->phys, p->image_len, &b->image, e)
                            : take(b, p->image_len, p->image_align, &b->image, e);
    if (!ok)
        return false;
    if (!bbp_place(p, b->image, &why))
        return refuse(b, why.msg, e);
    if (!place_dtb(b, e) || !take(b, p->stack_len, granule, &b->stack, e) ||
        !take(b, 64 * KIB + (b->job->cmdline ? strlen(b->job->cmdline) : 0), granule, &b->info, e) ||
        !take(b, r->kernel.len, 4096, &b->file, e))
        return false;
    memcpy(b->file.bytes, r->kernel.data, r->kernel.len);
    for (unsigned i = 0; i < r->initrd_count; i++) {
        if (!take(b, r->initrd[i].len, granule, &b->module[i], e))
            return false;
        memcpy(b->module[i].bytes, r->initrd[i].data, r->initrd[i].len);
    }
    return true;
}

/// The map as the kernel will see it. The table pool needs the map for its size and is in it: first
/// without, then with.
static bool make_map(struct bbp *b)
{
    const struct machine_config *mc = &b->vm->mc;
    const struct br_area *loader[] = {&b->dtb, &b->stack, &b->info, &b->file, &b->pool};
    struct br_memmap *m = &b->map;
    *m = (struct br_memmap){b->map_entries, 0, MAP_ENTRIES};
    bool ok = br_memmap_set(m, mc->ram_base, mc->ram_size, BBP_MEM_USABLE, BR_NO_EFI_TYPE, MEM_ATTR_WB) &&
              br_memmap_retype(m, b->image.phys, b->image.len, BBP_MEM_KERNEL);
    for (unsigned i = 0; ok && i < ARRAY_LEN(loader); i++)
        ok = loader[i]->len == 0 || br_memmap_retype(m, loader[i]->phys, loader[i]->len, BBP_MEM_LOADER);
    for (unsigned i = 0; ok && i < b->job->req.initrd_count; i++)
        ok = br_memmap_retype(m, b->module[i].phys, b->module[i].len, BBP_MEM_MODULE);
    return ok;
}

static bool build_tables(struct bbp *b, struct err *e)
{
    struct bbp_places at = {.stack = b->stack, .info_phys = b->info.phys, .dtb_phys = b->dtb.phys,
                            .dtb_len = b->dtb_len};
    struct br_why why;
    if (b->hw.console.type)
        at.device[0] = align_down(b->hw.console.base, 4096);
    if (!make_map(b))
        return refuse(b, "the memory map has too many entries", e);
    if (b->plan.mmu_on && !take(b, bbp_pool_len(&b->plan, &b->map), 1ULL << b->plan.granule_shift, &b->pool, e))
        return false;
    if (!make_map(b))
        return refuse(b, "the memory map has too many entries", e);
    return bbp_map(&b->plan, &b->map, &at, b->pool, &b->pt, &b->entry, &why) || refuse(b, why.msg, e);
}

static void write_modules(struct bbp *b)
{
    const struct boot_request *r = &b->job->req;
    struct bbp_list *list = r->initrd_count
        ? bbp_write_tag(&b->w, BBP_TAG_MODULE, (u32)(sizeof *list + r->initrd_count * sizeof(struct bbp_module)))
        : NULL;
    if (list == NULL)
        return;
    *list = (struct bbp_list){sizeof(struct bbp_module), r->initrd_count};
    struct bbp_module *m = (void *)(list + 1);
    for (unsigned i = 0; i < r->initrd_count; i++) {
        m[i].phys = b->module[i].phys;
        m[i].len = r->initrd[i].len;
        m[i].path_off = bbp_write_text(&b->w, r->initrd[i].name);
        m[i].string_off = bbp_write_text(&b->w, "");
        br_sha256(b->module[i].bytes, r->initrd[i].len, m[i].sha256);
    }
}

static void write_lists(struct bbp *b)
{
    u32 bytes = (u32)(sizeof(struct bbp_list) + b->map.count * sizeof(struct bbp_mem));
    struct bbp_list *list = bbp_write_tag(&b->w, BBP_TAG_MEMMAP, bytes);
    if (list) {
        *list = (struct bbp_list){sizeof(struct bbp_mem), b->map.count};
        memcpy(list + 1, b->map.v, b->map.count * sizeof(struct bbp_mem));
    }
    u32 cpus = b->hw.cpu_count;
    list = cpus ? bbp_write_tag(&b->w, BBP_TAG_CPUS, (u32)(sizeof *list + cpus * sizeof(struct bbp_cpu))) : NULL;
    if (list) {
        struct bbp_cpu *c = (void *)(list + 1);
        *list = (struct bbp_list){sizeof *c, cpus};
        for (u32 i = 0; i < cpus; i++)
            c[i] = (struct bbp_cpu){i, i ? BBP_CPU_PSCI : BBP_CPU_BOOT, b->hw.cpu_id[i], 0};
    }
    write_modules(b);
}

static void write_facts(struct bbp *b)
{
    const char *cmdline = b->job->cmdline ? b->job->cmdline : "";
    struct bbp_loader name = {.name = "bruin", .version = BRUIN_VERSION};
    struct bbp_entry_state state = {.entry_el = 1};
    struct bbp_times times = {.freq_hz = CNTFRQ_HZ};
    struct bbp_symbols s;
    u8 seed[64];
    bbp_write_bytes(&b->w, BBP_TAG_CMDLINE, cmdline, (u32)strlen(cmdline) + 1);
    bbp_write_blob(&b->w, BBP_TAG_DTB, b->dtb.phys, b->dtb_len);
    bbp_write_blob(&b->w, BBP_TAG_KERNEL_FILE, b->file.phys, b->job->req.kernel.len);
    if (b->plan.want.flags & BBP_WANT_SYMS &&
        br_elf_symbols(&b->plan.elf, &s.symtab_phys, &s.symtab_len, &s.strtab_phys, &s.strtab_len)) {
        s.symtab_phys += b->file.phys;
        s.strtab_phys += b->file.phys;
        bbp_write_bytes(&b->w, BBP_TAG_SYMBOLS, &s, sizeof s);
    }
    u64 rng = b->vm->mc.seed ? b->vm->mc.seed : 1;
    for (unsigned i = 0; i < sizeof seed; i += 8)
        st64(seed + i, rng_next(&rng));
    if (!b->vm->mc.deterministic && b->vm->mc.seed == 0)
        os_random(seed, sizeof seed);
    bbp_write_bytes(&b->w, BBP_TAG_ENTROPY, seed, sizeof seed);
    if (b->hw.console.type)
        bbp_write_bytes(&b->w, BBP_TAG_CONSOLE, &b->hw.console, sizeof b->hw.console);
    bbp_write_bytes(&b->w, BBP_TAG_LOADER, &name, sizeof name);
    if (b->plan.mmu_on) {
        struct bbp_paging pg = {b->entry.root_low, b->entry.root_high, b->plan.levels,
                                1u << b->plan.granule_shift, b->entry.mair, b->entry.tcr};
        bbp_write_bytes(&b->w, BBP_TAG_PAGING, &pg, sizeof pg);
    }
    bbp_write_bytes(&b->w, BBP_TAG_ENTRY_STATE, &state, sizeof state);
    bbp_write_bytes(&b->w, BBP_TAG_TIMES, &times, sizeof times);
}

static bool write_info(struct bbp *b, struct err *e)
{
    if (!bbp_write_begin(&b->w, b->info))
        return refuse(b, "no room for the information block", e);
    write_lists(b);
    write_facts(b);
    int missing = bbp_missing_tag(&b->w, &b->plan.want);
    if (missing >= 0) {
        char msg[160];
        snprintf(msg, sizeof msg, "the kernel requires tag %d (%s), which this machine cannot give", missing,
                 bbp_tag_name((u32)missing));
        return refuse(b, msg, e);
    }
    if (!bbp_write_end(&b->w, &b->plan, BBP_FEAT_NO_FIRMWARE | (b->plan.mmu_on ? BBP_FEAT_MMU_ON : 0)) ||
        bbp_check(b->info.bytes, b->info.len) != NULL)
        return refuse(b, "the information block does not check", e);
    return true;
}

/// The state that the loader's last jump would leave.
static bool enter(struct bbp *b, struct err *e)
{
    struct cpu *c = machine_cpu(b->vm->machine, 0);
    machine_set_entry(b->vm->machine, b->entry.pc, b->entry.arg, 0, 0, 0);
    bool ok = true;
    if (b->plan.mmu_on)
        ok = sysreg_set(c, "MAIR_EL1", b->entry.mair) && sysreg_set(c, "TCR_EL1", b->entry.tcr) &&
             sysreg_set(c, "TTBR0_EL1", b->entry.root_low) && sysreg_set(c, "TTBR1_EL1", b->entry.root_high) &&
             sysreg_set(c, "SCTLR_EL1", SCTLR_MMU_ON);
    if (b->plan.want.flags & BBP_WANT_FPU_ON)
        ok = ok && sysreg_set(c, "CPACR_EL1", 3u << 20);
    cpu_update_mode(c);
    c->x[REG_SP] = b->entry.sp;
    return ok || refuse(b, "the processor's state cannot be set", e);
}

bool bbp_boot(bruin_vm *vm, struct boot_job *job, struct err *e)
{
    struct bbp *b = xcalloc(1, sizeof *b);
    *b = (struct bbp){.vm = vm, .job = job, .next = vm->mc.ram_base};
    bool ok = make_plan(b, e) && place(b, e) && build_tables(b, e) && write_info(b, e) && enter(b, e);
    if (ok) {
        job->plan = (struct boot_plan){.kind = BOOT_KIND_ELF, .entry = b->entry.pc, .load_base = b->image.phys,
                                       .dtb = b->dtb.phys, .dtb_max = b->dtb.len, .seg_count = 1,
                                       .entry_virtual = b->plan.mmu_on};
        job->plan.seg[0] = (struct boot_seg){.what = "kernel", .gpa = b->image.phys, .va = b->plan.virt,
                                             .mem_len = b->image.len};
        vm->dtb_addr = b->dtb.phys;
        snprintf(vm->loaded, sizeof vm->loaded, "ELF by BBP %u.%u, MMU %s", b->plan.want.major,
                 b->plan.want.minor, b->plan.mmu_on ? "on" : "off");
    }
    free(b);
    return ok;
}
