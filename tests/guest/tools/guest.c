// A program that does what its command line says, for tests of `bruin test`, semihosting and exit codes (tests/guest/tools.py).
#include <stdint.h>

#define UART ((volatile uint32_t *)0x09000000)
#define CHECK(ok) do { if (!(ok)) failed(__LINE__); } while (0)

long semihost(long op, const void *arg); // start.S
void power_off(void);
void reset(void);

static char command[256];

static void put(const char *s)
{
    for (; *s; s++)
        *UART = (unsigned char)*s;
}
static void put_number(long n)
{
    char buf[24], *p = buf + 23;
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while (n /= 10);
    put(p);
}
static void quit(long reason, long code)
{
    long block[2] = {reason, code};
    semihost(0x20, block);
}
static void failed(int line)
{
    put("line ");
    put_number(line);
    put("\n");
    quit(0x20026, 99);
}
/// The words behind the program's own name.
static const char *words(void)
{
    const char *c = command;
    while (*c && *c != ' ')
        c++;
    return *c ? c + 1 : c;
}
static int is(const char *word)
{
    const char *c = words();
    while (*word && *c == *word)
        c++, word++;
    return *word == 0 && (*c == ' ' || *c == 0);
}
static long number(void)
{
    const char *c = words();
    long n = 0;
    while (*c && *c != ' ')
        c++;
    while (*c == ' ')
        c++;
    for (; *c >= '0' && *c <= '9'; c++)
        n = 10 * n + *c - '0';
    return n;
}
static uint64_t now(void)
{
    uint64_t t;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(t));
    return t;
}

static long open(const char *name, long mode)
{
    long n = 0;
    while (name[n])
        n++;
    long block[3] = {(long)name, mode, n};
    return semihost(0x01, block);
}
static long call(long op, long a, long b, long c)
{
    long block[3] = {a, b, c};
    return semihost(op, block);
}

/// Every call, with what it must return.
static void files(void)
{
    static const char text[] = "written\n";
    unsigned char buf[16];
    long in = open(":tt", 0), out = open(":tt", 4), err = open(":tt", 8), f = open(":semihosting-features", 0);
    CHECK(in > 0 && out > 0 && err > 0 && f > 0 && in != out && out != err);
    CHECK(open("/etc/passwd", 0) == -1 && semihost(0x13, 0) == 2);
    CHECK(open(":tt", 12) == -1 && semihost(0x13, 0) == 22);
    CHECK(call(0x05, out, (long)text, 8) == 0 && call(0x05, err, (long)text, 8) == 0);
    CHECK(call(0x05, in, (long)text, 8) == 8 && semihost(0x13, 0) == 9);
    CHECK(call(0x06, in, (long)buf, 16) == 16); /* at its end */
    CHECK(call(0x06, out, (long)buf, 16) == 16 && semihost(0x13, 0) == 9);
    CHECK(call(0x06, f, (long)buf, 16) == 11 && buf[0] == 'S' && buf[1] == 'H' && buf[2] == 'F' && buf[3] == 'B' && buf[4] == 3);
    CHECK(call(0x06, f, (long)buf, 1) == 1);
    CHECK(call(0x0a, f, 4, 0) == 0 && call(0x06, f, (long)buf, 1) == 0 && buf[0] == 3);
    CHECK(call(0x0a, f, 6, 0) == -1 && call(0x0a, out, 0, 0) == -1);
    CHECK(call(0x09, out, 0, 0) == 1 && call(0x09, f, 0, 0) == 0 && call(0x09, 77, 0, 0) == -1);
    CHECK(call(0x0c, f, 0, 0) == 5 && call(0x0c, out, 0, 0) == 0);
    CHECK(call(0x08, -5, 0, 0) != 0 && call(0x08, 5, 0, 0) == 0);
    CHECK(call(0x02, out, 0, 0) == 0 && call(0x02, 0, 0, 0) == -1 && semihost(0x13, 0) == 9);
    long heap[4] = {1, 1, 1, 1};
    CHECK(call(0x16, (long)heap, 0, 0) == 0 && heap[0] == 0 && heap[3] == 0);
    CHECK(call(0x12, 0, 0, 0) == -1 && call(0x0e, 0, 0, 0) == -1 && call(0x0f, 0, 0, 0) == -1);
    CHECK(semihost(0x07, 0) == -1);                       /* READC, at the end of the input */
    CHECK(semihost(0x11, 0) > 1500000000);                /* TIME */
    long first = semihost(0x10, 0), rate = semihost(0x31, 0);
    uint64_t a = 0, b = 0;
    CHECK(semihost(0x30, &a) == 0);
    while (semihost(0x10, 0) < first + 3) /* CLOCK: hundredths */
        ;
    CHECK(semihost(0x30, &b) == 0 && rate > 0 && b - a >= (uint64_t)rate / 50);
    CHECK(semihost(0x99, 0) == -1);
    semihost(0x04, "write0\n");
    semihost(0x03, "c");
    semihost(0x03, "\n");
}

