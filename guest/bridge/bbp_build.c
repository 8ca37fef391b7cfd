/// From a kernel file to a machine state that may be entered. docs/boot-protocol.md is the text.
#include "bbp_build.h"

enum { KIB_64 = 65536, STACK_MAX = 16 << 20, LOW_TABLES = 16 };
typedef unsigned long long ull;

/// --- deciding ---------------------------------------------------------------------------------

static bool read_want(struct bbp_plan *p, struct br_why *why)
{
    u32 len = 0;
    const u8 *note = br_elf_note(&p->elf, BBP_NOTE_NAME, BBP_NOTE_TYPE, &len);
    struct bbp_want *w = &p->want;
    if (p->env.want) {
        *w = *p->env.want;
        return true;
    }
    if (!note)
        return br_fail(why, "the kernel carries no BBP note, so nothing says how to enter it: put a "
                       "struct bbp_want into section .note.bbp (PT_NOTE), or Limine requests into its "
                       "data, or choose another protocol in the configuration");
    memset(w, 0, sizeof *w);
    memcpy(w, note, len < sizeof *w ? len : sizeof *w);
    if (len < 16 || w->size < 16 || w->size > len)
        return br_fail(why, "the BBP note is %u bytes and claims %u; wanted %u", len, w->size,
                       (u32)sizeof *w);
    if (w->major != BBP_MAJOR)
        return br_fail(why, "the kernel wants BBP %u.%u; this loader speaks %d.%d", w->major,
                       w->minor, BBP_MAJOR, BBP_MINOR);
    if (w->arch != p->env.arch)
        return br_fail(why, "the BBP note names machine %u; this machine is %u", w->arch,
                       p->env.arch);
    u32 unknown = w->flags & ~(u32)BBP_WANT_KNOWN;
    if (unknown)
        return br_fail(why, "the BBP note asks for flags 0x%x, which this loader does not offer",
                       unknown);
    return true;
}

static bool check_offers(const struct bbp_plan *p, struct br_why *why)
{
    u32 f = p->want.flags;
    bool arm = p->env.arch == BR_ARCH_AARCH64;
    if (f & BBP_WANT_NEED_DTB && !p->env.has_dtb)
        return br_fail(why, "the kernel needs a device tree and the firmware publishes none: give "
                       "one with dtb_path, or run with ACPI off");
    if (f & BBP_WANT_NEED_ACPI && !p->env.has_acpi)
        return br_fail(why, "the kernel needs ACPI and the firmware publishes no RSDP");
    if (!arm && f & (BBP_WANT_MMU_OFF | BBP_WANT_STAY_EL2 | BBP_WANT_VHE))
        return br_fail(why, "the BBP note asks for MMU_OFF, STAY_EL2 or VHE, which x86_64 long mode "
                       "cannot give: clear the flag");
    if (f & BBP_WANT_VHE && !(f & BBP_WANT_STAY_EL2))
        return br_fail(why, "the BBP note asks for VHE without STAY_EL2: set both");
    if (f & BBP_WANT_VHE && p->env.at_el2 && !p->env.has_vhe)
        return br_fail(why, "the kernel wants VHE and this CPU has none (ID_AA64MMFR1_EL1.VH=0): use "
                       "a CPU with FEAT_VHE or clear the flag");
    if (f & BBP_WANT_STAY_EL2 && !(f & BBP_WANT_VHE) && !(f & BBP_WANT_MMU_OFF))
        return br_fail(why, "STAY_EL2 with the MMU on needs VHE (EL2 alone has no TTBR1): add VHE or "
                       "MMU_OFF");
    return true;
}

