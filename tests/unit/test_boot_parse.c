/// Parsers of boot files on good, odd and hostile input.
#include "mkbin.h"

#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

static struct err e;

static struct blob blob_of(const void *p, u64 len)
{
    return (struct blob){.name = "file", .data = p, .len = len};
}

/// The message names what is wrong: `want` occurs in it, and the code is "not bootable".
static void assert_refused(bool ok, const char *want)
{
    assert_false(ok);
    assert_int_equal(e.code, ERR_FORMAT);
    if (strstr(e.msg, want) == NULL)
        fail_msg("wanted \"%s\" in \"%s\"", want, e.msg);
}

/* ---- packing ---- */

static u8 *pack(enum boot_format f, const u8 *in, size_t len, size_t *out_len)
{
    size_t room = len * 2 + 4096;
    u8 *out = malloc(room);
    size_t pos = 0;
    switch (f) {
    case BOOT_GZIP: {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)len, .next_out = out,
                      .avail_out = (uInt)room};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, 0), Z_OK);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        pos = z.total_out;
        deflateEnd(&z);
        break;
    }
    case BOOT_ZSTD: pos = ZSTD_compress(out, room, in, len, 3); break;
    case BOOT_LZ4: pos = LZ4F_compressFrame(out, room, in, len, NULL); break;
    case BOOT_LZ4_LEGACY: {
        st32(out, 0x184c2102);
        int n = LZ4_compress_default((const char *)in, (char *)out + 8, (int)len, (int)room - 8);
        st32(out + 4, (u32)n);
        pos = 8 + (size_t)n;
        break;
    }
    case BOOT_XZ:
        assert_int_equal(lzma_easy_buffer_encode(3, LZMA_CHECK_CRC32, NULL, in, len, out, &pos, room), LZMA_OK);
        break;
    default: abort();
    }
    *out_len = pos;
    return out;
}

static const enum boot_format packed[] = {BOOT_GZIP, BOOT_ZSTD, BOOT_LZ4, BOOT_LZ4_LEGACY, BOOT_XZ};

/// Text that packs, but not to nothing.
static u8 *sample(size_t len)
{
    u8 *p = malloc(len);
    u64 s = 7;
    for (size_t i = 0; i < len; i++)
        p[i] = i % 3 ? (u8)(rng_next(&s) & 15) : (u8)i;
    return p;
}

static void every_packing_round_trips(void **state)
{
    size_t len = 300000, packed_len;
    u8 *in = sample(len);
    for (unsigned i = 0; i < ARRAY_LEN(packed); i++) {
        u8 *z = pack(packed[i], in, len, &packed_len);
        struct blob src = blob_of(z, packed_len), out;
        assert_int_equal(boot_detect(z, packed_len, NULL), packed[i]);
        if (!boot_decompress(&src, packed[i], GIB, &out, &e))
            fail_msg("%s", e.msg);
        assert_int_equal(out.len, len);
        assert_memory_equal(out.data, in, len);
        blob_free(&out);
        free(z);
    }
    free(in);
}

static void truncation_is_told_at_every_length(void **state)
{
    size_t len = 3000, packed_len;
    u8 *in = sample(len);
    for (unsigned i = 0; i < ARRAY_LEN(packed); i++) {
        u8 *z = pack(packed[i], in, len, &packed_len);
        for (size_t cut = 6; cut < packed_len; cut += cut < 40 || cut > packed_len - 40 ? 1 : 97) {
            struct blob src = blob_of(z, cut), out;
            assert_refused(boot_decompress(&src, packed[i], GIB, &out, &e), "truncated");
            assert_null(out.heap);
        }
        free(z);
    }
    free(in);
}

