/// "Microsoft Extensible Firmware Initiative FAT32 File System Specification" 1.03. Every cluster
/// number is checked, every chain is at most as long as the volume has clusters.
#include "fatread.h"

enum { SECTOR = 512, ENTRY = 32, ATTR_LABEL = 8, ATTR_DIR = 16, ATTR_LFN = 15, DIR_MAX = 65536 * 32 };

static const u8 *sector_at(struct fat_reader *v, u64 n)
{
    if (v->cached != n) {
        v->cached = UINT64_MAX;
        if (!v->read(v->context, n, 1, v->sector))
            return NULL;
        v->cached = n;
    }
    return v->sector;
}

/// The label in the boot sector, without trailing blanks.
static void take_label(struct fat_reader *v, const u8 *field)
{
    u32 n = 11;
    while (n && (field[n - 1] == ' ' || field[n - 1] < 0x20))
        n--;
    for (u32 i = 0; i < n; i++)
        v->label[i] = field[i] < 0x20 || field[i] > 0x7e ? '_' : (char)field[i];
    v->label[n] = 0;
}

bool fat_mount(struct fat_reader *v, struct br_why *why)
{
    v->cached = UINT64_MAX;
    const u8 *b = sector_at(v, 0);
    if (!b)
        return br_fail(why, "the first sector cannot be read");
    if (br_ld16(b + 510) != 0xAA55 || br_ld16(b + 11) != SECTOR)
        return br_fail(why, "no FAT volume: signature 0x%x, sectors of %u bytes", br_ld16(b + 510),
                       br_ld16(b + 11));
    u32 reserved = br_ld16(b + 14), fats = b[16], roots = br_ld16(b + 17);
    u32 fat16 = br_ld16(b + 22), fat_len = fat16 ? fat16 : br_ld32(b + 36);
    u64 total = br_ld16(b + 19) ? br_ld16(b + 19) : br_ld32(b + 32);
    v->per_cluster = b[13];
    v->root_sectors = (roots * ENTRY + SECTOR - 1) / SECTOR;
    v->fat_start = reserved;
    v->sectors = total;
    v->root_start = reserved + (u64)fats * fat_len;
    v->data_start = v->root_start + v->root_sectors;
    if (!br_pow2(v->per_cluster) || !reserved || !fats || !fat_len || v->data_start >= total)
        return br_fail(why, "the boot sector's sizes do not fit: %u sectors a cluster, %u FATs of %u",
                       v->per_cluster, fats, fat_len);
    v->clusters = (u32)((total - v->data_start) / v->per_cluster);
    v->bits = v->clusters < 4085 ? 12 : v->clusters < 65525 ? 16 : 32;
    v->root_cluster = v->bits == 32 ? br_ld32(b + 44) : 0;
    take_label(v, b + (v->bits == 32 ? 71 : 43));
    u64 room = (u64)fat_len * SECTOR * 8 / v->bits;
    if (room < (u64)v->clusters + 2)
        return br_fail(why, "a FAT of %u sectors cannot describe %u clusters", fat_len, v->clusters);
    if (v->bits == 32 && (v->root_cluster < 2 || v->root_cluster - 2 >= v->clusters))
        return br_fail(why, "the root directory lies at cluster %u of %u", v->root_cluster,
                       v->clusters);
    return true;
}

static bool is_cluster(const struct fat_reader *v, u32 c) { return c >= 2 && c - 2 < v->clusters; }

/// The cluster after c. ret  0 at the end of the chain or at a fault
static u32 next_cluster(struct fat_reader *v, u32 c)
{
    u64 bit = (u64)c * v->bits;
    u64 byte = bit / 8;
    u32 value = 0;
    for (u32 i = 0; i < (v->bits == 32 ? 4u : 2u); i++) {
        const u8 *s = sector_at(v, v->fat_start + (byte + i) / SECTOR);
        if (!s)
            return 0;
        value |= (u32)s[(byte + i) % SECTOR] << 8 * i;
    }
    if (v->bits == 12)
        value = (c & 1 ? value >> 4 : value) & 0xFFF;
    if (v->bits == 32)
        value &= 0x0FFFFFFF;
    return is_cluster(v, value) ? value : 0;
}

/// The sector holding byte `off` of a file. ret  UINT64_MAX beyond its chain
static u64 locate(struct fat_reader *v, struct fat_file *f, u64 off)
{
    u64 unit = (u64)v->per_cluster * SECTOR;
    if (!f->first) {
        bool root = f->is_dir && v->bits != 32 && off < (u64)v->root_sectors * SECTOR;
        return root ? v->root_start + off / SECTOR : UINT64_MAX;
    }
    u64 want = off / unit;
    if (want >= v->clusters || !is_cluster(v, f->first))
        return UINT64_MAX;
    if (!f->cursor_cluster || want < f->cursor_index) {
        f->cursor_index = 0;
        f->cursor_cluster = f->first;
    }
    while (f->cursor_index < want) {
        u32 c = next_cluster(v, f->cursor_cluster);
        if (!c)
            return UINT64_MAX;
        f->cursor_cluster = c;
        f->cursor_index++;
    }
    return v->data_start + (u64)(f->cursor_cluster - 2) * v->per_cluster + off % unit / SECTOR;
}

/// How many of `want` sectors from byte `off` on lie side by side; locate() was just there.
static u64 run_length(struct fat_reader *v, struct fat_file *f, u64 off, u64 want)
{
    u64 n = v->per_cluster - off / SECTOR % v->per_cluster;
    while (n < want && next_cluster(v, f->cursor_cluster) == f->cursor_cluster + 1) {
        f->cursor_cluster++;
        f->cursor_index++;
        n += v->per_cluster;
    }
    return n < want ? n : want;
}

