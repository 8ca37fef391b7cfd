/// ELF64 validation and loading, after "System V Application Binary Interface", "Object Files"
/// and "Program Loading". Pure functions on bytes: loader, VMM, host tools and fuzzers share them.
#include "elf.h"

enum {
    EHDR_SIZE = 64, PHDR_SIZE = 56, SHDR_SIZE = 64, RELA_SIZE = 24, DYN_SIZE = 16,
    PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3, PT_NOTE = 4, PT_TLS = 7,
    ET_EXEC = 2, ET_DYN = 3, SHT_SYMTAB = 2,
    DT_RELA = 7, DT_RELASZ = 8, DT_RELAENT = 9, DT_REL = 17, DT_JMPREL = 23,
    DT_RELRSZ = 35, DT_RELR = 36,
    R_AARCH64_RELATIVE = 1027, R_X86_64_RELATIVE = 8,
    PHNUM_MAX = 64, SHNUM_MAX = 4096,
};

static const char *arch_name(u16 arch)
{
    return arch == BR_ARCH_AARCH64 ? "aarch64" : arch == BR_ARCH_X86_64 ? "x86_64" : "another";
}

static bool check_header(const u8 *f, u64 len, u16 arch, struct br_why *why)
{
    if (len < EHDR_SIZE)
        return br_fail(why, "%llu bytes; an ELF64 header has 64", (unsigned long long)len);
    if (memcmp(f, "\177ELF", 4))
        return br_fail(why, "no ELF magic: starts with %02x %02x %02x %02x", f[0], f[1], f[2], f[3]);
    if (f[4] != 2 || f[5] != 1)
        return br_fail(why, "ELF class %u, data %u; wanted 64-bit (2) little endian (1)", f[4], f[5]);
    u16 type = br_ld16(f + 16), machine = br_ld16(f + 18);
    if (machine != BR_ARCH_AARCH64 && machine != BR_ARCH_X86_64)
        return br_fail(why, "ELF machine %u; wanted 183 (aarch64) or 62 (x86_64)", machine);
    if (arch && machine != arch)
        return br_fail(why, "the kernel is for %s, this machine is %s: build it for %s",
                       arch_name(machine), arch_name(arch), arch_name(arch));
    if (type != ET_EXEC && type != ET_DYN)
        return br_fail(why, "ELF type %u; wanted an executable (2) or a PIE (3)", type);
    if (br_ld16(f + 54) != PHDR_SIZE)
        return br_fail(why, "program headers of %u bytes; wanted 56", br_ld16(f + 54));
    u16 phnum = br_ld16(f + 56);
    if (!phnum || phnum > PHNUM_MAX)
        return br_fail(why, "%u program headers; wanted 1 to %d", phnum, PHNUM_MAX);
    if (!br_range_ok(br_ld64(f + 32), (u64)phnum * PHDR_SIZE, len))
        return br_fail(why, "the program headers lie outside the file");
    return true;
}

