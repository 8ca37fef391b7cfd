/// From a directory to a disk: the tree, the partition table, the volume. UEFI Specification,
/// "GUID Partition Table (GPT) Disk Layout".
#include "espimg.h"
#include "fatwrite.h"
#include "../../guest/bridge/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SECTOR = 512,
    ENTRIES = 128,
    ENTRY_SIZE = 128,
    FIRST_USABLE = 34,
    ALIGN_SECTORS = 2048,
    DEPTH_MAX = 16,
    FILES_MAX = 20000,
    FILE_MAX_MIB = 2048
};

struct scan {
    char *err;
    size_t err_len;
    uint32_t nodes;
    uint8_t digest[32]; ///< of names, sizes and contents: the source of every identifier
};

static bool fail(struct scan *s, const char *name, const char *what)
{
    snprintf(s->err, s->err_len, "%s: %s", name, what);
    return false;
}

static void mix(struct scan *s, const void *data, size_t len)
{
    uint8_t both[64];
    memcpy(both, s->digest, 32);
    br_sha256(data, len, both + 32);
    br_sha256(both, 64, s->digest);
}

static void free_tree(struct fat_node *n)
{
    if (!n)
        return;
    for (uint32_t i = 0; i < n->children; i++)
        free_tree(n->child[i]);
    free(n->child);
    free(n->name);
    free(n->host_path);
    free(n);
}

static struct fat_node *new_node(const char *name, struct fat_node *parent, bool is_dir)
{
    struct fat_node *n = calloc(1, sizeof *n);
    if (n) {
        n->name = strdup(name);
        n->parent = parent;
        n->is_dir = is_dir;
    }
    return n;
}

static bool mix_contents(struct scan *s, const char *path)
{
    char buffer[1 << 16];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(s, path, strerror(errno));
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        mix(s, buffer, (size_t)n);
    close(fd);
    return n == 0 || fail(s, path, strerror(errno));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool scan_dir(struct scan *s, struct fat_node *dir, const char *path, int depth);

static bool scan_child(struct scan *s, struct fat_node *dir, const char *name, const char *path,
                       int depth)
{
    struct stat st;
    char full[4096];
    if (snprintf(full, sizeof full, "%s/%s", path, name) >= (int)sizeof full)
        return fail(s, name, "the path is too long");
    if (stat(full, &st))
        return fail(s, full, strerror(errno));
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return fail(s, full, "is neither a file nor a directory");
    if (st.st_size > (off_t)FILE_MAX_MIB << 20)
        return fail(s, full, "is larger than 2 GiB");
    for (uint32_t i = 0; i < dir->children; i++)
        if (!strcasecmp(dir->child[i]->name, name))
            return fail(s, full, "differs from another name only in case, which FAT cannot keep apart");
    struct fat_node *n = new_node(name, dir, S_ISDIR(st.st_mode));
    if (!n || s->nodes++ > FILES_MAX)
        return fail(s, full, "too many files");
    dir->child[dir->children++] = n;
    mix(s, name, strlen(name) + 1);
    if (n->is_dir)
        return scan_dir(s, n, full, depth + 1);
    n->size = (uint64_t)st.st_size;
    n->host_path = strdup(full);
    return mix_contents(s, full);
}

/// Reads a directory in name order, which makes the image independent of the host's file system.
static bool scan_dir(struct scan *s, struct fat_node *dir, const char *path, int depth)
{
    struct dirent **list = NULL;
    if (depth > DEPTH_MAX)
        return fail(s, path, "more than 16 levels of directories");
    int n = scandir(path, &list, NULL, by_name);
    if (n < 0)
        return fail(s, path, strerror(errno));
    dir->child = calloc((size_t)n + 1, sizeof *dir->child);
    bool ok = dir->child != NULL;
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        if (ok && strcmp(name, ".") && strcmp(name, ".."))
            ok = scan_child(s, dir, name, path, depth);
        free(list[i]);
    }
    free(list);
    return ok;
}

/// --- GPT