static void unpacking_stops_at_the_cap(void **state)
{
    size_t len = 4 << 20, packed_len;
    u8 *in = calloc(1, len);
    for (unsigned i = 0; i < ARRAY_LEN(packed); i++) {
        u8 *z = pack(packed[i], in, len, &packed_len);
        struct blob src = blob_of(z, packed_len), out;
        assert_refused(boot_decompress(&src, packed[i], 1 << 20, &out, &e), "limit for a kernel");
        assert_true(boot_decompress(&src, packed[i], len, &out, &e)); /* exactly full is fine */
        assert_int_equal(out.len, len);
        blob_free(&out);
        free(z);
    }
    free(in);
}

static void damaged_streams_are_refused(void **state)
{
    size_t len = 20000, packed_len;
    u8 *in = sample(len);
    u64 s = 99;
    for (unsigned i = 0; i < ARRAY_LEN(packed); i++)
        for (unsigned round = 0; round < 60; round++) {
            u8 *z = pack(packed[i], in, len, &packed_len);
            for (unsigned k = 0; k < 4; k++)
                z[6 + rng_next(&s) % (packed_len - 6)] ^= (u8)(1 + rng_next(&s) % 255);
            struct blob src = blob_of(z, packed_len), out;
            if (boot_decompress(&src, packed[i], GIB, &out, &e))
                blob_free(&out); /* lz4 without checksum may not notice */
            else
                assert_int_equal(e.code, ERR_FORMAT);
            free(z);
        }
    free(in);
}

static void layers_unpack_to_the_end(void **state)
{
    u8 *image = mk_image(9000, 0, 12288, 2);
    size_t a_len, b_len;
    u8 *a = pack(BOOT_ZSTD, image, 9000, &a_len), *b = pack(BOOT_GZIP, a, a_len, &b_len);
    struct blob src = blob_of(b, b_len), out;
    char how[96];
    assert_true(boot_unpack(&src, GIB, &out, how, &e));
    assert_int_equal(out.len, 9000);
    assert_non_null(strstr(how, "gzip"));
    blob_free(&out);
    free(a);
    free(b);
    free(image);
}

static void layers_without_end_are_refused(void **state)
{
    u8 *p = malloc(100);
    size_t len = 100;
    char how[96];
    struct blob out;
    memset(p, 1, 100);
    for (unsigned i = 0; i < BOOT_LAYERS_MAX + 1; i++) {
        u8 *q = pack(BOOT_GZIP, p, len, &len);
        free(p);
        p = q;
    }
    struct blob src = blob_of(p, len);
    assert_refused(boot_unpack(&src, GIB, &out, how, &e), "packed more than");
    free(p);
}

static void zboot_payload_is_found_and_bounded(void **state)
{
    u8 *image = mk_image(9000, 0, 12288, 2);
    size_t n;
    u8 *z = pack(BOOT_GZIP, image, 9000, &n), *pe = calloc(1, 512 + n);
    char how[96];
    struct blob out;
    memcpy(pe, "MZ\0\0zimg", 8);
    st32(pe + 8, 512);
    st32(pe + 12, (u32)n);
    memcpy(pe + 24, "gzip", 4);
    memcpy(pe + 512, z, n);
    struct blob src = blob_of(pe, 512 + n);
    assert_true(boot_unpack(&src, GIB, &out, how, &e));
    assert_int_equal(out.len, 9000);
    assert_non_null(strstr(how, "zboot"));
    blob_free(&out);
    st32(pe + 12, 0xffffffff);
    assert_refused(boot_unpack(&src, GIB, &out, how, &e), "does not fit");
    st32(pe + 8, 0xffffffff);
    assert_refused(boot_unpack(&src, GIB, &out, how, &e), "does not fit");
    st32(pe + 8, 512);
    st32(pe + 12, (u32)n);
    memset(pe + 512, 'A', n);
    assert_refused(boot_unpack(&src, GIB, &out, how, &e), "labelled gzip but is not");
    memcpy(pe + 24, "rar\x1b", 4);
    assert_refused(boot_unpack(&src, GIB, &out, how, &e), "\"rar?\"");
    for (size_t len = 6; len < 64; len++) {
        struct blob part = blob_of(pe, len);
        (void)!boot_unpack(&part, GIB, &out, how, &e);
    }
    free(pe);
    free(z);
    free(image);
}