static bool check_segment(const struct br_elf *elf, const struct br_segment *s, u64 align,
                          struct br_why *why)
{
    unsigned n = elf->count;
    unsigned long long va = s->vaddr;
    if (!br_range_ok(s->off, s->filesz, elf->file_len))
        return br_fail(why, "segment %u at 0x%llx: bytes 0x%llx+0x%llx lie outside the file of "
                       "0x%llx: truncated?", n, va, (unsigned long long)s->off,
                       (unsigned long long)s->filesz, (unsigned long long)elf->file_len);
    if (s->filesz > s->memsz)
        return br_fail(why, "segment %u at 0x%llx: file size above memory size", n, va);
    if (s->memsz > BR_ELF_IMAGE_MAX || s->vaddr + s->memsz < s->vaddr ||
        s->vaddr + s->memsz > UINT64_MAX - BR_ELF_PAGE)
        return br_fail(why, "segment %u at 0x%llx: 0x%llx bytes wrap or exceed 1 GiB", n, va,
                       (unsigned long long)s->memsz);
    if (align > 1 && (!br_pow2(align) || (s->vaddr - s->off) % align || align > (1u << 30)))
        return br_fail(why, "segment %u at 0x%llx: alignment 0x%llx is no power of two, above "
                       "1 GiB, or not kept by the file offset", n, va, (unsigned long long)align);
    if ((s->flags & (BR_SEG_W | BR_SEG_X)) == (BR_SEG_W | BR_SEG_X))
        return br_fail(why, "segment %u at 0x%llx is writable and executable: split code from data "
                       "in the linker script", n, va);
    if (!n)
        return true;
    const struct br_segment *p = &elf->seg[n - 1];
    u64 prev_end = p->vaddr + p->memsz;
    if (s->vaddr < prev_end)
        return br_fail(why, "segment %u at 0x%llx overlaps or precedes segment %u ending at 0x%llx",
                       n, va, n - 1, (unsigned long long)prev_end);
    if (p->flags != s->flags && br_down(s->vaddr, BR_ELF_PAGE) < br_up(prev_end, BR_ELF_PAGE))
        return br_fail(why, "segments %u and %u share a page at 0x%llx with different rights: "
                       "align them to 4096", n - 1, n,
                       (unsigned long long)br_down(s->vaddr, BR_ELF_PAGE));
    return true;
}

static bool read_segments(struct br_elf *elf, struct br_why *why)
{
    const u8 *f = elf->file;
    const u8 *ph = f + br_ld64(f + 32);
    unsigned phnum = br_ld16(f + 56);
    for (unsigned i = 0; i < phnum; i++, ph += PHDR_SIZE) {
        u32 type = br_ld32(ph);
        struct br_segment s = {br_ld64(ph + 8), br_ld64(ph + 32), br_ld64(ph + 16),
                               br_ld64(ph + 40), br_ld32(ph + 4) & 7};
        if (type == PT_INTERP)
            return br_fail(why, "the kernel asks for an interpreter: link it with -static or "
                           "--no-dynamic-linker");
        if (type == PT_TLS)
            return br_fail(why, "the kernel has thread-local storage (PT_TLS); no one sets it up");
        if (type == PT_DYNAMIC) {
            elf->dyn_vaddr = s.vaddr;
            elf->dyn_len = s.memsz;
        }
        if (type != PT_LOAD || !s.memsz)
            continue;
        if (elf->count == BR_ELF_SEGMENTS_MAX)
            return br_fail(why, "more than %d loadable segments", BR_ELF_SEGMENTS_MAX);
        u64 align = br_ld64(ph + 48);
        if (!check_segment(elf, &s, align, why))
            return false;
        if (align > elf->align)
            elf->align = align;
        elf->seg[elf->count++] = s;
    }
    return elf->count || br_fail(why, "no loadable segment");
}

bool br_elf_check(const void *file, u64 len, u16 arch, struct br_elf *out, struct br_why *why)
{
    const u8 *f = file;
    memset(out, 0, sizeof *out);
    out->file = f;
    out->file_len = len;
    out->align = BR_ELF_PAGE;
    if (!check_header(f, len, arch, why))
        return false;
    out->arch = br_ld16(f + 18);
    out->is_pie = br_ld16(f + 16) == ET_DYN;
    out->entry = br_ld64(f + 24);
    if (!read_segments(out, why))
        return false;
    const struct br_segment *last = &out->seg[out->count - 1];
    out->lo = br_down(out->seg[0].vaddr, BR_ELF_PAGE);
    out->hi = br_up(last->vaddr + last->memsz, BR_ELF_PAGE);
    if (out->hi - out->lo > BR_ELF_IMAGE_MAX)
        return br_fail(why, "the image spans 0x%llx bytes; at most 1 GiB",
                       (unsigned long long)(out->hi - out->lo));
    for (unsigned i = 0; i < out->count; i++) {
        const struct br_segment *s = &out->seg[i];
        if (out->entry - s->vaddr >= s->filesz)
            continue;
        if (s->flags & BR_SEG_X)
            return true;
        return br_fail(why, "entry 0x%llx lies in segment %u, which is not executable",
                       (unsigned long long)out->entry, i);
    }
    return br_fail(why, "entry 0x%llx lies in no segment: is the entry symbol defined "
                   "(ENTRY() in the linker script)?", (unsigned long long)out->entry);
}

