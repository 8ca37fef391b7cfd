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
                       "run here: build with CONFIG_CPU_LITTLE_ENDIAN=y [F18]",
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

/// Copies a version that starts at p. ret  false when this is a format string or the like
static bool take_version(const u8 *p, u64 left, char version[80])
{
    u64 n = 0, max = left < 79 ? left : 79;
    if (left == 0 || p[0] < '0' || p[0] > '9')
        return false;
    while (n < max && p[n] > ' ' && p[n] < 0x7f)
        n++;
    memcpy(version, p, n);
    version[n] = 0;
    return true;
}

/// Looks from offset `at`, a multiple of 8, to `end`.
static bool version_between(const struct blob *in, u64 at, u64 end, char version[80])
{
    static const char banner[] = "Linux version ";
    const u64 n = sizeof banner - 1, first = ld64(banner);
    /* Compilers align the banner to 8 bytes: one comparison for 8 bytes of kernel. */
    for (; at < end && in->len >= n && at < in->len - n; at += 8)
        if (UNLIKELY(ld64(in->data + at) == first) && memcmp(in->data + at, banner, n) == 0 &&
            take_version(in->data + at + n, in->len - at - n, version))
            return true;
    return false;
}

void boot_image_version(const struct blob *in, char version[80])
{
    u64 rodata = in->len / 8 * 3 & ~7ULL; /* behind the code, about here: the search costs milliseconds */
    version[0] = 0;
    if (!version_between(in, rodata, in->len, version))
        (void)!version_between(in, 0, rodata, version);
}
