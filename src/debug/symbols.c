/// Names for the addresses of a guest; see symbols.h.
#include "debug/symbols.h"

#include "base/text.h"
#include "cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILES_MAX = 16, TRIES_MAX = 6, HEADER = 64 };
#define IMAGE_MAGIC 0x644d5241u
#define SCAN_STEP (64 * KIB)
#define SCAN_MAX (1024 * MIB)
#define IMAGE_MIN (4 * MIB)
#define IMAGE_MAX (256 * MIB)
#define IMAGE_GUESS (96 * MIB)

struct symbols {
    struct machine *m;
    struct {
        struct symtab *t;
        u64 shift;
    } file[FILES_MAX];
    unsigned files;
    bool has_plan, may_search;
    struct boot_plan plan;
    u64 slide; ///< of the files' symbols, when the kernel moved itself
    bool slide_known;
    /* The kernel in memory; addresses of the table are relative to its image. */
    struct symtab *kallsyms;
    gpa_t image;
    u64 image_size;
    gva_t base;   ///< virtual address of the image: by its link address until confirmed
    bool base_known;
    unsigned tries;
    u64 tried_at; ///< exceptions of cpu 0: a measure of progress
};

struct symbols *symbols_new(struct machine *m)
{
    struct symbols *s = xcalloc(1, sizeof *s);
    s->m = m;
    return s;
}

static void forget_kernel(struct symbols *s)
{
    symtab_free(s->kallsyms);
    s->kallsyms = NULL;
    s->base = 0;
    s->base_known = s->slide_known = false;
    s->slide = 0;
    s->tries = 0;
    s->tried_at = ~0ULL;
}

void symbols_free(struct symbols *s)
{
    if (s == NULL)
        return;
    forget_kernel(s);
    for (unsigned i = 0; i < s->files; i++)
        symtab_free(s->file[i].t);
    free(s);
}

void symbols_loaded(struct symbols *s, const struct boot_plan *plan)
{
    forget_kernel(s);
    s->has_plan = plan != NULL;
    if (plan)
        s->plan = *plan;
}

void symbols_add(struct symbols *s, struct symtab *t, u64 shift)
{
    if (t == NULL || s->files == FILES_MAX) {
        symtab_free(t);
        return;
    }
    s->file[s->files].t = t;
    s->file[s->files++].shift = shift;
}

/* ---- the kernel in memory ---- */

static const u8 *header_at(struct symbols *s, gpa_t pa, u64 *size)
{
    const u8 *h = mem_host(machine_mem(s->m), pa, HEADER);
    if (h == NULL || ld32(h + 56) != IMAGE_MAGIC)
        return NULL;
    *size = ld64(h + 16);
    if (*size < IMAGE_MIN || *size > IMAGE_MAX)
        return NULL;
    return mem_host(machine_mem(s->m), pa, *size);
}

static bool try_image(struct symbols *s, gpa_t pa, u64 size)
{
    u64 base;
    const u8 *p = mem_host(machine_mem(s->m), pa, size);
    struct symtab *t = p ? kallsyms_find(p, size, &base) : NULL;
    if (t == NULL)
        return false;
    symtab_free(s->kallsyms);
    s->kallsyms = t;
    s->image = pa;
    s->image_size = size;
    s->base = base;
    return true;
}

/// A boot by EFI copies the kernel elsewhere: of several images the one that runs is wanted.
static bool is_running(struct symbols *s)
{
    struct cpu *c;
    struct xlat w;
    for (unsigned i = 0; (c = machine_cpu(s->m, i)) != NULL; i++) {
        if ((c->mode & MODE_MMU) ? s->base && mmu_walk(c, s->base + 0x10000, &w) && w.pa == s->image + 0x10000
                                 : c->pc - s->image < s->image_size)
            return true;
    }
    return false;
}

