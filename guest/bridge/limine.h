/// The Limine boot protocol, base revisions 0 to 4, as a second front end: requests are found in the
/// loaded image and answered in a buffer. Pure functions, written from the protocol's text.
#ifndef BRIDGE_LIMINE_H
#define BRIDGE_LIMINE_H

#include "bbp_build.h"

enum { LIMINE_REVISION_MAX = 4, LIMINE_MODULES_MAX = 16 };

/// What the answers are made of. Addresses are physical, 0 = absent.
struct limine_facts {
    const char *cmdline, *kernel_path;
    u64 kernel_file, kernel_file_len;
    u64 rsdp, smbios32, smbios64, efi_table, dtb;
    u64 wall_clock_s;
    const struct bbp_framebuffer *fb;
    u32 modules, memmap_entries; ///< memmap_entries: room to reserve
    u64 efi_map, efi_map_len, efi_desc_size, efi_desc_version;
    struct {
        const char *path, *string;
        u64 phys, len;
    } module[LIMINE_MODULES_MAX];
};

struct limine {
    u64 revision;  ///< base revision in force
    u64 entry;     ///< from the entry point request, 0 = the ELF's
    u64 stack_len; ///< wanted
    u32 found;     ///< requests seen
    u8 *buf;       ///< answers
    u64 buf_virt, cap, used, hhdm;
    u64 *memmap;     ///< the memory map's response, until limine_memmap() fills it
    u64 *memmap_end;
    u64 *efi_memmap;
};

/// True if the bytes hold any request: then the kernel speaks this protocol.
bool limine_is(const u8 *file, u64 len);

/// The wishes that shape the plan, read from the file before it is loaded.
bool limine_want(const u8 *file, u64 len, u16 arch, struct bbp_want *want, struct limine *l,
                 struct br_why *why) MUST_USE;

/// Answers every request of a loaded image. The memory map follows with limine_memmap().
/// in   answers  zeroed pages that the kernel sees at hhdm + phys
bool limine_answer(struct limine *l, u8 *image, const struct bbp_plan *p,
                   const struct limine_facts *f, struct br_area answers,
                   struct br_why *why) MUST_USE;

/// Writes the final memory map into the room reserved. ret  false if it does not fit
bool limine_memmap(struct limine *l, const struct br_memmap *map, u64 efi_len) MUST_USE;

#endif
