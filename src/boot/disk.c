/// What a disk image would boot: partition tables and the default loader of its EFI system partition.
/// Sources: UEFI Specification, "GUID Partition Table (GPT) Disk Layout" and "Boot Manager" (removable
/// media); Microsoft FAT specification. Everything is read from a hostile buffer and bounded.
#include "boot/boot.h"

#include <stdio.h>

enum { SECTOR = 512, DIR_ENTRIES_MAX = 4096 };

/// An opened FAT volume inside the image.
struct fat {
    const u8 *p;
    u64 len;
    u64 cluster_bytes, fat_off, root_off, root_len, data_off, clusters;
    unsigned bits; ///< 12, 16 or 32
    u32 root_cluster;
};
struct fat_file {
    u32 cluster, size;
    bool is_dir;
};

static bool fat_open(struct fat *f, const u8 *p, u64 len)
{
    if (len < SECTOR || p[510] != 0x55 || p[511] != 0xaa || ld16(p + 11) != SECTOR || p[13] == 0 || p[16] == 0)
        return false;
    u64 reserved = ld16(p + 14), fat_sectors = ld16(p + 22) ? ld16(p + 22) : ld32(p + 36);
    u64 total = ld16(p + 19) ? ld16(p + 19) : ld32(p + 32);
    u64 root_sectors = (ld16(p + 17) * 32ULL + SECTOR - 1) / SECTOR;
    u64 data = reserved + p[16] * fat_sectors + root_sectors;
    if (!fat_sectors || total <= data)
        return false;
    *f = (struct fat){.p = p, .len = len, .cluster_bytes = p[13] * (u64)SECTOR, .fat_off = reserved * SECTOR,
                      .root_off = (reserved + p[16] * fat_sectors) * SECTOR, .root_len = root_sectors * SECTOR,
                      .data_off = data * SECTOR, .clusters = (total - data) / p[13]};
    f->bits = f->clusters < 4085 ? 12 : f->clusters < 65525 ? 16 : 32;
    f->root_cluster = f->bits == 32 ? ld32(p + 44) : 0;
    return true;
}

/// The cluster after c; 0 at the end of the chain or when the table is damaged.
static u32 fat_next(const struct fat *f, u32 c)
{
    u64 at = f->fat_off + (f->bits == 32 ? c * 4ULL : f->bits == 16 ? c * 2ULL : c + c / 2ULL);
    if (!range_ok(at, 4, f->len))
        return 0;
    u32 v = f->bits == 32   ? ld32(f->p + at) & 0x0fffffff
            : f->bits == 16 ? ld16(f->p + at)
            : c & 1         ? ld16(f->p + at) >> 4
                            : ld16(f->p + at) & 0xfffu;
    return v < 2 || v >= f->clusters + 2 ? 0 : v;
}

/// Compares an 8.3 entry with "NAME.EXT" regardless of case.
static bool is_name(const u8 *entry, const char *name)
{
    char short_name[13];
    unsigned n = 0;
    for (unsigned i = 0; i < 8 && entry[i] != ' '; i++)
        short_name[n++] = (char)entry[i];
    if (entry[8] != ' ')
        short_name[n++] = '.';
    for (unsigned i = 8; i < 11 && entry[i] != ' '; i++)
        short_name[n++] = (char)entry[i];
    short_name[n] = 0;
    return strcasecmp(short_name, name) == 0;
}

/// Looks through one stretch of directory entries. ret  true when found or when the directory ended
static bool scan_entries(const struct fat *f, u64 off, u64 len, const char *name, struct fat_file *out, bool *found)
{
    for (u64 i = 0; i + 32 <= len && range_ok(off + i, 32, f->len); i += 32) {
        const u8 *d = f->p + off + i;
        if (d[0] == 0)
            return true;
        if (d[0] == 0xe5 || d[11] & 0x08 || !is_name(d, name))
            continue;
        *out = (struct fat_file){(u32)ld16(d + 20) << 16 | ld16(d + 26), ld32(d + 28), d[11] & 0x10};
        *found = true;
        return true;
    }
    return false;
}

/// cluster 0: the root directory.
static bool fat_find(const struct fat *f, u32 cluster, const char *name, struct fat_file *out)
{
    bool found = false;
    if (cluster == 0 && f->bits != 32) {
        scan_entries(f, f->root_off, f->root_len, name, out, &found);
        return found;
    }
    if (cluster == 0)
        cluster = f->root_cluster;
    for (unsigned n = 0; cluster >= 2 && n < DIR_ENTRIES_MAX; n++) {
        u64 off = f->data_off + (cluster - 2) * f->cluster_bytes;
        if (scan_entries(f, off, f->cluster_bytes, name, out, &found))
            break;
        cluster = fat_next(f, cluster);
    }
    return found;
}

/// The first bytes of a file, if its first cluster lies in the image.
static bool fat_head(const struct fat *f, const struct fat_file *file, struct blob *out)
{
    u64 off = f->data_off + (file->cluster - 2ULL) * f->cluster_bytes;
    u64 n = file->size < f->cluster_bytes ? file->size : f->cluster_bytes;
    if (file->cluster < 2 || !range_ok(off, n, f->len))
        return false;
    *out = (struct blob){.name = "loader", .data = f->p + off, .len = n};
    return true;
}

