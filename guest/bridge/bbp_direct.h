/// The boot protocol without firmware: lays a kernel, its tables, stack, modules and block out in a
/// machine's RAM and says with which registers to start. For a VMM; it needs nothing but a pointer to
/// that RAM.
#ifndef BRIDGE_BBP_DIRECT_H
#define BRIDGE_BBP_DIRECT_H

#include "bbp_build.h"

enum { BBP_DIRECT_MODULES_MAX = 16, BBP_DIRECT_CPUS_MAX = 64 };

struct bbp_direct {
    struct br_area ram; ///< one range of RAM
    struct bbp_env env; ///< what the CPU offers; has_dtb is set from dtb
    const void *kernel;
    u64 kernel_len;
    const char *kernel_name;
    const char *cmdline;
    const void *dtb; ///< copied into RAM; NULL = none
    u64 dtb_len;
    const u8 *entropy; ///< 64 bytes, or NULL
    struct bbp_console console;
    u32 modules, cpus;
    struct {
        const char *path, *string;
        const void *bytes;
        u64 len;
    } module[BBP_DIRECT_MODULES_MAX];
    u64 cpu_id[BBP_DIRECT_CPUS_MAX]; ///< MPIDR affinity or APIC id; the first boots
    u64 counter_hz, wall_clock_s;
};

/// Everything a VMM sets before the first instruction. PSTATE: DAIF set, EL1h (EL2h if el2). x86_64:
/// CR3 = root_low, CR0.PG|WP, EFER.LME|NXE, rsp = sp - 8, rdi = arg.
struct bbp_start {
    struct bbp_entry entry;
    u64 sctlr; ///< SCTLR_EL1: RES1 bits, and M, C, I, SA, SA0 with the MMU on
    u64 cpacr; ///< CPACR_EL1
    bool el2, vhe;
    u64 kernel_phys, kernel_virt, slide, info_phys, dtb_phys;
};

/// Does it all. ret  false with the reason: the kernel's, or that RAM is too small or not there
bool bbp_direct_load(const struct bbp_direct *d, struct bbp_start *out, struct br_why *why) MUST_USE;

#endif
