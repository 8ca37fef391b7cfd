/// A file of the user's: detection, unpacking, parsing, planning and loading.
#include "boot/boot.h"
#include "fuzz.h"

#include <stdlib.h>

enum { RAM_MIB = 8 };

static void plan_and_load(const struct blob *kernel, const struct blob *initrd)
{
    struct err e = {0};
    struct boot_request r = {.kernel = *kernel, .ram_base = 0x40000000, .ram_size = RAM_MIB * MIB};
    struct boot_plan p;
    r.initrd[0] = *initrd;
    r.initrd_count = 1;
    struct mem *m = mem_new();
    if (mem_add_ram(m, r.ram_base, r.ram_size, "ram", &e) && boot_plan(&r, &p, &e))
        (void)!boot_load(&r, &p, m, &e);
    mem_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct blob in = {.name = "input", .data = data, .len = size}, out;
    struct boot_image image;
    struct boot_elf elf;
    struct zboot z;
    const char *name;
    char how[96], version[80];
    boot_detect(data, size, &name);
    (void)!boot_image_parse(&in, &image, &e);
    (void)!boot_elf_parse(&in, &elf, &e);
    (void)!boot_zboot_parse(&in, &z, &e);
    boot_image_version(&in, version);
    if (boot_unpack(&in, MIB, &out, how, &e)) {
        plan_and_load(&out, &in);
        blob_free(&out);
    }
    return 0;
}