/// Pointers and lengths that lie: an error, and nothing else.
static void hostile(void)
{
    static const long bad[] = {0, -1, 0x30000000, 0x7fffffffffffffff, (long)0x8000000000000000UL, 0x5ffffffc, 0x09000000};
    static const long ops[] = {0x01, 0x02, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x15, 0x16, 0x30};
    char buf[16];
    for (unsigned k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        for (unsigned n = 0; n < sizeof ops / sizeof ops[0]; n++)
            CHECK(semihost(ops[n], (void *)bad[k]) == -1);
        semihost(0x03, (void *)bad[k]);
        CHECK(call(0x01, bad[k], 0, 3) == -1 && call(0x01, (long)":tt", 0, bad[k] == 0 ? -1 : bad[k]) == -1);
        CHECK(call(0x05, 2, bad[k], 8) != 0 && call(0x06, 4, bad[k], 8) >= 4);
        CHECK(call(0x16, bad[k], 0, 0) == -1 && call(0x15, bad[k], 200, 0) == -1);
    }
    CHECK(call(0x05, 2, 0x5ffffff8, 0x7fffffffffffffff) == 0x7fffffffffffffff - 8);
    CHECK(call(0x0a, 4, 0, 0) == 0 && call(0x06, 4, (long)buf, -1) == -1 - 5);
    CHECK(call(0x15, (long)buf, 1, 0) == -1);
}

static void say(void)
{
    if (is("say-ansi"))
        put("\033[1;32mall\033[0m \033]0;title\007ok\033[K\n");
    else if (is("say-cr"))
        put("10%\r50%\rall ok\r\nnext\r\n");
    else if (is("say-both"))
        put("all ok and error\n");
    else if (is("say-first"))
        put("all ok\nerror\n");
    else if (is("say-last"))
        put("error\nall ok\n");
    else if (is("say-end"))
        put("all ok");
    else if (is("say-edit"))
        put("all okx\b \b\n");
    else if (is("say-binary"))
        put("a\001b\033\002 < & > \" ]]> \xc3\xa9 \xff\xfe \xed\xa0\x80 \x7f all ok\n");
    else if (is("say-long"))
        for (int k = 0; k < 12000; k++)
            put("0123456789abcdefghijklmnopqrstuvwxyz all ok\n");
    else if (is("say-wide")) {
        for (int k = 0; k < 900; k++)
            put("0123456789");
        put(" all ok\n");
    }
}

void start_c(void)
{
    long block[2] = {(long)command, sizeof command};
    semihost(0x15, block);
    say();
    if (is("exit"))
        quit(0x20026, number());
    if (is("exit-old")) {
        long old[2] = {0x20026, number()};
        semihost(0x18, old);
    }
    if (is("abort"))
        quit(0x20023, 0);
    if (is("files"))
        files();
    if (is("hostile"))
        hostile();
    if (is("reset"))
        reset();
    if (is("panic"))
        put("Kernel panic - not syncing: test\n");
    if (is("prompt")) {
        put("login: ");
        for (uint64_t start = now(); now() - start < 62500000UL * 20;)
            ;
    }
    if (is("spin"))
        for (uint64_t start = now(); now() - start < 62500000UL * 60;)
            ;
    if (is("null"))
        ((void (*)(void))0)();
    if (is("sleep"))
        for (;;)
            __asm__ volatile("wfi");
    power_off();
}
