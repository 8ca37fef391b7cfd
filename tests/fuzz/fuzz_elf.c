/// The ELF loader alone, with what it promises about its result.
#include "boot/boot.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    static struct boot_elf elf;
    struct blob in = {.name = "f", .data = data, .len = len};
    struct err e = {0};
    if (!boot_elf_parse(&in, &elf, &e)) {
        FUZZ_CHECK(e.code == ERR_FORMAT && e.msg[0]);
        return 0;
    }
    FUZZ_CHECK(elf.seg_count > 0 && elf.seg_count <= BOOT_SEGS_MAX);
    for (unsigned i = 0; i < elf.seg_count; i++) {
        const struct boot_seg *s = &elf.seg[i];
        FUZZ_CHECK(range_ok(s->off, s->file_len, len) && s->file_len <= s->mem_len);
        FUZZ_CHECK(s->gpa + s->mem_len >= s->gpa);
        for (unsigned j = 0; j < i; j++)
            FUZZ_CHECK(!range_overlap(s->gpa, s->mem_len, elf.seg[j].gpa, elf.seg[j].mem_len));
    }
    return 0;
}
