/// The firmware's PE loader on a small image made here.
#include "pe.h"

#include "tap.h"

static u8 file[0x800], image[0x4000];
static const char *why;

static void st(u8 *p, unsigned n, u64 v)
{
    for (unsigned i = 0; i < n; i++)
        p[i] = (u8)(v >> 8 * i);
}

/// Code at 0x1000, data at 0x2000 with a pointer to itself at +0x10, a relocation for it at 0x3000.
static void make(void)
{
    static const struct {
        u32 rva, off, flags;
    } s[3] = {{0x1000, 0x200, 0x60000020}, {0x2000, 0x300, 0xc0000040}, {0x3000, 0x400, 0x42000040}};
    memset(file, 0, sizeof file);
    st(file, 2, 0x5a4d);
    st(file + 0x3c, 4, 64);
    u8 *coff = file + 68, *opt = coff + 20;
    st(file + 64, 4, 0x4550);
    st(coff, 2, 0xaa64);
    st(coff + 2, 2, 3);
    st(coff + 16, 2, 240);
    st(opt, 2, 0x20b);
    st(opt + 16, 4, 0x1000);
    st(opt + 24, 8, 0x140000000);
    st(opt + 32, 4, 0x1000);
    st(opt + 56, 4, 0x4000);
    st(opt + 60, 4, 0x200);
    st(opt + 108, 4, 16);
    st(opt + 152, 4, 0x3000);
    st(opt + 156, 4, 12);
    for (int k = 0; k < 3; k++) {
        u8 *h = opt + 240 + 40 * k;
        st(h + 8, 4, 0x100);
        st(h + 12, 4, s[k].rva);
        st(h + 16, 4, 0x100);
        st(h + 20, 4, s[k].off);
        st(h + 36, 4, s[k].flags);
    }
    st(file + 0x310, 8, 0x140002010);
    st(file + 0x400, 4, 0x2000);
    st(file + 0x404, 4, 12);
    st(file + 0x408, 2, 0xa010);
}

static bool load(void)
{
    struct br_pe p;
    return br_pe_parse(file, sizeof file, &p, &why) && br_pe_load(&p, image, 0x50000000, &why);
}

static void pointers_move_with_the_image(void)
{
    make();
    CHECK(load());
    CHECK(br_ld64(image + 0x2010) == 0x50002010);
}

static void sections_have_their_rights(void)
{
    struct br_pe p;
    u64 rva, pages;
    u32 rights;
    make();
    CHECK(br_pe_parse(file, sizeof file, &p, &why));
    CHECK(br_pe_section(&p, 0, &rva, &pages, &rights) && rva == 0x1000 && pages == 1 && rights == PE_X);
    CHECK(br_pe_section(&p, 1, &rva, &pages, &rights) && rva == 0x2000 && rights == PE_W);
}

static void damage_is_refused_with_a_reason(void)
{
    static const struct {
        unsigned off, len;
        u64 value;
        const char *why;
    } rows[] = {{0, 2, 0, "no MZ"},
                {0x3c, 4, 0xfffffff0, "no PE"},
                {68, 2, 0x8664, "x86-64"},
                {68 + 16, 2, 100, "optional header"},
                {68 + 2, 2, 97, "outside the file"},
                {88 + 16, 4, 0x4000, "outside the file"},
                {88 + 32, 4, 0x1001, "alignment"},
                {88 + 240 + 12, 4, 0x3fff, "outside the image"},
                {88 + 240 + 20, 4, 0x7f0, "outside the image"},
                {88 + 156, 4, 0x2000, "relocation table"},
                {0x408, 2, 0x3010, "aarch64 images do not use"}};
    for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
        make();
        st(file + rows[k].off, rows[k].len, rows[k].value);
        CHECK(!load());
        CHECK(why && strstr(why, rows[k].why));
    }
}

int main(void)
{
    RUN(pointers_move_with_the_image);
    RUN(sections_have_their_rights);
    RUN(damage_is_refused_with_a_reason);
    return DONE();
}
