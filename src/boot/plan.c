/// The planner: where kernel, DTB and initrd go. Sources of the constraints: Linux "Booting
/// AArch64 Linux" (2 MiB base, DTB of at most 2 MiB, initrd within 32 GiB); what QEMU does with
/// kernels that have no header, since many were written against it.
#include "boot/boot.h"

#include "a64/insn.h"

#include <stdio.h>

/// Where a raw binary goes, as an offset from the start of RAM.
#define RAW_OFFSET 0x80000
#define INITRD_ALIGN (64 * KIB)
#define INITRD_WINDOW (32 * GIB)

typedef unsigned long long ull;

/// A range that is taken.
struct range {
    char what[40];
    gpa_t gpa;
    u64 len;
};
struct layout {
    struct range r[BOOT_SEGS_MAX + BOOT_FLATS_MAX + 4];
    unsigned count;
    gpa_t ram_base;
    u64 ram_size;
    const char *name; ///< of the kernel file
};

static u64 mib_up(u64 bytes) { return (bytes + MIB - 1) / MIB; }

/// A round number of MiB that would surely do for `need` bytes.
static u64 advise_mib(u64 need)
{
    u64 mib = 64;
    while (mib < (1ULL << 40) && mib * MIB < need * 2)
        mib *= 2;
    return mib;
}

/// Where other boards have RAM: the usual reason for an address outside ours.
static const char *address_hint(gpa_t gpa)
{
    if (gpa == 0x80000 || gpa == 0x200000)
        return "; that is where Raspberry Pi firmware loads kernels: link for 0x40080000 here";
    if (gpa >> 48)
        return "; that is a virtual address: give the segments physical load addresses (AT> in the "
               "linker script)";
    if (gpa < 0x08000000)
        return "; that is flash on this board: link for 0x40080000 here";
    if (gpa < 0x40000000)
        return "; devices live there on this board: link for 0x40080000 here";
    return "";
}

static bool take(struct layout *l, const char *what, gpa_t gpa, u64 len, struct err *e)
{
    if (gpa < l->ram_base || !range_ok(gpa - l->ram_base, len, l->ram_size)) {
        bool is_small = gpa >= l->ram_base && gpa - l->ram_base < (64ULL << 30);
        if (is_small)
            return err_set(e, ERR_FORMAT,
                           "%s: %s needs 0x%llx-0x%llx (%llu MiB) but RAM is 0x%llx-0x%llx (%llu MiB): "
                           "too little memory, use -m %lluM%s",
                           l->name, what, (ull)gpa, (ull)(gpa + len - 1), (ull)mib_up(len),
                           (ull)l->ram_base, (ull)(l->ram_base + l->ram_size - 1),
                           (ull)(l->ram_size / MIB), (ull)advise_mib(gpa + len - l->ram_base),
                           gpa - l->ram_base >= l->ram_size ? ", or link it for 0x40080000 [F10]" : "");
        return err_set(e, ERR_FORMAT, "%s: %s 0x%llx-0x%llx is outside RAM 0x%llx-0x%llx%s [F10]", l->name, what,
                       (ull)gpa, (ull)(gpa + len - 1), (ull)l->ram_base,
                       (ull)(l->ram_base + l->ram_size - 1), address_hint(gpa));
    }
    for (unsigned i = 0; i < l->count; i++)
        if (range_overlap(gpa, len, l->r[i].gpa, l->r[i].len))
            return err_set(e, ERR_FORMAT, "%s: %s 0x%llx-0x%llx overlaps %s 0x%llx-0x%llx [F07]", l->name, what,
                           (ull)gpa, (ull)(gpa + len - 1), l->r[i].what, (ull)l->r[i].gpa,
                           (ull)(l->r[i].gpa + l->r[i].len - 1));
    struct range *r = &l->r[l->count++];
    snprintf(r->what, sizeof r->what, "%s", what);
    r->gpa = gpa;
    r->len = len;
    return true;
}

/// Lowest free place at or above min. ret  false when there is none
static bool first_fit(const struct layout *l, u64 len, u64 align, gpa_t min, gpa_t *out)
{
    gpa_t at = align_up(min > l->ram_base ? min : l->ram_base, align);
    for (unsigned turns = 0; turns <= l->count; turns++) {
        bool hit = false;
        if (at < l->ram_base || !range_ok(at - l->ram_base, len, l->ram_size))
            return false;
        for (unsigned i = 0; i < l->count; i++)
            if (range_overlap(at, len, l->r[i].gpa, l->r[i].len)) {
                at = align_up(l->r[i].gpa + l->r[i].len, align);
                hit = true;
            }
        if (!hit) {
            *out = at;
            return true;
        }
    }
    return false;
}

