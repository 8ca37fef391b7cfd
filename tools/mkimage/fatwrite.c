/// A FAT writer. "Microsoft Extensible Firmware Initiative FAT32 File System Specification" 1.03.
/// Every file is contiguous; directories come before files; times are 1980-01-01.
#include "fatwrite.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SECTOR = 512,
    ENTRY = 32,
    LFN_CHARS = 13,
    FAT16_MAX = 65524,
    FAT16_MIN = 4085,
    ROOT16 = 512,
    ATTR_DIR = 0x10,
    ATTR_ARCHIVE = 0x20,
    ATTR_LABEL = 8,
    ATTR_LFN = 15,
    DATE_1980 = 0x21,
    NAME_MAX_UTF16 = 255,
};

struct writer {
    struct fat_volume *v;
    int fd;
    uint64_t offset;
    bool is_fat32;
    uint32_t per_cluster, reserved, fat_sectors, root_sectors, clusters, next;
    uint8_t *fat;
    char *err;
    size_t err_len;
};

static bool fail(struct writer *w, const char *what, const char *name)
{
    snprintf(w->err, w->err_len, "%s: %s", name, what);
    return false;
}

static bool put(struct writer *w, uint64_t at, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = pwrite(w->fd, p, len, (off_t)(w->offset + at));
        if (n <= 0)
            return fail(w, n ? strerror(errno) : "no progress", "writing the image");
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static void st16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }
static void st32(uint8_t *p, uint32_t v) { st16(p, v & 0xFFFF), st16(p + 2, v >> 16); }

/// --- names

/// UTF-8 to UTF-16. ret  units, 0 if the text is no UTF-8 or too long
static uint32_t to_utf16(const char *s, uint16_t *out)
{
    uint32_t n = 0;
    while (*s) {
        unsigned char c = (unsigned char)*s++;
        uint32_t v = c < 0x80 ? c : c < 0xE0 ? c & 31u : c < 0xF0 ? c & 15u : c & 7u;
        int more = c < 0x80 ? 0 : c < 0xC0 ? -1 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : c < 0xF8 ? 3 : -1;
        if (more < 0 || n + 2 > NAME_MAX_UTF16)
            return 0;
        for (; more; more--, s++) {
            if (((unsigned char)*s & 0xC0) != 0x80)
                return 0;
            v = v << 6 | ((unsigned char)*s & 63u);
        }
        if (v >= 0x10000) {
            out[n++] = (uint16_t)(0xD800 + ((v - 0x10000) >> 10));
            v = 0xDC00 + ((v - 0x10000) & 0x3FF);
        }
        out[n++] = (uint16_t)v;
    }
    return n;
}

static bool short_char(char c)
{
    return isupper((unsigned char)c) || isdigit((unsigned char)c) ||
           (c && strchr("!#$%&'()-@^_`{}~", c));
}

/// Makes "NAME    EXT" from a name. ret  true if it says exactly the same as the name
static bool make_short(const char *name, uint8_t out[11])
{
    const char *dot = strrchr(name, '.');
    uint32_t n = 0;
    bool exact = true;
    memset(out, ' ', 11);
    for (const char *s = name; *s && s != dot; s++) {
        char c = (char)toupper((unsigned char)*s);
        exact = exact && short_char(*s) && n < 8;
        if (*s == '.' || *s == ' ')
            continue;
        if (n < 8)
            out[n++] = (uint8_t)(short_char(c) ? c : '_');
    }
    for (uint32_t i = 0; dot && dot[i + 1]; i++) {
        char c = (char)toupper((unsigned char)dot[i + 1]);
        exact = exact && short_char(dot[i + 1]) && i < 3;
        if (i < 3)
            out[8 + i] = (uint8_t)(short_char(c) ? c : '_');
    }
    if (!n)
        out[0] = '_';
    return exact && n;
}

static bool short_taken(const struct fat_node *dir, uint32_t upto, const uint8_t name[11])
{
    for (uint32_t i = 0; i < upto; i++)
        if (!memcmp(dir->child[i]->short_name, name, 11))
            return true;
    return false;
}

