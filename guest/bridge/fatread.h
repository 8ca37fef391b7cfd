/// Reads FAT12, FAT16 and FAT32 volumes, trusting nothing in them. Freestanding; for firmware, host
/// tools and fuzzers.
#ifndef BRIDGE_FATREAD_H
#define BRIDGE_FATREAD_H

#include "def.h"

#define FAT_NAME_MAX 256

/// A volume. Fill `read` and `context`, then fat_mount().
struct fat_reader {
    /// Reads sectors of 512 bytes, counted from the start of the volume.
    bool (*read)(void *context, u64 sector, u64 count, void *buf);
    void *context;
    u32 bits; ///< 12, 16 or 32
    u32 per_cluster, clusters;
    u64 fat_start, root_start, data_start;
    u32 root_sectors, root_cluster;
    u64 sectors;    ///< of the whole volume, as it says
    char label[12]; ///< as the boot sector says
    u64 cached; ///< sector in `sector`, UINT64_MAX = none
    u8 sector[512];
};

/// A file or directory. Also a cursor: reading in order costs one step a cluster.
struct fat_file {
    char name[FAT_NAME_MAX]; ///< UTF-8 up to what fits
    bool is_dir;
    u32 first; ///< cluster; 0 = empty, or the root of FAT12/16
    u64 size;  ///< 0 for directories
    u16 date, time; ///< of the last write, as FAT keeps them
    u32 cursor_index, cursor_cluster;
    u64 next; ///< directories: byte offset of the next entry
};

bool fat_mount(struct fat_reader *v, struct br_why *why) MUST_USE;
void fat_root(const struct fat_reader *v, struct fat_file *out);
/// The next entry of a directory, without "." and "..". ret  false at the end or at a fault
bool fat_list(struct fat_reader *v, struct fat_file *dir, struct fat_file *out);
/// Opens a path with '/' or '\\', without regard to case. ret  false if there is no such thing
bool fat_open(struct fat_reader *v, const char *path, struct fat_file *out);
/// ret  bytes read, fewer at the end of the file or at a fault
u64 fat_read(struct fat_reader *v, struct fat_file *f, u64 off, void *buf, u64 len);

#endif