/// A raw binary must at least begin with instructions, or random bytes would be "booted". Follows
/// up to 16 words from the start, through direct branches.
static bool check_code(const struct blob *k, struct err *e)
{
    u64 at = 0;
    if (k->len < 4)
        return err_set(e, ERR_FORMAT, "%s: %llu bytes; not even one A64 instruction", k->name, (ull)k->len);
    for (unsigned n = 0; n < 16; n++) {
        struct insn in;
        if (!range_ok(at, 4, k->len))
            return true;
        u32 word = ld32(k->data + at);
        insn_decode(word, &in);
        if (in.op == OP_INVALID || word >> 16 == 0)
            return err_set(e, ERR_FORMAT,
                           "%s: not a kernel: no known header, and the word 0x%08x at offset 0x%llx is "
                           "no A64 instruction; to run it anyway say --load %s@0x40080000",
                           k->name, word, (ull)at, k->name);
        if ((word & 0xfc000000) == 0x14000000) { /* b */
            s64 to = (s64)at + sext(word & 0x3ffffff, 26) * 4;
            if (to < 0 || (u64)to >= k->len)
                return err_set(e, ERR_FORMAT,
                               "%s: not a kernel: no known header, and the word at offset 0x%llx would "
                               "branch out of the file; to run it anyway say --load %s@0x40080000",
                               k->name, (ull)at, k->name);
            if ((u64)to <= at)
                return true;
            at = (u64)to;
        } else {
            at += 4;
        }
    }
    return true;
}

/// Images with an EFI stub say how long the file is: image_size does not, it counts the bss too.
static bool is_whole_image(const struct blob *in, struct err *e)
{
    struct boot_pe pe;
    struct err unused;
    u64 want = ld32(in->data + 0x3c) + 94ULL; /* as far as the PE header is read */
    if (boot_pe_parse(in, &pe, &unused))
        want = pe.file_end;
    return want <= in->len || err_set(e, ERR_FORMAT, "%s: truncated Image: %llu bytes, its header says %llu; download or copy it again",
                                      in->name, (unsigned long long)in->len, (unsigned long long)want);
}

static bool plan_image(const struct boot_request *r, struct boot_plan *p, struct layout *l, struct err *e)
{
    if (!boot_image_parse(&r->kernel, &p->image, e) || (p->image.has_pe && !is_whole_image(&r->kernel, e)))
        return false;
    p->kind = BOOT_KIND_IMAGE;
    p->load_base = align_up(r->ram_base, 2 * MIB) + p->image.text_offset;
    p->entry = p->load_base;
    p->seg_count = 1;
    p->seg[0] = (struct boot_seg){.what = "Image", .gpa = p->load_base, .file_len = r->kernel.len,
                                  .mem_len = p->image.image_size, .flags = 7};
    return take(l, "Image", p->load_base, p->image.image_size, e);
}

static bool plan_elf(const struct boot_request *r, struct boot_plan *p, struct layout *l, struct err *e)
{
    struct boot_elf elf;
    if (!boot_elf_parse(&r->kernel, &elf, e))
        return false;
    p->kind = elf.is_linux ? BOOT_KIND_IMAGE : BOOT_KIND_ELF;
    p->image = elf.image;
    p->seg_count = elf.seg_count;
    memcpy(p->seg, elf.seg, sizeof p->seg);
    p->entry = elf.entry;
    p->entry_virtual = elf.entry_virtual;
    p->load_base = ~0ULL;
    if (elf.is_linux) {
        gpa_t base = align_up(r->ram_base, 2 * MIB) + elf.image.text_offset;
        p->entry = p->load_base = base;
        for (unsigned i = 0; i < p->seg_count; i++)
            p->seg[i].gpa += base;
        return take(l, "vmlinux", base, elf.image.image_size, e);
    }
    for (unsigned i = 0; i < p->seg_count; i++) {
        if (!take(l, p->seg[i].what, p->seg[i].gpa, p->seg[i].mem_len, e))
            return false;
        if (p->seg[i].gpa < p->load_base)
            p->load_base = p->seg[i].gpa;
    }
    return true;
}

static bool plan_flat(const struct boot_request *r, struct boot_plan *p, struct layout *l, gpa_t at,
                      struct err *e)
{
    p->kind = BOOT_KIND_FLAT;
    p->load_base = p->entry = at;
    p->seg_count = 1;
    p->seg[0] = (struct boot_seg){.what = "kernel", .gpa = at, .file_len = r->kernel.len,
                                  .mem_len = r->kernel.len, .flags = 7};
    if (r->kernel.len == 0)
        return err_set(e, ERR_FORMAT, "%s: empty file", r->kernel.name);
    return take(l, "kernel", at, r->kernel.len, e);
}