/// The numeric tail of the specification: "NAME~1.EXT".
static bool name_child(struct writer *w, struct fat_node *dir, uint32_t i)
{
    struct fat_node *n = dir->child[i];
    make_short(n->name, n->short_name);
    if (!short_taken(dir, i, n->short_name))
        return true;
    uint8_t base[11];
    memcpy(base, n->short_name, 11);
    for (uint32_t k = 1; k < 100000; k++) {
        char tail[8];
        int len = snprintf(tail, sizeof tail, "~%u", k);
        int at = 0;
        while (at < 8 && base[at] != ' ')
            at++;
        at = at + len > 8 ? 8 - len : at;
        memcpy(n->short_name, base, 11);
        memcpy(n->short_name + at, tail, (size_t)len);
        if (!short_taken(dir, i, n->short_name))
            return true;
    }
    return fail(w, "too many names alike in one directory", n->name);
}

/// Directory slots one node takes: its entry and, unless 8.3 says it all, its long name.
static uint32_t slots(const struct fat_node *n)
{
    uint16_t wide[NAME_MAX_UTF16 + 1];
    uint8_t s[11];
    if (make_short(n->name, s) && !memcmp(s, n->short_name, 11))
        return 1;
    return 1 + (to_utf16(n->name, wide) + LFN_CHARS - 1) / LFN_CHARS;
}

static uint32_t dir_slots(const struct fat_node *d)
{
    uint32_t n = d->parent ? 2 : 1; // "." and "..", or the label
    for (uint32_t i = 0; i < d->children; i++)
        n += slots(d->child[i]);
    return n;
}

/// --- layout

uint64_t fat_size_for(const struct fat_node *n)
{
    uint64_t sum = n->is_dir ? 8192 + (uint64_t)n->children * 700 : n->size + 8192;
    for (uint32_t i = 0; i < n->children; i++)
        sum += fat_size_for(n->child[i]);
    return sum;
}

/// Chooses type and cluster size; the count of clusters alone decides what FAT type a volume is.
static bool choose_layout(struct writer *w)
{
    uint32_t total = w->v->sectors;
    w->is_fat32 = total > 128u << 11;
    w->per_cluster = 1;
    while (w->is_fat32 && w->per_cluster < 8 && total / (w->per_cluster * 2) > FAT16_MAX + 4096u)
        w->per_cluster *= 2;
    while (!w->is_fat32 && total / w->per_cluster > FAT16_MAX - 16u)
        w->per_cluster *= 2;
    w->reserved = w->is_fat32 ? 32 : 1;
    w->root_sectors = w->is_fat32 ? 0 : ROOT16 * ENTRY / SECTOR;
    uint32_t width = w->is_fat32 ? 4 : 2;
    w->fat_sectors = (total / w->per_cluster + 2) * width / SECTOR + 1;
    uint32_t meta = w->reserved + 2 * w->fat_sectors + w->root_sectors;
    if (meta >= total)
        return fail(w, "the volume is too small", w->v->label);
    w->clusters = (total - meta) / w->per_cluster;
    if (w->is_fat32 ? w->clusters <= FAT16_MAX : w->clusters < FAT16_MIN || w->clusters > FAT16_MAX)
        return fail(w, "this size gives no valid cluster count; choose at least 8 MiB", w->v->label);
    return true;
}

static uint64_t cluster_at(const struct writer *w, uint32_t c)
{
    uint64_t first = w->reserved + 2ULL * w->fat_sectors + w->root_sectors;
    return (first + (uint64_t)(c - 2) * w->per_cluster) * SECTOR;
}

static void set_fat(struct writer *w, uint32_t c, uint32_t v)
{
    if (w->is_fat32)
        st32(w->fat + c * 4, v & 0x0FFFFFFF);
    else
        st16(w->fat + c * 2, v & 0xFFFF);
}

static bool allocate(struct writer *w, struct fat_node *n, uint64_t bytes)
{
    uint64_t unit = (uint64_t)w->per_cluster * SECTOR;
    uint64_t count = (bytes + unit - 1) / unit;
    if (!count)
        return true;
    if (count > w->clusters + 2 - w->next)
        return fail(w, "does not fit into the volume; give a larger size", n->name);
    n->cluster = w->next;
    n->clusters = (uint32_t)count;
    for (uint32_t i = 0; i < n->clusters; i++)
        set_fat(w, n->cluster + i, i + 1 < n->clusters ? n->cluster + i + 1 : 0x0FFFFFFF);
    w->next += n->clusters;
    return true;
}

