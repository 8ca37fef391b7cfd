/// Files and heap buffers as bytes with a name.
#include "boot/boot.h"

#include <stdlib.h>

/// Kernels, initrds and disks of loadable size: a sanity limit, not a budget.
#define FILE_MAX (8 * GIB)

bool blob_open(struct blob *b, const char *path, struct err *e)
{
    *b = (struct blob){.name = path};
    if (!os_file_open(&b->file, path, FILE_MAX, e))
        return false;
    b->data = b->file.data;
    b->len = b->file.size;
    return true;
}

void blob_free(struct blob *b)
{
    free(b->heap);
    if (b->file.data != NULL)
        os_file_close(&b->file);
    *b = (struct blob){0};
}
