/// The configuration parser: syntax of loader.conf and limine.conf, warnings with lines, hashes.
#include "config.h"
#include "hash.h"
#include "tap.h"

static struct conf c;
static struct br_why why;
static char warnings[1024];

static void collect(void *context, u32 line, const char *text)
{
    size_t n = strlen(warnings);
    snprintf(warnings + n, sizeof warnings - n, "%u:%s\n", line, text);
}
static bool parse(const char *text)
{
    warnings[0] = 0;
    c.warn = collect;
    return conf_parse(&c, text, strlen(text), "aarch64", &why);
}
static bool is(const char *got, const char *want) { return got && !strcmp(got, want); }

static void new_syntax_is_read(void)
{
    CHECK(parse("timeout: 3\n# comment\n/Main kernel\n    protocol: bbp\n    path: boot():/k.elf\n"
                "    cmdline: root=/dev/vda x=y: z\n/Other\npath: /o.elf\n"));
    CHECK(c.entries == 2 && is(c.entry[0].title, "Main kernel") && !warnings[0]);
    CHECK(is(conf_get(&c, -1, "timeout", 0), "3"));
    CHECK(is(conf_get(&c, 0, "cmdline", 0), "root=/dev/vda x=y: z"));
    CHECK(is(conf_get(&c, 1, "path", 0), "/o.elf") && !conf_get(&c, 1, "cmdline", 0));
}
static void old_syntax_is_read(void)
{
    CHECK(parse("TIMEOUT=5\n:Arch\nPROTOCOL=linux\nKERNEL_PATH=boot:///vmlinuz\n"
                "KERNEL_CMDLINE=a=b c\nMODULE_PATH=boot:///i1\nMODULE_PATH=boot:///i2\n"));
    CHECK(is(conf_get(&c, 0, "path", 0), "boot:///vmlinuz"));
    CHECK(is(conf_get(&c, 0, "cmdline", 0), "a=b c"));
    CHECK(is(conf_get(&c, 0, "module_path", 1), "boot:///i2") && !conf_get(&c, 0, "module_path", 2));
}
static void macros_expand(void)
{
    CHECK(parse("${DIR}=/boot/x\n/A\npath: ${DIR}/kernel-${ARCH}.elf\ncmdline: ${NO}\n"));
    CHECK(is(conf_get(&c, 0, "path", 0), "/boot/x/kernel-aarch64.elf"));
    CHECK(is(conf_get(&c, 0, "cmdline", 0), "${NO}") && strstr(warnings, "4:macro ${NO}"));
}
static void unknown_key_warns_with_its_line(void)
{
    CHECK(parse("timeout: 0\n\nfrobnicate: 1\n/A\npath: /k\n"));
    CHECK(strstr(warnings, "3:unknown key \"frobnicate\"") && c.warnings == 1);
}
static void looks_are_ignored_silently(void)
{
    CHECK(parse("term_palette: 1\nINTERFACE_BRANDING=x\ngraphics: yes\n/A\npath: /k\n"));
    CHECK(!warnings[0]);
}
static void local_key_before_an_entry_warns(void)
{
    CHECK(parse("cmdline: x\n"));
    CHECK(strstr(warnings, "1:cmdline belongs into an entry"));
}
static void directories_are_marked(void)
{
    CHECK(parse("/+Group\n//One\npath: /1\n//Two\npath: /2\n/Three\npath: /3\n"));
    CHECK(c.entry[0].is_dir && !c.entry[1].is_dir && c.entry[1].depth == 2 && !c.entry[3].is_dir);
}
static void module_strings_follow_their_module(void)
{
    CHECK(parse("/A\nmodule_path: /a\nmodule_path: /b\nmodule_string: for b\nmodule_path: /c\n"));
    CHECK(is(conf_module_string(&c, 0, 0), "") && is(conf_module_string(&c, 0, 1), "for b"));
    CHECK(is(conf_module_string(&c, 0, 2), ""));
}
static void paths_and_hashes(void)
{
    struct conf_path p;
    CHECK(conf_path_parse("boot():/a/b", &p, &why) && is(p.path, "/a/b") && !p.hash_len);
    CHECK(conf_path_parse("boot:///a", &p, &why) && is(p.path, "/a"));
    CHECK(conf_path_parse("/k#"
                          "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
                          &p, &why) &&
          p.hash_len == 32 && p.hash[1] == 0x11 && p.hash[31] == 0xFF);
    CHECK(!conf_path_parse("/k#12", &p, &why) && strstr(why.msg, "2 digits"));
    CHECK(!conf_path_parse("hdd(1:1):/k", &p, &why) && strstr(why.msg, "not"));
}
static void limits_hold(void)
{
    static char big[CONF_FILE_MAX + 2];
    memset(big, 'x', sizeof big - 1);
    CHECK(!conf_parse(&c, big, sizeof big - 1, "aarch64", &why) && strstr(why.msg, "bytes"));
    CHECK(!conf_parse(&c, "a\0b", 3, "aarch64", &why) && strstr(why.msg, "NUL"));
    size_t n = 0;
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(big + n, sizeof big - n, "/E%d\n", i);
    CHECK(!conf_parse(&c, big, n, "aarch64", &why) && strstr(why.msg, "entries"));
}
static void hashes_match_their_standards(void)
{
    u8 h[64];
    br_sha256("abc", 3, h);
    CHECK(h[0] == 0xba && h[1] == 0x78 && h[31] == 0xad);
    br_sha256("", 0, h);
    CHECK(h[0] == 0xe3 && h[31] == 0x55);
    br_blake2b("abc", 3, h);
    CHECK(h[0] == 0xba && h[1] == 0x80 && h[63] == 0x23);
    br_blake2b("", 0, h);
    CHECK(h[0] == 0x78 && h[1] == 0x6a && h[63] == 0xce);
    CHECK(br_crc32c(0, "123456789", 9) == 0xE3069283);
}

int main(void)
{
    RUN(new_syntax_is_read);
    RUN(old_syntax_is_read);
    RUN(macros_expand);
    RUN(unknown_key_warns_with_its_line);
    RUN(looks_are_ignored_silently);
    RUN(local_key_before_an_entry_warns);
    RUN(directories_are_marked);
    RUN(module_strings_follow_their_module);
    RUN(paths_and_hashes);
    RUN(limits_hold);
    RUN(hashes_match_their_standards);
    return DONE();
}