/// A kernel that runs has freed the page of its header. Its vectors lie near its start.
static bool try_by_vectors(struct symbols *s)
{
    const struct machine_config *cfg = machine_config(s->m);
    struct cpu *c = machine_cpu(s->m, 0);
    u64 vbar = c->sr[SYSREG_VBAR_EL1];
    struct xlat w;
    if (!(c->mode & MODE_MMU) || !bit(vbar, 63) || !mmu_walk(c, vbar, &w) || w.pa - cfg->ram_base >= cfg->ram_size)
        return false;
    gpa_t pa = align_down(w.pa, 2 * MIB);
    u64 left = cfg->ram_base + cfg->ram_size - pa;
    return try_image(s, pa, left < IMAGE_GUESS ? left : IMAGE_GUESS);
}

static void find_kallsyms(struct symbols *s)
{
    const struct machine_config *cfg = machine_config(s->m);
    u64 progress = machine_cpu(s->m, 0)->exceptions, size;
    bool linux_plan = s->has_plan && (s->plan.kind == BOOT_KIND_IMAGE || s->plan.image.image_size_field);
    if (!s->may_search || s->kallsyms || s->tries >= TRIES_MAX || s->tried_at == progress || (s->has_plan && !linux_plan))
        return;
    s->tries++;
    s->tried_at = progress;
    if (linux_plan && try_image(s, s->plan.load_base, s->plan.image.image_size))
        return;
    if (!s->has_plan && try_by_vectors(s))
        return;
    u64 end = cfg->ram_size < SCAN_MAX ? cfg->ram_size : SCAN_MAX;
    for (u64 off = 0; off + HEADER < end && !s->has_plan; off += SCAN_STEP)
        if (header_at(s, cfg->ram_base + off, &size) && try_image(s, cfg->ram_base + off, size) && is_running(s))
            return;
}

/// Where the image is mapped: by the word that the kernel itself relocated, or by its vectors.
static void confirm_base(struct symbols *s)
{
    const struct sym *v;
    struct cpu *c = machine_cpu(s->m, 0);
    u64 vbar = c->sr[SYSREG_VBAR_EL1];
    struct xlat w;
    if (s->kallsyms == NULL || s->base_known || !(c->mode & MODE_MMU))
        return;
    v = symtab_by_name(s->kallsyms, "vectors");
    if (v && bit(vbar, 63) && ((vbar - v->addr) & 0xffff) == 0) {
        s->base = vbar - v->addr;
        s->base_known = true;
    } else if (s->base && mmu_walk(c, s->base + 0x10000, &w) && w.pa == s->image + 0x10000) {
        s->base_known = true;
    }
}

/// Kernels randomise their addresses; the vector table tells by how much those of the files are off.
static void find_slide(struct symbols *s)
{
    const struct sym *v = NULL;
    u64 vbar = machine_cpu(s->m, 0)->sr[SYSREG_VBAR_EL1];
    bool kernel = s->has_plan && (s->plan.image.image_size_field > IMAGE_MIN || (s->plan.seg_count && s->plan.seg[0].file_len > IMAGE_MIN));
    if (s->slide_known || !kernel || !bit(vbar, 63))
        return;
    for (unsigned i = 0; i < s->files && v == NULL; i++)
        v = s->file[i].shift ? NULL : symtab_by_name(s->file[i].t, "vectors");
    if (v == NULL || ((vbar - v->addr) & 0xffff))
        return;
    s->slide = vbar - v->addr;
    s->slide_known = true;
}

/* ---- look-ups ---- */

void symbols_allow_search(struct symbols *s, bool allow) { s->may_search = allow; }

bool symbols_any(struct symbols *s)
{
    if (s->files == 0)
        find_kallsyms(s);
    return s->files || s->kallsyms;
}

/// Physical addresses of the loaded kernel -> the addresses it was linked for.
static u64 to_link(const struct symbols *s, u64 addr)
{
    for (unsigned i = 0; s->has_plan && i < s->plan.seg_count; i++) {
        const struct boot_seg *g = &s->plan.seg[i];
        if (addr >= g->gpa && addr - g->gpa < g->mem_len && g->va)
            return g->va + (addr - g->gpa);
    }
    return addr;
}

