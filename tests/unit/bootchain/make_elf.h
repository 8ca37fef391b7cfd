/// Builds small ELF files with a BBP note, to be damaged by tests.
#ifndef MAKE_ELF_H
#define MAKE_ELF_H

#include "bbp.h"
#include "elf.h"

#include <string.h>

enum { ELF_LEN = 0x4000, PH_TEXT = 64, PH_DATA = 64 + 56, PH_NOTE = 64 + 112, PH_DYN = 64 + 168 };
#define ELF_BASE 0xFFFFFFFF80000000ULL

static void put16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)v, p[1] = (unsigned char)(v >> 8);
}
static void put32(unsigned char *p, unsigned v) { put16(p, v & 0xFFFF), put16(p + 2, v >> 16); }
static void put64(unsigned char *p, unsigned long long v)
{
    put32(p, (unsigned)v);
    put32(p + 4, (unsigned)(v >> 32));
}

static void put_phdr(unsigned char *p, unsigned type, unsigned flags, unsigned long long off,
                     unsigned long long va, unsigned long long filesz, unsigned long long memsz)
{
    put32(p, type);
    put32(p + 4, flags);
    put64(p + 8, off);
    put64(p + 16, va);
    put64(p + 24, va);
    put64(p + 32, filesz);
    put64(p + 40, memsz);
    put64(p + 48, type == 1 ? 0x1000 : 8);
}

/// A PIE of two segments (code at +0, data at +0x1000 with one relative relocation) and a note.
/// in   f  ELF_LEN bytes
static void make_elf(unsigned char *f, unsigned arch, unsigned want_flags)
{
    memset(f, 0, ELF_LEN);
    memcpy(f, "\177ELF\2\1\1", 7);
    put16(f + 16, 3);
    put16(f + 18, arch);
    put64(f + 24, ELF_BASE + 0x10);
    put64(f + 32, 64);
    put16(f + 54, 56);
    put16(f + 56, 4);
    put_phdr(f + PH_TEXT, 1, 5, 0x1000, ELF_BASE, 0x1000, 0x1000);
    put_phdr(f + PH_DATA, 1, 6, 0x2000, ELF_BASE + 0x1000, 0x200, 0x3000);
    put_phdr(f + PH_NOTE, 4, 4, 0x800, ELF_BASE, 16 + 48, 16 + 48);
    put_phdr(f + PH_DYN, 2, 6, 0x2100, ELF_BASE + 0x1100, 0x40, 0x40);
    unsigned char *n = f + 0x800;
    put32(n, 4);
    put32(n + 4, sizeof(struct bbp_want));
    put32(n + 8, BBP_NOTE_TYPE);
    memcpy(n + 12, "BBP", 4);
    struct bbp_want w = {.major = 1, .size = sizeof w, .arch = (unsigned short)arch, .flags = want_flags};
    memcpy(n + 16, &w, sizeof w);
    for (int i = 0; i < 0x1000; i++)
        f[0x1000 + i] = (unsigned char)i;
    // .dynamic: DT_RELA, DT_RELASZ, DT_NULL; the table at +0x1180: one relative relocation of +0x1008.
    put64(f + 0x2100, 7);
    put64(f + 0x2108, ELF_BASE + 0x1180);
    put64(f + 0x2110, 8);
    put64(f + 0x2118, 24);
    put64(f + 0x2180, ELF_BASE + 0x1008);
    put64(f + 0x2188, arch == 183 ? 1027 : 8);
    put64(f + 0x2190, ELF_BASE + 0x20);
}

#endif