u64 fat_read(struct fat_reader *v, struct fat_file *f, u64 off, void *buf, u64 len)
{
    u64 done = 0;
    u8 *out = buf;
    if (!f->is_dir)
        len = off >= f->size ? 0 : len > f->size - off ? f->size - off : len;
    while (done < len) {
        u64 at = locate(v, f, off + done), skip = (off + done) % SECTOR, n = SECTOR - skip;
        if (at == UINT64_MAX)
            break;
        if (!f->is_dir && !skip && len - done >= SECTOR) {
            n = run_length(v, f, off + done, (len - done) / SECTOR) * SECTOR;
            if (!v->read(v->context, at, n / SECTOR, out + done))
                break;
            done += n;
            continue;
        }
        const u8 *s = sector_at(v, at);
        if (!s)
            break;
        n = n > len - done ? len - done : n;
        memcpy(out + done, s + skip, n);
        done += n;
    }
    return done;
}

void fat_root(const struct fat_reader *v, struct fat_file *out)
{
    memset(out, 0, sizeof *out);
    out->is_dir = true;
    out->first = v->root_cluster;
}

static void put_utf8(char *name, u32 *n, u32 c)
{
    u8 b[4];
    u32 len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const u8 lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (u32 i = len; i-- > 1; c >>= 6)
        b[i] = (u8)(0x80 | (c & 63));
    b[0] = (u8)(lead[len] | c);
    if (*n + len >= FAT_NAME_MAX)
        return;
    memcpy(name + *n, b, len);
    *n += len;
}

static void long_name(const u16 *wide, char *name)
{
    u32 n = 0;
    for (u32 i = 0; i < 260 && wide[i] && wide[i] != 0xFFFF; i++) {
        u32 c = wide[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < 260 && wide[i + 1] >= 0xDC00 && wide[i + 1] < 0xE000)
            c = 0x10000 + ((c - 0xD800) << 10) + (wide[++i] - 0xDC00u);
        put_utf8(name, &n, c);
    }
    name[n] = 0;
}

static void short_name(const u8 *e, char *name)
{
    u32 n = 0;
    for (u32 i = 0; i < 11; i++) {
        bool lower = e[12] & (i < 8 ? 8 : 16);
        if (i == 8 && e[8] != ' ')
            name[n++] = '.';
        if (e[i] != ' ')
            name[n++] = (char)(lower && e[i] >= 'A' && e[i] <= 'Z' ? e[i] + 32 : e[i]);
    }
    name[n] = 0;
}

/// Collects one piece of a long name. The pieces come last first.
static void take_piece(const u8 *e, u16 wide[260], u8 *sum, u32 *expected)
{
    static const u8 at[13] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    u32 order = e[0] & 0x1F;
    if (e[0] & 0x40) {
        for (u32 i = 0; i < 260; i++)
            wide[i] = 0;
        *expected = order;
        *sum = e[13];
    }
    if (!order || order > 20 || order != *expected || e[13] != *sum) {
        *expected = UINT32_MAX;
        return;
    }
    for (u32 i = 0; i < 13; i++)
        wide[(order - 1) * 13 + i] = br_ld16(e + at[i]);
    *expected = order - 1;
}

static u8 checksum(const u8 *e)
{
    u8 sum = 0;
    for (int i = 0; i < 11; i++)
        sum = (u8)((u8)(sum >> 1 | sum << 7) + e[i]);
    return sum;
}

bool fat_list(struct fat_reader *v, struct fat_file *dir, struct fat_file *out)
{
    u16 wide[260];
    u8 sum = 0, e[ENTRY];
    u32 expected = UINT32_MAX;
    while (dir->is_dir && dir->next < DIR_MAX && fat_read(v, dir, dir->next, e, ENTRY) == ENTRY) {
        dir->next += ENTRY;
        if (!e[0])
            return false;
        if (e[0] == 0xE5) {
            expected = UINT32_MAX;
            continue;
        }
        if ((e[11] & 0x3F) == ATTR_LFN) {
            take_piece(e, wide, &sum, &expected);
            continue;
        }
        bool has_long = expected == 0 && sum == checksum(e);
        expected = UINT32_MAX;
        if (e[11] & ATTR_LABEL || e[0] == '.')
            continue;
        memset(out, 0, sizeof *out);
        if (has_long)
            long_name(wide, out->name);
        else
            short_name(e, out->name);
        out->is_dir = e[11] & ATTR_DIR;
        out->first = br_ld16(e + 26) | (v->bits == 32 ? (u32)br_ld16(e + 20) << 16 : 0);
        out->size = out->is_dir ? 0 : br_ld32(e + 28);
        out->time = br_ld16(e + 22);
        out->date = br_ld16(e + 24);
        if (out->first && !is_cluster(v, out->first))
            out->first = 0, out->size = 0;
        if (out->is_dir && !out->first)
            continue; // would read as the root directory
        return true;
    }
    return false;
}

bool fat_open(struct fat_reader *v, const char *path, struct fat_file *out)
{
    fat_root(v, out);
    while (*path) {
        u32 n = 0;
        while (*path == '/' || *path == '\\')
            path++;
        while (path[n] && path[n] != '/' && path[n] != '\\')
            n++;
        if (!n)
            break;
        struct fat_file dir = *out;
        bool found = false;
        dir.next = 0;
        while (!found && fat_list(v, &dir, out))
            found = br_strlen(out->name) == n && br_caseeq(out->name, path, n);
        if (!found)
            return false;
        path += n;
    }
    return true;
}
