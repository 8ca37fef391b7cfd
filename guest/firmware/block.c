/// BlockIo for the machine's disks. UEFI, "Block I/O Protocol".
#include "fw.h"

enum { DISKS_MAX = 8, SECTOR = 512 };
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
struct disk {
    struct block_io io;
    struct media media;
    u8 path[32] __attribute__((aligned(8)));
    u32 index;
};
static struct disk disks[DISKS_MAX];

static efi_status EFIAPI reset(struct block_io *b, u8 extended) { return EFI_SUCCESS; }
static efi_status transfer(struct block_io *b, u32 op, u64 lba, u64 size, void *buf)
{
    struct disk *d = (struct disk *)b;
    if (size == 0)
        return EFI_SUCCESS;
    if (buf == NULL || size % SECTOR || !br_range_ok(lba, size / SECTOR, d->media.last + 1))
        return EFI_INVALID_PARAMETER;
    if (op == FWHOST_DISK_WRITE && d->media.read_only)
        return EFI_WRITE_PROTECTED;
    struct fwhost_req r = {.op = op, .a = {d->index, lba, (u64)(uintptr_t)buf, size / SECTOR}};
    return fw_host(&r) == FWHOST_OK ? EFI_SUCCESS : EFI_DEVICE_ERROR;
}
static efi_status EFIAPI read(struct block_io *b, u32 id, u64 lba, u64 size, void *buf)
{
    return fw_alive(FWHOST_SVC_OTHER, CALLER) ? transfer(b, FWHOST_DISK_READ, lba, size, buf) : EFI_UNSUPPORTED;
}
static efi_status EFIAPI write(struct block_io *b, u32 id, u64 lba, u64 size, void *buf)
{
    return fw_alive(FWHOST_SVC_OTHER, CALLER) ? transfer(b, FWHOST_DISK_WRITE, lba, size, buf) : EFI_UNSUPPORTED;
}
static efi_status EFIAPI flush(struct block_io *b) { return EFI_SUCCESS; }

void fw_block_init(void)
{
    static const struct efi_guid io_guid = {0x964e5b21, 0x6459, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
    static const struct efi_guid dp_guid = EFI_GUID_DEVICE_PATH;
    static const u8 path[] = {1,    4,    21, 0,    0x42, 0x52, 0x55, 0x49, 0x4e, 0x44, 0x53, 0x4b, 0x80,
                              0x02, 0,    0,  0,    0,    0,    2,    0,    0x7f, 0xff, 4,    0};
    for (u32 k = 0; k < fw_info.disks && k < DISKS_MAX; k++) {
        struct disk *d = &disks[k];
        struct fwhost_req r = {.op = FWHOST_DISK_INFO, .a = {k}};
        efi_handle h = NULL;
        if (fw_host(&r) != FWHOST_OK || r.a[1] == 0)
            continue;
        d->index = k;
        d->media = (struct media){.id = k + 1, .present = 1, .read_only = r.a[2] & 1, .block_size = SECTOR, .last = r.a[1] - 1};
        d->io = (struct block_io){0x10000, &d->media, reset, read, write, flush};
        memcpy(d->path, path, sizeof path);
        d->path[20] = (u8)k;
        fw_install(&h, &dp_guid, d->path);
        fw_install(&h, &io_guid, &d->io);
    }
}
