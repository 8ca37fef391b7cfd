/// The tiny firmware's device: requests are copied in, checked, served, copied out.
#include "boot/fwhost.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

extern const unsigned char firmware_blob[];
extern const size_t firmware_blob_len;

enum { HANDLES = 128, ENTRIES_MAX = 4096, PATH_MAX_LEN = 512, COMPONENTS_MAX = 32, SECTOR = 512 };

struct handle {
    bool used;
    int fd;
    struct stat st;
    char **names; ///< of a directory, sorted
    unsigned name_count;
};
struct fwhost {
    struct fwhost_config cfg;
    struct mem *mem;
    int root; ///< directory descriptor, -1 none
    int disk[FWHOST_DISKS_MAX];
    u64 sectors[FWHOST_DISKS_MAX];
    struct handle handle[HANDLES];
};

const u8 *firmware_image(size_t *len)
{
    *len = firmware_blob_len;
    return firmware_blob;
}
u64 firmware_span(void)
{
    enum { HEADER_SPAN = 8, HEADER_MAGIC = 16 };
    if (firmware_blob_len < 64 || memcmp(firmware_blob + HEADER_MAGIC, "BRFW", 4) != 0)
        return 0;
    return ld64(firmware_blob + HEADER_SPAN);
}

static bool open_disks(struct fwhost *h, struct err *e)
{
    for (unsigned k = 0; k < h->cfg.disk_count; k++) {
        struct stat st;
        h->disk[k] = open(h->cfg.disk[k], (h->cfg.disk_read_only[k] ? O_RDONLY : O_RDWR) | O_CLOEXEC);
        if (h->disk[k] < 0 || fstat(h->disk[k], &st) != 0)
            return err_set(e, ERR_NOT_FOUND, "%s: no such disk image, or not accessible", h->cfg.disk[k]);
        h->sectors[k] = (u64)st.st_size / SECTOR;
    }
    return true;
}