static void st32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}
static void st64(uint8_t *p, uint64_t v)
{
    st32(p, (uint32_t)v);
    st32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t crc32(const uint8_t *p, size_t len)
{
    uint32_t crc = ~0u;
    while (len--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/// A version 4 identifier from 16 bytes of the digest.
static void make_guid(const uint8_t *seed, uint8_t out[16])
{
    memcpy(out, seed, 16);
    out[7] = (uint8_t)((out[7] & 0x0F) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3F) | 0x80);
}

static void make_header(uint8_t *h, uint64_t self, uint64_t other, uint64_t table, uint64_t last,
                        const uint8_t *disk_guid, uint32_t table_crc)
{
    memset(h, 0, SECTOR);
    memcpy(h, "EFI PART", 8);
    st32(h + 8, 0x10000);
    st32(h + 12, 92);
    st64(h + 24, self);
    st64(h + 32, other);
    st64(h + 40, FIRST_USABLE);
    st64(h + 48, last);
    memcpy(h + 56, disk_guid, 16);
    st64(h + 72, table);
    st32(h + 80, ENTRIES);
    st32(h + 84, ENTRY_SIZE);
    st32(h + 88, table_crc);
    st32(h + 16, crc32(h, 92));
}

static bool put(struct scan *s, int fd, uint64_t sector, const void *data, size_t len)
{
    if (pwrite(fd, data, len, (off_t)(sector * SECTOR)) == (ssize_t)len)
        return true;
    return fail(s, "writing the partition table", strerror(errno));
}

static bool write_gpt(struct scan *s, int fd, uint64_t sectors, uint64_t first, uint64_t last)
{
    static const uint8_t esp_type[16] = {0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11,
                                         0xBA, 0x4B, 0x00, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B};
    static const char name[] = "EFI system partition";
    uint8_t table[ENTRIES * ENTRY_SIZE];
    uint8_t mbr[SECTOR] = {0}, header[SECTOR], disk[16];
    memset(table, 0, sizeof table);
    memcpy(table, esp_type, 16);
    make_guid(s->digest + 16, table + 16);
    st64(table + 32, first);
    st64(table + 40, last);
    for (size_t i = 0; i < sizeof name - 1; i++)
        table[56 + 2 * i] = (uint8_t)name[i];
    make_guid(s->digest, disk);
    mbr[446 + 2] = 2; // CHS of the first sector
    mbr[446 + 4] = 0xEE;
    memset(mbr + 446 + 5, 0xFF, 3);
    st32(mbr + 446 + 8, 1);
    st32(mbr + 446 + 12, sectors - 1 > UINT32_MAX ? UINT32_MAX : (uint32_t)(sectors - 1));
    mbr[510] = 0x55;
    mbr[511] = 0xAA;
    uint32_t crc = crc32(table, sizeof table);
    uint64_t end = sectors - 1;
    make_header(header, 1, end, 2, end - 33, disk, crc);
    if (!put(s, fd, 0, mbr, SECTOR) || !put(s, fd, 1, header, SECTOR) ||
        !put(s, fd, 2, table, sizeof table))
        return false;
    make_header(header, end, 1, end - 32, end - 33, disk, crc);
    return put(s, fd, end - 32, table, sizeof table) && put(s, fd, end, header, SECTOR);
}

static bool check_label(struct scan *s, const char *label, char out[12])
{
    size_t n = strlen(label);
    if (!n || n > 11)
        return fail(s, label, "a label has 1 to 11 characters");
    memset(out, 0, 12);
    for (size_t i = 0; i < n && i < 11; i++)
        out[i] = label[i] >= 'a' && label[i] <= 'z' ? (char)(label[i] - 32) : label[i];
    return true;
}

static bool write_image(struct scan *s, int fd, struct fat_node *root, const struct espimg_options *o)
{
    uint64_t need = fat_size_for(root) * 5 / 4 + (4u << 20);
    uint64_t size = o->size ? o->size : need < 16u << 20 ? 16u << 20 : need;
    size = (size + (1u << 20) - 1) & ~((1ULL << 20) - 1);
    uint64_t sectors = size / SECTOR, first = o->bare ? 0 : ALIGN_SECTORS;
    uint64_t last = o->bare ? sectors - 1 : (sectors - ALIGN_SECTORS) - 1;
    struct fat_volume v = {.root = root,
                           .sectors = (uint32_t)(last - first + 1),
                           .hidden = (uint32_t)first};
    if (sectors < 8 * ALIGN_SECTORS || last - first >= UINT32_MAX)
        return fail(s, "size", "wanted 8 MiB to 2 TiB");
    memcpy(&v.volume_id, s->digest + 8, 4);
    if (!check_label(s, o->label ? o->label : "ESP", v.label))
        return false;
    if (ftruncate(fd, (off_t)size))
        return fail(s, "reserving the image", strerror(errno));
    return (o->bare || write_gpt(s, fd, sectors, first, last)) &&
           fat_write(&v, fd, first * SECTOR, s->err, s->err_len);
}

bool espimg_create(const char *dir, const char *out, const struct espimg_options *options,
                   char *err, size_t err_len)
{
    static const struct espimg_options defaults;
    struct scan s = {.err = err, .err_len = err_len};
    struct fat_node *root = new_node("", NULL, true);
    bool ok = root && scan_dir(&s, root, dir, 1);
    int fd = ok ? open(out, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (ok && fd < 0)
        ok = fail(&s, out, strerror(errno));
    if (fd >= 0) {
        ok = write_image(&s, fd, root, options ? options : &defaults);
        if (close(fd) && ok)
            ok = fail(&s, out, strerror(errno));
        if (!ok)
            unlink(out);
    }
    free_tree(root);
    return ok;
}
