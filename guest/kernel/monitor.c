/// A tiny shell on the console: look, touch, break.
#include "kernel.h"

enum { LINE_MAX = 128, WORDS_MAX = 4 };
typedef unsigned long long ull;

struct command {
    char name[12];
    void (*run)(u64 a, u64 b, u32 count);
    char help[64];
};
static void help(u64 a, u64 b, u32 count);

static void map(u64 a, u64 b, u32 count)
{
    const struct bbp_list *l = bbp_find(k.info, BBP_TAG_MEMMAP, NULL);
    for (u32 i = 0; i < l->count; i++) {
        const struct bbp_mem *m = (const void *)((const u8 *)(l + 1) + (u64)i * l->entry_size);
        print("%016llx-%016llx %s\n", (ull)m->base, (ull)(m->base + m->len - 1),
              br_mem_name(m->type));
    }
    print("%llu MiB free\n", (ull)(pmm_free_pages() * PAGE >> 20));
}

static void regs(u64 a, u64 b, u32 count) { arch_print_state(); }

static void peek(u64 addr, u64 n, u32 count)
{
    n = count < 3 ? 4 : n > 64 ? 64 : n;
    for (u64 i = 0; i < n; i++) {
        u32 v;
        if (i % 4 == 0)
            print("%s%016llx:", i ? "\n" : "", (ull)(addr + i * 4));
        if (!probe_read32(addr + i * 4, &v)) {
            print(" fault\n");
            return;
        }
        print(" %08x", v);
    }
    print("\n");
}

static void poke(u64 addr, u64 v, u32 count)
{
    print(probe_write32(addr, (u32)v) ? "written\n" : "fault\n");
}

static void walk(u64 addr, u64 b, u32 count) { vm_dump(addr); }

static void tags(u64 a, u64 b, u32 count)
{
    const struct bbp_tag *t = (const void *)((const u8 *)k.info + k.info->tag_off);
    for (u32 i = 0; i < k.info->tag_count; i++)
        print("tag %u at +0x%x, %u bytes\n", t[i].type, t[i].off, t[i].len);
}

static void loader_log(u64 a, u64 b, u32 count)
{
    const char *log = bbp_find(k.info, BBP_TAG_LOG, NULL);
    console_write(log ? log : "none\n");
}

static void ticks(u64 a, u64 b, u32 count)
{
    print("%llu timer interrupts, counter %llu at %llu Hz\n", (ull)timer_ticks, (ull)arch_ticks(),
          (ull)arch_tick_hz());
}

static void name(u64 addr, u64 b, u32 count)
{
    print_address(addr);
    print("\n");
}

static void fault(u64 kind, u64 b, u32 count)
{
    if (kind == 0)
        *(volatile u32 *)(uintptr_t)8 = 1;
    else if (kind == 1)
        ((void (*)(void))(uintptr_t)0x10)();
    else if (kind == 2)
        *(volatile u32 *)(uintptr_t)__text_start = 0;
    else if (kind == 3)
        arch_overflow_stack();
    else
        arch_breakpoint();
}

static void test(u64 a, u64 b, u32 count) { selftest(); }
static void off(u64 a, u64 b, u32 count) { power_off(); }
static void reset(u64 a, u64 b, u32 count) { arch_reset(); }

static const struct command commands[] = {
    {"help", help, "this list"},
    {"map", map, "the memory map"},
    {"regs", regs, "system registers"},
    {"peek", peek, "ADDR [N]: read N words"},
    {"poke", poke, "ADDR VALUE: write a word"},
    {"walk", walk, "ADDR: what the page tables say"},
    {"name", name, "ADDR: the symbol there"},
    {"tags", tags, "the boot block's tags"},
    {"log", loader_log, "what the loader said"},
    {"ticks", ticks, "timer interrupts and counter"},
    {"fault", fault, "0 null 1 jump 2 write text 3 stack 4 breakpoint"},
    {"selftest", test, "run the self-test"},
    {"off", off, "power off"},
    {"reset", reset, "reset the machine"},
};

static void help(u64 a, u64 b, u32 count)
{
    for (u32 i = 0; i < ARRAY_LEN(commands); i++)
        print("%-9s %s\n", commands[i].name, commands[i].help);
}

static u32 read_line(char *line)
{
    u32 n = 0;
    for (;;) {
        int c = console_poll();
        if (c < 0) {
            arch_idle();
        } else if (c == '\r' || c == '\n') {
            console_char('\n');
            line[n] = 0;
            return n;
        } else if ((c == 8 || c == 127) && n) {
            n--;
            console_write("\b \b");
        } else if (c >= ' ' && c < 127 && n < LINE_MAX - 1) {
            line[n++] = (char)c;
            console_char((char)c);
        }
    }
}

static void execute(char *line)
{
    char *word[WORDS_MAX] = {0};
    u64 value[WORDS_MAX] = {0};
    u32 n = 0;
    for (char *s = line; *s && n < WORDS_MAX;) {
        while (*s == ' ')
            *s++ = 0;
        if (*s)
            word[n++] = s;
        while (*s && *s != ' ')
            s++;
    }
    for (u32 i = 1; i < n; i++)
        if (!br_number(word[i], br_strlen(word[i]), &value[i])) {
            print("\"%s\" is no number; use 0x for hexadecimal\n", word[i]);
            return;
        }
    for (u32 i = 0; n && i < ARRAY_LEN(commands); i++)
        if (br_streq(commands[i].name, word[0])) {
            commands[i].run(value[1], value[2], n);
            return;
        }
    if (n)
        print("unknown: %s; try help\n", word[0]);
}

_Noreturn void monitor(void)
{
    char line[LINE_MAX];
    print("monitor: type help\n");
    for (;;) {
        print("> ");
        read_line(line);
        execute(line);
    }
}
