/// The loader's decompressor: nothing is read or written outside, whatever the stream says.
#include "fuzz.h"

#include "unpack.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pack_model model;
    u32 n = br_packed_size(data, size);
    if (n == 0 || n > 65536)
        return 0;
    u8 *out = malloc(n);
    (void)br_unpack(data, size, out, &model);
    free(out);
    return 0;
}
