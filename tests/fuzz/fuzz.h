/// What fuzz targets share: input is taken piece by piece, and running out gives zeros.
#ifndef BRUIN_FUZZ_H
#define BRUIN_FUZZ_H

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const u8 *data;
    size_t len;
};
static inline u64 take(struct input *in, size_t bytes)
{
    u64 v = 0;
    size_t n = bytes < in->len ? bytes : in->len;
    memcpy(&v, in->data, n);
    in->data += n;
    in->len -= n;
    return v;
}

/// A promise of the code under test: breaking it is a finding like a crash.
#define FUZZ_CHECK(claim)                                                                          \
    do {                                                                                           \
        if (!(claim))                                                                              \
            __builtin_trap();                                                                      \
    } while (0)

#endif
