/// Linux guests: the printk ring found by a scan of guest memory, and what panics mean. The ring is that of
/// kernels since 5.10: blocks of {unsigned long id; text}, 8-byte aligned, with ids that count up.
#include "debug/priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_MAX = 4096, ID_SKIP_MAX = 8, LINES_MAX = 4096 };

static const char panic_mark[] = "Kernel panic - not syncing: ";
/// How an oops begins, in the order of its lines.
static const char *const oops_marks[] = {"Unable to handle kernel", "kernel BUG at", "Unexpected kernel BRK", "Insufficient stack space", "Internal error:"};
static const char boot_mark[] = "Booting Linux on physical CPU";

/// A mark in the text of a ring block: 8-byte aligned, an id in front, and no format string.
static const u8 *find_block(const u8 *p, u64 len, const char *mark)
{
    size_t n = strlen(mark);
    u64 begin = ld64(mark); /* marks are longer, and aligned: one comparison for eight bytes */
    for (u64 off = 8; off + n <= len; off += 8) {
        const u8 *at = p + off;
        if (LIKELY(ld64(at) != begin) || memcmp(at, mark, n) != 0)
            continue;
        bool format = memchr(at, '%', n + 16 < len - off ? n + 16 : len - off) != NULL;
        if (!format && ld64(at - 8) != 0)
            return at - 8;
    }
    return NULL;
}

/// The block after this one. ret  NULL at the newest
static const u8 *next_block(const u8 *b, const u8 *end)
{
    u64 id = ld64(b);
    for (const u8 *p = b + 8; p + 8 < end && p < b + BLOCK_MAX; p += 8)
        if (ld64(p) - id - 1 < ID_SKIP_MAX)
            return p;
    return NULL;
}

/// The kernel's own memory, where the ring is unless log_buf_len moved it.
static const u8 *kernel_bytes(struct explain *x, u64 *len)
{
    *len = x->plan.image.image_size;
    const u8 *p = x->has_plan ? mem_host(machine_mem(x->m), x->plan.load_base, *len) : NULL;
    return p;
}

/// The ring starts with the record of the boot CPU and is seldom longer than this.
#define RING_REACH (2 * MIB)

bool linux_has_panic(struct explain *x, bool thorough)
{
    u64 len;
    const u8 *p = kernel_bytes(x, &len), *b;
    if (p == NULL)
        return false;
    if (x->ring == 0 && (b = find_block(p, len, boot_mark)) != NULL)
        x->ring = (u64)(b - p) + 1;
    if (x->ring) {
        u64 at = x->ring - 1, room = len - at < RING_REACH ? len - at : RING_REACH;
        if (find_block(p + at, room, panic_mark))
            return true;
    }
    return thorough && find_block(p, len, panic_mark);
}

static void add_line(char **lines, unsigned n_max, unsigned *n, const u8 *text, size_t len)
{
    len = strnlen((const char *)text, len);
    while (len && text[len - 1] <= ' ')
        len--;
    /* The level in front was cut off by moving the text: two bytes of its end are there twice. */
    if (len >= 4 && memcmp(text + len - 2, text + len - 4, 2) == 0)
        len -= 2;
    if (*n == n_max) {
        free(lines[0]);
        memmove(lines, lines + 1, (n_max - 1) * sizeof *lines);
        --*n;
    }
    char *s = xcalloc(1, len + 1);
    for (size_t i = 0; i < len; i++)
        s[i] = text[i] >= 32 && text[i] < 127 ? (char)text[i] : ' ';
    lines[(*n)++] = s;
}

