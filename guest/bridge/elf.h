/// ELF64 kernels as hostile input: everything is validated before a byte is copied.
#ifndef BRIDGE_ELF_H
#define BRIDGE_ELF_H

#include "def.h"

#define BR_ELF_SEGMENTS_MAX 16
#define BR_ELF_IMAGE_MAX (1ULL << 30)
#define BR_ELF_PAGE 4096u

enum br_segment_flag { BR_SEG_X = 1, BR_SEG_W = 2, BR_SEG_R = 4 };

struct br_segment {
    u64 off, filesz, vaddr, memsz;
    u32 flags; ///< enum br_segment_flag
};

/// A validated image. `file` stays borrowed from the caller.
struct br_elf {
    const u8 *file;
    u64 file_len;
    u16 arch;
    bool is_pie;
    u64 entry;
    u64 lo, hi; ///< virtual span, multiples of 4096
    u64 align;  ///< largest p_align, at least 4096
    u64 dyn_vaddr, dyn_len;
    unsigned count;
    struct br_segment seg[BR_ELF_SEGMENTS_MAX]; ///< PT_LOAD, ascending
};

/// Validates a kernel completely: header, machine, sizes, overflow, overlap, alignment, no segment
/// writable and executable, no page shared by segments of different rights, entry in code.
/// in   arch  the e_machine wanted; 0 accepts both of ours
bool br_elf_check(const void *file, u64 len, u16 arch, struct br_elf *out,
                  struct br_why *why) MUST_USE;

/// Finds a note. ret  its payload in the file, or NULL
const u8 *br_elf_note(const struct br_elf *elf, const char *name, u32 type, u32 *len);

/// Finds .symtab and its strings. ret  false if the file has none or they do not fit
bool br_elf_symbols(const struct br_elf *elf, u64 *symtab_off, u64 *symtab_len, u64 *strtab_off,
                    u64 *strtab_len);

/// Copies the segments, zeroes the rest, and applies relative relocations (RELA and RELR).
/// in   slide  added to every link address
/// out  dst    dst_len >= hi - lo bytes; dst[0] is the byte of link address lo
bool br_elf_load(const struct br_elf *elf, u8 *dst, u64 dst_len, u64 slide,
                 struct br_why *why) MUST_USE;

#endif
