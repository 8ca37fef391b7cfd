/// Disk images of the user's: creation.
#include "lib/lib.h"
#include "../tools/mkimage/espimg.h"

#include <stdio.h>

bool bruin_parse_size(const char *text, uint64_t *bytes)
{
    u64 n;
    if (!parse_memory(text, &n))
        return false;
    *bytes = n;
    return true;
}

bool bruin_image_create(const char *path, uint64_t bytes, struct bruin_error *err)
{
    struct err e = {0};
    if (bytes == 0 || bytes % 512 || bytes > 1ULL << 50) {
        err_set(&e, ERR_USAGE, "%s: %llu bytes; wanted a multiple of 512 up to 1 PiB", path,
                (unsigned long long)bytes);
        return err_out(err, &e);
    }
    FILE *f = fopen(path, "wbx");
    if (f == NULL) {
        FILE *old = fopen(path, "rb");
        err_set(&e, ERR_USAGE, old ? "%s: exists already; images are never overwritten" : "%s: cannot be created",
                path);
        if (old)
            fclose(old);
        return err_out(err, &e);
    }
    /* A hole: the host gives space as the guest writes. */
    bool ok = fseeko(f, (off_t)bytes - 1, SEEK_SET) == 0 && fputc(0, f) == 0;
    ok = fclose(f) == 0 && ok;
    if (ok)
        return true;
    remove(path);
    err_set(&e, ERR_USAGE, "%s: the host refuses a file of %llu bytes", path, (unsigned long long)bytes);
    return err_out(err, &e);
}

bool bruin_image_create_esp(const char *path, const char *dir, uint64_t bytes, struct bruin_error *err)
{
    struct espimg_options options = {.size = bytes};
    struct err e = {0};
    char why[400];
    FILE *old = fopen(path, "rb");
    if (old) {
        fclose(old);
        err_set(&e, ERR_USAGE, "%s: exists already; images are never overwritten", path);
        return err_out(err, &e);
    }
    if (espimg_create(dir, path, &options, why, sizeof why))
        return true;
    err_set(&e, ERR_FORMAT, "%s", why);
    return err_out(err, &e);
}