/* ---- Image ---- */

static void image_fields_are_read(void **state)
{
    u8 *p = mk_image(4096, 0x80000, 0x200000, 1 << 1 | 1 << 3);
    struct blob in = blob_of(p, 4096);
    struct boot_image im;
    assert_true(boot_image_parse(&in, &im, &e));
    assert_int_equal(im.text_offset, 0x80000);
    assert_int_equal(im.image_size, 0x200000);
    assert_int_equal(im.page_kib, 4);
    assert_true(im.anywhere);
    st64(p + 24, 3 << 1);
    assert_true(boot_image_parse(&in, &im, &e));
    assert_int_equal(im.page_kib, 64);
    free(p);
}

static void image_without_size_keeps_the_old_offset_and_room(void **state)
{
    u8 *p = mk_image(4096, 0x1234, 0, 0);
    struct blob in = blob_of(p, 4096);
    struct boot_image im;
    assert_true(boot_image_parse(&in, &im, &e));
    assert_int_equal(im.text_offset, 0x80000);
    assert_true(im.image_size > 4096);
    free(p);
}

static void odd_images_are_refused(void **state)
{
    u8 *p = mk_image(4096, 0, 8192, 1);
    struct blob in = blob_of(p, 4096);
    struct boot_image im;
    assert_refused(boot_image_parse(&in, &im, &e), "big-endian");
    st64(p + 24, 0);
    st64(p + 16, ~0ULL);
    assert_refused(boot_image_parse(&in, &im, &e), "image_size");
    st64(p + 16, 8192);
    st64(p + 8, ~0ULL);
    assert_refused(boot_image_parse(&in, &im, &e), "text_offset");
    in.len = 63;
    assert_refused(boot_image_parse(&in, &im, &e), "63 bytes");
    free(p);
}

static void image_version_is_found_behind_format_strings(void **state)
{
    u8 *p = mk_image(4096, 0, 8192, 0);
    struct blob in = blob_of(p, 4096);
    char v[80];
    strcpy((char *)p + 1000, "Linux version %s");
    strcpy((char *)p + 2000, "Linux version 6.1.0-18-arm64 (x@y)");
    boot_image_version(&in, v);
    assert_string_equal(v, "6.1.0-18-arm64");
    memset(p + 2000, 'x', 2096);
    boot_image_version(&in, v);
    assert_string_equal(v, "");
    in.len = 10;
    boot_image_version(&in, v);
    assert_string_equal(v, "");
    free(p);
}

/* ---- ELF ---- */

static void elf_segments_and_entry(void **state)
{
    struct mk_ph ph[] = {{PT_LOAD, 0x40080000, 0x40080000, 0x1000, 0x100, 0x200},
                         {PT_NOTE, 0, 0, 0, 0, 0},
                         {PT_LOAD, 0xffff000040100000, 0x40100000, 0x1100, 0x40, 0x4000}};
    u8 *p = mk_elf(0x2000, EM_AARCH64, 0x40080010, ph, 3);
    struct blob in = blob_of(p, 0x2000);
    struct boot_elf elf;
    if (!boot_elf_parse(&in, &elf, &e))
        fail_msg("%s", e.msg);
    assert_int_equal(elf.seg_count, 2);
    assert_int_equal(elf.entry, 0x40080010);
    assert_false(elf.entry_virtual);
    st64(p + offsetof(Elf64_Ehdr, e_entry), 0xffff000040100020);
    assert_true(boot_elf_parse(&in, &elf, &e));
    assert_int_equal(elf.entry, 0x40100020);
    assert_true(elf.entry_virtual);
    st64(p + offsetof(Elf64_Ehdr, e_entry), 0x40080000 + 0x1fd); /* the last word sticks out */
    assert_refused(boot_elf_parse(&in, &elf, &e), "lies in no PT_LOAD");
    free(p);
}

