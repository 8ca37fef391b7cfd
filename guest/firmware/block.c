/// BlockIo for the machine's disks and their partitions, and what lies on them: each FAT volume becomes a
/// SimpleFileSystem (file.c). UEFI, "Block I/O Protocol", "Hard Drive Media Device Path".
#include "fw.h"
#include "../bridge/part.h"

enum { DISKS_MAX = 8, UNITS_MAX = 24, SECTOR = 512 };
struct media {
    u32 id;
    u8 removable, present, logical, read_only, write_caching;
    u32 block_size, io_align;
    u64 last;
};
struct block_io {
    u64 revision;
    struct media *media;
    efi_status(EFIAPI *reset)(struct block_io *, u8);
    efi_status(EFIAPI *read)(struct block_io *, u32 id, u64 lba, u64 size, void *);
    efi_status(EFIAPI *write)(struct block_io *, u32 id, u64 lba, u64 size, void *);
    efi_status(EFIAPI *flush)(struct block_io *);
};
/// A disk, or a partition of one.
struct unit {
    struct block_io io;
    struct media media;
    u8 path[80] __attribute__((aligned(8)));
    u32 disk;
    u64 first;
};
static struct unit units[UNITS_MAX];
static u32 unit_count;

static bool host_transfer(u32 op, u32 disk, u64 sector, u64 count, void *buf)
{
    struct fwhost_req r = {.op = op, .a = {disk, sector, (u64)(uintptr_t)buf, count}};
    return fw_host(&r) == FWHOST_OK;
}
static efi_status EFIAPI reset(struct block_io *b, u8 extended) { return EFI_SUCCESS; }
static efi_status transfer(struct block_io *b, u32 op, u64 lba, u64 size, void *buf)
{
    struct unit *u = (struct unit *)b;
    if (size == 0)
        return EFI_SUCCESS;
    if (buf == NULL || size % SECTOR || !br_range_ok(lba, size / SECTOR, u->media.last + 1))
        return EFI_INVALID_PARAMETER;
    if (op == FWHOST_DISK_WRITE && u->media.read_only)
        return EFI_WRITE_PROTECTED;
    return host_transfer(op, u->disk, u->first + lba, size / SECTOR, buf) ? EFI_SUCCESS : EFI_DEVICE_ERROR;
}
static efi_status EFIAPI read(struct block_io *b, u32 id, u64 lba, u64 size, void *buf)
{
    return fw_alive(FWHOST_SVC_BLOCK, CALLER) ? transfer(b, FWHOST_DISK_READ, lba, size, buf) : EFI_UNSUPPORTED;
}
static efi_status EFIAPI write(struct block_io *b, u32 id, u64 lba, u64 size, void *buf)
{
    return fw_alive(FWHOST_SVC_BLOCK, CALLER) ? transfer(b, FWHOST_DISK_WRITE, lba, size, buf) : EFI_UNSUPPORTED;
}
static efi_status EFIAPI flush(struct block_io *b) { return EFI_SUCCESS; }

/// For the FAT reader and the partition tables: sectors counted from the start of the unit.
static bool read_unit(void *context, u64 sector, u64 count, void *buf)
{
    struct unit *u = context;
    return br_range_ok(sector, count, u->media.last + 1) && host_transfer(FWHOST_DISK_READ, u->disk, u->first + sector, count, buf);
}

static struct unit *new_unit(u32 disk, u64 first, u64 sectors, bool read_only, const void *path, u32 path_len)
{
    static const struct efi_guid io_guid = {0x964e5b21, 0x6459, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
    static const struct efi_guid dp_guid = EFI_GUID_DEVICE_PATH;
    if (unit_count == UNITS_MAX || path_len + 4 > sizeof units[0].path)
        return NULL;
    struct unit *u = &units[unit_count++];
    efi_handle h = NULL;
    u->disk = disk;
    u->first = first;
    u->media = (struct media){.id = unit_count, .present = 1, .logical = first != 0, .read_only = read_only,
                              .block_size = SECTOR, .last = sectors - 1};
    u->io = (struct block_io){0x10000, &u->media, reset, read, write, flush};
    memcpy(u->path, path, path_len);
    memcpy(u->path + path_len, "\x7f\xff\x04\x00", 4);
    fw_install(&h, &dp_guid, u->path);
    fw_install(&h, &io_guid, &u->io);
    fw_volume_fat(h, (void *)u->path, read_unit, u);
    return u;
}

static void add_partition(const struct unit *disk, u32 head, const struct br_part *p)
{
    u8 path[sizeof disk->path];
    u8 *node = path + head;
    u64 first = p->first, sectors = p->sectors;
    memcpy(path, disk->path, head);
    memset(node, 0, 42);
    node[0] = 4; /* media, hard drive */
    node[1] = 1;
    node[2] = 42;
    memcpy(node + 4, &p->number, 4);
    memcpy(node + 8, &first, 8);
    memcpy(node + 16, &sectors, 8);
    memcpy(node + 24, p->id, 16);
    node[40] = p->is_gpt ? 2 : 1;
    node[41] = p->is_gpt ? 2 : 1;
    new_unit(disk->disk, p->first, p->sectors, disk->media.read_only, path, head + 42);
}

void fw_block_init(void)
{
    static u8 path[] = {1,    4,    21, 0, 0x42, 0x52, 0x55, 0x49, 0x4e, 0x44, 0x53, 0x4b, 0x80, 0x02, 0, 0, 0, 0, 0, 2, 0};
    for (u32 k = 0; k < fw_info.disks && k < DISKS_MAX; k++) {
        struct fwhost_req r = {.op = FWHOST_DISK_INFO, .a = {k}};
        struct br_part part[PART_MAX];
        if (fw_host(&r) != FWHOST_OK || r.a[1] == 0)
            continue;
        path[20] = (u8)k;
        struct unit *u = new_unit(k, 0, r.a[1], r.a[2] & 1, path, sizeof path);
        if (u == NULL)
            return;
        struct br_disk d = {read_unit, u, r.a[1]};
        u32 n = br_partitions(&d, part);
        for (u32 i = 0; i < n; i++)
            add_partition(u, sizeof path, &part[i]);
    }
}
