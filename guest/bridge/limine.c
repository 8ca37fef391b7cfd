/// "The Limine Boot Protocol", base revisions 0 to 4.
#include "limine.h"

#define COMMON0 0xc7b1dd30df4c8b88ULL
#define COMMON1 0x0a82e883a194f07bULL
#define BASE0 0xf9562b2d5c95a6c8ULL
#define BASE1 0x6a7b384944536bdcULL
#define START0 0xf6b8f4b39de7d1aeULL
#define START1 0xfab91a6940fcb9cfULL
#define END0 0xadc0e0531bb10d03ULL
#define END1 0x9572709f31764c62ULL
#define KERNEL_LOWEST 0xFFFFFFFF80000000ULL

enum { REQUEST_WORDS = 7, FILE_WORDS = 14, FB_WORDS = 10 };
enum { W_REVISION = 4, W_RESPONSE = 5, W_EXTRA = 6 };

struct answering {
    struct limine *l;
    const struct bbp_plan *p;
    const struct limine_facts *f;
    const u8 *request;
};

/// --- answers: one function a feature; ret  NULL leaves the request untouched

static u64 *give(struct limine *l, u64 words)
{
    if (words * 8 > l->cap - l->used)
        return NULL;
    u64 *at = (u64 *)(void *)(l->buf + l->used);
    l->used += words * 8;
    return at;
}

static u64 virt_of(const struct limine *l, const void *p)
{
    return p ? l->buf_virt + (u64)((const u8 *)p - l->buf) : 0;
}

static u64 give_text(struct limine *l, const char *s)
{
    u64 n = br_strlen(s) + 1;
    u64 *at = give(l, (n + 7) / 8);
    if (at)
        memcpy(at, s, n);
    return virt_of(l, at);
}

static u64 *give_words(struct limine *l, u64 a, u64 b)
{
    u64 *r = give(l, 3);
    if (r) {
        r[1] = a;
        r[2] = b;
    }
    return r;
}

/// Some addresses are physical from base revision 3 on; the RSDP is so in revision 3 only.
static u64 place(const struct answering *a, u64 phys, bool is_phys)
{
    return !phys ? 0 : is_phys ? phys : phys + a->l->hhdm;
}

static u64 *info(const struct answering *a)
{
    u64 name = give_text(a->l, "bruin loader"), version = give_text(a->l, "1.0");
    return give_words(a->l, name, version);
}
static u64 *plain(const struct answering *a) { return give_words(a->l, 0, 0); }
static u64 *hhdm(const struct answering *a) { return give_words(a->l, a->l->hhdm, 0); }
static u64 *firmware(const struct answering *a) { return give_words(a->l, 2, 0); } // 64-bit UEFI
static u64 *paging(const struct answering *a) { return give_words(a->l, a->p->levels == 5, 0); }
static u64 *boot_time(const struct answering *a)
{
    return a->f->wall_clock_s ? give_words(a->l, a->f->wall_clock_s, 0) : NULL;
}
static u64 *address(const struct answering *a) { return give_words(a->l, a->p->phys, a->p->virt); }
static u64 *cmdline(const struct answering *a)
{
    return give_words(a->l, give_text(a->l, a->f->cmdline), 0);
}
static u64 *rsdp(const struct answering *a)
{
    return a->f->rsdp ? give_words(a->l, place(a, a->f->rsdp, a->l->revision == 3), 0) : NULL;
}
static u64 *smbios(const struct answering *a)
{
    bool phys = a->l->revision >= 3;
    if (!a->f->smbios32 && !a->f->smbios64)
        return NULL;
    return give_words(a->l, place(a, a->f->smbios32, phys), place(a, a->f->smbios64, phys));
}
static u64 *efi_table(const struct answering *a)
{
    return give_words(a->l, place(a, a->f->efi_table, a->l->revision >= 3), 0);
}
static u64 *dtb(const struct answering *a)
{
    return a->f->dtb ? give_words(a->l, a->f->dtb + a->l->hhdm, 0) : NULL;
}

static u64 *file_of(struct limine *l, u64 phys, u64 len, const char *path, const char *string)
{
    u64 *r = give(l, FILE_WORDS);
    if (!r)
        return NULL;
    r[1] = phys + l->hhdm;
    r[2] = len;
    r[3] = give_text(l, path);
    r[4] = give_text(l, string);
    return r;
}

static u64 *kernel_file(const struct answering *a)
{
    u64 *f = file_of(a->l, a->f->kernel_file, a->f->kernel_file_len, a->f->kernel_path,
                     a->f->cmdline);
    return f ? give_words(a->l, virt_of(a->l, f), 0) : NULL;
}

static u64 *modules(const struct answering *a)
{
    u64 *list = give(a->l, a->f->modules + 1);
    for (u32 i = 0; list && i < a->f->modules; i++)
        list[i] = virt_of(a->l, file_of(a->l, a->f->module[i].phys, a->f->module[i].len,
                                        a->f->module[i].path, a->f->module[i].string));
    return list && a->f->modules ? give_words(a->l, a->f->modules, virt_of(a->l, list)) : NULL;
}

