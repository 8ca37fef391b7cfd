/// The kernel's memory map: sorted, disjoint, merged, made from a firmware's or a VMM's.
#ifndef BRIDGE_MEMMAP_H
#define BRIDGE_MEMMAP_H

#include "bbp.h"
#include "def.h"

#define BR_NO_EFI_TYPE 0xFFFFFFFFu

struct br_memmap {
    struct bbp_mem *v;
    u32 count, cap;
};

/// Marks [base, base+len), widened to 4096: replaces what was known there, which may be nothing.
/// Equal neighbours merge. ret  false if the table is full; the map is then unchanged
bool br_memmap_set(struct br_memmap *m, u64 base, u64 len, u32 type, u32 efi_type,
                   u64 attr) MUST_USE;

/// Changes the type only, keeping attributes and firmware type of each part.
bool br_memmap_retype(struct br_memmap *m, u64 base, u64 len, u32 type) MUST_USE;

/// Converts a UEFI memory map. in  desc_size  the firmware's; at least 40
bool br_memmap_from_efi(struct br_memmap *m, const void *map, u64 map_size,
                        u64 desc_size) MUST_USE;

/// The entry holding an address, or NULL.
const struct bbp_mem *br_memmap_find(const struct br_memmap *m, u64 addr);

/// True for types that are RAM and may be mapped write-back.
bool br_mem_is_ram(u32 type);
const char *br_mem_name(u32 type);

#endif
