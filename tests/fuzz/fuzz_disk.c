/// Partition tables and FAT directories of disk images, and PE headers.
#include "boot/boot.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blob in = {.name = "input", .data = data, .len = size};
    struct boot_disk d;
    struct boot_pe pe;
    struct err e = {0};
    if (boot_disk_parse(&in, &d)) {
        FUZZ_CHECK(d.table && d.part_count <= ARRAY_LEN(d.part));
        FUZZ_CHECK(d.verdict[0]);
    }
    if (boot_pe_parse(&in, &pe, &e))
        FUZZ_CHECK(pe.kind && pe.machine_name);
    else
        FUZZ_CHECK(e.code == ERR_FORMAT);
    return 0;
}
