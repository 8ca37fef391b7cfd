/// Everything a kernel file goes through before the machine exists: unpack, parse, plan, lint.
#include "boot/boot.h"
#include "fuzz.h"

static void ignore(void *ctx, const char *id, const char *msg) { (void)strlen(msg); }

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct blob in = {.name = "f", .data = data, .len = len}, out;
    char how[96];
    struct err e = {0};
    if (!boot_unpack(&in, 4 * MIB, &out, how, &e)) {
        FUZZ_CHECK(e.code != ERR_NONE && e.msg[0]);
        return 0;
    }
    struct boot_request r = {.kernel = out, .ram_base = 0x40000000, .ram_size = 64 * MIB};
    struct boot_plan p;
    r.initrd[0] = in;
    r.initrd_count = len != 0;
    if (boot_plan(&r, &p, &e)) {
        FUZZ_CHECK(p.entry >= r.ram_base && p.entry - r.ram_base < r.ram_size);
        for (unsigned i = 0; i < p.seg_count; i++) {
            FUZZ_CHECK(range_ok(p.seg[i].off, p.seg[i].file_len, out.len));
            FUZZ_CHECK(p.seg[i].gpa >= r.ram_base &&
                       range_ok(p.seg[i].gpa - r.ram_base, p.seg[i].mem_len, r.ram_size));
            FUZZ_CHECK(!range_overlap(p.dtb, p.dtb_max, p.seg[i].gpa, p.seg[i].mem_len));
            FUZZ_CHECK(!range_overlap(p.initrd, p.initrd_len, p.seg[i].gpa, p.seg[i].mem_len));
        }
        struct boot_lint_in lint = {.req = &r, .plan = &p, .cmdline = "console=ttyS0", .mmfr0 = 0x1125};
        boot_lint(&lint, ignore, NULL);
        char version[80];
        boot_image_version(&out, version);
    } else {
        FUZZ_CHECK(e.code == ERR_FORMAT && e.msg[0]);
    }
    blob_free(&out);
    return 0;
}
