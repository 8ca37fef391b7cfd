/// ELF64 executables for AArch64: program headers to load segments. Sources: System V ABI, "Program
/// Loading"; ELF for the Arm 64-bit Architecture.
#include "boot/boot.h"

#include <elf.h>
#include <stdio.h>

/// Names of machines people pass by mistake.
static const char *machine_name(u16 machine, char buf[24])
{
    switch (machine) {
    case EM_386: return "x86 (32-bit)";
    case EM_X86_64: return "x86-64";
    case EM_ARM: return "32-bit ARM";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "PowerPC 64";
    case EM_MIPS: return "MIPS";
    case EM_S390: return "s390";
    case 258: return "LoongArch";
    }
    snprintf(buf, 24, "machine %u", machine);
    return buf;
}

static bool check_header(const struct blob *in, struct err *e)
{
    const u8 *p = in->data;
    char buf[24];
    if (in->len < sizeof(Elf64_Ehdr))
        return err_set(e, ERR_FORMAT, "%s: %llu bytes; an ELF64 header has %zu: truncated", in->name,
                       (unsigned long long)in->len, sizeof(Elf64_Ehdr));
    if (memcmp(p, ELFMAG, SELFMAG) != 0)
        return err_set(e, ERR_FORMAT, "%s: not an ELF file", in->name);
    if (p[EI_DATA] != ELFDATA2LSB)
        return err_set(e, ERR_FORMAT, "%s: big-endian ELF; wanted little-endian AArch64", in->name);
    u16 machine = ld16(p + offsetof(Elf64_Ehdr, e_machine));
    if (machine != EM_AARCH64)
        return err_set(e, ERR_FORMAT, "%s: ELF for %s; wanted AArch64 (use an aarch64 compiler)",
                       in->name, machine_name(machine, buf));
    if (p[EI_CLASS] != ELFCLASS64)
        return err_set(e, ERR_FORMAT, "%s: ELF32; wanted ELF64 AArch64 (built with -mabi=ilp32?)",
                       in->name);
    u16 type = ld16(p + offsetof(Elf64_Ehdr, e_type));
    if (type == ET_REL)
        return err_set(e, ERR_FORMAT, "%s: an object file (ET_REL); link it first, for example with "
                                      "ld -Ttext=0x40080000", in->name);
    if (type == ET_CORE)
        return err_set(e, ERR_FORMAT, "%s: a core dump, not a program", in->name);
    if (type != ET_EXEC && type != ET_DYN)
        return err_set(e, ERR_FORMAT, "%s: ELF type %u; wanted an executable", in->name, type);
    return true;
}

/// Reads one PT_LOAD into s. paddr decides later. ret  false with a message
static bool read_segment(const struct blob *in, unsigned n, const u8 *ph, struct boot_seg *s,
                         struct err *e)
{
    *s = (struct boot_seg){
        .gpa = ld64(ph + offsetof(Elf64_Phdr, p_paddr)),
        .va = ld64(ph + offsetof(Elf64_Phdr, p_vaddr)),
        .off = ld64(ph + offsetof(Elf64_Phdr, p_offset)),
        .file_len = ld64(ph + offsetof(Elf64_Phdr, p_filesz)),
        .mem_len = ld64(ph + offsetof(Elf64_Phdr, p_memsz)),
        .flags = ld32(ph + offsetof(Elf64_Phdr, p_flags)),
    };
    snprintf(s->what, sizeof s->what, "PT_LOAD %u", n);
    if (!range_ok(s->off, s->file_len, in->len))
        return err_set(e, ERR_FORMAT,
                       "%s: %s wants bytes 0x%llx+0x%llx of a file of 0x%llx bytes: truncated", in->name,
                       s->what, (unsigned long long)s->off, (unsigned long long)s->file_len,
                       (unsigned long long)in->len);
    if (s->file_len > s->mem_len)
        return err_set(e, ERR_FORMAT, "%s: %s has p_filesz 0x%llx > p_memsz 0x%llx", in->name, s->what,
                       (unsigned long long)s->file_len, (unsigned long long)s->mem_len);
    if (s->gpa + s->mem_len < s->gpa || s->va + s->mem_len < s->va)
        return err_set(e, ERR_FORMAT, "%s: %s at 0x%llx, 0x%llx bytes, wraps around the address space",
                       in->name, s->what, (unsigned long long)s->gpa, (unsigned long long)s->mem_len);
    return true;
}

static bool check_overlap(const struct blob *in, const struct boot_elf *elf, struct err *e)
{
    for (unsigned i = 0; i < elf->seg_count; i++)
        for (unsigned j = 0; j < i; j++) {
            const struct boot_seg *a = &elf->seg[j], *b = &elf->seg[i];
            if (range_overlap(a->gpa, a->mem_len, b->gpa, b->mem_len))
                return err_set(e, ERR_FORMAT, "%s: %s (0x%llx-0x%llx) overlaps %s (0x%llx-0x%llx)",
                               in->name, a->what, (unsigned long long)a->gpa,
                               (unsigned long long)(a->gpa + a->mem_len - 1), b->what,
                               (unsigned long long)b->gpa,
                               (unsigned long long)(b->gpa + b->mem_len - 1));
        }
    return true;
}

