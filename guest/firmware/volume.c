/// File systems: the VMM's directory and the FAT volumes on disks, behind one set of functions.
#include "fw.h"

struct fw_volume fw_volumes[FW_VOLUMES];
u32 fw_volume_count;
static struct fat_reader readers[FW_VOLUMES];
static const struct efi_guid fs_guid = EFI_GUID_SIMPLE_FS, dp_guid = EFI_GUID_DEVICE_PATH;

/// Vendor hardware node, then end.
static u8 host_path[] __attribute__((aligned(8))) = {
    1, 4, 20, 0, 0x42, 0x52, 0x55, 0x49, 0x4e, 0x46, 0x57, 0x4b, 0x80, 0x01, 0, 0, 0, 0, 0, 1, 0x7f, 0xff, 4, 0};

static void add(efi_handle h, struct efi_device_path *path, struct fat_reader *fat)
{
    struct fw_volume *v = &fw_volumes[fw_volume_count++];
    *v = (struct fw_volume){{0x10000, fw_open_volume}, h, path, fat};
    fw_install(&v->handle, &fs_guid, &v->fs);
}
void fw_volume_host(void)
{
    efi_handle h = NULL;
    fw_install(&h, &dp_guid, host_path);
    add(h, (void *)host_path, NULL);
}
void fw_volume_fat(efi_handle h, struct efi_device_path *path, bool (*read)(void *, u64, u64, void *), void *context)
{
    struct br_why why;
    if (fw_volume_count == FW_VOLUMES)
        return;
    struct fat_reader *r = &readers[fw_volume_count];
    *r = (struct fat_reader){.read = read, .context = context};
    if (fat_mount(r, &why))
        add(h, path, r);
}
struct fw_volume *fw_volume_of(efi_handle h)
{
    for (u32 k = 0; k < fw_volume_count; k++)
        if (fw_volumes[k].handle == h)
            return &fw_volumes[k];
    return NULL;
}
struct fw_volume *fw_volume_find(const struct efi_device_path *path)
{
    struct fw_volume *best = NULL;
    u64 longest = 0, have = path ? fw_path_len(path) - 4 : 0;
    for (u32 k = 0; k < fw_volume_count; k++) {
        u64 n = fw_path_len(fw_volumes[k].path) - 4;
        if (n <= have && n > longest && memcmp(fw_volumes[k].path, path, n) == 0) {
            best = &fw_volumes[k];
            longest = n;
        }
    }
    return best;
}

/* ---- nodes ---- */

/// FAT keeps local time in steps of two seconds since 1980.
static void fat_time(struct efi_time *t, u32 date, u32 time)
{
    memset(t, 0, sizeof *t);
    t->year = (u16)(1980 + (date >> 9));
    t->month = (u8)(date >> 5 & 15);
    t->day = (u8)(date & 31);
    t->hour = (u8)(time >> 11);
    t->minute = (u8)(time >> 5 & 63);
    t->second = (u8)(2 * (time & 31));
    t->time_zone = 2047;
}
static void from_fat(struct fw_node *n)
{
    n->size = n->fat.size;
    n->is_dir = n->fat.is_dir;
    fat_time(&n->mtime, n->fat.date, n->fat.time);
    br_fmt(n->name, sizeof n->name, "%s", n->fat.name);
}
bool fw_node_open(struct fw_volume *v, const char *path, struct fw_node *n)
{
    memset(n, 0, sizeof *n);
    n->volume = v;
    if (v->fat) {
        if (!fat_open(v->fat, path, &n->fat))
            return false;
        from_fat(n);
        return true;
    }
    struct fwhost_req r = {.op = FWHOST_OPEN, .a = {(u64)(uintptr_t)path}};
    if (fw_host(&r) != FWHOST_OK)
        return false;
    n->handle = r.a[2];
    n->size = r.a[3];
    n->is_dir = r.a[4] & FWHOST_IS_DIR;
    fw_fill_time(&n->mtime, r.a[5]);
    return true;
}
void fw_node_close(struct fw_node *n)
{
    struct fwhost_req r = {.op = FWHOST_CLOSE, .a = {n->handle}};
    if (n->volume->fat == NULL)
        fw_host(&r);
}
u64 fw_node_read(struct fw_node *n, u64 off, void *buf, u64 len)
{
    if (n->volume->fat) {
        u64 want = off >= n->size ? 0 : len < n->size - off ? len : n->size - off;
        return fat_read(n->volume->fat, &n->fat, off, buf, want) == want ? want : ~0ULL;
    }
    struct fwhost_req r = {.op = FWHOST_READ, .a = {n->handle, off, (u64)(uintptr_t)buf, len}};
    return fw_host(&r) == FWHOST_OK ? r.a[4] : ~0ULL;
}
bool fw_node_list(struct fw_node *dir, struct fw_node *out)
{
    memset(out, 0, sizeof *out);
    if (dir->volume->fat) {
        if (!fat_list(dir->volume->fat, &dir->fat, &out->fat))
            return false;
        from_fat(out);
    } else {
        struct fwhost_dirent d;
        struct fwhost_req r = {.op = FWHOST_READDIR, .a = {dir->handle, dir->index, (u64)(uintptr_t)&d}};
        if (fw_host(&r) != FWHOST_OK)
            return false;
        out->size = d.size;
        out->is_dir = d.flags & FWHOST_IS_DIR;
        fw_fill_time(&out->mtime, d.mtime);
        br_fmt(out->name, sizeof out->name, "%s", d.name);
    }
    dir->index++;
    return true;
}
