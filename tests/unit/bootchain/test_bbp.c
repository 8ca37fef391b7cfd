/// The protocol end to end on the host: plan, place, map, write, check.
#include "bbp_build.h"
#include "make_elf.h"
#include "tap.h"

static unsigned char f[ELF_LEN];
static struct br_why why;
static _Alignas(65536) u8 image[65536], block[65536], stack[65536], pool[1 << 21];
#define RAM 0x40000000ULL

static struct bbp_env env(u16 arch)
{
    return (struct bbp_env){.arch = arch, .granules = 7, .pa_range = 5, .levels = 4, .kaslr = true};
}

static bool refused(struct bbp_env e, const char *word)
{
    struct bbp_plan p;
    bool ok = !bbp_plan_make(&p, f, ELF_LEN, &e, &why) && strstr(why.msg, word);
    if (!ok)
        printf("# wanted \"%s\", got \"%s\"\n", word, why.msg);
    return ok;
}

struct built {
    struct bbp_plan plan;
    struct br_pt pt;
    struct bbp_entry entry;
    struct bbp_writer w;
};

static bool build(struct built *b, u16 arch, u64 random)
{
    static struct bbp_mem mem[64];
    struct br_memmap map = {mem, 0, 64};
    struct bbp_env e = env(arch);
    struct br_area img = {image, RAM + 0x200000, sizeof image};
    struct bbp_places at = {.stack = {stack, RAM + 0x300000, sizeof stack},
                            .info_phys = RAM + 0x400000,
                            .trampoline = RAM + 0x500000,
                            .device = {0x9000000}};
    e.random = random;
    if (!br_memmap_set(&map, RAM, 256 << 20, BBP_MEM_USABLE, BR_NO_EFI_TYPE, 8) ||
        !br_memmap_retype(&map, img.phys, 0x4000, BBP_MEM_KERNEL))
        return false;
    struct br_area pt_area = {pool, RAM + 0x600000, sizeof pool};
    return bbp_plan_make(&b->plan, f, ELF_LEN, &e, &why) && bbp_place(&b->plan, img, &why) &&
           bbp_pool_len(&b->plan, &map) <= sizeof pool &&
           bbp_map(&b->plan, &map, &at, pt_area, &b->pt, &b->entry, &why) &&
           bbp_write_begin(&b->w, (struct br_area){block, at.info_phys, sizeof block});
}

