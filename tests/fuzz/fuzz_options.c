/// A configuration file: the first line is an option's number, then lines of `key = value`. What the
/// parser accepts, the machine and the planner must refuse or take without harm.
#include "bruin.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static void write_file(const u8 *data, size_t size)
{
    snprintf(path, sizeof path, "/tmp/bruin-fuzz-options-%d", (int)getpid());
    FILE *f = fopen(path, "wb");
    FUZZ_CHECK(f);
    fwrite(data, 1, size, f);
    fclose(f);
}

/// Every option by number with the rest of the input as its value.
static void set_one(const u8 *data, size_t size)
{
    struct bruin_error err;
    size_t count = 0;
    char value[256];
    while (bruin_option_at(count))
        count++;
    size_t len = size - 1 < sizeof value - 1 ? size - 1 : sizeof value - 1;
    memcpy(value, data + 1, len);
    value[len] = 0;
    const struct bruin_option *o = bruin_option_at(data[0] % count);
    bruin_config *c = bruin_config_new();
    if (bruin_config_set(c, o->key, value, &err))
        FUZZ_CHECK(bruin_config_get(c, o->key));
    else
        FUZZ_CHECK(err.code && err.message[0]);
    bruin_config_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bruin_error err;
    bruin_config *c = bruin_config_new();
    if (size)
        set_one(data, size);
    write_file(data, size);
    if (bruin_config_load(c, path, &err)) {
        bruin_config *copy = bruin_config_copy(c);
        bruin_config_free(copy);
    } else {
        FUZZ_CHECK(err.code && err.message[0]);
    }
    unlink(path);
    bruin_config_free(c);
    return 0;
}
