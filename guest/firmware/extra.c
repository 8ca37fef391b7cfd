/// Small protocols: RNG, the initrd by LoadFile2, memory attributes, device-path text, collation.
#include "fw.h"

/* ---- RNG ---- */

static u64 rng_state;
static efi_status EFIAPI rng_info(struct efi_rng *r, u64 *size, struct efi_guid *list)
{
    static const struct efi_guid raw = {0xe43176d7, 0xb6e8, 0x4827, {0xb7, 0x84, 0x7f, 0xfd, 0xc4, 0xb6, 0x85, 0x61}};
    if (*size < sizeof raw) {
        *size = sizeof raw;
        return EFI_BUFFER_TOO_SMALL;
    }
    *size = sizeof raw;
    *list = raw;
    return EFI_SUCCESS;
}
static efi_status EFIAPI rng_get(struct efi_rng *r, const struct efi_guid *algorithm, u64 size, u8 *out)
{
    if (out == NULL || size == 0)
        return EFI_INVALID_PARAMETER;
    for (u64 k = 0; k < size; k++) {
        u64 x;
        __asm__ volatile("mrs %0, s3_3_c2_c4_0" : "=r"(x)::"cc"); /* RNDR: this machine has it */
        rng_state = (rng_state ^ x) * 6364136223846793005ULL + 1442695040888963407ULL;
        out[k] = (u8)(rng_state >> 56);
    }
    return EFI_SUCCESS;
}
static struct efi_rng rng = {rng_info, rng_get};

/* ---- initrd ---- */

static u8 initrd_path[] __attribute__((aligned(8))) = {4,    3,    20,   0,    0x27, 0xe4, 0x68, 0x55, 0xfc, 0x68, 0x3d, 0x4f,
                                                       0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68, 0x7f, 0xff, 4,    0};
static efi_status EFIAPI load_initrd(struct efi_load_file2 *l, struct efi_device_path *path, u8 policy, u64 *size, void *buf)
{
    if (size == NULL || policy)
        return size ? EFI_UNSUPPORTED : EFI_INVALID_PARAMETER;
    if (buf == NULL || *size < fw_info.initrd_size) {
        *size = fw_info.initrd_size;
        return EFI_BUFFER_TOO_SMALL;
    }
    memcpy(buf, (const void *)(uintptr_t)fw_info.initrd, fw_info.initrd_size);
    *size = fw_info.initrd_size;
    return EFI_SUCCESS;
}
static struct efi_load_file2 initrd = {load_initrd};

/* ---- memory attributes ---- */

#define MEMORY_RP 0x2000ULL
#define MEMORY_XP 0x4000ULL
#define MEMORY_RO 0x20000ULL
struct memory_attribute {
    efi_status(EFIAPI *get)(struct memory_attribute *, u64 base, u64 len, u64 *attributes);
    efi_status(EFIAPI *set)(struct memory_attribute *, u64 base, u64 len, u64 attributes);
    efi_status(EFIAPI *clear)(struct memory_attribute *, u64 base, u64 len, u64 attributes);
};
static bool bad_range(u64 base, u64 len)
{
    return len == 0 || ((base | len) & (FW_PAGE - 1)) || base < fw_info.ram_base ||
           !br_range_ok(base - fw_info.ram_base, len, fw_info.ram_size);
}
static efi_status EFIAPI attr_get(struct memory_attribute *m, u64 base, u64 len, u64 *attributes)
{
    u32 first = 0, perm;
    if (bad_range(base, len) || attributes == NULL)
        return EFI_INVALID_PARAMETER;
    for (u64 a = base; a < base + len; a += FW_PAGE) {
        if (!fw_pt_get(a, &perm))
            return EFI_UNSUPPORTED;
        if (a == base)
            first = perm;
        if (perm != first)
            return EFI_UNSUPPORTED; /* specification: no mapping with one attribute */
    }
    *attributes = (first & FW_W ? 0 : MEMORY_RO) | (first & FW_X ? 0 : MEMORY_XP);
    return EFI_SUCCESS;
}
static efi_status attr_change(u64 base, u64 len, u64 attributes, bool set)
{
    if (bad_range(base, len) || attributes == 0 || (attributes & ~(MEMORY_RP | MEMORY_XP | MEMORY_RO)))
        return EFI_INVALID_PARAMETER;
    for (u64 a = base; a < base + len; a += FW_PAGE) {
        u32 perm = 0, mask = (attributes & MEMORY_RO ? FW_W : 0) | (attributes & MEMORY_XP ? FW_X : 0);
        fw_pt_get(a, &perm);
        fw_pt_protect(a, 1, set ? perm & ~mask : perm | mask);
    }
    return EFI_SUCCESS;
}
static efi_status EFIAPI attr_set(struct memory_attribute *m, u64 base, u64 len, u64 attributes)
{
    return attr_change(base, len, attributes, true);
}
static efi_status EFIAPI attr_clear(struct memory_attribute *m, u64 base, u64 len, u64 attributes)
{
    return attr_change(base, len, attributes, false);
}
static struct memory_attribute memory_attribute = {attr_get, attr_set, attr_clear};

/* ---- device path to text ---- */

