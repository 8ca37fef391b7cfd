/// Uses the firmware's services as applications do and says what each gave. Run with an initrd of the bytes
/// "initrd!" and with --display ramfb.
#include "app.h"

static struct efi_system_table *st;
static u32 bad;

static void check(bool ok, const efi_char *what)
{
    say(st, ok ? u"ok " : u"BAD ");
    say(st, what);
    say(st, u"\r\n");
    bad += !ok;
}
static bool same(const void *a, const void *b, u64 n)
{
    const u8 *x = a, *y = b;
    while (n--)
        if (*x++ != *y++)
            return false;
    return true;
}

static void random_numbers(void)
{
    static const struct efi_guid guid = EFI_GUID_RNG;
    struct efi_rng *rng = NULL;
    u8 a[32] = {0}, b[32] = {0};
    bool ok = st->bs->locate_protocol(&guid, NULL, (void **)&rng) == EFI_SUCCESS;
    check(ok && rng->get_rng(rng, NULL, sizeof a, a) == EFI_SUCCESS && rng->get_rng(rng, NULL, sizeof b, b) == EFI_SUCCESS &&
              !same(a, b, sizeof a),
          u"RNG gives different bytes");
}

static void initrd(void)
{
    static const struct {
        u8 node[4];
        struct efi_guid guid;
        u8 end[4];
    } path = {{4, 3, 20, 0}, EFI_GUID_LINUX_INITRD, {0x7f, 0xff, 4, 0}};
    static const struct efi_guid guid = EFI_GUID_LOAD_FILE2;
    struct efi_device_path *p = (struct efi_device_path *)&path;
    struct efi_load_file2 *l = NULL;
    efi_handle h = NULL;
    u8 buf[16];
    u64 size = 0;
    bool ok = st->bs->locate_device_path(&guid, &p, &h) == EFI_SUCCESS && st->bs->handle_protocol(h, &guid, (void **)&l) == EFI_SUCCESS;
    ok = ok && l->load_file(l, p, 0, &size, NULL) == EFI_BUFFER_TOO_SMALL && size >= 7 && size <= sizeof buf;
    check(ok && l->load_file(l, p, 0, &size, buf) == EFI_SUCCESS && same(buf, "initrd!", 7), u"LoadFile2 gives the initrd");
}

struct memory_attribute {
    efi_status(EFIAPI *get)(struct memory_attribute *, u64 base, u64 len, u64 *attributes);
    efi_status(EFIAPI *set)(struct memory_attribute *, u64 base, u64 len, u64 attributes);
    efi_status(EFIAPI *clear)(struct memory_attribute *, u64 base, u64 len, u64 attributes);
};
/// A page of data becomes code: writable first, then executable, and runs.
static void attributes(void)
{
    static const struct efi_guid guid = {0xf4560cf6, 0x40ec, 0x4b4a, {0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89}};
    enum { RO = 0x20000, XP = 0x4000 };
    extern const u8 answer_start[], answer_end[];
    struct memory_attribute *m = NULL;
    u64 at = 0, now = 0;
    bool ok = st->bs->locate_protocol(&guid, NULL, (void **)&m) == EFI_SUCCESS &&
              st->bs->allocate_pages(EFI_ANY_PAGES, EFI_LOADER_DATA, 1, &at) == EFI_SUCCESS;
    ok = ok && m->get(m, at, 4096, &now) == EFI_SUCCESS;
    check(ok && (now & XP) && !(now & RO), u"MemoryAttribute: data is execute-never");
    if (!ok)
        return;
    for (u64 k = 0; k < (u64)(answer_end - answer_start); k++)
        ((volatile u8 *)(uintptr_t)at)[k] = answer_start[k];
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(at) : "memory");
    ok = m->set(m, at, 4096, RO) == EFI_SUCCESS && m->clear(m, at, 4096, XP) == EFI_SUCCESS &&
         m->get(m, at, 4096, &now) == EFI_SUCCESS;
    check(ok && !(now & XP) && (now & RO) && ((u64(*)(void))(uintptr_t)at)() == 42, u"MemoryAttribute: code runs");
    check(m->set(m, at + 1, 4096, RO) == EFI_INVALID_PARAMETER && m->set(m, 0x1000, 4096, RO) != EFI_SUCCESS,
          u"MemoryAttribute: bad ranges are refused");
}
__asm__(".globl answer_start\n.globl answer_end\nanswer_start: mov x0, #42\n ret\nanswer_end:\n");