const u8 *br_elf_note(const struct br_elf *elf, const char *name, u32 type, u32 *len)
{
    const u8 *f = elf->file;
    const u8 *ph = f + br_ld64(f + 32);
    u32 name_len = (u32)br_strlen(name) + 1;
    for (unsigned i = 0; i < br_ld16(f + 56); i++, ph += PHDR_SIZE) {
        u64 off = br_ld64(ph + 8), size = br_ld64(ph + 32);
        if (br_ld32(ph) != PT_NOTE || !br_range_ok(off, size, elf->file_len))
            continue;
        const u8 *n = f + off;
        while (size >= 12) {
            u64 namesz = br_up(br_ld32(n), 4), descsz = br_ld32(n + 4);
            u64 step = 12 + namesz + br_up(descsz, 4);
            if (12 + namesz + descsz > size)
                break;
            if (br_ld32(n + 8) == type && br_ld32(n) == name_len &&
                !memcmp(n + 12, name, name_len)) {
                *len = (u32)descsz;
                return n + 12 + namesz;
            }
            if (step > size)
                break;
            n += step;
            size -= step;
        }
    }
    return NULL;
}

bool br_elf_symbols(const struct br_elf *elf, u64 *symtab_off, u64 *symtab_len, u64 *strtab_off,
                    u64 *strtab_len)
{
    const u8 *f = elf->file;
    u64 shoff = br_ld64(f + 40);
    unsigned shnum = br_ld16(f + 60);
    if (br_ld16(f + 58) != SHDR_SIZE || shnum > SHNUM_MAX ||
        !br_range_ok(shoff, (u64)shnum * SHDR_SIZE, elf->file_len))
        return false;
    for (unsigned i = 0; i < shnum; i++) {
        const u8 *sh = f + shoff + (u64)i * SHDR_SIZE;
        u32 link = br_ld32(sh + 40);
        if (br_ld32(sh + 4) != SHT_SYMTAB || link >= shnum)
            continue;
        const u8 *str = f + shoff + (u64)link * SHDR_SIZE;
        *symtab_off = br_ld64(sh + 24);
        *symtab_len = br_ld64(sh + 32);
        *strtab_off = br_ld64(str + 24);
        *strtab_len = br_ld64(str + 32);
        return br_range_ok(*symtab_off, *symtab_len, elf->file_len) &&
               br_range_ok(*strtab_off, *strtab_len, elf->file_len) && *strtab_len &&
               !f[*strtab_off + *strtab_len - 1];
    }
    return false;
}

/// One image being relocated.
struct target {
    const struct br_elf *elf;
    u8 *dst;
    u64 slide, span;
};

static bool patch(const struct target *t, u64 vaddr, u64 value, bool add, struct br_why *why)
{
    u64 at = vaddr - t->elf->lo;
    if (vaddr < t->elf->lo || !br_range_ok(at, 8, t->span))
        return br_fail(why, "a relocation at 0x%llx lies outside the image",
                       (unsigned long long)vaddr);
    u64 v = value + t->slide + (add ? br_ld64(t->dst + at) : 0);
    for (int i = 0; i < 8; i++)
        t->dst[at + (u64)i] = (u8)(v >> 8 * i);
    return true;
}

