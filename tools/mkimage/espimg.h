/// Disk images with a GPT and one EFI system partition, made from a directory. The same tree gives
/// the same bytes: no clock, no randomness, no host names. Needs no root and no other program.
#ifndef ESPIMG_H
#define ESPIMG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct espimg_options {
    uint64_t size;     ///< bytes of the whole image; 0 = as small as fits, at least 16 MiB
    const char *label; ///< up to 11 characters; NULL = "ESP"
    bool bare;         ///< only the FAT volume, without a partition table
};

/// Copies everything below `dir` into a new image. An existing file is replaced.
/// in   options  NULL for the defaults
/// out  err      why it failed, at least 1 byte
/// ret  false with the reason in err; no file is left behind then
bool espimg_create(const char *dir, const char *out, const struct espimg_options *options,
                   char *err, size_t err_len);

#endif