static const struct sym *by_addr(struct symbols *s, u64 addr, u64 *off)
{
    const struct sym *y = NULL, *best = NULL;
    u64 o;
    find_slide(s);
    for (unsigned i = 0; i < s->files; i++) {
        u64 link = to_link(s, addr);
        u64 at = s->file[i].shift ? addr - s->file[i].shift : link == addr ? addr - s->slide : link;
        y = symtab_by_addr(s->file[i].t, at, &o);
        if (y && (best == NULL || o < *off)) { /* the nearest below wins among files */
            best = y;
            *off = o;
        }
    }
    if (best)
        return best;
    find_kallsyms(s);
    if (s->kallsyms == NULL)
        return NULL;
    confirm_base(s);
    if (addr - s->image < s->image_size)
        return symtab_by_addr(s->kallsyms, addr - s->image, off);
    if (s->base && addr - s->base < s->image_size)
        return symtab_by_addr(s->kallsyms, addr - s->base, off);
    return NULL;
}

const char *symbols_name(struct symbols *s, u64 addr, char *buf, size_t size)
{
    u64 off = 0;
    const struct sym *y = s ? by_addr(s, addr, &off) : NULL;
    if (y == NULL)
        buf[0] = 0;
    else if (off)
        snprintf(buf, size, "%.60s+0x%llx", y->name, (unsigned long long)off);
    else
        snprintf(buf, size, "%.60s", y->name);
    text_clean(buf);
    return buf;
}

/// Linux without the ELF file: a System.map tells how far a symbol is from the start of the Image, and the Image
/// stays where it was loaded, wherever it will be mapped. While its slide is not known, that is all there is.
static bool image_address(struct symbols *s, const struct symtab *t, u64 link, u64 *pa)
{
    const struct sym *text = symtab_by_name(t, "_text"), *here = symtab_by_name(t, "vectors"), *there;
    u64 base;
    if (!s->has_plan || s->plan.kind != BOOT_KIND_IMAGE || s->slide_known)
        return false;
    if (text) {
        base = text->addr;
    } else { /* not in every table: what the image itself says of a symbol that both have */
        find_kallsyms(s);
        there = s->kallsyms ? symtab_by_name(s->kallsyms, "vectors") : NULL;
        if (here == NULL || there == NULL)
            return false;
        base = here->addr - there->addr;
    }
    *pa = s->plan.load_base + (link - base);
    return link - base < s->plan.image.image_size;
}

/// A file's symbol: physical while the kernel's segments are where they were loaded and the MMU is off.
static u64 file_address(struct symbols *s, const struct symtab *t, u64 link, bool *physical)
{
    bool mmu = machine_cpu(s->m, 0)->mode & MODE_MMU;
    u64 pa;
    if (image_address(s, t, link, &pa)) {
        *physical = true;
        return pa;
    }
    for (unsigned i = 0; s->has_plan && i < s->plan.seg_count; i++) {
        const struct boot_seg *g = &s->plan.seg[i];
        if (g->va && !mmu && link >= g->va && link - g->va <= g->mem_len) {
            *physical = g->gpa != g->va;
            return g->gpa + (link - g->va);
        }
    }
    return link + s->slide;
}

bool symbols_find(struct symbols *s, const char *name, u64 *addr, bool *physical)
{
    const struct sym *y;
    bool unused;
    physical = physical ? physical : &unused;
    *physical = false;
    if (s == NULL)
        return false;
    find_slide(s);
    for (unsigned i = 0; i < s->files; i++)
        if ((y = symtab_by_name(s->file[i].t, name)) != NULL) {
            *addr = s->file[i].shift ? y->addr + s->file[i].shift : file_address(s, s->file[i].t, y->addr, physical);
            return true;
        }
    find_kallsyms(s);
    confirm_base(s);
    y = s->kallsyms ? symtab_by_name(s->kallsyms, name) : NULL;
    if (y == NULL)
        return false;
    *addr = s->base_known ? s->base + y->addr : s->image + y->addr;
    *physical = !s->base_known;
    return true;
}

static const char *name_at(void *ctx, size_t i)
{
    const struct symtab *t = ctx;
    return i < symtab_count(t) ? symtab_at(t, i)->name : NULL;
}
const char *symbols_nearest(struct symbols *s, const char *name)
{
    const char *near = NULL;
    for (unsigned i = 0; i < s->files && near == NULL; i++)
        near = text_nearest(name, name_at, s->file[i].t);
    if (near == NULL && s->kallsyms)
        near = text_nearest(name, name_at, s->kallsyms);
    return near;
}