static bool apply_rela(const struct target *t, u64 vaddr, u64 len, struct br_why *why)
{
    u64 at = vaddr - t->elf->lo;
    u32 want = t->elf->arch == BR_ARCH_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
    if (vaddr < t->elf->lo || !br_range_ok(at, len, t->span))
        return br_fail(why, "the relocation table lies outside the image");
    for (u64 i = 0; i + RELA_SIZE <= len; i += RELA_SIZE) {
        const u8 *r = t->dst + at + i;
        u64 where = br_ld64(r), info = br_ld64(r + 8), addend = br_ld64(r + 16);
        if ((u32)info == 0)
            continue;
        if ((u32)info != want || info >> 32)
            return br_fail(why, "relocation type %u with symbol %u at 0x%llx; only relative ones "
                           "are supported: link with -pie and hidden visibility", (u32)info,
                           (u32)(info >> 32), (unsigned long long)where);
        if (!patch(t, where, addend, false, why))
            return false;
    }
    return true;
}

/// RELR: an even word is an address, an odd one a bitmap of the 63 words that follow.
static bool apply_relr(const struct target *t, u64 vaddr, u64 len, struct br_why *why)
{
    u64 at = vaddr - t->elf->lo, where = t->elf->lo;
    if (vaddr < t->elf->lo || !br_range_ok(at, len, t->span))
        return br_fail(why, "the RELR table lies outside the image");
    for (u64 i = 0; i + 8 <= len; i += 8) {
        u64 word = br_ld64(t->dst + at + i);
        if (!(word & 1)) {
            if (!patch(t, word, 0, true, why))
                return false;
            where = word + 8;
            continue;
        }
        for (int b = 1; b < 64; b++)
            if (word >> b & 1 && !patch(t, where + (u64)(b - 1) * 8, 0, true, why))
                return false;
        where += 63 * 8;
    }
    return true;
}

static bool relocate(const struct target *t, struct br_why *why)
{
    u64 rela = 0, rela_len = 0, relr = 0, relr_len = 0;
    u64 at = t->elf->dyn_vaddr - t->elf->lo;
    if (!t->elf->dyn_len)
        return true;
    if (t->elf->dyn_vaddr < t->elf->lo || !br_range_ok(at, t->elf->dyn_len, t->span))
        return br_fail(why, "the dynamic section lies outside the image");
    for (u64 i = 0; i + DYN_SIZE <= t->elf->dyn_len; i += DYN_SIZE) {
        u64 tag = br_ld64(t->dst + at + i), val = br_ld64(t->dst + at + i + 8);
        if (!tag)
            break;
        if (tag == DT_RELA)
            rela = val;
        else if (tag == DT_RELASZ)
            rela_len = val;
        else if (tag == DT_RELR)
            relr = val;
        else if (tag == DT_RELRSZ)
            relr_len = val;
        else if (tag == DT_REL || tag == DT_JMPREL || (tag == DT_RELAENT && val != RELA_SIZE))
            return br_fail(why, "dynamic entry %llu is not supported: link the kernel with -static "
                           "-pie", (unsigned long long)tag);
    }
    return (!rela_len || apply_rela(t, rela, rela_len, why)) &&
           (!relr_len || apply_relr(t, relr, relr_len, why));
}

bool br_elf_load(const struct br_elf *elf, u8 *dst, u64 dst_len, u64 slide, struct br_why *why)
{
    u64 span = elf->hi - elf->lo;
    if (dst_len < span)
        return br_fail(why, "0x%llx bytes for an image of 0x%llx", (unsigned long long)dst_len,
                       (unsigned long long)span);
    if (slide && !elf->is_pie)
        return br_fail(why, "the kernel is linked at 0x%llx and cannot be moved: link it as PIE",
                       (unsigned long long)elf->lo);
    memset(dst, 0, dst_len);
    for (unsigned i = 0; i < elf->count; i++) {
        const struct br_segment *s = &elf->seg[i];
        memcpy(dst + (s->vaddr - elf->lo), elf->file + s->off, s->filesz);
    }
    return relocate(&(struct target){elf, dst, slide, span}, why);
}