char *linux_log_tail(struct explain *x, unsigned lines_max)
{
    char *lines[64];
    unsigned n = 0;
    u64 len;
    const u8 *p = kernel_bytes(x, &len), *b;
    if (p == NULL)
        return NULL;
    if (lines_max > ARRAY_LEN(lines))
        lines_max = ARRAY_LEN(lines);
    b = find_block(p, len, boot_mark);
    for (unsigned i = 0; i < ARRAY_LEN(oops_marks) && b == NULL; i++) /* it died before it said that */
        b = find_block(p, len, oops_marks[i]);
    if (b == NULL)
        b = find_block(p, len, panic_mark);
    for (unsigned k = 0; b && k < LINES_MAX; k++) {
        const u8 *next = next_block(b, p + len);
        size_t room = next ? (size_t)(next - b - 8) : 256;
        if (!next && room > (size_t)(p + len - b - 8))
            room = (size_t)(p + len - b - 8);
        add_line(lines, lines_max, &n, b + 8, room);
        b = next;
    }
    if (n == 0)
        return NULL;
    size_t total = 1;
    for (unsigned i = 0; i < n; i++)
        total += strlen(lines[i]) + 1;
    char *out = xcalloc(1, total), *at = out;
    for (unsigned i = 0; i < n; i++) {
        at += sprintf(at, "%s\n", lines[i]);
        free(lines[i]);
    }
    return out;
}

/* ---- what a panic means ---- */

static const struct {
    const char *text, *cause, *fix;
} panics[] = {
    {"Unable to mount root fs", "The kernel found no root file system: there is no initramfs with /init, and root= names no "
     "disk it can read.", "Add -i INITRD, or -d DISK with root=/dev/vda (and rootfstype=, and a kernel with virtio_blk built in)."},
    {"No working init found", "The root file system has no program that can be init.", "Put an executable /init (initramfs) "
     "or /sbin/init there, built for AArch64, or name one with init= or rdinit=; a script needs its interpreter there, too."},
    {"Requested init", "The program named by init= or rdinit= could not be started.", "Name an executable that exists in the "
     "root file system and is built for AArch64."},
    {"Attempted to kill init", "Process 1 ended; the kernel cannot go on without it.", "See what init printed last; a script "
     "must not end, and must have its interpreter and mounts."},
    {"early_init_dt_alloc", "The kernel had no memory left for the device tree.", "Give the guest more with -m, and see that no mem= on the "
     "command line and no /memory of the device tree takes it away."},
    {"ERROR: Failed to allocate", "The kernel had no memory left while booting.", "Give the guest more with -m, and see that no mem= on the "
     "command line and no /memory of the device tree takes it away."},
    {"System is deadlocked on memory", "The kernel ran out of memory.", "Give the guest more with -m."},
    {"Out of memory", "The kernel ran out of memory.", "Give the guest more with -m."},
    {"Failed to allocate", "The kernel ran out of memory while booting.", "Give the guest more with -m."},
    {"Can't allocate", "The kernel ran out of memory while booting.", "Give the guest more with -m."},
    {"memory", "The kernel could not get the memory it needs.", "Give the guest more with -m, or a smaller initrd."},
    {"Asynchronous SError", "A write or read went to an address where nothing answers.", "Compare the driver's addresses with "
     "the device tree (`bruin dtb dump`)."},
    {"Attempted to kill the idle task", "The idle task died: an oops happened before processes exist.", "See the oops above: "
     "its pc, and what it dereferenced."},
    {"Fatal exception", "The kernel died of an exception (oops) in its own code.", "See the oops above: its pc, and what it "
     "dereferenced; --symbols vmlinux names functions."},
    {"Oops", "The kernel died of an oops.", "See the oops above: its pc, and what it dereferenced."},
    {"stack-protector", "A stack buffer overflowed in the function named.", "Fix that function."},
    {"sysrq triggered crash", "Someone asked for a crash through sysrq.", "Nothing is wrong with the kernel."},
};

/// Copies the rest of the line from a mark, without carriage returns. ret  false when the mark is not there
static bool copy_line(const char *log, const char *mark, char *buf, size_t size)
{
    const char *at = strstr(log, mark);
    if (at)
        snprintf(buf, size, "%.*s", (int)strcspn(at, "\r\n"), at);
    return at != NULL;
}

