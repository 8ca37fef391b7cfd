/// SimpleFileSystem over the VMM's volume: read-only. UEFI, "File Protocol".
#include "fw.h"

enum { FILES_MAX = 64 };
struct file {
    struct efi_file proto;
    bool used;
    u64 handle, size, pos, flags, mtime;
    char path[512];
};
static struct file files[FILES_MAX];
efi_handle fw_volume;
static const struct efi_guid info_guid = EFI_GUID_FILE_INFO, fs_guid = EFI_GUID_SIMPLE_FS, dp_guid = EFI_GUID_DEVICE_PATH;
static const struct efi_guid fsinfo_guid = {0x09576e93, 0x6d3f, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid label_guid = {0xdb47d7d3, 0xfe81, 0x11d3, {0x9a, 0x35, 0, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};

/// Vendor hardware node, then end.
static u8 volume_path[] __attribute__((aligned(8))) = {
    1, 4, 20, 0, 0x42, 0x52, 0x55, 0x49, 0x4e, 0x46, 0x57, 0x4b, 0x80, 0x01, 0, 0, 0, 0, 0, 1, 0x7f, 0xff, 4, 0};
struct efi_device_path *fw_volume_path = (void *)volume_path;

static bool host_open(const char *path, struct fwhost_req *r)
{
    *r = (struct fwhost_req){.op = FWHOST_OPEN, .a = {(u64)(uintptr_t)path}};
    return fw_host(r) == FWHOST_OK;
}

/// Joins and normalises: '\' becomes '/', "." and ".." are resolved, the result starts with '/'.
static bool join(const char *dir, const efi_char *name, char *out, u64 size)
{
    char part[512];
    u64 n = 0;
    fw_utf8(name, part, sizeof part);
    if (part[0] != '\\' && part[0] != '/')
        n = br_fmt(out, size, "%s", dir);
    if (n >= size)
        return false;
    while (n && out[n - 1] == '/')
        n--;
    for (const char *p = part; *p;) {
        while (*p == '\\' || *p == '/')
            p++;
        u64 len = 0;
        while (p[len] && p[len] != '\\' && p[len] != '/')
            len++;
        if (len == 2 && p[0] == '.' && p[1] == '.') {
            while (n && out[n - 1] != '/')
                n--;
            n -= n != 0;
        } else if (len && !(len == 1 && p[0] == '.')) {
            if (n + len + 2 > size)
                return false;
            out[n++] = '/';
            memcpy(out + n, p, len);
            n += len;
        }
        p += len;
    }
    if (n == 0)
        out[n++] = '/';
    out[n] = '\0';
    return true;
}

static struct file *file_new(const char *path);
static efi_status EFIAPI file_open(struct efi_file *self, struct efi_file **out, const efi_char *name, u64 mode, u64 attributes)
{
    struct file *dir = (struct file *)self;
    char path[512];
    if (!fw_alive(FWHOST_SVC_OTHER, CALLER))
        return EFI_UNSUPPORTED;
    if (mode != EFI_FILE_READ)
        return EFI_WRITE_PROTECTED;
    if (!join(dir->path, name, path, sizeof path))
        return EFI_NOT_FOUND;
    struct file *f = file_new(path);
    if (f == NULL)
        return EFI_NOT_FOUND;
    *out = &f->proto;
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_close(struct efi_file *self)
{
    struct file *f = (struct file *)self;
    struct fwhost_req r = {.op = FWHOST_CLOSE, .a = {f->handle}};
    fw_host(&r);
    f->used = false;
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_remove(struct efi_file *self)
{
    file_close(self);
    return 2; /* a warning: it was closed, not deleted */
}

static void fill_time(struct efi_time *t, u64 unix_s)
{
    u64 days = unix_s / 86400, s = unix_s % 86400;
    /* Civil date from days since 1970, in eras of 400 years. */
    u64 z = days + 719468, era = z / 146097, doe = z % 146097;
    u64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    u64 mp = (5 * doy + 2) / 153;
    memset(t, 0, sizeof *t);
    t->day = (u8)(doy - (153 * mp + 2) / 5 + 1);
    t->month = (u8)(mp < 10 ? mp + 3 : mp - 9);
    t->year = (u16)(yoe + era * 400 + (t->month <= 2));
    t->hour = (u8)(s / 3600);
    t->minute = (u8)(s / 60 % 60);
    t->second = (u8)(s % 60);
}
void fw_fill_time(struct efi_time *t, u64 unix_s) { fill_time(t, unix_s); }

static efi_status put_info(const char *name, u64 size, u64 flags, u64 mtime, u64 *buf_size, void *buf)
{
    efi_char wide[256];
    u64 n = fw_utf16(name, wide, ARRAY_LEN(wide)) + 1, need = offsetof(struct efi_file_info, name) + 2 * n;
    struct efi_file_info *i = buf;
    if (*buf_size < need) {
        *buf_size = need;
        return EFI_BUFFER_TOO_SMALL;
    }
    *buf_size = need;
    memset(i, 0, offsetof(struct efi_file_info, name));
    i->size = need;
    i->file_size = size;
    i->physical_size = br_up(size, 512);
    fill_time(&i->modify, mtime);
    i->create = i->access = i->modify;
    i->attribute = 1 | (flags & FWHOST_IS_DIR ? 0x10 : 0);
    memcpy(i->name, wide, 2 * n);
    return EFI_SUCCESS;
}

static efi_status EFIAPI file_read(struct efi_file *self, u64 *size, void *buf)
{
    struct file *f = (struct file *)self;
    if (!fw_alive(FWHOST_SVC_OTHER, CALLER))
        return EFI_UNSUPPORTED;
    if (f->flags & FWHOST_IS_DIR) {
        struct fwhost_dirent d;
        struct fwhost_req r = {.op = FWHOST_READDIR, .a = {f->handle, f->pos, (u64)(uintptr_t)&d}};
        if (fw_host(&r) != FWHOST_OK) {
            *size = 0;
            return EFI_SUCCESS;
        }
        efi_status s = put_info(d.name, d.size, d.flags, d.mtime, size, buf);
        f->pos += s == EFI_SUCCESS;
        return s;
    }
    struct fwhost_req r = {.op = FWHOST_READ, .a = {f->handle, f->pos, (u64)(uintptr_t)buf, *size}};
    if (f->pos > f->size)
        return EFI_DEVICE_ERROR;
    if (fw_host(&r) != FWHOST_OK)
        return EFI_DEVICE_ERROR;
    *size = r.a[4];
    f->pos += r.a[4];
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_write(struct efi_file *self, u64 *size, void *buf) { return EFI_WRITE_PROTECTED; }
static efi_status EFIAPI file_get_position(struct efi_file *self, u64 *pos)
{
    *pos = ((struct file *)self)->pos;
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_set_position(struct efi_file *self, u64 pos)
{
    struct file *f = (struct file *)self;
    f->pos = pos == ~0ULL ? f->size : pos;
    return EFI_SUCCESS;
}
static const char *base_name(const char *path)
{
    const char *b = path;
    for (; *path; path++)
        if (*path == '/')
            b = path + 1;
    return b;
}
static efi_status EFIAPI file_get_info(struct efi_file *self, const struct efi_guid *guid, u64 *size, void *buf)
{
    struct file *f = (struct file *)self;
    static const efi_char label[] = {'B', 'R', 'U', 'I', 'N', 0};
    if (fw_guid_eq(guid, &info_guid))
        return put_info(base_name(f->path), f->size, f->flags, f->mtime, size, buf);
    if (fw_guid_eq(guid, &fsinfo_guid)) {
        struct {
            u64 size;
            u8 read_only, pad[7];
            u64 volume, free;
            u32 block;
        } i = {36 + sizeof label, 1, {0}, 1 << 30, 0, 512};
        if (*size < i.size) {
            *size = i.size;
            return EFI_BUFFER_TOO_SMALL;
        }
        *size = i.size;
        memcpy(buf, &i, 36);
        memcpy((u8 *)buf + 36, label, sizeof label);
        return EFI_SUCCESS;
    }
    if (fw_guid_eq(guid, &label_guid)) {
        if (*size < sizeof label) {
            *size = sizeof label;
            return EFI_BUFFER_TOO_SMALL;
        }
        *size = sizeof label;
        memcpy(buf, label, sizeof label);
        return EFI_SUCCESS;
    }
    return EFI_UNSUPPORTED;
}
static efi_status EFIAPI file_set_info(struct efi_file *self, const struct efi_guid *guid, u64 size, void *buf)
{
    return EFI_WRITE_PROTECTED;
}
static efi_status EFIAPI file_flush(struct efi_file *self) { return EFI_SUCCESS; }

static struct file *file_new(const char *path)
{
    struct fwhost_req r;
    for (u32 k = 0; k < FILES_MAX; k++) {
        struct file *f = &files[k];
        if (f->used)
            continue;
        if (!host_open(path, &r))
            return NULL;
        *f = (struct file){.used = true, .handle = r.a[2], .size = r.a[3], .flags = r.a[4], .mtime = r.a[5]};
        br_fmt(f->path, sizeof f->path, "%s", path);
        f->proto = (struct efi_file){0x10000, file_open, file_close, file_remove, file_read, file_write, file_get_position,
                                     file_set_position, file_get_info, file_set_info, file_flush};
        return f;
    }
    return NULL;
}
static efi_status EFIAPI open_volume(struct efi_simple_fs *fs, struct efi_file **out)
{
    if (!fw_alive(FWHOST_SVC_OTHER, CALLER))
        return EFI_UNSUPPORTED;
    struct file *f = file_new("/");
    *out = f ? &f->proto : NULL;
    return f ? EFI_SUCCESS : EFI_DEVICE_ERROR;
}
static struct efi_simple_fs volume = {0x10000, open_volume};

void *fw_read_file(const char *path, u32 type, u64 *size)
{
    struct fwhost_req r;
    u64 at = 0;
    if (!host_open(path, &r) || (r.a[4] & FWHOST_IS_DIR))
        return NULL;
    u64 handle = r.a[2], len = r.a[3], pages = br_up(len ? len : 1, FW_PAGE) / FW_PAGE;
    if (fw_alloc_pages(EFI_ANY_PAGES, type, pages, &at) != EFI_SUCCESS)
        return NULL;
    struct fwhost_req rd = {.op = FWHOST_READ, .a = {handle, 0, at, len}};
    bool ok = fw_host(&rd) == FWHOST_OK && rd.a[4] == len;
    struct fwhost_req cl = {.op = FWHOST_CLOSE, .a = {handle}};
    fw_host(&cl);
    if (!ok) {
        fw_free_pages(at, pages);
        return NULL;
    }
    *size = len;
    return (void *)(uintptr_t)at;
}

void fw_file_init(void)
{
    fw_install(&fw_volume, &dp_guid, fw_volume_path);
    if (fw_info.volumes)
        fw_install(&fw_volume, &fs_guid, &volume);
}
