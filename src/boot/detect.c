/// Content detection: the first bytes decide, never the name. Sources: Linux "Booting AArch64
/// Linux", PE/COFF, the gzip, zstd, LZ4 and xz format documents.
#include "boot/boot.h"

struct magic {
    u64 off;
    const char *bytes;
    u8 len;
    enum boot_format fmt;
    const char *name;
};

/// First match wins, so the more specific rows come first.
static const struct magic magics[] = {
    {0x38, "ARM\x64", 4, BOOT_IMAGE, "arm64 Image"},
    {4, "zimg", 4, BOOT_ZBOOT, "EFI zboot image"},
    {0, "\x7f" "ELF", 4, BOOT_ELF, "ELF"},
    {0, "\x1f\x8b", 2, BOOT_GZIP, "gzip"},
    {0, "\x28\xb5\x2f\xfd", 4, BOOT_ZSTD, "zstd"},
    {0, "\x04\x22\x4d\x18", 4, BOOT_LZ4, "lz4"},
    {0, "\x02\x21\x4c\x18", 4, BOOT_LZ4_LEGACY, "lz4 (legacy)"},
    {0, "\xfd" "7zXZ\0", 6, BOOT_XZ, "xz"},
    {0, "\x5d\0\0", 3, BOOT_LZMA, "lzma"},
    {0, "BZh", 3, BOOT_BZIP2, "bzip2"},
    {0, "\xd0\x0d\xfe\xed", 4, BOOT_DTB, "flattened device tree (DTB or FIT)"},
    {0, "QFI\xfb", 4, BOOT_QCOW2, "qcow2 disk image"},
    {512, "EFI PART", 8, BOOT_DISK, "GPT disk image"},
    {0x8001, "CD001", 5, BOOT_DISK, "ISO 9660 image"},
    {0x202, "HdrS", 4, BOOT_FOREIGN, "x86 Linux bzImage"},
    {0, "version https://git-lfs", 23, BOOT_FOREIGN, "Git LFS pointer, not the file itself (git lfs pull fetches it)"},
    {0, "<!DOCTYPE", 9, BOOT_FOREIGN, "HTML page (a download that failed?)"},
    {0, "<!doctype", 9, BOOT_FOREIGN, "HTML page (a download that failed?)"},
    {0, "<html", 5, BOOT_FOREIGN, "HTML page (a download that failed?)"},
    {0x38, "RSC\x05", 4, BOOT_FOREIGN, "RISC-V Linux Image"},
    {0x24, "\x18\x28\x6f\x01", 4, BOOT_FOREIGN, "32-bit ARM zImage"},
    {0, "\x27\x05\x19\x56", 4, BOOT_FOREIGN, "U-Boot legacy uImage"},
    {0, "ANDROID!", 8, BOOT_FOREIGN, "Android boot image"},
    {0, "\x89PNG", 4, BOOT_FOREIGN, "PNG picture"},
    {0, "%PDF", 4, BOOT_FOREIGN, "PDF document"},
    {0, "PK\x03\x04", 4, BOOT_FOREIGN, "zip archive"},
    {0, "!<arch>\n", 8, BOOT_FOREIGN, "ar archive (static library or .deb)"},
    {0, "\xcf\xfa\xed\xfe", 4, BOOT_FOREIGN, "Mach-O file"},
    {0, "hsqs", 4, BOOT_FOREIGN, "squashfs file system"},
    {0x438, "\x53\xef", 2, BOOT_FOREIGN, "ext2/3/4 file system"},
    {257, "ustar", 5, BOOT_FOREIGN, "tar archive"},
    {0, "070701", 6, BOOT_CPIO, "cpio archive (an initrd)"},
    {0, "070702", 6, BOOT_CPIO, "cpio archive (an initrd)"},
    {0, "MZ", 2, BOOT_EFI, "EFI application (PE/COFF)"},
    {510, "\x55\xaa", 2, BOOT_DISK, "MBR disk image"},
};

/// zboot carries "zimg" but is a PE file too: both marks are needed.
static bool is_match(const struct magic *m, const u8 *p, u64 len)
{
    if (!range_ok(m->off, m->len, len) || memcmp(p + m->off, m->bytes, m->len) != 0)
        return false;
    return m->fmt != BOOT_ZBOOT || (p[0] == 'M' && p[1] == 'Z');
}

static bool is_text(const u8 *p, u64 len)
{
    u64 n = len < 512 ? len : 512;
    for (u64 i = 0; i < n; i++)
        if (p[i] >= 0x7f || (p[i] < 0x20 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t'))
            return false;
    return true;
}

enum boot_format boot_detect(const void *data, u64 len, const char **name)
{
    const char *unused;
    if (name == NULL)
        name = &unused;
    if (len == 0) {
        *name = "empty file";
        return BOOT_EMPTY;
    }
    for (unsigned i = 0; i < ARRAY_LEN(magics); i++)
        if (is_match(&magics[i], data, len)) {
            *name = magics[i].name;
            return magics[i].fmt;
        }
    if (is_text(data, len)) {
        *name = "text";
        return BOOT_TEXT;
    }
    *name = "raw binary";
    return BOOT_RAW;
}
