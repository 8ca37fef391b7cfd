/// Partitions of a disk: GPT with its checksums and its second copy, or MBR. Freestanding; nothing on the
/// disk is trusted. UEFI, "GUID Partition Table (GPT) Disk Layout".
#ifndef BRIDGE_PART_H
#define BRIDGE_PART_H

#include "def.h"

enum { PART_MAX = 16, PART_SECTOR = 512 };

struct br_disk {
    /// Reads whole sectors of 512 bytes.
    bool (*read)(void *context, u64 sector, u64 count, void *buf);
    void *context;
    u64 sectors;
};
struct br_part {
    u64 first, sectors;
    u32 number; ///< from 1, as the table counts
    bool is_gpt, is_esp;
    u8 id[16];  ///< GPT: the partition's GUID; MBR: the disk's signature in the first four bytes
};

/// ret  partitions found, at most PART_MAX; 0 without a table
u32 br_partitions(const struct br_disk *d, struct br_part out[PART_MAX]);

#endif
