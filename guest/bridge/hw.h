/// Finds the few devices a small system needs, from a device tree or from ACPI, whichever exists.
#ifndef BRIDGE_HW_H
#define BRIDGE_HW_H

#include "bbp.h"
#include "def.h"

#define HW_CPUS_MAX 64

enum hw_conduit { HW_PSCI_NONE, HW_PSCI_HVC, HW_PSCI_SMC };

struct hw {
    struct bbp_console console;
    u32 gic_version; ///< 0 none, 2, 3
    u64 gic_dist, gic_cpu, gic_redist, gic_redist_len;
    enum hw_conduit conduit;
    u32 cpu_count;
    u64 cpu_id[HW_CPUS_MAX];
    u64 lapic, ioapic;    ///< x86_64
    u32 pm1a_port, s5_type; ///< x86_64 soft-off; port 0 = unknown
    bool from_acpi;
};

/// Reads a device tree. in  len_max  how much may be read; the header's own size is checked to it
/// ret  false if it is no device tree
bool hw_from_dtb(struct hw *hw, const void *dtb, u64 len_max);

/// Reads ACPI tables. in  rsdp  physical; offset  what to add to make a physical address readable
bool hw_from_acpi(struct hw *hw, u64 rsdp, u64 offset);

/// Bytes of a device tree by its header, 0 if it is none.
u64 hw_dtb_len(const void *dtb);

#endif
