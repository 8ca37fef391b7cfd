/// A kernel for the Limine protocol: asks for everything and checks the answers from inside. It shows
/// what a kernel written for that protocol finds when our loader starts it.
#include "kernel.h"

#ifndef REVISION
#define REVISION 3
#endif
#define MAGIC 0xc7b1dd30df4c8b88ULL, 0x0a82e883a194f07bULL
#define ASK __attribute__((section(".data.limine"), used, aligned(8))) static volatile u64

ASK start_marker[4] = {0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9};
#if REVISION > 0
ASK base_revision[3] = {0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, REVISION};
#endif
static u64 entered_here;
_Noreturn void other_entry(void);
ASK ask_info[6] = {MAGIC, 0xf55038d8e2a1202f, 0x279426fcf5f59740};
ASK ask_hhdm[6] = {MAGIC, 0x48dcf1cb8ad2b852, 0x63984e959a98244b};
ASK ask_map[6] = {MAGIC, 0x67cf3d9d378a806f, 0xe304acdfc50c3c62};
ASK ask_address[6] = {MAGIC, 0x71ba76863cc55f63, 0xb2644a48c516a487};
ASK ask_cmdline[6] = {MAGIC, 0x4b161536e598651e, 0xb390ad4a2f1f303a};
ASK ask_file[6] = {MAGIC, 0xad97e90e83f1ed67, 0x31eb5d1c5ff23b69};
ASK ask_modules[6] = {MAGIC, 0x3e7e279702be32af, 0xca1c4f3bd1280cee};
ASK ask_stack[7] = {MAGIC, 0x224ef0460a8e8926, 0xe1cb0fc25f46ea3d, 0, 0, 131072};
ASK ask_firmware[6] = {MAGIC, 0x8c2f75d90bef28a8, 0x7045a4688eac00c3};
ASK ask_unknown[7] = {MAGIC, 0x1234567812345678, 0x8765432187654321, 0, 0, 0};
__attribute__((section(".data.limine"), used, aligned(8))) static volatile struct {
    u64 id[4], revision, response;
    void (*entry)(void);
} ask_entry = {{MAGIC, 0x13d86c035a1cd3e1, 0x2b0caa89d8f3026a}, 0, 0, other_entry};
ASK end_marker[2] = {0xadc0e0531bb10d03, 0x9572709f31764c62};

static u64 offset;
static u32 passed, total;

static void put(char c)
{
#if defined(__aarch64__)
    *(volatile u32 *)(uintptr_t)(offset + 0x9000000) = (u8)c;
#else
    __asm__ volatile("outb %0, %1" ::"a"(c), "Nd"((u16)0x3F8));
#endif
}

static void say(const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    br_vfmt(text, sizeof text, fmt, ap);
    va_end(ap);
    for (const char *s = text; *s; s++)
        put(*s);
}

static void check(const char *name, bool ok)
{
    total++;
    passed += ok;
    say("limine: %-20s %s\r\n", name, ok ? "ok" : "FAIL");
}

static const u64 *answer(volatile u64 *request) { return (const u64 *)(uintptr_t)request[5]; }
static const char *text_at(u64 v) { return (const char *)(uintptr_t)v; }

static bool map_is_sound(const u64 *r, u64 kernel_phys)
{
    u64 end = 0, usable = 0;
    bool kernel = false;
    for (u64 i = 0; r && i < r[1]; i++) {
        const u64 *e = (const u64 *)(uintptr_t)((const u64 *)(uintptr_t)r[2])[i];
        if (e[0] < end || !e[1] || e[2] > 8)
            return false;
        end = e[0] + e[1];
        usable += e[2] == 0 ? e[1] : 0;
        kernel = kernel || (e[2] == 6 && kernel_phys >= e[0] && kernel_phys < end);
    }
    return kernel && usable > 16u << 20;
}

#if REVISION == 0
static bool identity_holds(u64 kernel_phys)
{
    const volatile u64 *low = (const volatile u64 *)(uintptr_t)kernel_phys;
    return *low == *(const volatile u64 *)(uintptr_t)(kernel_phys + offset);
}
#endif

_Noreturn void other_entry(void)
{
    entered_here = 1;
    offset = answer(ask_hhdm) ? answer(ask_hhdm)[1] : 0;
    const u64 *a = answer(ask_address), *info = answer(ask_info), *file = answer(ask_file);
    const u64 *modules = answer(ask_modules), *cmd = answer(ask_cmdline);
    u64 stack_mark = 0;
    say("\r\nlimine: entered, base revision %u\r\n", REVISION);
#if REVISION > 0
    check("revision accepted", base_revision[2] == 0 && base_revision[1] == REVISION);
#else
    check("identity map", a && identity_holds(a[1]));
#endif
    check("loader named", info && br_streq(text_at(info[1]), "bruin loader"));
    check("address", a && a[2] == (u64)(uintptr_t)__image_start);
    check("memory map", a && map_is_sound(answer(ask_map), a[1]));
    check("command line", cmd && br_streq(text_at(cmd[1]), "hello limine"));
    const u64 *self = file ? (const u64 *)(uintptr_t)file[1] : NULL;
    check("kernel file", self && !memcmp(text_at(self[1]), "\177ELF", 4) && self[2] > 4096);
    const u64 *m = modules ? (const u64 *)(uintptr_t)*(const u64 *)(uintptr_t)modules[2] : NULL;
    check("module", m && modules[1] == 1 && m[2] == 10 && !memcmp(text_at(m[1]), "module one", 10));
    check("stack in direct map", (u64)(uintptr_t)&stack_mark > offset);
    check("stack size answered", answer(ask_stack) != NULL);
    check("firmware", answer(ask_firmware) && answer(ask_firmware)[1] == 2);
    check("unknown left alone", answer(ask_unknown) == NULL);
    say("LIMINE %s %u/%u\r\n", passed == total ? "PASS" : "FAIL", passed, total);
    for (;;)
        ;
}

/// Must not run: the entry point request names another place.
_Noreturn void _start(void)
{
    for (;;)
        ;
}
