/// The arm64 Image header. Source: Linux "Booting AArch64 Linux", "Call the kernel image".
#include "boot/boot.h"

#include <stdio.h>

/// Old kernels leave image_size 0. Their bss is unknown; this much is kept free above the file.
#define IMAGE_SIZE_SLACK (16 * MIB)

bool boot_image_parse(const struct blob *in, struct boot_image *im, struct err *e)
{
    static const unsigned page_kib[4] = {0, 4, 16, 64};
    *im = (struct boot_image){0};
    if (in->len < 64)
        return err_set(e, ERR_FORMAT, "%s: %llu bytes; an arm64 Image has a header of 64", in->name,
                       (unsigned long long)in->len);
    if (memcmp(in->data + 0x38, "ARM\x64", 4) != 0)
        return err_set(e, ERR_FORMAT, "%s: no \"ARM\\x64\" at 0x38: not an arm64 Image", in->name);
    im->text_offset = ld64(in->data + 0x08);
    im->image_size_field = im->image_size = ld64(in->data + 0x10);
    im->flags = ld64(in->data + 0x18);
    im->page_kib = page_kib[im->flags >> 1 & 3];
    im->anywhere = im->flags >> 3 & 1;
    im->has_pe = in->data[0] == 'M' && in->data[1] == 'Z';
    if (im->flags & 1)
        return err_set(e, ERR_FORMAT,
                       "%s: big-endian arm64 kernel (Image flags bit 0); only little-endian kernels "
                       "run here: build with CONFIG_CPU_LITTLE_ENDIAN=y",
                       in->name);
    if (im->image_size == 0) {
        im->text_offset = 0x80000; /* the field is not trustworthy in such kernels */
        im->image_size = in->len + IMAGE_SIZE_SLACK;
    }
    if (im->image_size < in->len) {
        /* Data after the kernel proper, such as an appended signature, is kept. */
        im->image_size = in->len;
    }
    if (im->text_offset > 256 * MIB || im->text_offset & 3)
        return err_set(e, ERR_FORMAT,
                       "%s: Image text_offset 0x%llx is not believable (Linux uses 0 or 0x80000)",
                       in->name, (unsigned long long)im->text_offset);
    if (im->image_size > 1ULL << 40)
        return err_set(e, ERR_FORMAT, "%s: Image image_size 0x%llx is not believable", in->name,
                       (unsigned long long)im->image_size);
    return true;
}

void boot_image_version(const struct blob *in, char version[80])
{
    static const char banner[] = "Linux version ";
    const u8 *p = in->data;
    version[0] = 0;
    for (u64 left = in->len; left > sizeof banner + 80;) {
        const u8 *hit = memmem(p, left, banner, sizeof banner - 1);
        if (hit == NULL)
            return;
        hit += sizeof banner - 1;
        left = in->len - (u64)(hit - in->data);
        p = hit;
        if (hit[0] < '0' || hit[0] > '9')
            continue; /* a format string */
        u64 n = 0, max = left < 79 ? left : 79;
        while (n < max && hit[n] > ' ' && hit[n] < 0x7f)
            n++;
        memcpy(version, hit, n);
        version[n] = 0;
        return;
    }
}
