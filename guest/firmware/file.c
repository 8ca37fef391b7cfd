/// SimpleFileSystem over every volume: read-only. UEFI, "File Protocol".
#include "fw.h"

enum { FILES_MAX = 64 };
struct file {
    struct efi_file proto;
    bool used;
    struct fw_node node;
    u64 pos;
    char path[512];
};
static struct file files[FILES_MAX];
static const struct efi_guid info_guid = EFI_GUID_FILE_INFO;
static const struct efi_guid fsinfo_guid = {0x09576e93, 0x6d3f, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
static const struct efi_guid label_guid = {0xdb47d7d3, 0xfe81, 0x11d3, {0x9a, 0x35, 0, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};

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

static struct file *file_new(struct fw_volume *v, const char *path);
static efi_status EFIAPI file_open(struct efi_file *self, struct efi_file **out, const efi_char *name, u64 mode, u64 attributes)
{
    struct file *dir = (struct file *)self;
    char path[512];
    if (!fw_alive(FWHOST_SVC_FILE, CALLER))
        return EFI_UNSUPPORTED;
    if (mode != EFI_FILE_READ)
        return EFI_WRITE_PROTECTED;
    if (!join(dir->path, name, path, sizeof path))
        return EFI_NOT_FOUND;
    struct file *f = file_new(dir->node.volume, path);
    if (f == NULL)
        return EFI_NOT_FOUND;
    *out = &f->proto;
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_close(struct efi_file *self)
{
    struct file *f = (struct file *)self;
    fw_node_close(&f->node);
    f->used = false;
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_remove(struct efi_file *self)
{
    file_close(self);
    return 2; /* a warning: it was closed, not deleted */
}

void fw_fill_time(struct efi_time *t, u64 unix_s)
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

static efi_status put_info(const struct fw_node *n, const char *name, u64 *buf_size, void *buf)
{
    efi_char wide[256];
    u64 chars = fw_utf16(name, wide, ARRAY_LEN(wide)) + 1, need = offsetof(struct efi_file_info, name) + 2 * chars;
    struct efi_file_info *i = buf;
    if (*buf_size < need) {
        *buf_size = need;
        return EFI_BUFFER_TOO_SMALL;
    }
    *buf_size = need;
    memset(i, 0, offsetof(struct efi_file_info, name));
    i->size = need;
    i->file_size = n->size;
    i->physical_size = br_up(n->size, 512);
    i->create = i->access = i->modify = n->mtime;
    i->attribute = 1 | (n->is_dir ? 0x10 : 0);
    memcpy(i->name, wide, 2 * chars);
    return EFI_SUCCESS;
}

static efi_status read_entry(struct file *f, u64 *size, void *buf)
{
    static struct fw_node entry, before;
    before = f->node;
    if (!fw_node_list(&f->node, &entry)) {
        *size = 0;
        return EFI_SUCCESS;
    }
    efi_status s = put_info(&entry, entry.name, size, buf);
    if (s != EFI_SUCCESS)
        f->node = before;
    return s;
}
static efi_status EFIAPI file_read(struct efi_file *self, u64 *size, void *buf)
{
    struct file *f = (struct file *)self;
    if (!fw_alive(FWHOST_SVC_FILE, CALLER))
        return EFI_UNSUPPORTED;
    if (f->node.is_dir)
        return read_entry(f, size, buf);
    if (f->pos > f->node.size)
        return EFI_DEVICE_ERROR;
    u64 n = fw_node_read(&f->node, f->pos, buf, *size);
    if (n == ~0ULL)
        return EFI_DEVICE_ERROR;
    *size = n;
    f->pos += n;
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_write(struct efi_file *self, u64 *size, void *buf) { return EFI_WRITE_PROTECTED; }
static efi_status EFIAPI file_get_position(struct efi_file *self, u64 *pos)
{
    struct file *f = (struct file *)self;
    *pos = f->pos;
    return f->node.is_dir ? EFI_UNSUPPORTED : EFI_SUCCESS;
}
static efi_status EFIAPI file_set_position(struct efi_file *self, u64 pos)
{
    struct file *f = (struct file *)self;
    if (f->node.is_dir && pos != 0)
        return EFI_UNSUPPORTED;
    f->pos = pos == ~0ULL ? f->node.size : pos;
    f->node.index = 0;
    f->node.fat.next = 0;
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
/// The volume's name; one without is called BRUIN.
static u64 label_of(const struct fw_volume *v, efi_char *out, u64 room)
{
    return 2 * (fw_utf16(v->fat && v->fat->label[0] ? v->fat->label : "BRUIN", out, room) + 1);
}
static efi_status EFIAPI file_get_info(struct efi_file *self, const struct efi_guid *guid, u64 *size, void *buf)
{
    struct file *f = (struct file *)self;
    const struct fw_volume *v = f->node.volume;
    efi_char label[16];
    u64 label_size = label_of(v, label, ARRAY_LEN(label));
    struct {
        u64 size;
        u8 read_only, pad[7];
        u64 volume, free;
        u32 block;
    } i = {36 + label_size, 1, {0}, v->fat ? v->fat->sectors * 512 : 1 << 30, 0, v->fat ? v->fat->per_cluster * 512 : 512};
    if (fw_guid_eq(guid, &info_guid))
        return put_info(&f->node, base_name(f->path), size, buf);
    if (!fw_guid_eq(guid, &fsinfo_guid) && !fw_guid_eq(guid, &label_guid))
        return EFI_UNSUPPORTED;
    u64 head = fw_guid_eq(guid, &fsinfo_guid) ? 36 : 0, room = *size;
    *size = head + label_size;
    if (room < *size)
        return EFI_BUFFER_TOO_SMALL;
    memcpy(buf, &i, head);
    memcpy((u8 *)buf + head, label, label_size);
    return EFI_SUCCESS;
}
static efi_status EFIAPI file_set_info(struct efi_file *self, const struct efi_guid *guid, u64 size, void *buf)
{
    return EFI_WRITE_PROTECTED;
}
static efi_status EFIAPI file_flush(struct efi_file *self) { return EFI_SUCCESS; }

static struct file *file_new(struct fw_volume *v, const char *path)
{
    for (u32 k = 0; k < FILES_MAX; k++) {
        struct file *f = &files[k];
        if (f->used)
            continue;
        if (!fw_node_open(v, path, &f->node))
            return NULL;
        f->used = true;
        f->pos = 0;
        br_fmt(f->path, sizeof f->path, "%s", path);
        f->proto = (struct efi_file){0x10000, file_open, file_close, file_remove, file_read, file_write, file_get_position,
                                     file_set_position, file_get_info, file_set_info, file_flush};
        return f;
    }
    return NULL;
}
efi_status EFIAPI fw_open_volume(struct efi_simple_fs *fs, struct efi_file **out)
{
    if (!fw_alive(FWHOST_SVC_FILE, CALLER))
        return EFI_UNSUPPORTED;
    struct file *f = file_new((struct fw_volume *)fs, "/");
    *out = f ? &f->proto : NULL;
    return f ? EFI_SUCCESS : EFI_DEVICE_ERROR;
}

void *fw_read_file(struct fw_volume *v, const char *path, u32 type, u64 *size)
{
    static struct fw_node n;
    u64 at = 0;
    if (v == NULL || !fw_node_open(v, path, &n))
        return NULL;
    u64 len = n.size, pages = br_up(len ? len : 1, FW_PAGE) / FW_PAGE;
    bool ok = !n.is_dir && fw_alloc_pages(EFI_ANY_PAGES, type, pages, &at) == EFI_SUCCESS;
    if (ok && fw_node_read(&n, 0, (void *)(uintptr_t)at, len) != len) {
        fw_free_pages(at, pages);
        ok = false;
    }
    fw_node_close(&n);
    *size = len;
    return ok ? (void *)(uintptr_t)at : NULL;
}
