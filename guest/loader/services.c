/// Pages, files, tables and random numbers from the firmware.
#include "loader.h"
#include "../bridge/hash.h"

typedef unsigned long long ull;

static u64 pages_of(u64 len) { return (len + 4095) >> 12; }

static struct br_area alloc_below(u64 len, u64 align, u64 limit)
{
    u64 extra = align > 4096 ? align : 0, at = limit;
    struct br_area none = {0};
    if (len > 1ULL << 40 || ld.bs->allocate_pages(limit ? EFI_MAX_ADDRESS : EFI_ANY_PAGES, EFI_LOADER_DATA,
                                                  pages_of(len + extra), &at))
        return none;
    u64 phys = extra ? br_up(at, align) : at;
    struct br_area a = {(u8 *)(uintptr_t)phys, phys, br_up(len, 4096)};
    // Give back what alignment cost: the kernel's map stays readable.
    if (phys > at)
        ld.bs->free_pages(at, (phys - at) >> 12);
    u64 end = at + (pages_of(len + extra) << 12);
    if (end > phys + a.len)
        ld.bs->free_pages(phys + a.len, (end - phys - a.len) >> 12);
    memset(a.bytes, 0, a.len);
    return a;
}

struct br_area alloc_pages(u64 len, u64 align) { return alloc_below(len, align, 0); }
struct br_area alloc_low_pages(u64 len, u64 align) { return alloc_below(len, align, UINT32_MAX); }

bool alloc_pages_at(u64 phys, u64 len, struct br_area *out, efi_status *s)
{
    u64 at = phys;
    *s = ld.bs->allocate_pages(EFI_ADDRESS, EFI_LOADER_DATA, pages_of(len), &at);
    if (*s)
        return false;
    *out = (struct br_area){(u8 *)(uintptr_t)at, at, br_up(len, 4096)};
    memset(out->bytes, 0, out->len);
    return true;
}

void free_area(struct br_area *a)
{
    if (a->bytes)
        ld.bs->free_pages(a->phys, a->len >> 12);
    *a = (struct br_area){0};
}

static bool check_hash(const struct conf_path *p, const u8 *data, u64 len)
{
    u8 got[64];
    if (!p->hash_len) {
        ld.all_verified = false;
        return true;
    }
    ld.any_hash = true;
    if (p->hash_len == 32)
        br_sha256(data, len, got);
    else
        br_blake2b(data, len, got);
    if (!memcmp(got, p->hash, p->hash_len)) {
        say("%s: %s matches", p->path, p->hash_len == 32 ? "SHA-256" : "BLAKE2b");
        return true;
    }
    return complain("%s: its hash starts %02x%02x%02x%02x, the configuration says %02x%02x%02x%02x: "
                    "the file was changed or damaged; restore it or update the configuration",
                    p->path, got[0], got[1], got[2], got[3], p->hash[0], p->hash[1], p->hash[2],
                    p->hash[3]);
}

static efi_status open_file(const char *path, struct efi_file **f)
{
    efi_char name[256];
    u32 n = 0;
    for (; path[n] && n < ARRAY_LEN(name) - 1; n++)
        name[n] = path[n] == '/' ? '\\' : (efi_char)(u8)path[n];
    name[n] = 0;
    return ld.root ? ld.root->open(ld.root, f, name, EFI_FILE_READ, 0) : EFI_NOT_FOUND;
}

static efi_status file_size(struct efi_file *f, u64 *size)
{
    static const struct efi_guid info_guid = EFI_GUID_FILE_INFO;
    u64 buffer[96]; // struct efi_file_info and a name
    u64 len = sizeof buffer;
    efi_status s = f->get_info(f, &info_guid, &len, buffer);
    const struct efi_file_info *info = (const void *)buffer;
    *size = info->file_size;
    return s ? s : info->attribute & 0x10 ? EFI_NOT_FOUND : EFI_SUCCESS;
}