/// Refuses what cannot be started, with the next thing to try.
/// Disks are started by firmware; one that has nothing to start is told so here.
static bool refuse_disk(const struct boot_request *r, const char *fmt_name, struct err *e)
{
    struct boot_disk d;
    const char *name = r->kernel.name;
    if (boot_disk_parse(&r->kernel, &d) && !d.is_bootable)
        return err_set(e, ERR_FORMAT, "%s: %s: %s; nothing for firmware to start: give a kernel and add the disk with -d [U4]", name,
                       fmt_name, d.verdict);
    return err_set(e, ERR_FORMAT,
                   "%s: %s: a disk boots through firmware (bruin run %s, or -d %s for EDK2), or give a kernel and add the "
                   "disk with -d", name, fmt_name, name, name);
}

static bool refuse(const struct boot_request *r, enum boot_format fmt, const char *fmt_name, struct err *e)
{
    const char *name = r->kernel.name;
    switch (fmt) {
    case BOOT_EMPTY: return err_set(e, ERR_FORMAT, "%s: empty file (0 bytes)", name);
    case BOOT_EFI: {
        struct boot_pe pe;
        if (!boot_pe_parse(&r->kernel, &pe, e))
            return false;
        if (pe.machine != 0xaa64)
            return err_set(e, ERR_FORMAT, "%s: %s for %s; wanted AArch64 [U4]", name, pe.kind, pe.machine_name);
        return err_set(e, ERR_FORMAT,
                       "%s: an EFI application: it needs firmware to start it (--firmware FILE); only "
                       "EFI files that carry an arm64 Image start without",
                       name);
    }
    case BOOT_DISK: return refuse_disk(r, fmt_name, e);
    case BOOT_QCOW2:
        return err_set(e, ERR_FORMAT, "%s: %s: convert it to a raw image (qemu-img convert -O raw), or give a kernel", name,
                       fmt_name);
    case BOOT_CPIO:
        return err_set(e, ERR_FORMAT, "%s: %s, not a kernel: pass it with -i after the kernel", name,
                       fmt_name);
    case BOOT_DTB:
        return err_set(e, ERR_FORMAT, "%s: %s, not a kernel: a DTB is passed with --dtb", name, fmt_name);
    case BOOT_TEXT:
        return err_set(e, ERR_FORMAT, "%s: a text file, not a kernel", name);
    case BOOT_FOREIGN:
        return err_set(e, ERR_FORMAT, "%s: %s; wanted an AArch64 kernel", name, fmt_name);
    default: return err_set(e, ERR_FORMAT, "%s: %s: still packed", name, fmt_name);
    }
}

static bool plan_kernel(const struct boot_request *r, struct boot_plan *p, struct layout *l, struct err *e)
{
    const char *fmt_name;
    if (r->kernel_has_addr)
        return plan_flat(r, p, l, r->kernel_addr, e);
    if (r->kernel.name == NULL) {
        p->kind = BOOT_KIND_FLAT;
        p->entry = p->load_base = r->flat_count ? r->flat[0].gpa : r->entry;
        return true;
    }
    enum boot_format fmt = boot_detect(r->kernel.data, r->kernel.len, &fmt_name);
    switch (fmt) {
    case BOOT_IMAGE: return plan_image(r, p, l, e);
    case BOOT_ELF: return plan_elf(r, p, l, e);
    case BOOT_RAW:
        p->is_guess = true;
        return check_code(&r->kernel, e) && plan_flat(r, p, l, r->ram_base + RAW_OFFSET, e);
    default: return refuse(r, fmt, fmt_name, e);
    }
}

/// End of the kernel and what belongs to it: DTB and initrd of an Image go above.
static gpa_t kernel_end(const struct boot_request *r, const struct boot_plan *p)
{
    if (p->kind == BOOT_KIND_IMAGE)
        return p->load_base + p->image.image_size;
    return r->ram_base;
}

