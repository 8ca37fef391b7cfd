/// EFI zboot: a PE file that carries a compressed kernel. Layout as the EFI stub of Linux writes it
/// (drivers/firmware/efi/libstub, "zboot-header"): "MZ" at 0, "zimg" at 4, payload offset and
/// size at 8 and 12, name of the method from 24, at most 32 bytes.
#include "boot/boot.h"

bool boot_zboot_parse(const struct blob *in, struct zboot *z, struct err *e)
{
    static const struct {
        const char *name;
        enum boot_format fmt;
    } methods[] = {{"gzip", BOOT_GZIP}, {"zstd22", BOOT_ZSTD}, {"zstd", BOOT_ZSTD},
                   {"xzkern", BOOT_XZ}, {"xz", BOOT_XZ},       {"lzma", BOOT_LZMA},
                   {"lz4", BOOT_LZ4}};
    if (in->len < 64)
        return err_set(e, ERR_FORMAT, "%s: %llu bytes; an EFI zboot image has a header of 64", in->name,
                       (unsigned long long)in->len);
    z->off = ld32(in->data + 8);
    z->len = ld32(in->data + 12);
    memcpy(z->method, in->data + 24, 32);
    z->method[32] = 0;
    if (!range_ok(z->off, z->len, in->len))
        return err_set(e, ERR_FORMAT,
                       "%s: EFI zboot payload at %llu, %llu bytes, does not fit in the file of %llu "
                       "bytes: truncated?",
                       in->name, (unsigned long long)z->off, (unsigned long long)z->len,
                       (unsigned long long)in->len);
    /* The bytes outrank the label: lz4 comes in two framings under one name. */
    z->fmt = boot_detect(in->data + z->off, z->len, NULL);
    if (z->fmt == BOOT_LZ4 || z->fmt == BOOT_LZ4_LEGACY || z->fmt == BOOT_GZIP || z->fmt == BOOT_XZ ||
        z->fmt == BOOT_ZSTD || z->fmt == BOOT_LZMA)
        return true;
    for (unsigned i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(z->method, methods[i].name) == 0)
            return err_set(e, ERR_FORMAT, "%s: EFI zboot payload is labelled %s but is not", in->name,
                           z->method);
    for (char *c = z->method; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?';
    return err_set(e, ERR_FORMAT,
                   "%s: EFI zboot payload packed with \"%s\"; known are gzip, zstd, xz, lzma, lz4",
                   in->name, z->method);
}