static void variables(void)
{
    static const struct efi_guid mine = {0x12345678, 1, 2, {3, 4, 5, 6, 7, 8, 9, 10}};
    struct efi_runtime_services *rt = st->rt;
    u8 buf[8] = {0};
    u64 size = sizeof buf;
    u32 attr = 0;
    bool ok = rt->set_variable(u"Test", &mine, 6, 4, "abcd") == EFI_SUCCESS &&
              rt->set_variable(u"Test", &mine, 6 | 0x40, 2, "ef") == EFI_SUCCESS &&
              rt->get_variable(u"Test", &mine, &attr, &size, buf) == EFI_SUCCESS;
    check(ok && size == 6 && attr == 6 && same(buf, "abcdef", 6), u"variables: set, append, get");
    efi_char name[32] = {0};
    struct efi_guid guid = {0};
    bool seen = false;
    for (u32 k = 0; k < 64; k++) {
        u64 n = sizeof name;
        if (rt->get_next_variable(&n, name, &guid) != EFI_SUCCESS)
            break;
        seen = seen || (same(name, u"Test", 10) && same(&guid, &mine, sizeof mine));
    }
    check(seen, u"variables: enumerated");
    size = sizeof buf;
    check(rt->set_variable(u"Test", &mine, 6, 0, NULL) == EFI_SUCCESS &&
              rt->get_variable(u"Test", &mine, NULL, &size, buf) == EFI_NOT_FOUND,
          u"variables: deleted");
}

static u32 ticks;
static void EFIAPI tick(efi_event e, void *context) { ticks++; }
static void events(void)
{
    enum { TIMER_SIGNAL = 0x80000200, TIMER = 0x80000000, PERIODIC = 1, RELATIVE = 2 };
    efi_event e = NULL, once = NULL;
    u64 index = 9;
    bool ok = st->bs->create_event(TIMER_SIGNAL, 8, (void *)tick, NULL, &e) == EFI_SUCCESS &&
              st->bs->set_timer(e, PERIODIC, 10000) == EFI_SUCCESS;
    ok = ok && st->bs->create_event(TIMER, 8, NULL, NULL, &once) == EFI_SUCCESS;
    for (u32 k = 0; ok && (k == 0 || ticks < 2) && k < 100; k++) /* a host that is busy makes both fire at once */
        ok = st->bs->set_timer(once, RELATIVE, 100000) == EFI_SUCCESS && st->bs->wait_for_event(1, &once, &index) == EFI_SUCCESS;
    check(ok && index == 0 && ticks >= 2, u"events: timers fire while one is waited for");
    st->bs->close_event(e);
    st->bs->close_event(once);
}

struct pixel {
    u8 blue, green, red, reserved;
};
static void graphics(void)
{
    static const struct efi_guid guid = EFI_GUID_GOP;
    struct efi_gop *g = NULL;
    struct efi_gop_info *info = NULL;
    struct pixel red = {0, 0, 255, 0}, back[4];
    u64 size = 0;
    bool ok = st->bs->locate_protocol(&guid, NULL, (void **)&g) == EFI_SUCCESS && g->mode->max_mode >= 2 &&
              g->query_mode(g, 1, &size, &info) == EFI_SUCCESS && g->set_mode(g, 1) == EFI_SUCCESS;
    check(ok && g->mode->info->width == info->width && g->mode->mode == 1, u"graphics: a mode is set");
    if (!ok)
        return;
    efi_status(EFIAPI * blt)(struct efi_gop *, struct pixel *, u32, u64, u64, u64, u64, u64, u64, u64) = g->blt;
    ok = blt(g, &red, 0, 0, 0, 10, 20, 30, 40, 0) == EFI_SUCCESS && blt(g, NULL, 3, 10, 20, 100, 20, 30, 40, 0) == EFI_SUCCESS &&
         blt(g, back, 1, 128, 58, 0, 0, 2, 2, 0) == EFI_SUCCESS;
    check(ok && back[0].red == 255 && back[3].red == 255 && back[3].blue == 0, u"graphics: blt fills, copies, reads back");
    check(blt(g, &red, 0, 0, 0, info->width - 1, 0, 2, 1, 0) == EFI_INVALID_PARAMETER, u"graphics: blt stays on the screen");
}

static void tables(void)
{
    struct efi_table_header h = st->bs->hdr;
    u32 crc = 0, want = h.crc32;
    st->bs->hdr.crc32 = 0;
    bool ok = st->bs->crc32(st->bs, h.header_size, &crc) == EFI_SUCCESS && crc == want;
    st->bs->hdr.crc32 = want;
    check(ok, u"tables: the checksum of boot services");
}

efi_status efi_main(efi_handle image, struct efi_system_table *table)
{
    u64 key = 0;
    st = table;
    tables();
    random_numbers();
    initrd();
    attributes();
    variables();
    events();
    graphics();
    say(st, bad ? u"SERVICES FAIL\r\n" : u"SERVICES PASS\r\n");
    if (get_map(st, &key) != EFI_SUCCESS || st->bs->exit_boot_services(image, key) != EFI_SUCCESS)
        return EFI_ABORTED;
    done();
}