static void elf_without_physical_addresses_uses_virtual_ones(void **state)
{
    struct mk_ph ph[] = {{PT_LOAD, 0x40080000, 0, 0x1000, 0x100, 0x200}};
    u8 *p = mk_elf(0x2000, EM_AARCH64, 0x40080000, ph, 1);
    struct blob in = blob_of(p, 0x2000);
    struct boot_elf elf;
    assert_true(boot_elf_parse(&in, &elf, &e));
    assert_true(elf.paddr_from_va);
    assert_int_equal(elf.seg[0].gpa, 0x40080000);
    free(p);
}

static void vmlinux_is_recognised_by_its_image_header(void **state)
{
    const u64 va = 0xffff800080000000;
    struct mk_ph ph[] = {{PT_LOAD, va, va, 0x1000, 0x800, 0x1000},
                         {PT_LOAD, va + 0x10000, va + 0x10000, 0x1800, 0x100, 0x9000}};
    u8 *p = mk_elf(0x2000, EM_AARCH64, va, ph, 2), *im = mk_image(64, 0, 0x11000, 2);
    struct boot_elf elf;
    memcpy(p + 0x1000, im, 64);
    struct blob in = blob_of(p, 0x2000);
    assert_true(boot_elf_parse(&in, &elf, &e));
    assert_true(elf.is_linux);
    assert_int_equal(elf.seg[1].gpa, 0x10000);
    assert_int_equal(elf.image.image_size, 0x19000);
    free(p);
    free(im);
}

static void bad_elf_files_are_refused_by_name(void **state)
{
    struct mk_ph good = {PT_LOAD, 0x40080000, 0x40080000, 0x1000, 0x100, 0x200};
    struct { const char *want; u16 machine; struct mk_ph ph[2]; unsigned n; } cases[] = {
        {"x86-64", EM_X86_64, {good}, 1},
        {"RISC-V", EM_RISCV, {good}, 1},
        {"machine 999", 999, {good}, 1},
        {"without program headers", EM_AARCH64, {good}, 0},
        {"without a PT_LOAD", EM_AARCH64, {{PT_NOTE, 0, 0, 0, 0, 0}}, 1},
        {"asks for an interpreter", EM_AARCH64, {{PT_INTERP, 0, 0, 0, 1, 1}}, 1},
        {"truncated", EM_AARCH64, {{PT_LOAD, 0x40080000, 0x40080000, 0x1000, 0x1001, 0x2000}}, 1},
        {"truncated", EM_AARCH64, {{PT_LOAD, 0x40080000, 0x40080000, ~0ULL, 0x10, 0x20}}, 1},
        {"p_memsz", EM_AARCH64, {{PT_LOAD, 0x40080000, 0x40080000, 0x1000, 0x100, 0x80}}, 1},
        {"wraps", EM_AARCH64, {{PT_LOAD, 0x40080000, ~0xfffULL, 0x1000, 0x100, 0x2000}}, 1},
        {"overlaps PT_LOAD 1", EM_AARCH64, {good, {PT_LOAD, 1, 0x400801ff, 0x1000, 1, 1}}, 2},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        u8 *p = mk_elf(0x2000, cases[i].machine, 0x40080000, cases[i].ph, cases[i].n);
        struct blob in = blob_of(p, 0x2000);
        struct boot_elf elf;
        assert_refused(boot_elf_parse(&in, &elf, &e), cases[i].want);
        free(p);
    }
    u8 *p = mk_elf(0x2000, EM_AARCH64, 0x40080000, &good, 1);
    struct blob in = blob_of(p, 0x2000);
    struct boot_elf elf;
    st16(p + offsetof(Elf64_Ehdr, e_type), ET_REL);
    assert_refused(boot_elf_parse(&in, &elf, &e), "object file");
    p[EI_DATA] = ELFDATA2MSB;
    assert_refused(boot_elf_parse(&in, &elf, &e), "big-endian");
    free(p);
}