struct fwhost *fwhost_new(struct mem *m, const struct fwhost_config *cfg, struct err *e)
{
    struct fwhost *h = xcalloc(1, sizeof *h);
    h->cfg = *cfg;
    h->mem = m;
    h->root = -1;
    for (unsigned k = 0; k < FWHOST_DISKS_MAX; k++)
        h->disk[k] = -1;
    if (cfg->dir) {
        h->root = open(cfg->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (h->root < 0) {
            err_set(e, ERR_NOT_FOUND, "%s: no such directory, or not readable", cfg->dir);
            fwhost_free(h);
            return NULL;
        }
    }
    if (!open_disks(h, e)) {
        fwhost_free(h);
        return NULL;
    }
    h->cfg.info.size = sizeof h->cfg.info;
    h->cfg.info.version = 1;
    h->cfg.info.disks = cfg->disk_count;
    h->cfg.info.volumes = cfg->dir || cfg->app_file;
    return h;
}

static void close_handle(struct handle *f)
{
    if (!f->used)
        return;
    if (f->fd >= 0)
        close(f->fd);
    for (unsigned k = 0; k < f->name_count; k++)
        free(f->names[k]);
    free(f->names);
    memset(f, 0, sizeof *f);
}
void fwhost_free(struct fwhost *h)
{
    if (h == NULL)
        return;
    for (unsigned k = 0; k < HANDLES; k++)
        close_handle(&h->handle[k]);
    for (unsigned k = 0; k < FWHOST_DISKS_MAX; k++)
        if (h->disk[k] >= 0)
            close(h->disk[k]);
    if (h->root >= 0)
        close(h->root);
    free(h);
}

void fwhost_swap(struct fwhost *a, struct fwhost *b)
{
    struct fwhost t = *a;
    *a = *b;
    *b = t;
}

/* ---- the volume ---- */

/// One step down from dir: the exact name, or the only one that differs in case. Links are not followed.
static int open_component(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        return fd;
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (d == NULL) {
        if (copy >= 0)
            close(copy);
        return -1;
    }
    struct dirent *ent;
    while (fd < 0 && (ent = readdir(d)) != NULL)
        if (strcasecmp(ent->d_name, name) == 0)
            fd = openat(dir, ent->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    closedir(d);
    return fd;
}

/// path starts with '/'; ".." is refused. ret  -1 when it is not there
static int open_path(const struct fwhost *h, const char *path)
{
    if (h->cfg.app_file && strcasecmp(path, h->cfg.info.app) == 0)
        return open(h->cfg.app_file, O_RDONLY | O_CLOEXEC);
    if (h->root < 0)
        return -1;
    int at = openat(h->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned steps = 0; at >= 0 && *path && steps <= COMPONENTS_MAX; steps++) {
        char name[256];
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 0)
            return at;
        if (n >= sizeof name || steps == COMPONENTS_MAX) {
            close(at);
            return -1;
        }
        memcpy(name, path, n);
        name[n] = '\0';
        path += n;
        int next = strcmp(name, "..") == 0 || strcmp(name, ".") == 0 ? -1 : open_component(at, name);
        close(at);
        at = next;
    }
    return at;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/// Reads the names of a directory; files and directories only.
static void list_directory(struct handle *f)
{
    int copy = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (d == NULL) {
        if (copy >= 0)
            close(copy);
        return;
    }
    f->names = xcalloc(ENTRIES_MAX, sizeof *f->names);
    struct dirent *ent;
    while (f->name_count < ENTRIES_MAX && (ent = readdir(d)) != NULL)
        if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0 && strlen(ent->d_name) < 256)
            f->names[f->name_count++] = xstrdup(ent->d_name);
    closedir(d);
    qsort(f->names, f->name_count, sizeof *f->names, by_name);
}

static bool guest_string(const struct fwhost *h, gpa_t at, char *buf, size_t size)
{
    for (size_t k = 0; k < size; k++) {
        if (!mem_read(h->mem, at + k, &buf[k], 1))
            return false;
        if (buf[k] == '\0')
            return true;
    }
    return false;
}

static u32 op_open(struct fwhost *h, struct fwhost_req *r)
{
    char path[PATH_MAX_LEN];
    if (!guest_string(h, r->a[0], path, sizeof path) || path[0] != '/')
        return FWHOST_BAD_REQUEST;
    unsigned slot = 0;
    while (slot < HANDLES && h->handle[slot].used)
        slot++;
    if (slot == HANDLES)
        return FWHOST_IO_ERROR;
    struct handle *f = &h->handle[slot];
    bool only_app = h->root < 0 && strcmp(path, "/") == 0;
    f->fd = only_app ? -1 : open_path(h, path);
    if (!only_app && (f->fd < 0 || fstat(f->fd, &f->st) != 0 || (!S_ISREG(f->st.st_mode) && !S_ISDIR(f->st.st_mode)))) {
        if (f->fd >= 0)
            close(f->fd);
        memset(f, 0, sizeof *f);
        return FWHOST_NOT_FOUND;
    }
    f->used = true;
    bool dir = only_app || S_ISDIR(f->st.st_mode);
    if (dir && !only_app)
        list_directory(f);
    r->a[2] = slot;
    r->a[3] = dir ? 0 : (u64)f->st.st_size;
    r->a[4] = dir ? FWHOST_IS_DIR : 0;
    r->a[5] = (u64)f->st.st_mtime;
    return FWHOST_OK;
}

/// Moves [off, off + len) of a file to or from guest RAM in one go. ret  bytes moved, -1 on an error
static s64 move(struct fwhost *h, int fd, gpa_t at, u64 len, u64 off, bool to_guest)
{
    u8 *host = mem_host(h->mem, at, len);
    struct mem_region *r = mem_find(h->mem, at);
    u64 done = 0;
    if (host == NULL || r->kind != MEM_RAM || off > INT64_MAX - len)
        return -1;
    if (to_guest && h->cfg.before_write)
        h->cfg.before_write(h->cfg.event_ctx, at, len);
    while (done < len) {
        ssize_t n = to_guest ? pread(fd, host + done, len - done, (off_t)(off + done))
                             : pwrite(fd, host + done, len - done, (off_t)(off + done));
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (u64)n;
    }
    if (to_guest && done)
        mem_written(h->mem, at, done);
    return (s64)done;
}

static struct handle *handle_of(struct fwhost *h, u64 n)
{
    return n < HANDLES && h->handle[n].used ? &h->handle[n] : NULL;
}
static u32 op_read(struct fwhost *h, struct fwhost_req *r)
{
    struct handle *f = handle_of(h, r->a[0]);
    u64 len = r->a[3];
    if (f == NULL || f->fd < 0 || S_ISDIR(f->st.st_mode))
        return FWHOST_BAD_REQUEST;
    u64 size = (u64)f->st.st_size;
    if (r->a[1] >= size)
        len = 0;
    else if (len > size - r->a[1])
        len = size - r->a[1];
    s64 n = len ? move(h, f->fd, r->a[2], len, r->a[1], true) : 0;
    r->a[4] = n < 0 ? 0 : (u64)n;
    return n < 0 ? FWHOST_IO_ERROR : FWHOST_OK;
}
static u32 op_readdir(struct fwhost *h, struct fwhost_req *r)
{
    struct handle *f = handle_of(h, r->a[0]);
    struct fwhost_dirent d = {0};
    struct stat st = {0};
    const char *name;
    if (f == NULL)
        return FWHOST_BAD_REQUEST;
    if (f->fd < 0) { /* the volume that holds only the application */
        if (r->a[1] != 0 || stat(h->cfg.app_file, &st) != 0)
            return FWHOST_NOT_FOUND;
        name = h->cfg.info.app + 1;
    } else {
        if (r->a[1] >= f->name_count)
            return FWHOST_NOT_FOUND;
        name = f->names[r->a[1]];
        if (fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            memset(&st, 0, sizeof st);
    }
    d.size = S_ISDIR(st.st_mode) ? 0 : (u64)st.st_size;
    d.mtime = (u64)st.st_mtime;
    d.flags = S_ISDIR(st.st_mode) ? FWHOST_IS_DIR : 0;
    snprintf(d.name, sizeof d.name, "%s", name);
    return mem_write(h->mem, r->a[2], &d, sizeof d) ? FWHOST_OK : FWHOST_BAD_REQUEST;
}

static u32 op_disk(struct fwhost *h, struct fwhost_req *r)
{
    u64 k = r->a[0], count = r->a[3];
    if (k >= h->cfg.disk_count)
        return FWHOST_NOT_FOUND;
    if (r->op == FWHOST_DISK_INFO) {
        r->a[1] = h->sectors[k];
        r->a[2] = h->cfg.disk_read_only[k];
        return FWHOST_OK;
    }
    if (r->op == FWHOST_DISK_WRITE && h->cfg.disk_read_only[k])
        return FWHOST_READ_ONLY;
    if (count == 0 || !range_ok(r->a[1], count, h->sectors[k]))
        return FWHOST_BAD_REQUEST;
    s64 n = move(h, h->disk[k], r->a[2], count * SECTOR, r->a[1] * SECTOR, r->op == FWHOST_DISK_READ);
    return n == (s64)(count * SECTOR) ? FWHOST_OK : FWHOST_IO_ERROR;
}

static u32 op_event(struct fwhost *h, struct fwhost_req *r)
{
    char name[256] = "";
    if (r->a[0] == FWHOST_EV_IMAGE && !guest_string(h, r->a[4], name, sizeof name))
        name[0] = '\0';
    if (h->cfg.event)
        h->cfg.event(h->cfg.event_ctx, r->a, name);
    return FWHOST_OK;
}

static u32 serve(struct fwhost *h, struct fwhost_req *r)
{
    switch (r->op) {
    case FWHOST_BOOTINFO:
        return r->a[1] == sizeof h->cfg.info && mem_write(h->mem, r->a[0], &h->cfg.info, sizeof h->cfg.info)
                   ? FWHOST_OK
                   : FWHOST_BAD_REQUEST;
    case FWHOST_OPEN: return op_open(h, r);
    case FWHOST_READ: return op_read(h, r);
    case FWHOST_READDIR: return op_readdir(h, r);
    case FWHOST_CLOSE:
        if (handle_of(h, r->a[0]))
            close_handle(handle_of(h, r->a[0]));
        return FWHOST_OK;
    case FWHOST_DISK_INFO:
    case FWHOST_DISK_READ:
    case FWHOST_DISK_WRITE: return op_disk(h, r);
    case FWHOST_EVENT: return op_event(h, r);
    default: return FWHOST_BAD_REQUEST;
    }
}

static bool fwhost_read(void *dev, u64 off, unsigned size, u64 *val)
{
    *val = off == FWHOST_REG_MAGIC ? FWHOST_MAGIC : 0;
    return true;
}
static bool fwhost_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct fwhost *h = dev;
    struct fwhost_req r;
    if (off != FWHOST_REG_DOORBELL || size != 8)
        return true;
    if (!mem_read(h->mem, val, &r, sizeof r))
        return true; /* nobody to answer to */
    r.status = serve(h, &r);
    (void)!mem_write(h->mem, val, &r, sizeof r);
    return true;
}
const struct mmio_ops fwhost_mmio = {fwhost_read, fwhost_write, 4, 8};
