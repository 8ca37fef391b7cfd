/// Parsing, copying and relocating PE32+ images. Every offset is checked before it is used.
#include "pe.h"

enum { PE_ARM64 = 0xaa64, REL_DIR64 = 10, SCN_EXECUTE = 0x20000000 };
#define SCN_WRITE 0x80000000u

bool br_pe_parse(const void *data, u64 size, struct br_pe *p, const char **why)
{
    const u8 *d = data;
    *p = (struct br_pe){.data = d, .size = size};
    *why = "no MZ header: not an EFI application";
    if (size < 64 || br_ld16(d) != 0x5a4d)
        return false;
    u64 at = br_ld32(d + 0x3c);
    *why = "no PE header";
    if (!br_range_ok(at, 24, size) || br_ld32(d + at) != 0x4550)
        return false;
    const u8 *coff = d + at + 4, *opt = coff + 20;
    *why = br_ld16(coff) == 0x8664   ? "built for x86-64, this machine is aarch64"
           : br_ld16(coff) == 0x1c0 ? "built for 32-bit Arm, this machine is aarch64"
                                    : "built for another processor, this machine is aarch64";
    if (br_ld16(coff) != PE_ARM64)
        return false;
    u32 opt_size = br_ld16(coff + 16);
    p->section_count = br_ld16(coff + 2);
    *why = "a damaged optional header";
    if (!br_range_ok(at + 24, opt_size, size) || opt_size < 112 || br_ld16(opt) != 0x20b)
        return false;
    p->entry = br_ld32(opt + 16);
    p->base = br_ld64(opt + 24);
    p->section_align = br_ld32(opt + 32);
    p->image_size = br_ld32(opt + 56);
    p->headers = br_ld32(opt + 60);
    if (br_ld32(opt + 108) > 5 && opt_size >= 112 + 6 * 8) {
        p->reloc_rva = br_ld32(opt + 112 + 40);
        p->reloc_size = br_ld32(opt + 112 + 44);
    }
    p->sections = opt + opt_size;
    *why = "a section alignment that is no power of two, or above 2 MiB";
    if (!br_pow2(p->section_align) || p->section_align > 2u << 20)
        return false;
    *why = "headers or sections outside the file";
    return p->section_count <= PE_SECTIONS_MAX && p->headers <= size && p->headers <= p->image_size && p->image_size &&
           p->image_size <= PE_IMAGE_MAX && br_range_ok((u64)(p->sections - d), 40ULL * p->section_count, size) &&
           p->entry < p->image_size;
}

static bool copy_sections(const struct br_pe *p, u8 *to, const char **why)
{
    memset(to, 0, p->image_size);
    memcpy(to, p->data, p->headers);
    *why = "a section lies outside the image or the file";
    for (u32 k = 0; k < p->section_count; k++) {
        const u8 *s = p->sections + 40 * k;
        u64 vsize = br_ld32(s + 8), rva = br_ld32(s + 12), raw = br_ld32(s + 16), off = br_ld32(s + 20);
        u64 n = vsize && vsize < raw ? vsize : raw;
        if (!br_range_ok(rva, vsize > n ? vsize : n, br_up(p->image_size, PE_PAGE)) || !br_range_ok(rva, n, p->image_size) ||
            (n && !br_range_ok(off, n, p->size)))
            return false;
        memcpy(to + rva, p->data + off, n);
    }
    return true;
}

static bool relocate(const struct br_pe *p, u8 *to, u64 delta, const char **why)
{
    *why = "a damaged relocation table";
    if (!br_range_ok(p->reloc_rva, p->reloc_size, p->image_size))
        return false;
    for (u64 at = p->reloc_rva, end = at + p->reloc_size; at + 8 <= end;) {
        u64 page = br_ld32(to + at), len = br_ld32(to + at + 4);
        if (len < 8 || len > end - at)
            return len == 0;
        for (u64 k = at + 8; k + 2 <= at + len; k += 2) {
            u32 type = br_ld16(to + k) >> 12, off = br_ld16(to + k) & 0xfff;
            if (type == REL_DIR64) {
                u64 v;
                if (!br_range_ok(page + off, 8, p->image_size))
                    return false;
                memcpy(&v, to + page + off, 8);
                v += delta;
                memcpy(to + page + off, &v, 8);
            } else if (type != 0) {
                *why = "a relocation of a type that aarch64 images do not use";
                return false;
            }
        }
        at += len;
    }
    return true;
}

bool br_pe_load(const struct br_pe *p, u8 *to, u64 at, const char **why)
{
    return copy_sections(p, to, why) && relocate(p, to, at - p->base, why);
}

bool br_pe_section(const struct br_pe *p, u32 k, u64 *rva, u64 *pages, u32 *rights)
{
    const u8 *s = p->sections + 40 * k;
    u64 vsize = br_ld32(s + 8), raw = br_ld32(s + 16);
    u32 flags = br_ld32(s + 36);
    *rights = (flags & SCN_EXECUTE ? PE_X : 0) | (flags & SCN_WRITE ? PE_W : 0);
    *rva = br_ld32(s + 12);
    *pages = br_up(vsize > raw ? vsize : raw, PE_PAGE) / PE_PAGE;
    return *pages && br_range_ok(*rva, *pages * PE_PAGE, br_up(p->image_size, PE_PAGE)) && !(*rva & (PE_PAGE - 1));
}