static void elf_survives_every_truncation_and_byte(void **state)
{
    struct mk_ph ph[] = {{PT_LOAD, 0x40080000, 0x40080000, 0x1000, 0x100, 0x200},
                         {PT_LOAD, 0x40090000, 0x40090000, 0x1100, 0x100, 0x200}};
    u8 *p = mk_elf(0x1200, EM_AARCH64, 0x40080000, ph, 2), *q = malloc(0x1200);
    struct boot_elf elf;
    u64 s = 5;
    for (u64 len = 4; len < 0x1200; len += 3) {
        struct blob in = blob_of(p, len);
        assert_false(boot_elf_parse(&in, &elf, &e));
    }
    for (unsigned i = 0; i < 20000; i++) {
        memcpy(q, p, 0x1200);
        for (unsigned k = 0; k < 3; k++)
            q[4 + rng_next(&s) % 172] = (u8)rng_next(&s);
        struct blob in = blob_of(q, 0x1200);
        if (boot_elf_parse(&in, &elf, &e))
            for (unsigned k = 0; k < elf.seg_count; k++)
                assert_true(range_ok(elf.seg[k].off, elf.seg[k].file_len, 0x1200));
    }
    free(p);
    free(q);
}

/* ---- symbols ---- */

static const char map_text[] = "ffff800080000000 T _text\n"
                               "ffff800080010000 t do_one_initcall\r\n"
                               "ffff800080010100 T kernel_init\n"
                               "ffff800080010100 t $x\n"
                               "ffff800080200000 D init_task\n";

static void system_map_is_searched_both_ways(void **state)
{
    u64 off;
    struct symtab *t = symtab_load(map_text, sizeof map_text - 1, "System.map", &e);
    assert_non_null(t);
    assert_int_equal(symtab_count(t), 4);
    assert_string_equal(symtab_by_addr(t, 0xffff800080010123, &off)->name, "kernel_init");
    assert_int_equal(off, 0x23);
    assert_string_equal(symtab_by_addr(t, 0xffff8000800100ff, &off)->name, "do_one_initcall");
    assert_null(symtab_by_addr(t, 0x1000, &off));
    assert_null(symtab_by_addr(t, 0xffff900000000000, &off));
    assert_int_equal(symtab_by_name(t, "init_task")->addr, 0xffff800080200000);
    assert_null(symtab_by_name(t, "nobody"));
    symtab_free(t);
    assert_null(symtab_load("hello\n", 6, "x", &e));
    assert_non_null(strstr(e.msg, "x:1:"));
}

/// A file with .symtab and .strtab at fixed places.
static u8 *symbol_file(u64 *len)
{
    struct mk_ph none[1];
    u8 *p = mk_elf(0x1000, EM_AARCH64, 0, none, 0);
    static const char names[] = "\0start\0table\0$x\0late";
    Elf64_Sym syms[] = {{0}, {1, STT_FUNC, 0, 1, 0x40080000, 0x40}, {7, STT_OBJECT, 0, 1, 0x40090000, 0x80},
                        {13, STT_NOTYPE, 0, 1, 0x40080000, 0}, {16, STT_NOTYPE, 0, 1, 0x400a0000, 0},
                        {0xffffff, STT_FUNC, 0, 1, 0x40080010, 8}};
    Elf64_Shdr sh[3] = {{0},
                        {.sh_type = SHT_SYMTAB, .sh_link = 2, .sh_offset = 0x400, .sh_size = sizeof syms},
                        {.sh_type = SHT_STRTAB, .sh_offset = 0x600, .sh_size = sizeof names}};
    memcpy(p + 0x400, syms, sizeof syms);
    memcpy(p + 0x600, names, sizeof names);
    memcpy(p + 0x800, sh, sizeof sh);
    st64(p + offsetof(Elf64_Ehdr, e_shoff), 0x800);
    st16(p + offsetof(Elf64_Ehdr, e_shentsize), sizeof sh[0]);
    st16(p + offsetof(Elf64_Ehdr, e_shnum), 3);
    *len = 0x1000;
    return p;
}