static bool choose_paging(struct bbp_plan *p, struct br_why *why)
{
    u8 min = p->want.levels_min ? p->want.levels_min : 3;
    u8 max = p->want.levels_max ? p->want.levels_max : 5;
    u8 mask = p->want.granule_mask ? p->want.granule_mask : BBP_GRANULE_4K;
    if (p->env.arch == BR_ARCH_X86_64) {
        p->granule_shift = 12;
        p->levels = p->env.levels;
        if ((p->levels < min || p->levels > max) && p->env.levels_other)
            p->levels = p->env.levels_other;
        if (p->levels < min || p->levels > max)
            return br_fail(why, "the CPU runs with %u-level paging; the kernel accepts %u to %u",
                           p->levels, min, max);
        return true;
    }
    u8 can = mask & p->env.granules;
    if (!can)
        return br_fail(why, "the kernel accepts granules 0x%x and this CPU implements 0x%x (1: 4K, "
                       "2: 16K, 4: 64K)", mask, p->env.granules);
    p->granule_shift = can & BBP_GRANULE_4K ? 12 : can & BBP_GRANULE_16K ? 14 : 16;
    u8 full = p->granule_shift == 16 ? 3 : 4;
    p->levels = max < full ? max : full;
    if (p->levels < 3 || min > p->levels)
        return br_fail(why, "the kernel accepts %u to %u levels of tables; this granule gives %u",
                       min, max, full);
    return true;
}

static unsigned va_bits(const struct bbp_plan *p)
{
    unsigned bits = p->granule_shift + p->levels * (p->granule_shift - 3u);
    if (p->env.arch == BR_ARCH_X86_64)
        return bits - 1;
    return bits > 48 ? 48 : bits;
}

/// Segments of different rights must not share a page of the granule in use.
static bool check_granule(const struct bbp_plan *p, struct br_why *why)
{
    u64 g = 1ULL << p->granule_shift;
    for (unsigned i = 0; i + 1 < p->elf.count; i++) {
        const struct br_segment *a = &p->elf.seg[i], *b = a + 1;
        if (a->flags != b->flags && br_down(b->vaddr, g) < br_up(a->vaddr + a->memsz, g))
            return br_fail(why, "segments %u and %u share a page of %llu bytes: link with "
                           "-z max-page-size=%llu", i, i + 1, (ull)g, (ull)g);
    }
    if (p->elf.lo & (g - 1))
        return br_fail(why, "the image starts at 0x%llx, not on a page of %llu bytes",
                       (ull)p->elf.lo, (ull)g);
    return true;
}

static bool choose_addresses(struct bbp_plan *p, struct br_why *why)
{
    u32 f = p->want.flags;
    unsigned bits = va_bits(p);
    u64 g = 1ULL << p->granule_shift, span = br_up(p->elf.hi - p->elf.lo, g);
    p->image_align = p->elf.align > g ? p->elf.align : g;
    p->image_len = span;
    p->needs_phys = f & BBP_WANT_PHYS_LINK && !p->elf.is_pie;
    p->phys = p->needs_phys ? p->elf.lo : 0;
    p->virt = p->elf.lo;
    bool high = ~p->elf.lo >> bits == 0;
    if (p->elf.is_pie && f & BBP_WANT_KASLR_OK && p->env.kaslr && p->env.random && high) {
        u64 room = (0 - (2ULL << 20) - p->elf.lo - span) >> 21;
        p->slide = room < 4096 ? (p->env.random % (room + 1)) << 21 : (p->env.random % 512) << 21;
        p->virt += p->slide;
    }
    if (!p->mmu_on || f & BBP_WANT_PHYS_LINK)
        return true;
    bool low = p->virt + span - 1 <= (1ULL << bits) - 1 && p->virt + span > p->virt;
    if (!low && !(high && (p->virt + span - 1) >> 63))
        return br_fail(why, "the image 0x%llx+0x%llx lies outside the %u-bit address space",
                       (ull)p->virt, (ull)span, bits);
    if (p->virt == 0)
        return br_fail(why, "the image is linked at address 0, where a null pointer would be valid: "
                       "link it in the upper half, or set PHYS_LINK");
    return true;
}

