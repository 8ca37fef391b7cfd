/// Guests built in by guest/payloads; a build without an AArch64 compiler has none.
#ifndef BRUIN_DEMOS_H
#define BRUIN_DEMOS_H

#include <stddef.h>

struct demo_bytes {
    const char *name;
    const unsigned char *bytes;
    size_t len;
};
/// Ends with a NULL name.
extern const struct demo_bytes demo_bytes[];

#endif
