/// Copies a planned layout into guest memory.
#include "boot/boot.h"

static bool copy(struct mem *m, const char *name, gpa_t gpa, const u8 *src, u64 len, struct err *e)
{
    if (len == 0 || mem_load(m, gpa, src, len))
        return true;
    return err_set(e, ERR_FORMAT, "%s: guest memory 0x%llx-0x%llx is not all RAM", name,
                   (unsigned long long)gpa, (unsigned long long)(gpa + len - 1));
}

/// Zeroes bss. Fresh RAM is zero already, so pages are only touched when they hold something.
static void clear(struct mem *m, gpa_t gpa, u64 len)
{
    u8 *p = len ? mem_host(m, gpa, len) : NULL;
    if (p == NULL)
        return;
    for (u64 i = 0, n; i < len; i += n) {
        n = len - i < 4096 ? len - i : 4096;
        bool is_zero = p[i] == 0 && memcmp(p + i, p + i + 1, n - 1) == 0;
        if (!is_zero)
            memset(p + i, 0, n);
    }
    mem_written(m, gpa, len);
}

bool boot_load(const struct boot_request *r, const struct boot_plan *p, struct mem *m, struct err *e)
{
    for (unsigned i = 0; i < p->seg_count; i++) {
        const struct boot_seg *s = &p->seg[i];
        if (!copy(m, r->kernel.name, s->gpa, r->kernel.data + s->off, s->file_len, e))
            return false;
        if (p->kind != BOOT_KIND_IMAGE || p->seg_count > 1)
            clear(m, s->gpa + s->file_len, s->mem_len - s->file_len);
    }
    for (unsigned i = 0; i < r->flat_count; i++)
        if (!copy(m, r->flat[i].blob.name, r->flat[i].gpa, r->flat[i].blob.data, r->flat[i].blob.len, e))
            return false;
    gpa_t at = p->initrd;
    for (unsigned i = 0; i < r->initrd_count; i++) {
        if (!copy(m, r->initrd[i].name, at, r->initrd[i].data, r->initrd[i].len, e))
            return false;
        u64 pad = align_up(r->initrd[i].len, 4) - r->initrd[i].len;
        clear(m, at + r->initrd[i].len, pad);
        at += r->initrd[i].len + pad;
    }
    return true;
}
