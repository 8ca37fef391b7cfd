/// The information block, once as it is and once with its checksum repaired, so that the checks behind
/// the checksum are reached. A block that passes must be safe to use.
#include "fuzz.h"

#include "bbp.h"
#include "def.h"
#include "hw.h"

#include <stdlib.h>

static u64 use(const struct bbp_info *h)
{
    u64 sum = 0;
    for (u32 type = 0; type < 32; type++) {
        u32 len = 0;
        const u8 *p = bbp_find(h, type, &len);
        for (u32 i = 0; p && i < len; i++)
            sum += p[i];
    }
    const struct bbp_list *l = bbp_find(h, BBP_TAG_MODULE, NULL);
    for (u32 i = 0; l && i < l->count; i++) {
        const struct bbp_module *m = (const void *)((const u8 *)(l + 1) + (u64)i * l->entry_size);
        sum += strlen((const char *)h + m->path_off) + strlen((const char *)h + m->string_off);
    }
    const char *text = bbp_find(h, BBP_TAG_CMDLINE, NULL);
    return sum + (text ? strlen(text) : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u64 *copy = calloc(1, size + 8);
    volatile u64 sum = 0; /* what was read is used */
    struct bbp_info *h = (void *)copy;
    memcpy(copy, data, size);
    if (!bbp_check(h, size))
        sum += use(h);
    if (size >= sizeof *h && h->total_size >= sizeof *h && h->total_size <= size) {
        h->crc32c = 0;
        h->crc32c = br_crc32c(0, h, h->total_size);
        if (!bbp_check(h, size))
            sum += use(h);
    }
    free(copy);
    struct hw hw;
    (void)hw_from_dtb(&hw, data, size);
    (void)sum;
    return 0;
}
