/// GPT and MBR. A table whose checksum is wrong is not used; then the copy at the end is tried.
#include "part.h"

enum { ENTRY_MIN = 128, ENTRY_MAX = 512, ENTRIES_MAX = 256, MBR_TABLE = 446, MBR_ESP = 0xef, MBR_FAT32_LBA = 0x0c };

/// CRC-32 of IEEE 802.3, four bits at a time.
static u32 crc32(u32 crc, const u8 *p, u64 len)
{
    static const u32 step[16] = {0,          0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    crc = ~crc;
    while (len--) {
        crc ^= *p++;
        crc = crc >> 4 ^ step[crc & 15];
        crc = crc >> 4 ^ step[crc & 15];
    }
    return ~crc;
}

/// A GPT header's entries.
struct table {
    u64 first, sectors;
    u32 count, size;
};

static bool read_header(const struct br_disk *d, u64 at, struct table *t)
{
    u8 h[PART_SECTOR];
    static const u8 zero[4];
    if (at >= d->sectors || !d->read(d->context, at, 1, h) || memcmp(h, "EFI PART", 8))
        return false;
    u32 len = br_ld32(h + 12), want = br_ld32(h + 16), table_crc = br_ld32(h + 88);
    if (len < 92 || len > PART_SECTOR || br_ld64(h + 24) != at)
        return false;
    memcpy(h + 16, zero, 4);
    if (crc32(0, h, len) != want)
        return false;
    *t = (struct table){br_ld64(h + 72), 0, br_ld32(h + 80), br_ld32(h + 84)};
    if (t->size < ENTRY_MIN || t->size > ENTRY_MAX || !br_pow2(t->size) ||
        t->count > ENTRIES_MAX)
        return false;
    u64 bytes = (u64)t->count * t->size;
    t->sectors = br_up(bytes, PART_SECTOR) / PART_SECTOR;
    if (!br_range_ok(t->first, t->sectors, d->sectors))
        return false;
    u32 crc = 0;
    for (u64 k = 0; k < t->sectors; k++) {
        u8 s[PART_SECTOR];
        if (!d->read(d->context, t->first + k, 1, s))
            return false;
        u64 n = bytes - k * PART_SECTOR;
        crc = crc32(crc, s, n < PART_SECTOR ? n : PART_SECTOR);
    }
    return crc == table_crc;
}

static u32 read_gpt(const struct br_disk *d, const struct table *t, struct br_part *out)
{
    static const u8 esp[16] = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
    static const u8 unused[16];
    u32 n = 0, per_sector = PART_SECTOR / t->size;
    u8 s[PART_SECTOR];
    for (u32 k = 0; k < t->count && n < PART_MAX; k++) {
        if (k % per_sector == 0 && !d->read(d->context, t->first + k / per_sector, 1, s))
            break;
        const u8 *e = s + k % per_sector * t->size;
        u64 first = br_ld64(e + 32), last = br_ld64(e + 40);
        if (!memcmp(e, unused, 16) || last < first || !br_range_ok(first, last - first, d->sectors - 1))
            continue;
        out[n] = (struct br_part){first, last - first + 1, k + 1, true, !memcmp(e, esp, 16), {0}};
        memcpy(out[n++].id, e + 16, 16);
    }
    return n;
}

static u32 read_mbr(const struct br_disk *d, const u8 *s, struct br_part *out)
{
    u32 n = 0;
    for (u32 k = 0; k < 4; k++) {
        const u8 *e = s + MBR_TABLE + 16 * k;
        u64 first = br_ld32(e + 8), count = br_ld32(e + 12);
        if (e[0] & 0x7f)
            return 0; /* code of a boot sector, not a table */
        if (!e[4] || !count || !first || !br_range_ok(first, count, d->sectors))
            continue;
        out[n] = (struct br_part){first, count, k + 1, false, e[4] == MBR_ESP || e[4] == MBR_FAT32_LBA, {0}};
        memcpy(out[n++].id, s + 440, 4);
    }
    return n;
}

u32 br_partitions(const struct br_disk *d, struct br_part out[PART_MAX])
{
    u8 s[PART_SECTOR];
    struct table t;
    if (d->sectors < 3 || !d->read(d->context, 0, 1, s))
        return 0;
    if (read_header(d, 1, &t) || read_header(d, d->sectors - 1, &t))
        return read_gpt(d, &t, out);
    return br_ld16(s + 510) == 0xaa55 ? read_mbr(d, s, out) : 0;
}
