/// Memory maps: sorted, disjoint and merged whatever comes in.
#include "memmap.h"
#include "tap.h"

static struct bbp_mem v[256];
static struct br_memmap m;

static void reset(void) { m = (struct br_memmap){v, 0, 256}; }
static bool sound(void)
{
    for (u32 i = 0; i < m.count; i++)
        if (!v[i].len || v[i].base % 4096 || v[i].len % 4096 ||
            (i && v[i - 1].base + v[i - 1].len > v[i].base))
            return false;
    return true;
}
static u32 type_at(u64 a)
{
    const struct bbp_mem *e = br_memmap_find(&m, a);
    return e ? e->type : 0;
}

static void later_claims_split_earlier_ones(void)
{
    reset();
    CHECK(br_memmap_set(&m, 0x1000, 0x9000, BBP_MEM_USABLE, 7, 8));
    CHECK(br_memmap_set(&m, 0x3000, 0x2000, BBP_MEM_RESERVED, 0, 8));
    CHECK(m.count == 3 && sound() && type_at(0x2FFF) == 1 && type_at(0x3000) == 10 &&
          type_at(0x5000) == 1 && type_at(0xA000) == 0);
}
static void neighbours_merge(void)
{
    reset();
    CHECK(br_memmap_set(&m, 0x3000, 0x1000, BBP_MEM_USABLE, 7, 8));
    CHECK(br_memmap_set(&m, 0x1000, 0x1000, BBP_MEM_USABLE, 7, 8));
    CHECK(br_memmap_set(&m, 0x2000, 0x1000, BBP_MEM_USABLE, 7, 8));
    CHECK(m.count == 1 && v[0].base == 0x1000 && v[0].len == 0x3000);
}
static void odd_edges_widen_to_pages(void)
{
    reset();
    CHECK(br_memmap_set(&m, 0x1234, 1, BBP_MEM_RESERVED, 0, 0));
    CHECK(v[0].base == 0x1000 && v[0].len == 0x1000);
}
static void wrapping_and_empty_ranges_are_refused(void)
{
    reset();
    CHECK(!br_memmap_set(&m, ~0ULL - 10, 100, 1, 0, 0) && !br_memmap_set(&m, 0, 0, 1, 0, 0));
    CHECK(m.count == 0);
}
static void full_table_is_refused_and_unchanged(void)
{
    reset();
    m.cap = 8;
    for (u64 i = 0; i < 20; i++)
        (void)!br_memmap_set(&m, i * 0x4000, 0x1000, 1 + i % 3, 0, 0);
    CHECK(m.count <= 8 && sound());
}
static void efi_map_is_stepped_by_its_descriptor_size(void)
{
    static u8 raw[3 * 48];
    static const u32 types[3] = {7, 4, 9};
    for (u32 i = 0; i < 3; i++) {
        u64 base = (2 - i) * 0x10000ULL + 0x40000000, pages = 16, attr = 8;
        memcpy(raw + 48 * i, &types[i], 4);
        memcpy(raw + 48 * i + 8, &base, 8);
        memcpy(raw + 48 * i + 24, &pages, 8);
        memcpy(raw + 48 * i + 32, &attr, 8);
    }
    reset();
    CHECK(br_memmap_from_efi(&m, raw, sizeof raw, 48) && m.count == 3 && sound());
    CHECK(type_at(0x40000000) == BBP_MEM_ACPI_RECLAIM && type_at(0x40020000) == BBP_MEM_USABLE);
    CHECK(!br_memmap_from_efi(&m, raw, sizeof raw, 32));
}
static void random_claims_keep_the_map_sound(void)
{
    u64 seed = 7;
    reset();
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        u64 base = (seed >> 33) % 200 * 0x1000, len = ((seed >> 20) % 30 + 1) * 0x1000;
        if (i % 3)
            (void)!br_memmap_set(&m, base, len, 1 + (seed >> 50) % 4, 0, 0);
        else
            (void)!br_memmap_retype(&m, base, len, 1 + (seed >> 50) % 4);
        CHECK(sound() && m.count <= 256);
        if (tap_bad)
            return;
    }
}

int main(void)
{
    RUN(later_claims_split_earlier_ones);
    RUN(neighbours_merge);
    RUN(odd_edges_widen_to_pages);
    RUN(wrapping_and_empty_ranges_are_refused);
    RUN(full_table_is_refused_and_unchanged);
    RUN(efi_map_is_stepped_by_its_descriptor_size);
    RUN(random_claims_keep_the_map_sound);
    return DONE();
}
