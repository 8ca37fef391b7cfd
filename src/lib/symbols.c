/// Symbols for debuggers: those that a kernel carries for itself, or of its ELF file, as a small ELF file.
#include "lib/lib.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>

enum { SECTIONS = 5, SEC_TEXT = 1, SEC_SYM = 2, SEC_STR = 3, SEC_SHSTR = 4 };
static const char section_names[] = "\0.text\0.symtab\0.strtab\0.shstrtab";

static Elf64_Shdr section(unsigned name, u32 type, u64 off, u64 size)
{
    return (Elf64_Shdr){.sh_name = name, .sh_type = type, .sh_offset = off, .sh_size = size, .sh_addralign = 8};
}

/// One section without bytes where the kernel lies, so that debuggers take the symbols for functions of it.
static bool write_elf(FILE *f, const struct symtab *t, u64 base, u64 size)
{
    u64 n = symtab_count(t), names = 1;
    for (u64 i = 0; i < n; i++)
        names += strlen(symtab_at(t, i)->name) + 1;
    u64 sym_off = sizeof(Elf64_Ehdr) + SECTIONS * sizeof(Elf64_Shdr), sym_len = (n + 1) * sizeof(Elf64_Sym);
    Elf64_Ehdr h = {.e_type = ET_EXEC, .e_machine = EM_AARCH64, .e_version = EV_CURRENT, .e_entry = base,
                    .e_shoff = sizeof h, .e_ehsize = sizeof h, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = SECTIONS,
                    .e_shstrndx = SEC_SHSTR};
    memcpy(h.e_ident, ELFMAG, SELFMAG);
    h.e_ident[EI_CLASS] = ELFCLASS64;
    h.e_ident[EI_DATA] = ELFDATA2LSB;
    h.e_ident[EI_VERSION] = EV_CURRENT;
    Elf64_Shdr s[SECTIONS] = {{0}, section(1, SHT_NOBITS, sym_off, size), section(7, SHT_SYMTAB, sym_off, sym_len),
                              section(15, SHT_STRTAB, sym_off + sym_len, names),
                              section(23, SHT_STRTAB, sym_off + sym_len + names, sizeof section_names)};
    s[SEC_TEXT].sh_addr = base;
    s[SEC_TEXT].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    s[SEC_SYM].sh_link = SEC_STR;
    s[SEC_SYM].sh_info = 1;
    s[SEC_SYM].sh_entsize = sizeof(Elf64_Sym);
    bool ok = fwrite(&h, sizeof h, 1, f) == 1 && fwrite(s, sizeof s, 1, f) == 1;
    Elf64_Sym none = {0};
    ok = ok && fwrite(&none, sizeof none, 1, f) == 1;
    u32 name = 1;
    for (u64 i = 0; i < n && ok; i++) {
        const struct sym *y = symtab_at(t, i);
        u64 next = i + 1 < n ? symtab_at(t, i + 1)->addr - y->addr : 0;
        Elf64_Sym e = {.st_name = name, .st_info = ELF64_ST_INFO(STB_GLOBAL, y->type == 'T' ? STT_FUNC : STT_OBJECT),
                       .st_shndx = SEC_TEXT, .st_value = base + y->addr, .st_size = y->size ? y->size : next};
        name += (u32)strlen(y->name) + 1;
        ok = fwrite(&e, sizeof e, 1, f) == 1;
    }
    ok = ok && fputc(0, f) == 0;
    for (u64 i = 0; i < n && ok; i++)
        ok = fwrite(symtab_at(t, i)->name, strlen(symtab_at(t, i)->name) + 1, 1, f) == 1;
    return ok && fwrite(section_names, sizeof section_names, 1, f) == 1;
}

long bruin_symbols_elf(const char *kernel, const char *out, struct bruin_error *err)
{
    struct blob file = {0}, image = {0};
    struct err e = {0};
    char how[96];
    u64 base = 0;
    struct symtab *t = NULL;
    long count = -1;
    if (!blob_open(&file, kernel, &e) || !boot_unpack(&file, BOOT_UNPACK_MAX, &image, how, &e))
        goto end;
    t = kallsyms_find(image.data, image.len, &base);
    if (t == NULL || base == 0) {
        err_set(&e, ERR_FORMAT, "%s: no kallsyms found (an arm64 Image with CONFIG_KALLSYMS is wanted; an ELF file has symbols of "
                                "its own)", kernel);
        goto end;
    }
    FILE *f = fopen(out, "wb");
    if (f == NULL || !write_elf(f, t, base, align_up(image.len, 2 * MIB)) || fflush(f) != 0)
        err_set(&e, ERR_USAGE, "%s: cannot be written", out);
    else
        count = (long)symtab_count(t);
    if (f)
        fclose(f);
end:
    symtab_free(t);
    blob_free(&image);
    blob_free(&file);
    if (count < 0)
        (void)err_out(err, &e);
    return count;
}
