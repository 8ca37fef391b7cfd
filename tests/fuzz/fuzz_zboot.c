/// The EFI zboot header, and decompression of whatever it points to.
#include "boot/boot.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct blob in = {.name = "f", .data = data, .len = len}, out;
    struct zboot z;
    struct err e = {0};
    if (!boot_zboot_parse(&in, &z, &e)) {
        FUZZ_CHECK(e.code == ERR_FORMAT && e.msg[0]);
        return 0;
    }
    FUZZ_CHECK(range_ok(z.off, z.len, len));
    struct blob payload = {.name = "f", .data = data + z.off, .len = z.len};
    if (boot_decompress(&payload, z.fmt, 1 * MIB, &out, &e)) {
        FUZZ_CHECK(out.len <= 1 * MIB);
        blob_free(&out);
    } else {
        FUZZ_CHECK(out.heap == NULL && e.code == ERR_FORMAT);
    }
    return 0;
}
