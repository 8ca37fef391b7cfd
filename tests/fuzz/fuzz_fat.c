/// A FAT volume: every directory is listed to a depth, every file read.
#include "fuzz.h"

#include "fatread.h"
#include "part.h"

static struct input volume;
static bool read_sector(void *context, u64 sector, u64 count, void *buf)
{
    if (!br_range_ok(sector, count, volume.len / 512))
        return false;
    memcpy(buf, volume.data + sector * 512, count * 512);
    return true;
}

static void walk(struct fat_reader *v, struct fat_file *dir, int depth, int *budget)
{
    struct fat_file f;
    u8 block[1700];
    while (*budget > 0 && fat_list(v, dir, &f)) {
        --*budget;
        if (f.is_dir && depth < 4)
            walk(v, &f, depth + 1, budget);
        for (u64 off = 0; !f.is_dir && off < 8192; off += sizeof block)
            if (fat_read(v, &f, off, block, sizeof block) < sizeof block)
                break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fat_reader v;
    struct br_why why;
    struct fat_file f;
    int budget = 200;
    volume = (struct input){data, size};
    struct br_part part[PART_MAX];
    struct br_disk disk = {read_sector, NULL, size / 512};
    u32 parts = br_partitions(&disk, part);
    FUZZ_CHECK(parts <= PART_MAX);
    for (u32 k = 0; k < parts; k++)
        FUZZ_CHECK(br_range_ok(part[k].first, part[k].sectors, disk.sectors) && part[k].sectors);
    v = (struct fat_reader){.read = read_sector};
    if (!fat_mount(&v, &why))
        return 0;
    fat_root(&v, &f);
    walk(&v, &f, 0, &budget);
    (void)fat_open(&v, "/EFI/BOOT/BOOTAA64.EFI", &f);
    return 0;
}