static u64 *framebuffer(const struct answering *a)
{
    const struct bbp_framebuffer *f = a->f->fb;
    u64 *fb = f ? give(a->l, FB_WORDS) : NULL, *list = fb ? give(a->l, 1) : NULL;
    if (!list)
        return NULL;
    fb[0] = f->phys + a->l->hhdm;
    fb[1] = f->width;
    fb[2] = f->height;
    fb[3] = f->pitch;
    u8 *b = (u8 *)(fb + 4);
    b[0] = (u8)f->bpp;
    b[2] = 1; // RGB
    b[3] = f->red_bits;
    b[4] = f->red_shift;
    b[5] = f->green_bits;
    b[6] = f->green_shift;
    b[7] = f->blue_bits;
    b[8] = f->blue_shift;
    list[0] = virt_of(a->l, fb);
    return give_words(a->l, 1, virt_of(a->l, list));
}

/// Response, pointers, entries of three words; filled once the final map is known.
static u64 *memmap(const struct answering *a)
{
    u64 *r = give(a->l, 3 + 4ULL * a->f->memmap_entries);
    a->l->memmap = r;
    a->l->memmap_end = r ? r + 3 + 4ULL * a->f->memmap_entries : NULL;
    return r;
}

static u64 *efi_memmap(const struct answering *a)
{
    u64 *r = a->f->efi_map ? give(a->l, 5) : NULL;
    if (!r)
        return NULL;
    r[1] = a->f->efi_map + a->l->hhdm;
    r[2] = a->f->efi_map_len;
    r[3] = a->f->efi_desc_size;
    r[4] = a->f->efi_desc_version;
    a->l->efi_memmap = r;
    return r;
}

static u64 *entry_point(const struct answering *a)
{
    a->l->entry = br_ld64(a->request + 8 * W_EXTRA);
    return give_words(a->l, 0, 0);
}

#define ID_STACK_SIZE 0x224ef0460a8e8926ULL
static const struct row {
    u64 id2, id3;
    u64 *(*answer)(const struct answering *);
} rows[] = {
    {0xf55038d8e2a1202f, 0x279426fcf5f59740, info},
    {ID_STACK_SIZE, 0xe1cb0fc25f46ea3d, plain},
    {0x48dcf1cb8ad2b852, 0x63984e959a98244b, hhdm},
    {0x9d5827dcd881dd75, 0xa3148604f6fab11b, framebuffer},
    {0x95c1a0edab0944cb, 0xa4e5cb3842f7488a, paging},
    {0x67cf3d9d378a806f, 0xe304acdfc50c3c62, memmap},
    {0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a, entry_point},
    {0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69, kernel_file},
    {0x3e7e279702be32af, 0xca1c4f3bd1280cee, modules},
    {0xc5e77b6b397e7b43, 0x27637845accdcf3c, rsdp},
    {0x9e9046f11e095391, 0xaa4a520fefbde5ee, smbios},
    {0x5ceba5163eaaf6d6, 0x0a6981610cf65fcc, efi_table},
    {0x7df62a431d6872d5, 0xa4fcdfb3e57306c8, efi_memmap},
    {0x502746e184c088aa, 0xfbc5ec83e6327893, boot_time},
    {0x71ba76863cc55f63, 0xb2644a48c516a487, address},
    {0xb40ddb48fb54bac7, 0x545081493f81ffb7, dtb},
    {0x8c2f75d90bef28a8, 0x7045a4688eac00c3, firmware},
    {0x4b161536e598651e, 0xb390ad4a2f1f303a, cmdline},
};

/// --- finding requests

/// The part of the image to search: between the markers if there are both.
static void bounds(const u8 *b, u64 len, u64 *from, u64 *to)
{
    u64 start = 0, end = len;
    for (u64 i = 0; i + 32 <= len; i += 8)
        if (br_ld64(b + i) == START0 && br_ld64(b + i + 8) == START1)
            start = i + 32;
    for (u64 i = start; i + 16 <= len; i += 8)
        if (br_ld64(b + i) == END0 && br_ld64(b + i + 8) == END1) {
            end = i;
            break;
        }
    *from = start;
    *to = end;
}

static bool is_request(const u8 *b)
{
    return br_ld64(b) == COMMON0 && br_ld64(b + 8) == COMMON1;
}

bool limine_is(const u8 *file, u64 len)
{
    u64 from, to;
    bounds(file, len, &from, &to);
    for (u64 i = from; i + REQUEST_WORDS * 8 <= to; i += 8)
        if (is_request(file + i))
            return true;
    return false;
}