static bool allocate_tree(struct writer *w, struct fat_node *n, bool dirs)
{
    if (n->is_dir == dirs) {
        uint64_t bytes = n->is_dir ? (uint64_t)dir_slots(n) * ENTRY : n->size;
        bool fixed_root = !n->parent && !w->is_fat32;
        if (fixed_root && dir_slots(n) > ROOT16)
            return fail(w, "more than 512 entries in the root directory", w->v->label);
        if (!fixed_root && !allocate(w, n, bytes))
            return false;
    }
    for (uint32_t i = 0; i < n->children; i++)
        if (!allocate_tree(w, n->child[i], dirs))
            return false;
    return true;
}

static bool name_tree(struct writer *w, struct fat_node *n)
{
    uint16_t wide[NAME_MAX_UTF16 + 1];
    for (uint32_t i = 0; i < n->children; i++)
        if (!to_utf16(n->child[i]->name, wide))
            return fail(w, "the name is no UTF-8 or longer than 255", n->child[i]->name);
        else if (!name_child(w, n, i) || !name_tree(w, n->child[i]))
            return false;
    return true;
}

/// --- directories and files

static void put_entry(uint8_t *e, const uint8_t name[11], uint8_t attr, uint32_t cluster, uint32_t size)
{
    memset(e, 0, ENTRY);
    memcpy(e, name, 11);
    e[11] = attr;
    st16(e + 16, DATE_1980);
    st16(e + 18, DATE_1980);
    st16(e + 24, DATE_1980);
    st16(e + 20, cluster >> 16);
    st16(e + 26, cluster & 0xFFFF);
    st32(e + 28, size);
}

static uint8_t *put_long(uint8_t *e, const struct fat_node *n)
{
    static const uint8_t at[LFN_CHARS] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
    uint16_t wide[NAME_MAX_UTF16 + LFN_CHARS];
    uint32_t len = to_utf16(n->name, wide), parts = slots(n) - 1;
    uint8_t sum = 0;
    for (int i = 0; i < 11; i++)
        sum = (uint8_t)((sum >> 1 | sum << 7) + n->short_name[i]);
    for (uint32_t p = parts; p-- > 0; e += ENTRY) {
        memset(e, 0, ENTRY);
        e[0] = (uint8_t)((p + 1) | (p + 1 == parts ? 0x40 : 0));
        e[11] = ATTR_LFN;
        e[13] = sum;
        for (uint32_t i = 0; i < LFN_CHARS; i++) {
            uint32_t k = p * LFN_CHARS + i;
            st16(e + at[i], k < len ? wide[k] : k == len ? 0 : 0xFFFF);
        }
    }
    return e;
}

static bool write_dir(struct writer *w, struct fat_node *d)
{
    bool fixed_root = !d->parent && !w->is_fat32;
    size_t bytes = fixed_root ? ROOT16 * ENTRY : (size_t)d->clusters * w->per_cluster * SECTOR;
    uint8_t *block = calloc(1, bytes), *e = block;
    if (!block)
        return fail(w, "out of memory", d->name);
    if (d->parent) {
        put_entry(e, (const uint8_t *)".          ", ATTR_DIR, d->cluster, 0);
        put_entry(e + ENTRY, (const uint8_t *)"..         ", ATTR_DIR,
                  d->parent->parent ? d->parent->cluster : 0, 0);
        e += 2 * ENTRY;
    } else {
        uint8_t label[11];
        memset(label, ' ', 11);
        memcpy(label, w->v->label, strlen(w->v->label));
        put_entry(e, label, ATTR_LABEL, 0, 0);
        e += ENTRY;
    }
    for (uint32_t i = 0; i < d->children; i++) {
        struct fat_node *n = d->child[i];
        e = put_long(e, n);
        put_entry(e, n->short_name, n->is_dir ? ATTR_DIR : ATTR_ARCHIVE, n->cluster,
                  n->is_dir ? 0 : (uint32_t)n->size);
        e += ENTRY;
    }
    uint64_t at = fixed_root ? (w->reserved + 2ULL * w->fat_sectors) * SECTOR
                             : cluster_at(w, d->cluster);
    bool ok = put(w, at, block, bytes);
    free(block);
    return ok;
}