static void kernel_is_mapped_with_least_rights(void)
{
    static const u16 arches[] = {183, 62};
    for (int i = 0; i < 2; i++) {
        struct built b;
        struct br_walk w;
        make_elf(f, arches[i], BBP_WANT_KASLR_OK);
        CHECK(build(&b, arches[i], 77));
        CHECK(b.plan.slide && b.entry.pc == ELF_BASE + 0x10 + b.plan.slide);
        CHECK(br_pt_walk(&b.pt, b.entry.pc, &w) && w.flags == BR_MAP_X && w.pa == RAM + 0x200010);
        CHECK(br_pt_walk(&b.pt, b.plan.virt + 0x1000, &w) && w.flags == BR_MAP_W);
        CHECK(br_pt_walk(&b.pt, b.plan.hhdm_base + RAM + 0x200000, &w) && w.flags == 0);
        CHECK(br_pt_walk(&b.pt, b.plan.hhdm_base + RAM, &w) && w.flags == BR_MAP_W);
        CHECK(br_pt_walk(&b.pt, b.plan.hhdm_base + 0x9000000, &w) && w.flags & BR_MAP_DEVICE);
        CHECK(br_pt_walk(&b.pt, RAM + 0x500000, &w) && w.flags == BR_MAP_X);
        CHECK(!br_pt_walk(&b.pt, RAM, &w) && !br_pt_walk(&b.pt, 0, &w));
    }
}
static void written_block_checks(void)
{
    struct built b;
    make_elf(f, 183, 0);
    CHECK(build(&b, 183, 0));
    bbp_write_bytes(&b.w, BBP_TAG_CMDLINE, "hello", 6);
    bbp_write_blob(&b.w, BBP_TAG_DTB, 0x1234000, 99);
    CHECK(bbp_write_end(&b.w, &b.plan, 0));
    const struct bbp_info *h = (const void *)block;
    u32 len;
    CHECK(!bbp_check(block, sizeof block) && !bbp_check(block, h->total_size));
    CHECK(!strcmp(bbp_find(h, BBP_TAG_CMDLINE, &len), "hello") && len == 6);
    CHECK(((const struct bbp_blob *)bbp_find(h, BBP_TAG_DTB, NULL))->len == 99);
    CHECK(!bbp_find(h, BBP_TAG_RSDP, NULL) && h->features == BBP_FEAT_MMU_ON);
    CHECK(bbp_check(block, h->total_size - 1) && bbp_check(block, 10));
}
static void every_damaged_byte_is_noticed(void)
{
    const struct bbp_info *h = (const void *)block;
    written_block_checks();
    for (u32 i = 0; i < h->total_size; i++) {
        u8 keep = block[i];
        block[i] ^= 0x5A;
        CHECK(bbp_check(block, sizeof block));
        block[i] = keep;
    }
}
static void tags_out_of_bounds_are_named(void)
{
    struct bbp_info *h = (void *)block;
    written_block_checks();
    struct bbp_tag *t = (void *)(block + h->tag_off);
    struct bbp_tag keep = t[1];
    static const struct bbp_tag bad[] = {{6, 0, 8, 16},
                                         {6, 0, 0x7FFFFFF8, 16},
                                         {6, 0, 801, 16},
                                         {6, 0, 800, 0xFFFFFFFF},
                                         {6, 0, 800, 8}};
    for (u32 i = 0; i < ARRAY_LEN(bad); i++) {
        t[1] = bad[i];
        h->crc32c = 0;
        h->crc32c = br_crc32c(0, block, h->total_size);
        CHECK(bbp_check(block, sizeof block));
    }
    t[1] = keep;
}
static void unknown_tags_are_skipped(void)
{
    struct built b;
    make_elf(f, 183, 0);
    CHECK(build(&b, 183, 0));
    CHECK(bbp_write_tag(&b.w, BBP_TAG_VENDOR + 3, 5) && bbp_write_tag(&b.w, 999, 0));
    bbp_write_bytes(&b.w, BBP_TAG_CMDLINE, "", 1);
    CHECK(bbp_write_end(&b.w, &b.plan, 0) && !bbp_check(block, sizeof block));
    CHECK(bbp_find((void *)block, BBP_TAG_CMDLINE, NULL));
}
static void kernel_without_note_is_refused(void)
{
    make_elf(f, 183, 0);
    f[0x800 + 12] = 'X';
    CHECK(refused(env(183), "no BBP note"));
}
static void other_major_and_unknown_flags_are_refused(void)
{
    make_elf(f, 183, 0);
    f[0x810] = 2;
    CHECK(refused(env(183), "wants BBP 2.0"));
    make_elf(f, 183, 1u << 30);
    CHECK(refused(env(183), "0x40000000"));
    make_elf(f, 183, 1u << 7);
    CHECK(refused(env(183), "0x80"));
}
static void needs_are_held_against_the_machine(void)
{
    struct bbp_env e = env(183);
    make_elf(f, 183, BBP_WANT_NEED_DTB);
    CHECK(refused(e, "device tree"));
    make_elf(f, 183, BBP_WANT_NEED_ACPI);
    CHECK(refused(e, "RSDP"));
    make_elf(f, 183, BBP_WANT_STAY_EL2 | BBP_WANT_VHE);
    e.at_el2 = true;
    CHECK(refused(e, "FEAT_VHE"));
    make_elf(f, 183, 0);
    f[0x810 + 12] = BBP_GRANULE_16K;
    e.granules = BBP_GRANULE_4K;
    CHECK(refused(e, "granules"));
    make_elf(f, 62, BBP_WANT_MMU_OFF);
    CHECK(refused(env(62), "x86_64"));
    make_elf(f, 62, 0);
    f[0x810 + 14] = 4;
    e = env(62);
    e.levels = 5;
    CHECK(refused(e, "5-level"));
}
static void image_at_zero_and_beyond_is_refused(void)
{
    make_elf(f, 183, 0);
    for (int i = 0; i < 3; i++)
        put64(f + PH_TEXT + 56 * i + 16, br_ld64(f + PH_TEXT + 56 * i + 16) - ELF_BASE);
    put64(f + 24, 0x10);
    CHECK(refused(env(183), "address 0"));
    make_elf(f, 183, 0);
    for (int i = 0; i < 3; i++)
        put64(f + PH_TEXT + 56 * i + 16, br_ld64(f + PH_TEXT + 56 * i + 16) - ELF_BASE + (1ULL << 52));
    put64(f + 24, (1ULL << 52) + 0x10);
    CHECK(refused(env(183), "48-bit"));
}
static void physical_image_is_relocated_to_its_place(void)
{
    struct bbp_plan p;
    struct bbp_env e = env(183);
    make_elf(f, 183, BBP_WANT_PHYS_LINK | BBP_WANT_MMU_OFF);
    CHECK(bbp_plan_make(&p, f, ELF_LEN, &e, &why) && !p.needs_phys && !p.mmu_on);
    CHECK(bbp_place(&p, (struct br_area){image, RAM, sizeof image}, &why));
    CHECK(p.virt == RAM && br_ld64(image + 0x1008) == RAM + 0x20);
    put16(f + 16, 2);
    CHECK(bbp_plan_make(&p, f, ELF_LEN, &e, &why) && p.needs_phys && p.phys == ELF_BASE);
}
static void required_tag_is_demanded(void)
{
    struct built b;
    make_elf(f, 183, 0);
    CHECK(build(&b, 183, 0));
    struct bbp_want w = {.required_tags = {1u << BBP_TAG_FRAMEBUFFER}};
    CHECK(bbp_missing_tag(&b.w, &w) == BBP_TAG_FRAMEBUFFER);
    bbp_write_tag(&b.w, BBP_TAG_FRAMEBUFFER, 48);
    CHECK(bbp_missing_tag(&b.w, &w) == -1);
}
static void full_block_is_an_error(void)
{
    struct built b;
    make_elf(f, 183, 0);
    CHECK(build(&b, 183, 0));
    CHECK(!bbp_write_tag(&b.w, BBP_TAG_LOG, sizeof block));
    CHECK(!bbp_write_end(&b.w, &b.plan, 0));
}

int main(void)
{
    RUN(kernel_is_mapped_with_least_rights);
    RUN(written_block_checks);
    RUN(every_damaged_byte_is_noticed);
    RUN(tags_out_of_bounds_are_named);
    RUN(unknown_tags_are_skipped);
    RUN(kernel_without_note_is_refused);
    RUN(other_major_and_unknown_flags_are_refused);
    RUN(needs_are_held_against_the_machine);
    RUN(image_at_zero_and_beyond_is_refused);
    RUN(physical_image_is_relocated_to_its_place);
    RUN(required_tag_is_demanded);
    RUN(full_block_is_an_error);
    return DONE();
}