bool limine_want(const u8 *file, u64 len, u16 arch, struct bbp_want *want, struct limine *l,
                 struct br_why *why)
{
    u64 from, to;
    memset(l, 0, sizeof *l);
    bounds(file, len, &from, &to);
    for (u64 i = from; i + 24 <= to; i += 8) {
        if (br_ld64(file + i) == BASE0 && br_ld64(file + i + 8) == BASE1)
            l->revision = br_ld64(file + i + 16);
        if (i + REQUEST_WORDS * 8 <= to && is_request(file + i) &&
            br_ld64(file + i + 16) == ID_STACK_SIZE)
            l->stack_len = br_ld64(file + i + 8 * W_EXTRA);
    }
    if (l->revision > LIMINE_REVISION_MAX)
        l->revision = LIMINE_REVISION_MAX;
    if (l->stack_len > 16u << 20)
        return br_fail(why, "the kernel asks for a stack of 0x%llx bytes; at most 16 MiB",
                       (unsigned long long)l->stack_len);
    *want = (struct bbp_want){.major = BBP_MAJOR, .size = sizeof *want, .arch = arch,
                              .flags = BBP_WANT_KASLR_OK | BBP_WANT_FPU_ON | BBP_WANT_FB,
                              .levels_min = arch == BR_ARCH_AARCH64 ? 4 : 0,
                              .stack_size = l->stack_len > 65536 ? (u32)l->stack_len : 65536};
    return true;
}

static void store(u8 *p, u64 v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (u8)(v >> 8 * i);
}

static bool answer_one(const struct answering *a, u8 *request, u64 *seen, struct br_why *why)
{
    for (u32 r = 0; r < ARRAY_LEN(rows); r++) {
        if (br_ld64(request + 16) != rows[r].id2 || br_ld64(request + 24) != rows[r].id3)
            continue;
        if (*seen >> r & 1)
            return br_fail(why, "the kernel holds the same Limine request twice (0x%llx)",
                           (unsigned long long)rows[r].id2);
        *seen |= 1ULL << r;
        u64 *response = rows[r].answer(a);
        if (response)
            store(request + 8 * W_RESPONSE, virt_of(a->l, response));
    }
    return true; // unknown requests stay untouched
}

bool limine_answer(struct limine *l, u8 *image, const struct bbp_plan *p,
                   const struct limine_facts *f, struct br_area answers, struct br_why *why)
{
    u64 from, to, len = p->elf.hi - p->elf.lo, seen = 0;
    if (p->elf.lo < KERNEL_LOWEST)
        return br_fail(why, "the kernel is linked at 0x%llx; the Limine protocol wants at least "
                       "0xffffffff80000000", (unsigned long long)p->elf.lo);
    l->buf = answers.bytes;
    l->cap = answers.len;
    l->hhdm = p->hhdm_base;
    l->buf_virt = p->hhdm_base + answers.phys;
    bounds(image, len, &from, &to);
    for (u64 i = from; i + 24 <= to; i += 8)
        if (br_ld64(image + i) == BASE0 && br_ld64(image + i + 8) == BASE1) {
            if (br_ld64(image + i + 16) <= LIMINE_REVISION_MAX)
                store(image + i + 16, 0); // supported
            store(image + i + 8, l->revision);
            break;
        }
    for (u64 i = from; i + REQUEST_WORDS * 8 <= to; i += 8) {
        struct answering a = {l, p, f, image + i};
        if (!is_request(image + i))
            continue;
        l->found++;
        if (!answer_one(&a, image + i, &seen, why))
            return false;
    }
    return l->used < l->cap || br_fail(why, "the answers to the Limine requests do not fit");
}

static u64 type_of(u32 type, u64 revision)
{
    switch (type) {
    case BBP_MEM_USABLE: return 0;
    case BBP_MEM_ACPI_RECLAIM: return 2;
    case BBP_MEM_ACPI_NVS: return 3;
    case BBP_MEM_BAD: return 4;
    case BBP_MEM_LOADER: return 5;
    case BBP_MEM_KERNEL:
    case BBP_MEM_MODULE: return 6;
    case BBP_MEM_FRAMEBUFFER: return 7;
    case BBP_MEM_EFI_RUNTIME: return revision >= 4 ? 8 : 1;
    default: return 1;
    }
}

bool limine_memmap(struct limine *l, const struct br_memmap *map, u64 efi_len)
{
    if (l->efi_memmap)
        l->efi_memmap[2] = efi_len;
    if (!l->memmap)
        return true;
    u64 *pointer = l->memmap + 3, *entry = pointer + map->count;
    if ((u64)(l->memmap_end - pointer) < 4ULL * map->count)
        return false;
    l->memmap[1] = map->count;
    l->memmap[2] = virt_of(l, pointer);
    for (u32 i = 0; i < map->count; i++, entry += 3) {
        pointer[i] = virt_of(l, entry);
        entry[0] = map->v[i].base;
        entry[1] = map->v[i].len;
        entry[2] = type_of(map->v[i].type, l->revision);
    }
    return true;
}