static bool write_file(struct writer *w, const struct fat_node *n)
{
    char buffer[1 << 16];
    uint64_t done = 0;
    int fd = open(n->host_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(w, strerror(errno), n->host_path);
    while (done < n->size) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got <= 0 || (uint64_t)got > n->size - done)
            break;
        if (!put(w, cluster_at(w, n->cluster) + done, buffer, (size_t)got)) {
            close(fd);
            return false;
        }
        done += (uint64_t)got;
    }
    close(fd);
    return done == n->size || fail(w, "changed while it was read", n->host_path);
}

static bool write_tree(struct writer *w, struct fat_node *n)
{
    if (!(n->is_dir ? write_dir(w, n) : write_file(w, n)))
        return false;
    for (uint32_t i = 0; i < n->children; i++)
        if (!write_tree(w, n->child[i]))
            return false;
    return true;
}

static bool write_boot_sectors(struct writer *w)
{
    uint8_t b[SECTOR] = {0xEB, w->is_fat32 ? 0x58 : 0x3C, 0x90, 'B', 'R', 'U', 'I', 'N', ' ', ' ',
                         ' '};
    struct fat_volume *v = w->v;
    uint8_t *tail = b + (w->is_fat32 ? 64 : 36);
    st16(b + 11, SECTOR);
    b[13] = (uint8_t)w->per_cluster;
    st16(b + 14, w->reserved);
    b[16] = 2;
    st16(b + 17, w->is_fat32 ? 0 : ROOT16);
    if (!w->is_fat32 && v->sectors < 65536)
        st16(b + 19, v->sectors);
    else
        st32(b + 32, v->sectors);
    b[21] = 0xF8;
    st16(b + 22, w->is_fat32 ? 0 : w->fat_sectors);
    st16(b + 24, 63);
    st16(b + 26, 255);
    st32(b + 28, v->hidden);
    if (w->is_fat32) {
        st32(b + 36, w->fat_sectors);
        st32(b + 44, v->root->cluster);
        st16(b + 48, 1);
        st16(b + 50, 6);
    }
    tail[0] = 0x80;
    tail[2] = 0x29;
    st32(tail + 3, v->volume_id);
    memset(tail + 7, ' ', 11);
    memcpy(tail + 7, v->label, strlen(v->label));
    memcpy(tail + 18, w->is_fat32 ? "FAT32   " : "FAT16   ", 8);
    st16(b + 510, 0xAA55);
    if (!put(w, 0, b, SECTOR))
        return false;
    if (!w->is_fat32)
        return true;
    uint8_t info[SECTOR] = {'R', 'R', 'a', 'A'};
    memcpy(info + 484, "rrAa", 4);
    st32(info + 488, w->clusters + 2 - w->next);
    st32(info + 492, w->next);
    st16(info + 510, 0xAA55);
    return put(w, SECTOR, info, SECTOR) && put(w, 6 * SECTOR, b, SECTOR) &&
           put(w, 7 * SECTOR, info, SECTOR);
}

bool fat_write(struct fat_volume *v, int fd, uint64_t offset, char *err, size_t err_len)
{
    struct writer w = {.v = v, .fd = fd, .offset = offset, .err = err, .err_len = err_len, .next = 2};
    if (!choose_layout(&w))
        return false;
    size_t fat_bytes = (size_t)w.fat_sectors * SECTOR;
    w.fat = calloc(1, fat_bytes);
    if (!w.fat)
        return fail(&w, "out of memory", "allocation table");
    set_fat(&w, 0, 0x0FFFFFF8);
    set_fat(&w, 1, 0x0FFFFFFF);
    bool ok = name_tree(&w, v->root) && allocate_tree(&w, v->root, true) &&
              allocate_tree(&w, v->root, false) && write_boot_sectors(&w) &&
              put(&w, w.reserved * (uint64_t)SECTOR, w.fat, fat_bytes) &&
              put(&w, (w.reserved + (uint64_t)w.fat_sectors) * SECTOR, w.fat, fat_bytes) &&
              write_tree(&w, v->root);
    free(w.fat);
    return ok;
}