static void PRINTF_LIKE(2, 3) add_cause(struct why *out, const char *fmt, ...)
{
    size_t n = strlen(out->cause);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->cause + n, sizeof out->cause - n, fmt, ap);
    va_end(ap);
}

/// The first oops of the log: what happened and where.
static bool add_oops(struct explain *x, const char *log, struct why *out)
{
    char what[160], pc[120], lr[120], who[96];
    const char *first = NULL, *head = NULL;
    for (unsigned i = 0; i < ARRAY_LEN(oops_marks); i++) {
        const char *at = strstr(log, oops_marks[i]);
        if (at && (first == NULL || at < first))
            first = at, head = oops_marks[i];
    }
    if (first == NULL)
        return false;
    copy_line(first, head, what, sizeof what);
    add_cause(out, " The oops: \"%s\"", what);
    if (strncmp(head, "Internal", 8) && copy_line(first, "Internal error:", who, sizeof who))
        add_cause(out, ", \"%s\"", who);
    if (copy_line(first, "pc : ", pc, sizeof pc))
        add_cause(out, ", in %s", pc + 5);
    if (copy_line(first, "lr : ", lr, sizeof lr))
        add_cause(out, ", called from %s", lr + 5);
    add_cause(out, ".");
    if (strstr(what, "NULL pointer"))
        snprintf(out->fix, sizeof out->fix, "Find why that pointer is NULL in the function named: a driver's private data that was never set, a device "
                                            "tree node that is missing; --symbols vmlinux names lines for gdb.");
    else if (strstr(what, "BRK") || strstr(what, "BUG") || strstr(log, "Oops - BUG"))
        snprintf(out->fix, sizeof out->fix, "It is a BUG() or a trap the compiler put there: read the condition in the function named.");
    for (unsigned i = 0; i < x->cpus; i++) {
        const struct bad_access *b = &x->cpu[i].first_bad;
        if (!b->valid)
            continue;
        const char *board = board_at(b->pa, who, sizeof who);
        add_cause(out, " cpu%u %s PA 0x%llx, where this board has nothing%s%s.", i, b->write ? "wrote to" : "read from", (unsigned long long)b->pa,
                  board ? ": that is " : "", board ? board : "");
        snprintf(out->fix, sizeof out->fix, "Take that address from this board's device tree (`bruin dtb dump`): the one given, or a driver's table, names "
                                            "another.");
        break;
    }
    return true;
}

