/// Device discovery from hand-made tables.
#include "hw.h"
#include "tap.h"

static u8 blob[4096];
static u32 at, strings_len;
static char strings[512];

static void be(u32 v)
{
    for (int i = 3; i >= 0; i--)
        blob[at++] = (u8)(v >> 8 * i);
}
static void begin(const char *name)
{
    be(1);
    size_t n = strlen(name) + 1;
    memcpy(blob + at, name, n);
    at += (u32)((n + 3) & ~3ULL);
}
static void end(void) { be(2); }
static void prop(const char *name, const void *data, u32 len)
{
    u32 off = strings_len;
    strcpy(strings + off, name);
    strings_len += (u32)strlen(name) + 1;
    be(3);
    be(len);
    be(off);
    memcpy(blob + at, data, len);
    at += (len + 3) & ~3u;
}
static void text(const char *name, const char *v) { prop(name, v, (u32)strlen(v) + 1); }
static void reg64(u64 a, u64 l)
{
    u8 b[16];
    for (int i = 0; i < 8; i++) {
        b[i] = (u8)(a >> (56 - 8 * i));
        b[8 + i] = (u8)(l >> (56 - 8 * i));
    }
    prop("reg", b, 16);
}

static u32 make_tree(void)
{
    static const u8 two[4] = {0, 0, 0, 2};
    memset(blob, 0, sizeof blob);
    at = 56;
    strings_len = 0;
    begin("");
    prop("#address-cells", two, 4);
    prop("#size-cells", two, 4);
    begin("pl011@1000");
    text("compatible", "arm,pl011");
    reg64(0x1000, 0x1000);
    end();
    begin("pl011@9000000");
    prop("compatible", "arm,pl011\0arm,primecell", 24);
    reg64(0x9000000, 0x1000);
    end();
    begin("psci");
    text("compatible", "arm,psci-1.0");
    text("method", "smc");
    end();
    begin("intc@8000000");
    text("compatible", "arm,gic-v3");
    reg64(0x8000000, 0x10000);
    end();
    begin("chosen");
    text("stdout-path", "/pl011@9000000:115200");
    end();
    end();
    be(9);
    u32 structs = at - 56, total = at + strings_len;
    memcpy(blob + at, strings, strings_len);
    u32 head[10] = {0xd00dfeed, total, 56, at, 40, 17, 16, 0, strings_len, structs};
    at = 0;
    for (int i = 0; i < 10; i++)
        be(head[i]);
    return total;
}

static void tree_names_console_gic_and_conduit(void)
{
    struct hw hw;
    u32 total = make_tree();
    CHECK(hw_from_dtb(&hw, blob, total));
    CHECK(hw.console.type == BBP_CON_PL011 && hw.console.base == 0x9000000);
    CHECK(hw.gic_version == 3 && hw.gic_dist == 0x8000000 && hw.conduit == HW_PSCI_SMC);
}
static void damaged_trees_do_no_harm(void)
{
    struct hw hw;
    u32 total = make_tree();
    CHECK(!hw_from_dtb(&hw, blob, total - 1) && !hw_from_dtb(&hw, blob, 8));
    for (u32 i = 0; i < total; i++)
        for (u32 v = 1; v < 256; v = v * 4 + 3) {
            u8 keep = blob[i];
            blob[i] ^= (u8)v;
            (void)hw_from_dtb(&hw, blob, sizeof blob);
            blob[i] = keep;
        }
}

int main(void)
{
    RUN(tree_names_console_gic_and_conduit);
    RUN(damaged_trees_do_no_harm);
    return DONE();
}
