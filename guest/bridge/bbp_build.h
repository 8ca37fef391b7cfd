/// The boot protocol performed: from the bytes of a kernel file to everything it is entered with.
/// The UEFI loader and a VMM that boots without firmware call the same four steps:
///   bbp_plan_make   read the file, decide, refuse with a reason
///   bbp_place       copy and relocate into memory the caller found
///   bbp_map         build and verify the page tables
///   bbp_write_*     write the information block
#ifndef BRIDGE_BBP_BUILD_H
#define BRIDGE_BBP_BUILD_H

#include "bbp.h"
#include "elf.h"
#include "memmap.h"
#include "pagetable.h"

/// What the machine and the configuration offer.
struct bbp_env {
    u16 arch;
    u8 granules;     ///< enum bbp_granule the CPU implements (aarch64)
    u8 pa_range;     ///< ID_AA64MMFR0_EL1.PARange
    u8 levels;       ///< x86_64: 4, or 5 with CR4.LA57 set; aarch64: 4
    u8 levels_other; ///< x86_64: a depth that can be switched to; 0 = none
    bool at_el2;     ///< the firmware runs at EL2
    bool has_vhe;
    bool has_dtb, has_acpi, has_fb;
    bool kaslr;      ///< allowed by the configuration
    u64 random;      ///< for KASLR; 0 = none available
    const struct bbp_want *want; ///< wishes of a kernel without a note; NULL = read the note
};

struct bbp_plan {
    struct br_elf elf;
    struct bbp_want want;
    struct bbp_env env;
    u64 image_len, image_align; ///< of the physical memory to find
    bool needs_phys;            ///< only `phys` will do
    u64 phys;                   ///< wanted if needs_phys; set by bbp_place
    u64 slide, virt;
    u64 stack_len, hhdm_base;
    u8 granule_shift, levels;
    bool mmu_on, entry_el2, vhe;
};

/// Reads the note and decides. Every refusal names what was asked and what to change.
bool bbp_plan_make(struct bbp_plan *p, const void *file, u64 len, const struct bbp_env *env,
                   struct br_why *why) MUST_USE;

/// Copies and relocates the image. in  image  at least image_len bytes, aligned to image_align
bool bbp_place(struct bbp_plan *p, struct br_area image, struct br_why *why) MUST_USE;

/// Registers at entry. The loader's trampoline loads them; a VMM sets them.
struct bbp_entry {
    u64 pc, sp, arg;
    u64 root_low, root_high, tcr, mair; ///< 0 with the MMU off
};

/// Physical places that the tables must know besides RAM.
struct bbp_places {
    struct br_area stack;
    u64 info_phys;
    u64 trampoline; ///< page mapped one to one, executable; 0 = none
    u64 device[4];  ///< pages mapped as device memory at hhdm_base + address; 0 = none
    u64 fb_phys, fb_len;
    u64 dtb_phys, dtb_len;
    bool cover_4g;    ///< the direct map has no holes below 4 GiB: what is no RAM is device memory
    bool identity;    ///< everything is also mapped one to one, writable and executable
};

/// Bytes of table pool that certainly suffice for this plan and map.
u64 bbp_pool_len(const struct bbp_plan *p, const struct br_memmap *map);

/// Builds the tables (MMU on) and checks with a walk that entry, stack and block are reachable
/// with the right permissions before anyone jumps.
bool bbp_map(const struct bbp_plan *p, const struct br_memmap *map, const struct bbp_places *at,
             struct br_area pool, struct br_pt *pt, struct bbp_entry *entry,
             struct br_why *why) MUST_USE;

#define BBP_TAGS_MAX 40

/// An information block being written.
struct bbp_writer {
    u8 *base;
    u64 phys, cap, used;
    bool is_full; ///< something did not fit; bbp_write_end then fails
};

bool bbp_write_begin(struct bbp_writer *w, struct br_area block);
/// Adds a tag with a zeroed body. ret  the body, or NULL if full
void *bbp_write_tag(struct bbp_writer *w, u32 type, u32 len);
void bbp_write_bytes(struct bbp_writer *w, u32 type, const void *body, u32 len);
void bbp_write_blob(struct bbp_writer *w, u32 type, u64 phys, u64 len);
/// Stores text outside any tag. ret  its offset in the block, 0 if full
u32 bbp_write_text(struct bbp_writer *w, const char *s);
/// Names the first required tag that is absent. ret  -1 if all are there
int bbp_missing_tag(const struct bbp_writer *w, const struct bbp_want *want);
/// Fills the header from the plan and seals the block with its checksum; may be called again after
/// a tag's body has changed.
bool bbp_write_end(struct bbp_writer *w, const struct bbp_plan *p, u64 features);
const char *bbp_tag_name(u32 type);

#endif