/// What init ended with: its exit status or signal, as wait() gives it.
static void add_exit_code(const char *log, struct why *out)
{
    static const char *const names[] = {[4] = "SIGILL", [5] = "SIGTRAP", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE", [9] = "SIGKILL", [11] = "SIGSEGV"};
    const char *at = strstr(log, "exitcode=0x");
    unsigned long code = at ? strtoul(at + 11, NULL, 16) : 0, sig = code & 0x7f;
    if (at && sig)
        add_cause(out, " Signal %lu%s%s%s killed it.", sig, sig < ARRAY_LEN(names) && names[sig] ? " (" : "",
                  sig < ARRAY_LEN(names) && names[sig] ? names[sig] : "", sig < ARRAY_LEN(names) && names[sig] ? ")" : "");
    else if (at)
        add_cause(out, " Its exit status is %lu.", code >> 8 & 0xff);
}

/// What the kernel said about the program it tried to start.
static void add_init(const char *log, struct why *out)
{
    static const char *const marks[] = {"Failed to execute ", "Starting init: ", "check access for rdinit="};
    char text[120];
    for (unsigned i = 0; i < ARRAY_LEN(marks); i++)
        if (copy_line(log, marks[i], text, sizeof text)) {
            add_cause(out, " It said: \"%s\"%s.", text, strstr(text, "-8") ? " (-8: no program for AArch64)" : strstr(text, "-13") ? " (-13: not executable)"
                      : strstr(text, "-2") ? " (-2: there is no such file, or its interpreter is missing)" : "");
            return;
        }
}

bool why_panic(struct explain *x, struct why *out)
{
    const char *mark = strstr(x->console, panic_mark), *more, *log = x->console;
    bool seen = mark != NULL, known = false;
    if (!seen) {
        x->log_tail = linux_log_tail(x, 64);
        log = x->log_tail ? x->log_tail : "";
        mark = strstr(log, panic_mark);
    }
    snprintf(out->id, sizeof out->id, "F20");
    snprintf(out->title, sizeof out->title, "%.100s", mark ? mark : "Kernel panic");
    out->title[strcspn(out->title, "\r\n")] = 0;
    snprintf(out->cause, sizeof out->cause, "The kernel stopped itself; its last messages say why.");
    snprintf(out->fix, sizeof out->fix, "See the last messages%s.", x->log_tail ? " below, taken from its log in memory" : "");
    if (strstr(log, "Initramfs unpacking failed") != NULL) {
        snprintf(out->cause, sizeof out->cause, "The initramfs could not be unpacked, so there is no /init.");
        snprintf(out->fix, sizeof out->fix, "Check the -i file (cpio newc, gzip, xz, zstd or lz4 -l), or give more memory with -m.");
        return true;
    }
    for (unsigned i = 0; mark && i < ARRAY_LEN(panics) && !known; i++)
        if ((more = strstr(mark, panics[i].text)) != NULL && more < mark + strcspn(mark, "\n")) {
            snprintf(out->cause, sizeof out->cause, "%s", panics[i].cause);
            snprintf(out->fix, sizeof out->fix, "%s", panics[i].fix);
            known = true;
        }
    const char *conduit = strstr(log, "pc : __arm_smccc_smc+") ? "smc" : strstr(log, "pc : __arm_smccc_hvc+") ? "hvc" : NULL;
    if (conduit) {
        bool smc = conduit[0] == 's';
        snprintf(out->id, sizeof out->id, "F12");
        snprintf(out->cause, sizeof out->cause, "The kernel called PSCI by %s, as `method` in the /psci node of the device tree says, but the conduit of this machine is %s.",
                 conduit, smc ? "hvc: without EL3, SMC is UNDEFINED" : "smc: it has EL2 itself, and HVC goes there");
        snprintf(out->fix, sizeof out->fix, "Set /psci method = \"%s\" in the device tree given (--dtb), or use the board's own.", smc ? "hvc" : "smc");
    }
    bool oops = mark && !conduit && (strstr(mark, "Attempted to kill") || strstr(mark, "Fatal exception") || strstr(mark, "Oops") || !known) && add_oops(x, log, out);
    if (!oops && strstr(out->title, "kill init"))
        add_exit_code(log, out);
    if (strstr(out->title, "init") || strstr(out->title, "root fs"))
        add_init(log, out);
    const char *init = strstr(x->cmdline, "rdinit=");
    if (x->has_plan && x->plan.initrd_len && strstr(out->title, "root fs")) {
        snprintf(out->cause, sizeof out->cause, "The initramfs holds no %.*s%s, so the kernel looked for a disk instead, and found no root file system.",
                 init ? (int)strcspn(init + 7, " ") : 5, init ? init + 7 : "/init", init ? " (rdinit= of the command line)" : "");
        snprintf(out->fix, sizeof out->fix, "Put an executable %.*s into the archive (at its top, not in a folder), or name another with rdinit=; for a "
                                            "disk add -d DISK with root=/dev/vda.", init ? (int)strcspn(init + 7, " ") : 5, init ? init + 7 : "/init");
    }
    const char *mem = strstr(x->cmdline, "mem=");
    if (mem && (mem == x->cmdline || mem[-1] == ' ') && strstr(out->cause, "memory"))
        add_cause(out, " The command line limits it: %.*s.", (int)strcspn(mem, " "), mem);
    return true;
}
