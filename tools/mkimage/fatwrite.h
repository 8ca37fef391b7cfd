/// Writes a FAT16 or FAT32 volume from a tree of nodes.
#ifndef FATWRITE_H
#define FATWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fat_node {
    char *name;      ///< UTF-8, one path component
    char *host_path; ///< NULL for directories
    bool is_dir;
    uint64_t size; ///< of a file
    struct fat_node **child;
    uint32_t children;
    struct fat_node *parent;
    uint8_t short_name[11];
    uint32_t cluster, clusters; ///< where it went
};

struct fat_volume {
    struct fat_node *root;
    uint32_t sectors; ///< of 512 bytes
    uint32_t hidden;  ///< sectors before the volume
    uint32_t volume_id;
    char label[12];
};

/// Bytes of file system needed at least for the tree, with room to spare.
uint64_t fat_size_for(const struct fat_node *root);

/// Writes the volume at byte `offset` of an open file.
bool fat_write(struct fat_volume *v, int fd, uint64_t offset, char *err, size_t err_len);

#endif
