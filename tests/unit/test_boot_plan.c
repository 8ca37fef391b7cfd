/// The planner: where things go, and what it refuses.
#include "mkbin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define RAM 0x40000000ULL

static struct err e;

static struct boot_request request(const void *kernel, u64 len, u64 ram_mib)
{
    struct boot_request r = {.ram_base = RAM, .ram_size = ram_mib * MIB};
    if (kernel)
        r.kernel = (struct blob){.name = "kernel", .data = kernel, .len = len};
    return r;
}

static void assert_refused(bool ok, const char *want)
{
    assert_false(ok);
    assert_int_equal(e.code, ERR_FORMAT);
    if (strstr(e.msg, want) == NULL)
        fail_msg("wanted \"%s\" in \"%s\"", want, e.msg);
}

static void assert_planned(const struct boot_request *r, struct boot_plan *p)
{
    if (!boot_plan(r, p, &e))
        fail_msg("%s", e.msg);
    assert_false(range_overlap(p->dtb, p->dtb_max, p->initrd, p->initrd_len));
    for (unsigned i = 0; i < p->seg_count; i++) {
        assert_false(range_overlap(p->dtb, p->dtb_max, p->seg[i].gpa, p->seg[i].mem_len));
        assert_false(range_overlap(p->initrd, p->initrd_len, p->seg[i].gpa, p->seg[i].mem_len));
    }
    assert_true(p->dtb >= r->ram_base && range_ok(p->dtb - r->ram_base, p->dtb_max, r->ram_size));
    assert_int_equal(p->dtb & 7, 0);
}

static void image_goes_low_with_dtb_and_initrd_above(void **state)
{
    u8 *im = mk_image(40000, 0x80000, 0x300000, 2), rd[1000] = {0};
    struct boot_request r = request(im, 40000, 512);
    struct boot_plan p;
    r.initrd[0] = (struct blob){.name = "a", .data = rd, .len = 999};
    r.initrd[1] = (struct blob){.name = "b", .data = rd, .len = 1000};
    r.initrd_count = 2;
    assert_planned(&r, &p);
    assert_int_equal(p.entry, RAM + 0x80000);
    assert_int_equal(p.initrd_len, 2000); /* the first is padded to 4 bytes */
    assert_true(p.dtb >= RAM + 0x80000 + 0x300000);
    assert_true(p.initrd >= RAM + 0x80000 + 0x300000);
    assert_int_equal(p.dtb / (2 * MIB), (p.dtb + p.dtb_max - 1) / (2 * MIB)); /* one 2 MiB block */
    free(im);
}

static void bss_is_kept_free_not_the_file_size(void **state)
{
    u8 *im = mk_image(4096, 0, 60 * MIB, 2);
    struct boot_request r = request(im, 4096, 64);
    struct boot_plan p;
    assert_planned(&r, &p);
    assert_true(p.dtb >= RAM + 60 * MIB);
    r.ram_size = 32 * MIB;
    assert_refused(boot_plan(&r, &p, &e), "too little memory, use -m 128M");
    free(im);
}

static void every_memory_size_gives_a_sound_plan_or_a_reason(void **state)
{
    u8 *im = mk_image(4096, 0x80000, 3 * MIB + 5, 2), *rd = calloc(1, 5 * MIB);
    struct boot_plan p;
    unsigned planned = 0;
    for (u64 kib = 64; kib < 20 * 1024; kib += 60) {
        struct boot_request r = request(im, 4096, 0);
        r.ram_size = align_down(kib * KIB, 4096);
        r.initrd[0] = (struct blob){.name = "rd", .data = rd, .len = 5 * MIB};
        r.initrd_count = 1;
        if (boot_plan(&r, &p, &e)) {
            assert_planned(&r, &p);
            planned++;
        } else {
            assert_non_null(strstr(e.msg, "too little memory"));
            assert_int_equal(planned, 0); /* more memory never makes it worse */
        }
    }
    assert_true(planned > 0);
    free(im);
    free(rd);
}

