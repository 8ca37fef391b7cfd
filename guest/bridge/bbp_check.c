/// The reader of the boot protocol: bounds before bytes. Compiled into loader, VMM, kernel, tests.
#include "bbp.h"
#include "def.h"

/// Least body length of each known tag; for arrays the least entry size follows (0: not an array).
static const uint8_t least[BBP_TAG_LOG + 1][2] = {
    [BBP_TAG_MEMMAP] = {8, 32}, [BBP_TAG_EFI_MEMMAP] = {16, 0}, [BBP_TAG_FRAMEBUFFER] = {8, 40},
    [BBP_TAG_RSDP] = {16, 0}, [BBP_TAG_SMBIOS] = {16, 0}, [BBP_TAG_DTB] = {16, 0},
    [BBP_TAG_EFI_ST] = {16, 0}, [BBP_TAG_CMDLINE] = {1, 0}, [BBP_TAG_MODULE] = {8, 56},
    [BBP_TAG_CPUS] = {8, 24}, [BBP_TAG_SYMBOLS] = {32, 0}, [BBP_TAG_KERNEL_FILE] = {16, 0},
    [BBP_TAG_LOADER] = {64, 0}, [BBP_TAG_TIMES] = {40, 0}, [BBP_TAG_ENTROPY] = {64, 0},
    [BBP_TAG_CONSOLE] = {24, 0}, [BBP_TAG_PAGING] = {40, 0}, [BBP_TAG_ENTRY_STATE] = {40, 0},
    [BBP_TAG_LOG] = {1, 0}};

static const char *check_tag(const uint8_t *b, const struct bbp_info *h, const struct bbp_tag *t)
{
    uint32_t body = t->type <= BBP_TAG_LOG ? least[t->type][0] : 0;
    uint32_t entry = t->type <= BBP_TAG_LOG ? least[t->type][1] : 0;
    if (!br_range_ok(t->off, t->len, h->total_size) || t->off % 8 || t->off < h->header_size)
        return "a tag lies outside the block";
    if (t->len < body)
        return "a tag is shorter than its type demands";
    if ((t->type == BBP_TAG_CMDLINE || t->type == BBP_TAG_LOG) && b[t->off + t->len - 1])
        return "a text tag has no NUL";
    if (t->type == BBP_TAG_EFI_MEMMAP && br_ld32(b + t->off + 8) > t->len - 16)
        return "the EFI map is longer than its tag";
    uint32_t size = entry ? br_ld32(b + t->off) : 0, count = entry ? br_ld32(b + t->off + 4) : 0;
    if (size < entry || size % 8 || (uint64_t)size * count > t->len - (entry ? 8 : 0))
        return "an array tag is longer than its body";
    for (uint32_t i = 0; t->type == BBP_TAG_MODULE && i < 2 * count; i++) { // path_off, string_off
        uint64_t at = br_ld32(b + t->off + 8 + i / 2 * size + (i & 1 ? 20 : 16));
        while (at < h->total_size && b[at])
            at++;
        if (at >= h->total_size)
            return "a module's text has no NUL inside the block";
    }
    return NULL;
}

const char *bbp_check(const void *block, uint64_t cap)
{
    const struct bbp_info *h = block;
    const uint8_t *b = block;
    if (cap < sizeof *h || memcmp(h->magic, BBP_MAGIC, 8))
        return "no BBPINFO magic";
    if (h->major != BBP_MAJOR)
        return "another major version of the protocol";
    if (h->header_size < sizeof *h || h->total_size < h->header_size || h->total_size > cap)
        return "sizes in the header do not fit";
    if (h->tag_off < h->header_size || h->tag_off % 8 ||
        !br_range_ok(h->tag_off, (uint64_t)h->tag_count * sizeof(struct bbp_tag), h->total_size))
        return "the tag table lies outside the block";
    uint32_t crc = br_crc32c(br_crc32c(0, b, 20), "\0\0\0", 4);
    if (br_crc32c(crc, b + 24, h->total_size - 24) != h->crc32c)
        return "the checksum does not match: the block was overwritten";
    const char *fault = NULL;
    for (uint32_t i = 0; i < h->tag_count && !fault; i++)
        fault = check_tag(b, h, (const struct bbp_tag *)(b + h->tag_off) + i);
    return fault;
}

const void *bbp_find(const struct bbp_info *info, uint32_t type, uint32_t *len)
{
    const uint8_t *b = (const uint8_t *)info;
    const struct bbp_tag *t = (const struct bbp_tag *)(b + info->tag_off);
    for (uint32_t i = 0; i < info->tag_count; i++)
        if (t[i].type == type) {
            if (len)
                *len = t[i].len;
            return b + t[i].off;
        }
    return NULL;
}