bool bbp_plan_make(struct bbp_plan *p, const void *file, u64 len, const struct bbp_env *env,
                   struct br_why *why)
{
    memset(p, 0, sizeof *p);
    p->env = *env;
    if (!br_elf_check(file, len, env->arch, &p->elf, why) || !read_want(p, why) ||
        !check_offers(p, why) || !choose_paging(p, why) || !check_granule(p, why))
        return false;
    p->mmu_on = !(p->want.flags & BBP_WANT_MMU_OFF);
    p->entry_el2 = p->want.flags & BBP_WANT_STAY_EL2 && env->at_el2;
    p->vhe = p->entry_el2 && p->want.flags & BBP_WANT_VHE;
    u64 g = 1ULL << p->granule_shift;
    u64 stack = p->want.stack_size ? p->want.stack_size : KIB_64;
    if (stack > STACK_MAX)
        return br_fail(why, "the kernel wants a boot stack of %llu bytes; at most 16 MiB", (ull)stack);
    p->stack_len = br_up(stack, g);
    p->hhdm_base = p->want.hhdm_base;
    if (!p->mmu_on)
        p->hhdm_base = 0;
    else if (!p->hhdm_base)
        p->hhdm_base = 0 - (1ULL << (va_bits(p) - (env->arch == BR_ARCH_AARCH64)));
    if (p->mmu_on && (~p->hhdm_base >> va_bits(p) || p->hhdm_base & ((1ULL << 30) - 1)))
        return br_fail(why, "hhdm_base 0x%llx is not in the upper half or not a multiple of 1 GiB",
                       (ull)p->hhdm_base);
    return choose_addresses(p, why);
}

/// --- placing ----------------------------------------------------------------------------------

bool bbp_place(struct bbp_plan *p, struct br_area image, struct br_why *why)
{
    if (image.phys & (p->image_align - 1) || (p->needs_phys && image.phys != p->phys))
        return br_fail(why, "the image was given 0x%llx; wanted alignment 0x%llx",
                       (ull)image.phys, (ull)p->image_align);
    p->phys = image.phys;
    if (p->want.flags & BBP_WANT_PHYS_LINK) {
        p->slide = p->phys - p->elf.lo;
        p->virt = p->phys;
    }
    return br_elf_load(&p->elf, image.bytes, image.len, p->slide, why);
}

/// --- mapping ----------------------------------------------------------------------------------

u64 bbp_pool_len(const struct bbp_plan *p, const struct br_memmap *map)
{
    // Roots, and per mapped range at most two chains of tables below the root for its two ends.
    u64 ranges = map->count + 2 * (p->elf.count + 10u);
    u64 tables = 2 + ranges * 2 * (p->levels - 1u);
    if (p->env.want)
        tables += ranges * (p->levels - 1u); // a one-to-one mapping beside the direct map
    // x86_64 has no 1 GiB blocks: one table of 2 MiB blocks per GiB of RAM.
    for (u32 i = 0; i < map->count; i++)
        if (br_mem_is_ram(map->v[i].type))
            tables += map->v[i].len >> (p->granule_shift == 12 ? 30 : 35);
    return (tables + LOW_TABLES) << p->granule_shift;
}

/// One call of bbp_map, to keep argument lists short.
struct mapper {
    const struct bbp_plan *p;
    struct br_pt *pt;
    struct br_why *why;
};

static bool map_range(const struct mapper *m, const char *what, u64 va, u64 pa, u64 len, u32 flags)
{
    u64 g = 1ULL << m->p->granule_shift;
    u64 skew = pa & (g - 1);
    if (br_pt_map(m->pt, va - skew, pa - skew, br_up(len + skew, g), flags))
        return true;
    return br_fail(m->why, "cannot map the %s at 0x%llx to 0x%llx+0x%llx: something else is mapped "
                   "there, or the tables are full (%llu of %llu bytes)", what, (ull)va, (ull)pa,
                   (ull)len, (ull)m->pt->used, (ull)m->pt->pool.len);
}

static bool map_image(const struct mapper *m)
{
    const struct bbp_plan *p = m->p;
    u64 g = 1ULL << p->granule_shift;
    for (unsigned i = 0; i < p->elf.count; i++) {
        const struct br_segment *s = &p->elf.seg[i];
        u64 start = br_down(s->vaddr, g), end = br_up(s->vaddr + s->memsz, g);
        // Segments of equal rights may share a page: the first one maps it.
        if (i && start < br_up(s[-1].vaddr + s[-1].memsz, g))
            start = br_up(s[-1].vaddr + s[-1].memsz, g);
        u32 flags = (s->flags & BR_SEG_W ? BR_MAP_W : 0) | (s->flags & BR_SEG_X ? BR_MAP_X : 0);
        if (start < end && !map_range(m, "kernel", start + p->slide, p->phys + (start - p->elf.lo),
                                      end - start, flags))
            return false;
    }
    return true;
}