static void look_for_loader(struct boot_disk *d, const struct fat *f)
{
    static const struct {
        const char *name, *processor;
    } loaders[] = {{"BOOTAA64.EFI", "AArch64"}, {"BOOTX64.EFI", "x86-64"},    {"BOOTIA32.EFI", "x86 (32-bit)"},
                   {"BOOTARM.EFI", "32-bit ARM"}, {"BOOTRISCV64.EFI", "RISC-V"}};
    struct fat_file efi, boot, file;
    if (!fat_find(f, 0, "EFI", &efi) || !efi.is_dir || !fat_find(f, efi.cluster, "BOOT", &boot) || !boot.is_dir) {
        snprintf(d->verdict, sizeof d->verdict, "the EFI system partition has no directory EFI/BOOT");
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(loaders); i++) {
        struct blob head;
        struct boot_pe pe;
        struct err unused;
        if (!fat_find(f, boot.cluster, loaders[i].name, &file))
            continue;
        if (i != 0) {
            snprintf(d->verdict, sizeof d->verdict, "EFI/BOOT has %s, for %s, but no BOOTAA64.EFI",
                     loaders[i].name, loaders[i].processor);
            return;
        }
        if (!fat_head(f, &file, &head) || !boot_pe_parse(&head, &pe, &unused)) {
            snprintf(d->verdict, sizeof d->verdict, "EFI/BOOT/BOOTAA64.EFI (%u bytes) is not a PE file", file.size);
            return;
        }
        d->is_bootable = pe.machine == 0xaa64;
        snprintf(d->verdict, sizeof d->verdict, "EFI/BOOT/BOOTAA64.EFI, %u bytes, %s for %s", file.size, pe.kind,
                 pe.machine_name);
        return;
    }
    snprintf(d->verdict, sizeof d->verdict, "EFI/BOOT has no BOOTAA64.EFI");
}

static void add_part(struct boot_disk *d, u64 first, u64 sectors, const char *kind, bool is_esp)
{
    if (d->part_count < ARRAY_LEN(d->part) && sectors)
        d->part[d->part_count++] = (struct boot_part){first * SECTOR, sectors * SECTOR, kind, is_esp};
}

static const char *gpt_kind(const u8 *guid, bool *is_esp)
{
    static const struct {
        u8 guid[4]; ///< the first field tells them apart
        const char *name;
        bool is_esp;
    } kinds[] = {{{0x28, 0x73, 0x2a, 0xc1}, "EFI system partition", true},
                 {{0xaf, 0x3d, 0xc6, 0x0f}, "Linux file system", false},
                 {{0x45, 0xb0, 0x21, 0xb9}, "Linux root (AArch64)", false},
                 {{0xe3, 0xbc, 0x68, 0x4f}, "Linux root (x86-64)", false},
                 {{0x6d, 0xfd, 0x57, 0x06}, "Linux swap", false},
                 {{0xa2, 0xa0, 0xd0, 0xeb}, "Microsoft basic data", false},
                 {{0x48, 0x61, 0x68, 0x21}, "BIOS boot", false}};
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (memcmp(guid, kinds[i].guid, 4) == 0) {
            *is_esp = kinds[i].is_esp;
            return kinds[i].name;
        }
    return "other";
}

static bool read_gpt(struct boot_disk *d, const struct blob *in)
{
    static const u8 none[16];
    if (!range_ok(SECTOR, 92, in->len) || memcmp(in->data + SECTOR, "EFI PART", 8) != 0)
        return false;
    const u8 *h = in->data + SECTOR;
    u64 table = ld64(h + 72), count = ld32(h + 80), size = ld32(h + 84);
    d->table = "GPT";
    if (size < 128 || size > 4096 || count > 1024 || table > in->len / SECTOR ||
        !range_ok(table * SECTOR, count * size, in->len))
        return true;
    for (u64 i = 0; i < count; i++) {
        const u8 *p = in->data + table * SECTOR + i * size;
        bool is_esp = false;
        u64 first = ld64(p + 32), last = ld64(p + 40);
        if (memcmp(p, none, 16) == 0 || last < first || last > in->len)
            continue;
        const char *kind = gpt_kind(p, &is_esp);
        add_part(d, first, last - first + 1, kind, is_esp);
    }
    return true;
}

static bool read_mbr(struct boot_disk *d, const struct blob *in)
{
    if (in->len < SECTOR || in->data[510] != 0x55 || in->data[511] != 0xaa)
        return false;
    for (unsigned i = 0; i < 4; i++) {
        const u8 *p = in->data + 446 + i * 16;
        if (p[0] & 0x7f)
            return false; /* boot code of a file system, not a table */
        const char *kind = p[4] == 0xef                  ? "EFI system partition"
                           : p[4] == 0x83                ? "Linux"
                           : p[4] == 0x0c || p[4] == 0x0b ? "FAT32"
                                                          : "other";
        if (p[4])
            add_part(d, ld32(p + 8), ld32(p + 12), kind, p[4] == 0xef || p[4] == 0x0c);
    }
    d->table = "MBR";
    return d->part_count != 0;
}

bool boot_disk_parse(const struct blob *in, struct boot_disk *d)
{
    struct fat f;
    memset(d, 0, sizeof *d);
    if (!read_gpt(d, in) && !read_mbr(d, in)) {
        d->part_count = 0;
        if (!fat_open(&f, in->data, in->len))
            return false;
        d->table = "none, a FAT volume";
        look_for_loader(d, &f);
        return true;
    }
    for (unsigned i = 0; i < d->part_count; i++) {
        const struct boot_part *p = &d->part[i];
        if (!p->is_esp)
            continue;
        if (!range_ok(p->off, p->len, in->len))
            snprintf(d->verdict, sizeof d->verdict, "the EFI system partition lies outside the image: truncated?");
        else if (!fat_open(&f, in->data + p->off, p->len))
            snprintf(d->verdict, sizeof d->verdict, "the EFI system partition holds no FAT file system");
        else
            look_for_loader(d, &f);
        return true;
    }
    snprintf(d->verdict, sizeof d->verdict, "no EFI system partition");
    return true;
}
