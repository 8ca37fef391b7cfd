/// Page tables of both architectures, built in a buffer: the loader, the VMM and the kernel use
/// the same few functions. Nothing here touches a system register.
#ifndef BRIDGE_PAGETABLE_H
#define BRIDGE_PAGETABLE_H

#include "def.h"

/// A window on memory: bytes we can touch and the physical address they have for the CPU.
struct br_area {
    u8 *bytes;
    u64 phys, len;
};

enum br_map_flag {
    BR_MAP_W = 1,
    BR_MAP_X = 2,
    BR_MAP_DEVICE = 4,   ///< aarch64 Device-nGnRE, x86_64 strongly uncached
    BR_MAP_UNCACHED = 8, ///< aarch64 Normal non-cacheable, x86_64 UC-: framebuffers
};

/// MAIR_EL1 for the three memory types: 0 normal write-back, 1 Device-nGnRE, 2 normal uncached.
#define BR_MAIR 0x4404FFULL

struct br_pt {
    u16 arch;
    u8 granule_shift; ///< 12, 14 or 16; always 12 on x86_64
    u8 levels;        ///< depth of the tree
    u8 va_bits;       ///< aarch64: 64 - TnSZ; x86_64: 48 or 57 with both halves in one tree
    struct br_area pool;
    u64 used; ///< bytes of the pool in use
    u64 root_low, root_high;
};

/// Starts empty trees in the pool. x86_64: both roots are the same table.
/// in   pool  granule-aligned, at least two granules
bool br_pt_init(struct br_pt *pt, u16 arch, u8 granule_shift, u8 levels,
                struct br_area pool) MUST_USE;

/// Maps [va, va+len) to pa with the largest blocks that fit. All three are multiples of the granule.
/// ret  false if the pool is full, the address is not canonical, or something is mapped there
bool br_pt_map(struct br_pt *pt, u64 va, u64 pa, u64 len, u32 flags) MUST_USE;

/// What the tables say about one address.
struct br_walk {
    u64 pa;
    u32 flags;      ///< enum br_map_flag
    u8 level;       ///< where the walk ended, 0 = root of a four-level tree
    u64 descriptor; ///< what stopped it
};
/// ret  true if va is mapped
bool br_pt_walk(const struct br_pt *pt, u64 va, struct br_walk *out);

/// Changes the rights of mapped pages; blocks are split when needed. The caller invalidates the TLB.
bool br_pt_protect(struct br_pt *pt, u64 va, u64 len, u32 flags) MUST_USE;

/// TCR_EL1 for these tables. in  pa_range  ID_AA64MMFR0_EL1.PARange
u64 br_pt_tcr(const struct br_pt *pt, unsigned pa_range);

#endif