/// Maps the RAM of the map at hhdm_base; the kernel's own image is read-only there, so that no
/// second, writable view of its code exists. Neighbouring ranges of equal rights become one, which
/// lets the tables use large blocks.
static bool map_hhdm(const struct mapper *m, const struct br_memmap *map)
{
    u64 g = 1ULL << m->p->granule_shift, limit = 0 - m->p->hhdm_base, end = 0;
    // With the image in the high half, the direct map must stay below it.
    if (m->p->virt >> 63 && m->p->virt > m->p->hhdm_base)
        limit = m->p->virt - m->p->hhdm_base;
    for (u32 i = 0; i < map->count;) {
        u64 base = br_down(map->v[i].base, g);
        bool ram = br_mem_is_ram(map->v[i].type), kernel = map->v[i].type == BBP_MEM_KERNEL;
        u64 stop = br_up(map->v[i].base + map->v[i].len, g);
        for (i++; ram && i < map->count && br_down(map->v[i].base, g) <= stop &&
                  br_mem_is_ram(map->v[i].type) && (map->v[i].type == BBP_MEM_KERNEL) == kernel;
             i++)
            stop = br_up(map->v[i].base + map->v[i].len, g);
        base = base < end ? end : base;
        if (!ram || base >= stop)
            continue;
        if (stop > limit)
            return br_fail(m->why, "RAM up to 0x%llx does not fit between hhdm_base 0x%llx and the "
                           "kernel at 0x%llx: lower hhdm_base", (ull)stop,
                           (ull)m->p->hhdm_base, (ull)m->p->virt);
        if (!map_range(m, "direct map", m->p->hhdm_base + base, base, stop - base,
                       kernel ? 0 : BR_MAP_W))
            return false;
        end = stop;
    }
    return true;
}

static bool is_mapped(const struct mapper *m, u64 va)
{
    struct br_walk w;
    return br_pt_walk(m->pt, va, &w);
}

/// Fills what is still unmapped in [va, va + len) with one-to-one blocks.
static bool fill_holes(const struct mapper *m, u64 va, u64 pa, u64 len, u32 flags)
{
    u64 g = 1ULL << m->p->granule_shift, block = g << (m->p->granule_shift - 3u);
    for (u64 off = 0; off < len;) {
        struct br_walk w;
        bool whole = !((va + off) & (block - 1)) && len - off >= block;
        bool mapped = br_pt_walk(m->pt, va + off, &w);
        // A walk that ends above the last level speaks for the whole block, free or mapped.
        u64 step = whole && w.level < (m->p->levels > 4 ? 4 : 3) ? block : g;
        if (!mapped && !map_range(m, "low memory", va + off, pa + off, step, flags))
            return false;
        off += step;
    }
    return true;
}

static bool map_low(const struct mapper *m, const struct br_memmap *map,
                    const struct bbp_places *at)
{
    u64 g = 1ULL << m->p->granule_shift;
    if (at->cover_4g &&
        !fill_holes(m, m->p->hhdm_base, 0, 4ULL << 30, BR_MAP_W | BR_MAP_DEVICE))
        return false;
    for (u32 i = 0; at->identity && i < map->count; i++) {
        u64 from = br_down(map->v[i].base, g), to = br_up(map->v[i].base + map->v[i].len, g);
        from = from ? from : g; // address 0 stays unmapped
        if (br_mem_is_ram(map->v[i].type) && from < to &&
            !fill_holes(m, from, from, to - from, BR_MAP_W | BR_MAP_X))
            return false;
    }
    return !at->identity || fill_holes(m, g, g, (4ULL << 30) - g, BR_MAP_W | BR_MAP_DEVICE);
}