static void elf_symbols_are_searched_both_ways(void **state)
{
    u64 len, off;
    u8 *p = symbol_file(&len);
    struct symtab *t = symtab_load(p, len, "k.elf", &e);
    assert_int_equal(symtab_count(t), 3);
    assert_string_equal(symtab_by_addr(t, 0x4008003f, &off)->name, "start");
    assert_null(symtab_by_addr(t, 0x40080040, &off)); /* past its size */
    assert_string_equal(symtab_by_addr(t, 0x400a1000, &off)->name, "late");
    assert_int_equal(symtab_by_name(t, "table")->type, 'D');
    symtab_free(t);
    free(p);
}

static void hostile_symbol_files_stay_in_bounds(void **state)
{
    u64 len, s = 3, off;
    u8 *p = symbol_file(&len);
    for (unsigned i = 0; i < 5000; i++) {
        u8 *q = malloc(len); /* exact size: a sanitizer sees any step outside */
        memcpy(q, p, len);
        for (unsigned k = 0; k < 4; k++) {
            u64 at = rng_next(&s) & 1 ? 0x800 + rng_next(&s) % 192 : rng_next(&s) % 64;
            q[at < 4 ? 40 : at] = (u8)rng_next(&s);
        }
        struct symtab *t = symtab_load(q, rng_next(&s) & 1 ? len : 0x800 + rng_next(&s) % 0x100, "q", &e);
        for (u64 k = 0; k < symtab_count(t); k++)
            (void)strlen(symtab_at(t, k)->name);
        symtab_by_addr(t, 0x40080000, &off);
        symtab_free(t);
        free(q);
    }
    free(p);
}

/* ---- detection ---- */

static void short_and_foreign_files_are_named(void **state)
{
    const char *name;
    u8 buf[1024] = {0};
    assert_int_equal(boot_detect(buf, 0, &name), BOOT_EMPTY);
    for (u64 len = 1; len < sizeof buf; len++)
        boot_detect(buf, len, &name);
    memcpy(buf + 0x202, "HdrS", 4);
    assert_int_equal(boot_detect(buf, 1024, &name), BOOT_FOREIGN);
    assert_string_equal(name, "x86 Linux bzImage");
    assert_int_equal(boot_detect("hello\n", 6, &name), BOOT_TEXT);
    assert_int_equal(boot_detect("070701....", 10, &name), BOOT_CPIO);
    memset(buf, 0, sizeof buf);
    memcpy(buf + 512, "EFI PART", 8);
    assert_int_equal(boot_detect(buf, 1024, &name), BOOT_DISK);
    assert_int_equal(boot_detect("MZ......", 8, &name), BOOT_EFI);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packing_round_trips),
        cmocka_unit_test(truncation_is_told_at_every_length),
        cmocka_unit_test(unpacking_stops_at_the_cap),
        cmocka_unit_test(damaged_streams_are_refused),
        cmocka_unit_test(layers_unpack_to_the_end),
        cmocka_unit_test(layers_without_end_are_refused),
        cmocka_unit_test(zboot_payload_is_found_and_bounded),
        cmocka_unit_test(image_fields_are_read),
        cmocka_unit_test(image_without_size_keeps_the_old_offset_and_room),
        cmocka_unit_test(odd_images_are_refused),
        cmocka_unit_test(image_version_is_found_behind_format_strings),
        cmocka_unit_test(elf_segments_and_entry),
        cmocka_unit_test(elf_without_physical_addresses_uses_virtual_ones),
        cmocka_unit_test(vmlinux_is_recognised_by_its_image_header),
        cmocka_unit_test(bad_elf_files_are_refused_by_name),
        cmocka_unit_test(elf_survives_every_truncation_and_byte),
        cmocka_unit_test(system_map_is_searched_both_ways),
        cmocka_unit_test(elf_symbols_are_searched_both_ways),
        cmocka_unit_test(hostile_symbol_files_stay_in_bounds),
        cmocka_unit_test(short_and_foreign_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
