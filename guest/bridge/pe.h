/// PE32+ images for aarch64 as hostile input: the firmware's loader, shared with its tests and fuzzer.
/// Microsoft, "PE Format".
#ifndef BRIDGE_PE_H
#define BRIDGE_PE_H

#include "def.h"

enum { PE_SECTIONS_MAX = 96, PE_PAGE = 4096 };
#define PE_IMAGE_MAX (1ULL << 30)
enum pe_right { PE_W = 1, PE_X = 2 };

/// A parsed image. `data` stays borrowed.
struct br_pe {
    const u8 *data;
    u64 size;
    const u8 *sections;
    u32 section_count;
    u64 image_size, headers, base, entry;
    u32 reloc_rva, reloc_size, section_align;
};

/// Reads and checks the headers. ret  false with *why
bool br_pe_parse(const void *data, u64 size, struct br_pe *out, const char **why) MUST_USE;
/// Copies headers and sections and relocates. in  to  image_size bytes; `at` is its address when it runs
bool br_pe_load(const struct br_pe *p, u8 *to, u64 at, const char **why) MUST_USE;
/// The rights of section k in whole pages of the image. ret  false if it has no pages of its own
bool br_pe_section(const struct br_pe *p, u32 k, u64 *rva, u64 *pages, u32 *rights);

#endif