struct path_to_text {
    efi_char *(EFIAPI *node)(const struct efi_device_path *, u8 display, u8 shortcuts);
    efi_char *(EFIAPI *path)(const struct efi_device_path *, u8 display, u8 shortcuts);
};
static u64 node_text(const struct efi_device_path *p, efi_char *out, u64 room)
{
    char text[64];
    if (p->type == 4 && p->subtype == 4) {
        u64 n = (br_ld16(p->len) - 4u) / 2, k;
        for (k = 0; k + 1 < n && k < room; k++)
            out[k] = br_ld16((const u8 *)p + 4 + 2 * k);
        return k;
    }
    br_fmt(text, sizeof text, "Path(%u,%u)", p->type, p->subtype);
    return fw_utf16(text, out, room);
}
static efi_char *EFIAPI text_node(const struct efi_device_path *p, u8 display, u8 shortcuts)
{
    efi_char *out = fw_pool(1024, EFI_BOOT_DATA);
    if (out)
        out[node_text(p, out, 500)] = 0;
    return out;
}
static efi_char *EFIAPI text_path(const struct efi_device_path *p, u8 display, u8 shortcuts)
{
    efi_char *out = fw_pool(2048, EFI_BOOT_DATA);
    u64 n = 0;
    for (u32 k = 0; out && k < 32 && p->type != 0x7f && br_ld16(p->len) >= 4 && n < 1000; k++) {
        if (n)
            out[n++] = '/';
        n += node_text(p, out + n, 1000 - n);
        p = (const void *)((const u8 *)p + br_ld16(p->len));
    }
    if (out)
        out[n] = 0;
    return out;
}
static struct path_to_text path_to_text = {text_node, text_path};

/* ---- unicode collation: ASCII rules ---- */

struct collation {
    s64(EFIAPI *compare)(struct collation *, const efi_char *, const efi_char *);
    u8(EFIAPI *match)(struct collation *, const efi_char *, const efi_char *);
    void(EFIAPI *lower)(struct collation *, efi_char *);
    void(EFIAPI *upper)(struct collation *, efi_char *);
    void(EFIAPI *from_fat)(struct collation *, u64, const char *, efi_char *);
    u8(EFIAPI *to_fat)(struct collation *, const efi_char *, u64, char *);
    const char *languages;
};
static efi_char fold(efi_char ch) { return ch >= 'A' && ch <= 'Z' ? (efi_char)(ch + 32) : ch; }
static s64 EFIAPI compare(struct collation *c, const efi_char *a, const efi_char *b)
{
    while (*a && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return (s64)fold(*a) - (s64)fold(*b);
}
/// `*` and `?`, without recursion: one point to fall back to is enough.
static u8 EFIAPI match(struct collation *c, const efi_char *s, const efi_char *p)
{
    const efi_char *star = NULL, *mark = NULL;
    while (*s) {
        if (*p == '*') {
            star = p++;
            mark = s;
        } else if (*p == '?' || fold(*p) == fold(*s)) {
            p++;
            s++;
        } else if (star) {
            p = star + 1;
            s = ++mark;
        } else {
            return 0;
        }
    }
    while (*p == '*')
        p++;
    return *p == 0;
}
static void EFIAPI lower(struct collation *c, efi_char *s)
{
    for (; *s; s++)
        *s = fold(*s);
}
static void EFIAPI upper(struct collation *c, efi_char *s)
{
    for (; *s; s++)
        if (*s >= 'a' && *s <= 'z')
            *s = (efi_char)(*s - 32);
}
static void EFIAPI from_fat(struct collation *c, u64 n, const char *fat, efi_char *out)
{
    while (n-- && *fat)
        *out++ = (u8)*fat++;
    *out = 0;
}
static u8 EFIAPI to_fat(struct collation *c, const efi_char *s, u64 n, char *fat)
{
    while (n-- && *s)
        *fat++ = (char)*s++;
    return 0;
}
static struct collation collation = {compare, match, lower, upper, from_fat, to_fat, "en"};

void fw_extra_init(void)
{
    static const struct efi_guid rng_guid = EFI_GUID_RNG, lf2 = EFI_GUID_LOAD_FILE2, dp = EFI_GUID_DEVICE_PATH;
    static const struct efi_guid attr = {0xf4560cf6, 0x40ec, 0x4b4a, {0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89}};
    static const struct efi_guid text = {0x8b843e20, 0x8132, 0x4852, {0x90, 0xcc, 0x55, 0x1a, 0x4e, 0x4a, 0x7f, 0x1c}};
    static const struct efi_guid coll = {0xa4c751fc, 0x23ae, 0x4c3e, {0x92, 0xe9, 0x49, 0x64, 0xcf, 0x63, 0xf3, 0x49}};
    efi_handle h = NULL, i = NULL;
    rng_state = fw_info.seed;
    fw_install(&h, &rng_guid, &rng);
    fw_install(&h, &attr, &memory_attribute);
    fw_install(&h, &text, &path_to_text);
    fw_install(&h, &coll, &collation);
    if (fw_info.initrd_size) {
        fw_install(&i, &dp, initrd_path);
        fw_install(&i, &lf2, &initrd);
    }
}
