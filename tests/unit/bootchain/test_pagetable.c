/// Page tables of every geometry, checked against a plain list of what was mapped.
#include "pagetable.h"
#include "tap.h"

static _Alignas(65536) u8 pool[8 << 20];
static struct br_pt pt;
struct geometry {
    u16 arch;
    u8 shift, levels;
};
static const struct geometry all[] = {{183, 12, 4}, {183, 12, 3}, {183, 14, 4},
                                      {183, 16, 3}, {62, 12, 4},  {62, 12, 5}};

static bool start(const struct geometry *g)
{
    return br_pt_init(&pt, g->arch, g->shift, g->levels,
                      (struct br_area){pool, 0x80000000, sizeof pool});
}
static u64 high(void) { return 0 - (1ULL << (pt.va_bits - 1)); }

static void mapped_ranges_translate_and_others_do_not(void)
{
    for (u32 i = 0; i < ARRAY_LEN(all); i++) {
        struct br_walk w;
        CHECK(start(&all[i]));
        u64 g = 1ULL << pt.granule_shift, va = high() + 5 * g, len = (64u << 20) + 3 * g;
        CHECK(br_pt_map(&pt, va, 7 * g, len, BR_MAP_W));
        for (u64 off = 0; off < len; off += 37 * g + 8)
            CHECK(br_pt_walk(&pt, va + off, &w) && w.pa == 7 * g + off && w.flags == BR_MAP_W);
        CHECK(!br_pt_walk(&pt, va - 1, &w) && !br_pt_walk(&pt, va + len, &w));
        CHECK(!br_pt_walk(&pt, 1ULL << 60, &w));
    }
}
static void large_ranges_use_blocks(void)
{
    for (u32 i = 0; i < ARRAY_LEN(all); i++) {
        CHECK(start(&all[i]));
        u64 before = pt.used;
        CHECK(br_pt_map(&pt, high(), 0, 4ULL << 30, BR_MAP_W));
        CHECK(pt.used - before <= 8ULL << pt.granule_shift);
    }
}
static void double_mapping_is_refused(void)
{
    CHECK(start(&all[0]));
    CHECK(br_pt_map(&pt, 0x200000, 0x200000, 0x200000, BR_MAP_X));
    CHECK(!br_pt_map(&pt, 0x3FF000, 0, 0x1000, BR_MAP_W));
}
static void unaligned_and_wrapping_requests_are_refused(void)
{
    CHECK(start(&all[0]));
    CHECK(!br_pt_map(&pt, 0x1234, 0, 0x1000, 0) && !br_pt_map(&pt, 0x1000, 0, 0x10, 0));
    CHECK(!br_pt_map(&pt, 0 - 0x1000ULL, 0, 0x2000, 0));
    CHECK(!br_pt_map(&pt, 1ULL << 55, 0, 0x1000, 0));
}
static void exhausted_pool_is_refused(void)
{
    CHECK(br_pt_init(&pt, 183, 12, 4, (struct br_area){pool, 0x80000000, 4 * 4096}));
    CHECK(!br_pt_map(&pt, 0x1000, 0x1000, 0x1000, 0));
}
static void protect_splits_blocks_and_keeps_the_rest(void)
{
    for (u32 i = 0; i < ARRAY_LEN(all); i++) {
        struct br_walk w;
        CHECK(start(&all[i]));
        u64 g = 1ULL << pt.granule_shift, base = 1ULL << 30;
        CHECK(br_pt_map(&pt, high() + base, base, 1ULL << 30, BR_MAP_W));
        CHECK(br_pt_protect(&pt, high() + base + 9 * g, 2 * g, BR_MAP_X));
        CHECK(br_pt_walk(&pt, high() + base + 10 * g, &w) && w.flags == BR_MAP_X &&
              w.pa == base + 10 * g);
        CHECK(br_pt_walk(&pt, high() + base + 11 * g, &w) && w.flags == BR_MAP_W &&
              w.pa == base + 11 * g);
        CHECK(!br_pt_protect(&pt, high(), g, 0));
    }
}
static void memory_types_survive(void)
{
    for (u32 i = 0; i < ARRAY_LEN(all); i++) {
        struct br_walk w;
        CHECK(start(&all[i]));
        u64 g = 1ULL << pt.granule_shift;
        CHECK(br_pt_map(&pt, g, g, g, BR_MAP_W | BR_MAP_DEVICE));
        CHECK(br_pt_map(&pt, 2 * g, 2 * g, g, BR_MAP_W | BR_MAP_UNCACHED));
        CHECK(br_pt_walk(&pt, g, &w) && w.flags == (BR_MAP_W | BR_MAP_DEVICE));
        CHECK(br_pt_walk(&pt, 2 * g, &w) && w.flags == (BR_MAP_W | BR_MAP_UNCACHED));
    }
}
static void control_register_names_the_geometry(void)
{
    CHECK(start(&all[0]));
    u64 tcr = br_pt_tcr(&pt, 6);
    CHECK((tcr & 63) == 16 && (tcr >> 16 & 63) == 16 && (tcr >> 30 & 3) == 2 && (tcr >> 32 & 7) == 5);
    CHECK(start(&all[3]) && (br_pt_tcr(&pt, 2) >> 14 & 3) == 1 && (br_pt_tcr(&pt, 2) >> 30 & 3) == 3);
}

int main(void)
{
    RUN(mapped_ranges_translate_and_others_do_not);
    RUN(large_ranges_use_blocks);
    RUN(double_mapping_is_refused);
    RUN(unaligned_and_wrapping_requests_are_refused);
    RUN(exhausted_pool_is_refused);
    RUN(protect_splits_blocks_and_keeps_the_rest);
    RUN(memory_types_survive);
    RUN(control_register_names_the_geometry);
    return DONE();
}