/// The physical address of the entry: inside a segment by p_paddr it is one already; inside a
/// segment by p_vaddr it moves with that segment.
static bool find_entry(const struct blob *in, struct boot_elf *elf, struct err *e)
{
    u64 en = elf->e_entry;
    for (unsigned i = 0; i < elf->seg_count; i++)
        if (range_ok(en - elf->seg[i].gpa, 4, elf->seg[i].mem_len) && en >= elf->seg[i].gpa) {
            elf->entry = en;
            return true;
        }
    for (unsigned i = 0; i < elf->seg_count; i++) {
        const struct boot_seg *s = &elf->seg[i];
        if (en >= s->va && range_ok(en - s->va, 4, s->mem_len)) {
            elf->entry = en - s->va + s->gpa;
            elf->entry_virtual = true;
            return true;
        }
    }
    return err_set(e, ERR_FORMAT, "%s: entry 0x%llx lies in no PT_LOAD segment%s", in->name,
                   (unsigned long long)en,
                   en == 0 ? " (no ENTRY() in the linker script, and no _start?)" : "");
}

/// A kernel linked at its virtual address throughout, like vmlinux: the first segment starts with
/// an Image header. Segment addresses become offsets from it.
static bool try_linux(const struct blob *in, struct boot_elf *elf, struct err *e)
{
    struct boot_seg *low = &elf->seg[0];
    for (unsigned i = 1; i < elf->seg_count; i++)
        if (elf->seg[i].gpa < low->gpa)
            low = &elf->seg[i];
    if (low->gpa >> 48 == 0 || low->file_len < 64 ||
        memcmp(in->data + low->off + 0x38, "ARM\x64", 4) != 0)
        return true;
    struct blob image = {.name = in->name, .data = in->data + low->off, .len = low->file_len};
    if (!boot_image_parse(&image, &elf->image, e))
        return false;
    u64 base = low->gpa;
    for (unsigned i = 0; i < elf->seg_count; i++) {
        struct boot_seg *s = &elf->seg[i];
        s->gpa -= base;
        if (s->gpa + s->mem_len > elf->image.image_size)
            elf->image.image_size = s->gpa + s->mem_len;
    }
    if (elf->image.image_size > 1ULL << 40)
        return err_set(e, ERR_FORMAT, "%s: segments spread over 0x%llx bytes", in->name,
                       (unsigned long long)elf->image.image_size);
    elf->is_linux = true;
    elf->entry = 0;
    elf->entry_virtual = true;
    return true;
}

bool boot_elf_parse(const struct blob *in, struct boot_elf *elf, struct err *e)
{
    memset(elf, 0, sizeof *elf);
    if (!check_header(in, e))
        return false;
    elf->e_entry = ld64(in->data + offsetof(Elf64_Ehdr, e_entry));
    u64 phoff = ld64(in->data + offsetof(Elf64_Ehdr, e_phoff));
    unsigned phentsize = ld16(in->data + offsetof(Elf64_Ehdr, e_phentsize));
    unsigned phnum = ld16(in->data + offsetof(Elf64_Ehdr, e_phnum));
    if (phnum == 0)
        return err_set(e, ERR_FORMAT, "%s: ELF without program headers: nothing to load", in->name);
    if (phentsize < sizeof(Elf64_Phdr) || !range_ok(phoff, (u64)phentsize * phnum, in->len))
        return err_set(e, ERR_FORMAT,
                       "%s: %u program headers of %u bytes at 0x%llx do not fit in 0x%llx bytes: "
                       "truncated",
                       in->name, phnum, phentsize, (unsigned long long)phoff,
                       (unsigned long long)in->len);
    bool has_paddr = false;
    for (unsigned i = 0; i < phnum; i++) {
        const u8 *ph = in->data + phoff + (u64)i * phentsize;
        u32 type = ld32(ph);
        if (type == PT_INTERP)
            return err_set(e, ERR_FORMAT,
                           "%s: a user-space program (it asks for an interpreter, ld.so); a kernel is "
                           "linked with -static -nostdlib",
                           in->name);
        if (type != PT_LOAD || ld64(ph + offsetof(Elf64_Phdr, p_memsz)) == 0)
            continue;
        if (elf->seg_count == BOOT_SEGS_MAX)
            return err_set(e, ERR_FORMAT, "%s: more than %d PT_LOAD segments", in->name, BOOT_SEGS_MAX);
        struct boot_seg *s = &elf->seg[elf->seg_count];
        if (!read_segment(in, i, ph, s, e))
            return false;
        has_paddr |= s->gpa != 0;
        elf->seg_count++;
    }
    if (elf->seg_count == 0)
        return err_set(e, ERR_FORMAT, "%s: ELF without a PT_LOAD segment: nothing to load", in->name);
    elf->paddr_from_va = !has_paddr;
    for (unsigned i = 0; !has_paddr && i < elf->seg_count; i++)
        elf->seg[i].gpa = elf->seg[i].va;
    if (!check_overlap(in, elf, e) || !try_linux(in, elf, e))
        return false;
    return elf->is_linux || find_entry(in, elf, e);
}