static bool map_extras(const struct mapper *m, const struct bbp_places *at)
{
    u64 hhdm = m->p->hhdm_base;
    u64 g = 1ULL << m->p->granule_shift;
    for (unsigned i = 0; i < ARRAY_LEN(at->device); i++)
        if (at->device[i] && !is_mapped(m, hhdm + at->device[i]) &&
            !map_range(m, "console", hhdm + at->device[i], at->device[i], 1,
                       BR_MAP_W | BR_MAP_DEVICE))
            return false;
    if (at->fb_len && !is_mapped(m, hhdm + at->fb_phys) &&
        !map_range(m, "framebuffer", hhdm + at->fb_phys, at->fb_phys, at->fb_len,
                   BR_MAP_W | BR_MAP_UNCACHED))
        return false;
    u64 dtb_end = br_up(at->dtb_phys + at->dtb_len, g);
    for (u64 a = br_down(at->dtb_phys, g); at->dtb_len && a < dtb_end; a += g)
        if (!is_mapped(m, hhdm + a) && !map_range(m, "device tree", hhdm + a, a, g, 0))
            return false;
    return !at->trampoline || map_range(m, "loader's trampoline page", at->trampoline,
                                        at->trampoline, 1, BR_MAP_X);
}

/// The check before the jump: the page must be there and have exactly the rights wanted.
static bool verify(const struct mapper *m, const char *what, u64 va, u64 pa, u32 want)
{
    struct br_walk w;
    if (!br_pt_walk(m->pt, va, &w))
        return br_fail(m->why, "%s 0x%llx is not mapped: the walk ends at level %u with descriptor "
                       "0x%llx", what, (ull)va, w.level, (ull)w.descriptor);
    if (w.pa != pa)
        return br_fail(m->why, "%s 0x%llx maps to 0x%llx; wanted 0x%llx", what, (ull)va, (ull)w.pa,
                       (ull)pa);
    if ((w.flags & (BR_MAP_W | BR_MAP_X)) != want)
        return br_fail(m->why, "%s 0x%llx is mapped %s%s (descriptor 0x%llx); wanted %s", what,
                       (ull)va, w.flags & BR_MAP_W ? "writable " : "read-only ",
                       w.flags & BR_MAP_X ? "executable" : "execute-never", (ull)w.descriptor,
                       want == BR_MAP_X ? "read-only executable" : "writable execute-never");
    return true;
}

bool bbp_map(const struct bbp_plan *p, const struct br_memmap *map, const struct bbp_places *at,
             struct br_area pool, struct br_pt *pt, struct bbp_entry *entry, struct br_why *why)
{
    struct mapper m = {p, pt, why};
    u64 entry_phys = p->phys + (p->elf.entry - p->elf.lo);
    memset(entry, 0, sizeof *entry);
    if (!p->mmu_on) {
        entry->pc = entry_phys;
        entry->sp = at->stack.phys + at->stack.len;
        entry->arg = at->info_phys;
        return true;
    }
    if (!br_pt_init(pt, p->env.arch, p->granule_shift, p->levels, pool))
        return br_fail(why, "0x%llx+0x%llx is no usable pool for page tables", (ull)pool.phys,
                       (ull)pool.len);
    if (!map_image(&m) || !map_hhdm(&m, map) || !map_extras(&m, at) || !map_low(&m, map, at))
        return false;
    entry->pc = p->elf.entry + p->slide;
    entry->sp = p->hhdm_base + at->stack.phys + at->stack.len;
    entry->arg = p->hhdm_base + at->info_phys;
    entry->root_low = pt->root_low;
    entry->root_high = pt->root_high;
    entry->mair = BR_MAIR;
    entry->tcr = br_pt_tcr(pt, p->env.pa_range);
    return verify(&m, "the kernel's entry", entry->pc, entry_phys, BR_MAP_X) &&
           verify(&m, "the boot stack", entry->sp - 8, at->stack.phys + at->stack.len - 8,
                  BR_MAP_W) &&
           verify(&m, "the information block", entry->arg, at->info_phys, BR_MAP_W) &&
           (!at->trampoline ||
            verify(&m, "the trampoline", at->trampoline, at->trampoline, BR_MAP_X));
}

/// --- writing the block ------------------------------------------------------------------------

