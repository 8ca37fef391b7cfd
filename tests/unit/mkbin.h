/// Builders of small boot files for tests: headers with chosen fields, in memory.
#ifndef BRUIN_TEST_MKBIN_H
#define BRUIN_TEST_MKBIN_H

#include "boot/boot.h"

#include <elf.h>
#include <stdlib.h>

/// An Image of `len` bytes whose code is `b .`.
static inline u8 *mk_image(u64 len, u64 text_offset, u64 image_size, u64 flags)
{
    u8 *p = calloc(1, len);
    st32(p, 0x14000000);
    st64(p + 8, text_offset);
    st64(p + 16, image_size);
    st64(p + 24, flags);
    memcpy(p + 0x38, "ARM\x64", 4);
    return p;
}

struct mk_ph {
    u32 type;
    u64 vaddr, paddr, off, filesz, memsz;
};

/// An ELF64 of `len` bytes with the given program headers behind its header.
static inline u8 *mk_elf(u64 len, u16 machine, u64 entry, const struct mk_ph *ph, unsigned n)
{
    u8 *p = calloc(1, len);
    Elf64_Ehdr h = {.e_type = ET_EXEC, .e_machine = machine, .e_version = 1, .e_entry = entry,
                    .e_phoff = 64, .e_ehsize = 64, .e_phentsize = 56, .e_phnum = (u16)n};
    memcpy(h.e_ident, "\x7f" "ELF\2\1\1", 7);
    memcpy(p, &h, sizeof h);
    for (unsigned i = 0; i < n; i++) {
        Elf64_Phdr q = {.p_type = ph[i].type, .p_flags = 7, .p_offset = ph[i].off, .p_vaddr = ph[i].vaddr,
                        .p_paddr = ph[i].paddr, .p_filesz = ph[i].filesz, .p_memsz = ph[i].memsz};
        memcpy(p + 64 + i * 56, &q, sizeof q);
    }
    return p;
}

#endif
