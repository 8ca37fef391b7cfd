/// ELF validation: a good file loads, and each way of being wrong is named.
#include "make_elf.h"
#include "tap.h"

static unsigned char f[ELF_LEN];
static struct br_elf elf;
static struct br_why why;

static bool refused(const char *word)
{
    bool ok = !br_elf_check(f, ELF_LEN, 183, &elf, &why) && strstr(why.msg, word);
    if (!ok)
        printf("# wanted \"%s\", got \"%s\"\n", word, why.msg);
    return ok;
}
static void fresh(void)
{
    make_elf(f, 183, 0);
    why.msg[0] = 0;
}

static void good_file_loads_and_relocates(void)
{
    static unsigned char image[0x4000];
    fresh();
    CHECK(br_elf_check(f, ELF_LEN, 183, &elf, &why));
    CHECK(elf.lo == ELF_BASE && elf.hi == ELF_BASE + 0x4000 && elf.count == 2 && elf.is_pie);
    memset(image, 0xEE, sizeof image);
    CHECK(br_elf_load(&elf, image, sizeof image, 0x200000, &why));
    CHECK(image[0x11] == 0x11 && image[0x1300] == 0);
    CHECK(br_ld64(image + 0x1008) == ELF_BASE + 0x200020);
}

static void relr_table_is_applied(void)
{
    static unsigned char image[0x4000];
    fresh();
    put64(f + 0x2100, 36); // DT_RELR
    put64(f + 0x2110, 35); // DT_RELRSZ
    put64(f + 0x2118, 16);
    put64(f + 0x2180, ELF_BASE + 0x1008);
    put64(f + 0x2188, 1 | 1 << 1 | 1 << 3); // the first and third words after it
    put64(f + 0x2008, 5);
    put64(f + 0x2010, 6);
    put64(f + 0x2018, 7);
    put64(f + 0x2020, 8);
    CHECK(br_elf_check(f, ELF_LEN, 183, &elf, &why));
    CHECK(br_elf_load(&elf, image, sizeof image, 0x1000, &why));
    CHECK(br_ld64(image + 0x1008) == 0x1005 && br_ld64(image + 0x1010) == 0x1006);
    CHECK(br_ld64(image + 0x1018) == 7 && br_ld64(image + 0x1020) == 0x1008);
}

static void other_machine_is_named(void)
{
    fresh();
    put16(f + 18, 62);
    CHECK(refused("x86_64"));
}
static void truncated_file_is_refused(void)
{
    fresh();
    put64(f + PH_DATA + 8, ELF_LEN - 8);
    put64(f + PH_DATA + 16, ELF_BASE + 0x2FF8);
    CHECK(refused("outside the file"));
}
static void writable_code_is_refused(void)
{
    fresh();
    put32(f + PH_TEXT + 4, 7);
    CHECK(refused("writable and executable"));
}
static void overlap_is_refused(void)
{
    fresh();
    put64(f + PH_DATA + 16, ELF_BASE);
    CHECK(refused("overlaps"));
}
static void shared_page_is_refused(void)
{
    fresh();
    put64(f + PH_TEXT + 40, 0x1001 - 1);
    put64(f + PH_DATA + 8, 0x2800);
    put64(f + PH_DATA + 16, ELF_BASE + 0x1800);
    put64(f + PH_TEXT + 40, 0x1400);
    CHECK(refused("share a page"));
}
static void wrapping_size_is_refused(void)
{
    fresh();
    put64(f + PH_DATA + 40, ~0ULL);
    CHECK(refused("wrap"));
}
static void entry_outside_code_is_refused(void)
{
    fresh();
    put64(f + 24, ELF_BASE + 0x1010);
    CHECK(refused("not executable"));
    put64(f + 24, 0x1234);
    CHECK(refused("no segment"));
}
static void odd_alignment_is_refused(void)
{
    fresh();
    put64(f + PH_TEXT + 48, 0x3000);
    CHECK(refused("alignment"));
    put64(f + PH_TEXT + 48, 0x2000);
    CHECK(refused("alignment"));
}
static void interpreter_and_tls_are_refused(void)
{
    fresh();
    put32(f + PH_NOTE, 3);
    CHECK(refused("interpreter"));
    put32(f + PH_NOTE, 7);
    CHECK(refused("thread-local"));
}
static void foreign_relocation_is_refused(void)
{
    static unsigned char image[0x4000];
    fresh();
    put64(f + 0x2188, 1ULL << 32 | 257); // R_AARCH64_ABS64 with a symbol
    CHECK(br_elf_check(f, ELF_LEN, 183, &elf, &why));
    CHECK(!br_elf_load(&elf, image, sizeof image, 0, &why) && strstr(why.msg, "type 257"));
    put64(f + 0x2188, 1027);
    put64(f + 0x2180, ELF_BASE + 0x3FFC); // four bytes beyond
    CHECK(br_elf_check(f, ELF_LEN, 183, &elf, &why));
    CHECK(!br_elf_load(&elf, image, sizeof image, 0, &why) && strstr(why.msg, "outside"));
}
static void fixed_image_cannot_slide(void)
{
    static unsigned char image[0x4000];
    fresh();
    put16(f + 16, 2);
    CHECK(br_elf_check(f, ELF_LEN, 183, &elf, &why));
    CHECK(!br_elf_load(&elf, image, sizeof image, 4096, &why) && strstr(why.msg, "PIE"));
}
static void every_truncation_is_safe(void)
{
    fresh();
    for (unsigned n = 0; n < 0x2200; n++)
        CHECK(!br_elf_check(f, n, 183, &elf, &why));
}
static void every_flipped_byte_is_safe(void)
{
    static unsigned char image[1 << 20];
    for (unsigned at = 0; at < 64 + 4 * 56; at++)
        for (unsigned v = 1; v < 256; v = v * 3 + 1) {
            fresh();
            f[at] ^= (unsigned char)v;
            if (br_elf_check(f, ELF_LEN, 0, &elf, &why) && elf.hi - elf.lo <= sizeof image)
                (void)!br_elf_load(&elf, image, sizeof image, elf.is_pie ? 4096 : 0, &why);
        }
}

int main(void)
{
    RUN(good_file_loads_and_relocates);
    RUN(relr_table_is_applied);
    RUN(other_machine_is_named);
    RUN(truncated_file_is_refused);
    RUN(writable_code_is_refused);
    RUN(overlap_is_refused);
    RUN(shared_page_is_refused);
    RUN(wrapping_size_is_refused);
    RUN(entry_outside_code_is_refused);
    RUN(odd_alignment_is_refused);
    RUN(interpreter_and_tls_are_refused);
    RUN(foreign_relocation_is_refused);
    RUN(fixed_image_cannot_slide);
    RUN(every_truncation_is_safe);
    RUN(every_flipped_byte_is_safe);
    return DONE();
}