bool bbp_write_begin(struct bbp_writer *w, struct br_area block)
{
    u64 head = sizeof(struct bbp_info) + BBP_TAGS_MAX * sizeof(struct bbp_tag);
    *w = (struct bbp_writer){block.bytes, block.phys, block.len, br_up(head, 8), false};
    if (block.len < w->used || block.len > UINT32_MAX || block.phys & 4095)
        return false;
    memset(block.bytes, 0, block.len);
    struct bbp_info *h = (struct bbp_info *)(void *)block.bytes;
    h->tag_off = sizeof *h;
    return true;
}

static void *reserve(struct bbp_writer *w, u64 len)
{
    u64 need = br_up(len, 8);
    if (w->is_full || need > w->cap - w->used) {
        w->is_full = true;
        return NULL;
    }
    void *at = w->base + w->used;
    w->used += need;
    return at;
}

void *bbp_write_tag(struct bbp_writer *w, u32 type, u32 len)
{
    struct bbp_info *h = (struct bbp_info *)(void *)w->base;
    if (h->tag_count == BBP_TAGS_MAX)
        w->is_full = true;
    u8 *body = reserve(w, len);
    if (!body)
        return NULL;
    struct bbp_tag *t = (struct bbp_tag *)(void *)(w->base + h->tag_off) + h->tag_count++;
    *t = (struct bbp_tag){type, 0, (u32)(body - w->base), len};
    return body;
}

void bbp_write_bytes(struct bbp_writer *w, u32 type, const void *body, u32 len)
{
    void *at = bbp_write_tag(w, type, len);
    if (at)
        memcpy(at, body, len);
}

void bbp_write_blob(struct bbp_writer *w, u32 type, u64 phys, u64 len)
{
    struct bbp_blob blob = {phys, len};
    if (phys)
        bbp_write_bytes(w, type, &blob, sizeof blob);
}

u32 bbp_write_text(struct bbp_writer *w, const char *s)
{
    u64 n = br_strlen(s) + 1;
    u8 *at = reserve(w, n);
    if (!at)
        return 0;
    memcpy(at, s, n);
    return (u32)(at - w->base);
}

int bbp_missing_tag(const struct bbp_writer *w, const struct bbp_want *want)
{
    const struct bbp_info *h = (const struct bbp_info *)(const void *)w->base;
    for (unsigned t = 0; t < 128; t++)
        if (want->required_tags[t / 32] >> t % 32 & 1 && !bbp_find(h, t, NULL))
            return (int)t;
    return -1;
}

bool bbp_write_end(struct bbp_writer *w, const struct bbp_plan *p, u64 features)
{
    struct bbp_info *h = (struct bbp_info *)(void *)w->base;
    if (w->is_full)
        return false;
    memcpy(h->magic, BBP_MAGIC, 8);
    h->major = BBP_MAJOR;
    h->minor = BBP_MINOR;
    h->header_size = sizeof *h;
    h->total_size = (u32)w->used;
    h->features = features | (p->mmu_on ? BBP_FEAT_MMU_ON : 0) | (p->slide ? BBP_FEAT_KASLR : 0) |
                  (p->entry_el2 ? BBP_FEAT_EL2 : 0) | (p->vhe ? BBP_FEAT_VHE : 0) |
                  (p->env.at_el2 ? BBP_FEAT_FROM_EL2 : 0) |
                  (p->want.flags & BBP_WANT_FPU_ON ? BBP_FEAT_FPU : 0);
    h->hhdm_base = p->hhdm_base;
    h->info_phys = w->phys;
    h->kernel_phys = p->phys;
    h->kernel_virt = p->virt;
    h->kernel_size = p->image_len;
    h->kaslr_slide = p->slide;
    h->crc32c = 0;
    h->crc32c = br_crc32c(0, h, h->total_size);
    return true;
}

const char *bbp_tag_name(u32 type)
{
    static const char names[BBP_TAG_LOG + 1][16] = {
        "?", "MEMMAP", "EFI_MEMMAP", "FRAMEBUFFER", "RSDP", "SMBIOS", "DTB", "EFI_ST", "CMDLINE",
        "MODULE", "CPUS", "SYMBOLS", "KERNEL_FILE", "LOADER", "TIMES", "ENTROPY", "CONSOLE",
        "?", "?", "PAGING", "ENTRY_STATE", "LOG"};
    return names[type <= BBP_TAG_LOG ? type : 0];
}