bool read_file(const struct conf_path *path, bool must_exist, struct br_area *out, u64 *len)
{
    struct efi_file *f = NULL;
    efi_status s = open_file(path->path, &f);
    if (s)
        return must_exist ? complain("%s: cannot open: %s; is it on the volume this loader was "
                                     "started from?", path->path, status_name(s))
                          : false;
    s = file_size(f, len);
    if (s || !*len) {
        f->close(f);
        return must_exist ? complain("%s: is empty or a directory (%s)", path->path,
                                     status_name(s))
                          : false;
    }
    *out = alloc_pages(*len, 4096);
    u64 done = 0;
    while (out->bytes && done < *len) {
        u64 n = *len - done;
        s = f->read(f, &n, out->bytes + done);
        if (s || !n)
            break;
        done += n;
    }
    f->close(f);
    if (!out->bytes)
        return complain("%s: %llu bytes, and the firmware has no memory for them", path->path,
                        (ull)*len);
    if (done < *len || !check_hash(path, out->bytes, *len)) {
        if (done < *len)
            complain("%s: reading stopped at %llu of %llu bytes: %s", path->path, (ull)done,
                     (ull)*len, status_name(s));
        free_area(out);
        return false;
    }
    return true;
}

bool guid_eq(const struct efi_guid *a, const struct efi_guid *b)
{
    return !memcmp(a, b, sizeof *a);
}

/// A configuration table entry is {GUID, pointer}.
void *config_table(const struct efi_guid *guid)
{
    for (u64 i = 0; i < ld.st->config_count; i++)
        if (guid_eq(&ld.st->config[i].guid, guid))
            return ld.st->config[i].table;
    return NULL;
}

bool get_map(struct efi_map *m)
{
    *m = (struct efi_map){0};
    efi_status s = ld.bs->get_memory_map(&m->size, NULL, &m->key, &m->desc_size, &m->desc_version);
    if (s != EFI_BUFFER_TOO_SMALL || m->desc_size < 40)
        return complain("GetMemoryMap: %s, descriptor size %llu", status_name(s),
                        (ull)m->desc_size);
    m->area = alloc_pages(m->size + 16 * m->desc_size, 4096);
    if (!m->area.bytes)
        return complain("no memory for the memory map");
    m->size = m->area.len;
    s = ld.bs->get_memory_map(&m->size, m->area.bytes, &m->key, &m->desc_size, &m->desc_version);
    return !s || complain("GetMemoryMap: %s", status_name(s));
}

bool random_bytes(u8 *out, u32 n)
{
    static const struct efi_guid rng_guid = EFI_GUID_RNG;
    struct efi_rng *rng = NULL;
    if (!ld.bs->locate_protocol(&rng_guid, NULL, (void **)&rng) &&
        !rng->get_rng(rng, NULL, n, out))
        return true;
    bool good = true;
    u64 mix = cpu_ticks() ^ wall_clock() << 20;
    for (u32 i = 0; i < n; i++) {
        u64 r = 0;
        if (i % 8 == 0) {
            good = cpu_random(&r) && good;
            mix = (mix ^ r ^ cpu_ticks()) * 0x9E3779B97F4A7C15ULL;
            mix ^= mix >> 29;
        }
        out[i] = (u8)(mix >> 8 * (i % 8));
    }
    return good;
}

bool secure_boot_on(void)
{
    static const struct efi_guid global = EFI_GUID_GLOBAL_VARIABLE;
    static const efi_char name[] = {'S', 'e', 'c', 'u', 'r', 'e', 'B', 'o', 'o', 't', 0};
    u8 v = 0;
    u64 size = 1;
    return !ld.st->rt->get_variable(name, &global, NULL, &size, &v) && v == 1;
}

u64 wall_clock(void)
{
    static const u16 before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    struct efi_time t;
    if (ld.st->rt->get_time(&t, NULL) || t.month < 1 || t.month > 12 || t.year < 1970)
        return 0;
    u64 y = t.year, days = (y - 1970) * 365 + (y - 1969) / 4 - (y - 1901) / 100 + (y - 1601) / 400;
    days += before[t.month - 1] + t.day - 1u;
    if (t.month > 2 && y % 4 == 0 && (y % 100 || y % 400 == 0))
        days++;
    return ((days * 24 + t.hour) * 60 + t.minute) * 60 + t.second;
}