static bool place_dtb(const struct boot_request *r, struct boot_plan *p, struct layout *l, struct err *e)
{
    static const u64 rooms[] = {BOOT_DTB_MAX, 512 * KIB, 256 * KIB, 64 * KIB, 32 * KIB};
    u64 given = r->dtb_len ? align_up(r->dtb_len, 4096) + 4096 : 0;
    if (r->dtb_len > BOOT_DTB_MAX)
        return err_set(e, ERR_FORMAT, "%s: device tree of %llu bytes; kernels take at most 2 MiB", l->name,
                       (ull)r->dtb_len);
    if (r->has_dtb_addr) {
        p->dtb = r->dtb_addr;
        p->dtb_max = given ? given : 64 * KIB;
        if (p->dtb & 7)
            return err_set(e, ERR_USAGE, "device tree at 0x%llx: the address must be a multiple of 8 [F07]",
                           (ull)p->dtb);
        return take(l, "device tree", p->dtb, p->dtb_max, e);
    }
    /* Room comes first for programs placed by hand: keep the DTB at the base of RAM if anything fits
       below them. An Image gets 2 MiB above itself. */
    for (unsigned i = 0; i < ARRAY_LEN(rooms); i++) {
        u64 room = given ? given : rooms[i];
        u64 align = p->kind == BOOT_KIND_IMAGE && room > 64 * KIB ? 2 * MIB : 4096;
        gpa_t at;
        bool ok = first_fit(l, room, align, kernel_end(r, p), &at);
        if (ok && p->kind != BOOT_KIND_IMAGE && at != r->ram_base && !given && i + 1 < ARRAY_LEN(rooms)) {
            gpa_t low;
            if (first_fit(l, rooms[ARRAY_LEN(rooms) - 1], 4096, r->ram_base, &low) &&
                low == r->ram_base)
                ok = false; /* a smaller room fits at the base */
        }
        if (ok) {
            p->dtb = at;
            p->dtb_max = room;
            return take(l, "device tree", at, room, e);
        }
    }
    return err_set(e, ERR_FORMAT,
                   "%s: no room for a device tree in %llu MiB of RAM: too little memory, use -m %lluM",
                   l->name, (ull)(r->ram_size / MIB), (ull)advise_mib(r->ram_size));
}

static bool place_initrd(const struct boot_request *r, struct boot_plan *p, struct layout *l, struct err *e)
{
    u64 len = 0;
    for (unsigned i = 0; i < r->initrd_count; i++) {
        if (r->initrd[i].len == 0)
            return err_set(e, ERR_FORMAT, "%s: empty initrd (0 bytes)", r->initrd[i].name);
        len += align_up(r->initrd[i].len, 4);
    }
    p->initrd_len = len;
    if (len == 0)
        return true;
    if (!first_fit(l, len, INITRD_ALIGN, kernel_end(r, p), &p->initrd))
        return err_set(e, ERR_FORMAT,
                       "%s: initrd of %llu MiB does not fit beside the kernel in %llu MiB of RAM: too "
                       "little memory, use -m %lluM",
                       r->initrd[0].name, (ull)mib_up(len), (ull)(r->ram_size / MIB),
                       (ull)advise_mib(kernel_end(r, p) - r->ram_base + len + BOOT_DTB_MAX));
    if (p->kind == BOOT_KIND_IMAGE &&
        p->initrd + len - align_down(p->load_base, GIB) > INITRD_WINDOW)
        return err_set(e, ERR_FORMAT,
                       "%s: initrd at 0x%llx is more than 32 GiB away from the kernel at 0x%llx",
                       r->initrd[0].name, (ull)p->initrd, (ull)p->load_base);
    return take(l, "initrd", p->initrd, len, e);
}

bool boot_plan(const struct boot_request *r, struct boot_plan *p, struct err *e)
{
    struct layout l = {.ram_base = r->ram_base, .ram_size = r->ram_size,
                       .name = r->kernel.name ? r->kernel.name
                               : r->flat_count ? r->flat[0].blob.name : "boot"};
    memset(p, 0, sizeof *p);
    if (!plan_kernel(r, p, &l, e))
        return false;
    for (unsigned i = 0; i < r->flat_count; i++) {
        const struct boot_flat *f = &r->flat[i];
        char what[40];
        if (f->blob.len == 0)
            return err_set(e, ERR_FORMAT, "%s: empty file (0 bytes)", f->blob.name);
        snprintf(what, sizeof what, "--load %.30s", f->blob.name);
        if (!take(&l, what, f->gpa, f->blob.len, e))
            return false;
    }
    if (!place_dtb(r, p, &l, e) || !place_initrd(r, p, &l, e))
        return false;
    if (r->has_entry) {
        p->entry = r->entry;
        p->entry_virtual = false;
    }
    if (p->entry & 3)
        return err_set(e, ERR_FORMAT, "%s: entry 0x%llx is not a multiple of 4", l.name, (ull)p->entry);
    if (p->entry < r->ram_base || !range_ok(p->entry - r->ram_base, 4, r->ram_size))
        return err_set(e, ERR_FORMAT, "%s: entry 0x%llx is outside RAM 0x%llx-0x%llx%s [F10]", l.name,
                       (ull)p->entry, (ull)r->ram_base, (ull)(r->ram_base + r->ram_size - 1),
                       address_hint(p->entry));
    return true;
}