static void elf_gets_the_dtb_at_the_base_of_ram(void **state)
{
    struct mk_ph ph[] = {{PT_LOAD, 0x40080000, 0x40080000, 0x1000, 0x100, 0x200}};
    u8 *elf = mk_elf(0x2000, EM_AARCH64, 0x40080000, ph, 1);
    struct boot_request r = request(elf, 0x2000, 64);
    struct boot_plan p;
    assert_planned(&r, &p);
    assert_int_equal(p.dtb, RAM);
    assert_true(p.dtb_max >= 32 * KIB);
    st64(elf + 64 + offsetof(Elf64_Phdr, p_paddr), RAM); /* taken: the DTB moves */
    st64(elf + offsetof(Elf64_Ehdr, e_entry), RAM);
    assert_planned(&r, &p);
    assert_int_not_equal(p.dtb, RAM);
    free(elf);
}

static void elf_outside_ram_is_refused_with_a_hint(void **state)
{
    struct { u64 at; const char *want; } cases[] = {
        {0x80000, "Raspberry Pi"}, {0x1000, "flash"}, {0x09000000, "devices"},
        {0xffffffc000080000, "virtual address"}, {0x8000000000, "outside RAM 0x40000000-0x43ffffff"},
        {0x44000000, "too little memory"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct mk_ph ph[] = {{PT_LOAD, cases[i].at, cases[i].at, 0x1000, 0x100, 0x200}};
        u8 *elf = mk_elf(0x2000, EM_AARCH64, cases[i].at, ph, 1);
        struct boot_request r = request(elf, 0x2000, 64);
        struct boot_plan p;
        assert_refused(boot_plan(&r, &p, &e), cases[i].want);
        assert_non_null(strstr(e.msg, "PT_LOAD 0"));
        free(elf);
    }
}

static void collisions_name_both_ranges(void **state)
{
    u8 *im = mk_image(4096, 0, 0x300000, 2), data[64] = {0};
    struct boot_request r = request(im, 4096, 64);
    struct boot_plan p;
    r.flat[0] = (struct boot_flat){{.name = "blob.bin", .data = data, .len = 64}, RAM + 0x2fffff};
    r.flat_count = 1;
    assert_refused(boot_plan(&r, &p, &e),
                   "--load blob.bin 0x402fffff-0x4030003e overlaps Image 0x40000000-0x402fffff");
    r.flat[0].gpa = RAM + 0x300000;
    assert_planned(&r, &p);
    r.has_dtb_addr = true;
    r.dtb_addr = RAM + 0x1000;
    assert_refused(boot_plan(&r, &p, &e), "device tree 0x40001000");
    free(im);
}

static void random_bytes_are_not_a_raw_kernel(void **state)
{
    u64 s = 11;
    unsigned refused = 0;
    for (unsigned i = 0; i < 200; i++) {
        u8 buf[256];
        struct boot_plan p;
        for (unsigned k = 0; k < sizeof buf; k++)
            buf[k] = (u8)rng_next(&s);
        struct boot_request r = request(buf, sizeof buf, 64);
        refused += !boot_plan(&r, &p, &e);
    }
    assert_true(refused >= 199);
    u8 zeros[256] = {0};
    struct boot_request r = request(zeros, sizeof zeros, 64);
    struct boot_plan p;
    assert_refused(boot_plan(&r, &p, &e), "no A64 instruction");
}

static void raw_code_goes_to_the_customary_address(void **state)
{
    const u32 code[] = {0x14000004, 0xffffffff, 0xffffffff, 0xffffffff, 0xd2800540, 0xd4200000};
    struct boot_request r = request(code, sizeof code, 64); /* b over data; mov x0, #42; brk */
    struct boot_plan p;
    assert_planned(&r, &p);
    assert_int_equal(p.entry, RAM + 0x80000);
    assert_true(p.is_guess);
    r.kernel_has_addr = true;
    r.kernel_addr = RAM + 0x10000;
    assert_planned(&r, &p);
    assert_int_equal(p.entry, RAM + 0x10000);
    assert_false(p.is_guess);
}

static void what_is_no_kernel_is_refused_with_the_way_out(void **state)
{
    struct { const char *bytes; u64 len; const char *want; } cases[] = {
        {"", 0, "empty file"},       {"#!/bin/sh\n", 10, "text file"},   {"MZ\0\0\0\0\0\0\0", 9, "not a PE file"},
        {"0707010000", 10, "with -i"}, {"\xd0\x0d\xfe\xed\0\0\0", 7, "--dtb"}, {"QFI\xfb\0", 5, "disk"},
        {"PK\x03\x04", 4, "zip"},      {"\x01\x02", 2, "2 bytes"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct boot_request r = request(cases[i].bytes, cases[i].len, 64);
        struct boot_plan p;
        assert_refused(boot_plan(&r, &p, &e), cases[i].want);
    }
}

static void entry_must_be_aligned_and_in_ram(void **state)
{
    u8 *im = mk_image(4096, 0, 8192, 2);
    struct boot_request r = request(im, 4096, 64);
    struct boot_plan p;
    r.has_entry = true;
    r.entry = RAM + 2;
    assert_refused(boot_plan(&r, &p, &e), "multiple of 4");
    r.entry = RAM - 4;
    assert_refused(boot_plan(&r, &p, &e), "outside RAM");
    r.entry = RAM + 64 * MIB;
    assert_refused(boot_plan(&r, &p, &e), "outside RAM");
    free(im);
}

static void addresses_at_the_end_of_the_world_do_not_wrap(void **state)
{
    u8 *im = mk_image(4096, 0, 8192, 2), data[64] = {0};
    const u64 at[] = {~0ULL, ~0ULL - 63, ~0ULL - 64, 1ULL << 63, 0};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        struct boot_request r = request(im, 4096, 64);
        struct boot_plan p;
        r.flat[0] = (struct boot_flat){{.name = "x", .data = data, .len = 64}, at[i]};
        r.flat_count = 1;
        assert_refused(boot_plan(&r, &p, &e), "outside RAM");
        r.flat_count = 0;
        r.has_dtb_addr = true;
        r.dtb_addr = align_down(at[i], 8);
        assert_refused(boot_plan(&r, &p, &e), "outside RAM");
    }
    free(im);
}

/* ---- loading ---- */

static void loading_copies_segments_and_clears_bss(void **state)
{
    struct mk_ph ph[] = {{PT_LOAD, 0x40080000, 0x40080000, 0x1000, 0x100, 0x3000}};
    u8 *elf = mk_elf(0x2000, EM_AARCH64, 0x40080000, ph, 1), rd[6] = "abcde", back[8];
    struct boot_request r = request(elf, 0x2000, 64);
    struct boot_plan p;
    struct mem *m = mem_new();
    memset(elf + 0x1000, 0x5a, 0x100);
    r.initrd[0] = (struct blob){.name = "a", .data = rd, .len = 5};
    r.initrd[1] = (struct blob){.name = "b", .data = rd, .len = 3};
    r.initrd_count = 2;
    assert_true(mem_add_ram(m, RAM, 64 * MIB, "ram", &e));
    memset(mem_host(m, RAM, 64 * MIB), 0xee, 64 * MIB); /* as after a reset */
    assert_planned(&r, &p);
    if (!boot_load(&r, &p, m, &e))
        fail_msg("%s", e.msg);
    const u8 *k = mem_host(m, 0x40080000, 0x3001);
    for (unsigned i = 0; i < 0x3001; i++)
        assert_int_equal(k[i], i < 0x100 ? 0x5a : i < 0x3000 ? 0 : 0xee);
    assert_true(mem_read(m, p.initrd, back, 8));
    assert_memory_equal(back, "abcde\0\0\0", 8);
    assert_true(mem_read(m, p.initrd + 8, back, 3));
    assert_memory_equal(back, "abc", 3);
    mem_free(m);
    free(elf);
}

/* ---- lints ---- */

static char said[4096];
static void say(void *ctx, const char *id, const char *msg)
{
    size_t n = strlen(said);
    snprintf(said + n, sizeof said - n, "%s %s\n", id, msg);
}

static const char *lints_of(struct boot_request *r, const char *cmdline, u64 mmfr0, bool has_disk)
{
    struct boot_plan p;
    said[0] = 0;
    assert_planned(r, &p);
    struct boot_lint_in in = {.req = r, .plan = &p, .cmdline = cmdline, .mmfr0 = mmfr0, .has_disk = has_disk, .is_strict = true};
    boot_lint(&in, say, NULL);
    return said;
}

static void lints_speak_when_there_is_reason_and_only_then(void **state)
{
    const u64 all = 0x101125, no_16k = 0x1125, no_64k = 0x0f101125;
    u8 *im = mk_image(4096, 0, 8192, 1 << 1), *cpio = calloc(1, 200);
    struct boot_request r = request(im, 4096, 64);
    memcpy(cpio, "070701", 6);
    r.initrd[0] = (struct blob){.name = "rd", .data = cpio, .len = 200};
    r.initrd_count = 1;
    assert_string_equal(lints_of(&r, "console=ttyAMA0 earlycon", all, false), "");
    assert_string_equal(lints_of(&r, "console=hvc0 root=/dev/vda1", all, true), "");
    assert_non_null(strstr(lints_of(&r, "console=ttyS0,115200", all, false), "F19 console=ttyS0,115200"));
    assert_non_null(strstr(lints_of(&r, "root=/dev/vda1", all, false), "no disk"));
    assert_non_null(strstr(lints_of(&r, "root=/dev/sda1", all, true), "/dev/vda"));
    assert_non_null(strstr(lints_of(&r, "root=PARTUUID=12-3 rootwait", all, false), "no disk"));
    assert_string_equal(lints_of(&r, "earlycon=pl011,0x9000000,115200 earlycon=pl011,mmio32,0x09000000", all, false), "");
    assert_non_null(strstr(lints_of(&r, "earlycon=pl011,0xfe201000", all, false), "no UART is at 0xfe201000"));
    assert_non_null(strstr(lints_of(&r, "earlycon=uart8250,mmio32,0x9000000", all, false), "is a PL011"));
    assert_string_equal(lints_of(&r, "console=tty0 console=ttyAMA0", all, false), "");
    assert_non_null(strstr(lints_of(&r, "console=ttyAMA0 console=tty0", all, false), "comes last"));
    st64(im + 16, 1024);
    assert_non_null(strstr(lints_of(&r, "", all, false), "F07 Image header: image_size 0x400"));
    st64(im + 16, 8192);
    st64(im + 8, 0x1230);
    assert_non_null(strstr(lints_of(&r, "", all, false), "F07 Image header: text_offset 0x1230"));
    st64(im + 8, 0);
    st64(im + 24, 2 << 1);
    assert_string_equal(lints_of(&r, "", all, false), "");
    assert_non_null(strstr(lints_of(&r, "", no_16k, false), "F18"));
    st64(im + 24, 3 << 1);
    assert_non_null(strstr(lints_of(&r, "", no_64k, false), "64 KiB pages"));
    memset(cpio, 7, 200);
    assert_non_null(strstr(lints_of(&r, "", all, false), "cpio"));
    r.initrd_count = 0;
    assert_string_equal(lints_of(&r, "", all, false), ""); /* too small for a Linux */
    st64(im + 16, 8 * MIB);
    assert_non_null(strstr(lints_of(&r, "", all, false), "no initrd"));
    r.has_entry = true;
    r.entry = RAM + 32 * MIB;
    assert_non_null(strstr(lints_of(&r, "root=/dev/vda", all, true), "F10 entry"));
    free(im);
    free(cpio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_goes_low_with_dtb_and_initrd_above),
        cmocka_unit_test(bss_is_kept_free_not_the_file_size),
        cmocka_unit_test(every_memory_size_gives_a_sound_plan_or_a_reason),
        cmocka_unit_test(elf_gets_the_dtb_at_the_base_of_ram),
        cmocka_unit_test(elf_outside_ram_is_refused_with_a_hint),
        cmocka_unit_test(collisions_name_both_ranges),
        cmocka_unit_test(random_bytes_are_not_a_raw_kernel),
        cmocka_unit_test(raw_code_goes_to_the_customary_address),
        cmocka_unit_test(what_is_no_kernel_is_refused_with_the_way_out),
        cmocka_unit_test(entry_must_be_aligned_and_in_ram),
        cmocka_unit_test(addresses_at_the_end_of_the_world_do_not_wrap),
        cmocka_unit_test(loading_copies_segments_and_clears_bss),
        cmocka_unit_test(lints_speak_when_there_is_reason_and_only_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
