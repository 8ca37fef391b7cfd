/// Load-time lints: mistakes that can be told before the first instruction runs.
#include "boot/boot.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define UART_BASE 0x09000000u

struct out {
    void (*say)(void *ctx, const char *id, const char *msg);
    void *ctx;
};

static void PRINTF_LIKE(3, 4) warn(const struct out *o, const char *id, const char *fmt, ...)
{
    char msg[480];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    o->say(o->ctx, id, msg);
}

/// Iterates over words of a kernel command line; quotes hide blanks. ret  false at the end
static bool next_word(const char **at, char *word, size_t size)
{
    const char *p = *at;
    size_t n = 0;
    bool quoted = false;
    p += strspn(p, " \t\n");
    if (*p == 0)
        return false;
    for (; *p && (quoted || !strchr(" \t\n", *p)); p++) {
        if (*p == '"')
            quoted = !quoted;
        if (n + 1 < size)
            word[n++] = *p;
    }
    word[n] = 0;
    *at = p;
    return true;
}

bool boot_is_linux_sized(const struct boot_plan *p)
{
    return p->image.image_size_field > 4 * MIB || (p->seg_count && p->seg[0].file_len > 4 * MIB);
}

static bool starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

/// Consoles that exist on this board, and those that other boards have.
static void lint_console(const struct out *o, const char *value)
{
    static const struct {
        const char *prefix, *whose;
    } foreign[] = {
        {"ttyS", "a 16550 UART, as on PCs and many boards"}, {"ttyAMA1", "a second PL011"},
        {"serial0", "Raspberry Pi firmware's name"},         {"ttymxc", "i.MX"},
        {"ttyMSM", "Qualcomm"},                              {"ttySAC", "Samsung"},
        {"ttyTHS", "Tegra"},                                 {"ttyPS", "Zynq"},
        {"ttyGS", "USB gadget"},                             {"ttymeson", "Amlogic"},
        {"ttyAML", "Amlogic"},                               {"ttyLP", "NXP LPUART"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(foreign); i++)
        if (starts(value, foreign[i].prefix)) {
            warn(o, "F19", "console=%s: that is %s; this board's UART is console=ttyAMA0", value,
                 foreign[i].whose);
            return;
        }
}

/// earlycon= of another board makes the kernel touch an address where nothing answers before it can speak.
static void lint_earlycon(const struct out *o, const char *word)
{
    const char *spec = word + strlen("earlycon=");
    unsigned long long addr = 0;
    for (const char *at = strchr(spec, ','); at && addr == 0; at = strchr(at + 1, ',')) /* the first number; options may follow */
        addr = strtoull(at + 1, NULL, 0);
    if (addr >= 4096 && addr != UART_BASE)
        warn(o, "F19", "%s: no UART is at 0x%llx here; the PL011 is at 0x%x (earlycon=pl011,0x%x; plain earlycon takes it from the device tree)",
             word, addr, UART_BASE, UART_BASE);
    else if (addr == UART_BASE && !starts(spec, "pl011"))
        warn(o, "F19", "%s: the UART at 0x%x is a PL011: earlycon=pl011,0x%x", word, UART_BASE, UART_BASE);
}

static bool names_disk(const char *root)
{
    static const char *const kinds[] = {"/dev/vd", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="};
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (starts(root, kinds[i]))
            return true;
    return false;
}

static void lint_cmdline(const struct boot_lint_in *in, const struct out *o)
{
    const char *at = in->cmdline ? in->cmdline : "";
    char word[256];
    bool has_root = false, has_rdinit_only = in->plan->initrd_len != 0;
    char last_console[64] = "";
    while (next_word(&at, word, sizeof word)) {
        if (starts(word, "console=")) {
            lint_console(o, word + 8);
            snprintf(last_console, sizeof last_console, "%.60s", word + 8);
        }
        if (starts(word, "earlycon="))
            lint_earlycon(o, word);
        if (starts(word, "root="))
            has_root = true;
        if (starts(word, "initrd=") && !has_rdinit_only)
            warn(o, "F19", "%s: that option is for EFI boot; pass the file with -i", word);
        if (starts(word, "root=") && names_disk(word + 5) && !in->has_disk)
            warn(o, "F19", "%s: there is no disk; add one with -d FILE", word);
        if (starts(word, "root=/dev/sd") || starts(word, "root=/dev/mmcblk") || starts(word, "root=/dev/hd"))
            warn(o, "F19", "%s: disks of this board are virtio: /dev/vda is the first", word);
    }
    if (starts(last_console, "tty") && last_console[3] >= '0' && last_console[3] <= '9')
        warn(o, "F19", "console=%s comes last, so init and its shell talk to a screen, which this board does not have; put console=ttyAMA0 last",
             last_console);
    bool linux_sized = boot_is_linux_sized(in->plan); /* other kernels come as small Images */
    if (in->plan->kind == BOOT_KIND_IMAGE && linux_sized && !has_root && !has_rdinit_only)
        warn(o, "F19",
             "no initrd (-i FILE) and no root= on the command line: a Linux kernel will panic with "
             "\"Unable to mount root fs\"");
    if (strlen(in->cmdline ? in->cmdline : "") >= 2048)
        warn(o, "F19", "the command line has %zu bytes; arm64 Linux keeps the first 2047",
             strlen(in->cmdline));
}

/// ID_AA64MMFR0_EL1: TGran4 31..28 and TGran64 27..24 count from 0 with 0xf for absent; TGran16
/// 23..20 is 0 when absent.
static void lint_page_size(const struct boot_lint_in *in, const struct out *o)
{
    unsigned kib = in->plan->image.page_kib;
    bool has = kib == 4    ? bits(in->mmfr0, 31, 28) != 0xf
               : kib == 64 ? bits(in->mmfr0, 27, 24) != 0xf
               : kib == 16 ? bits(in->mmfr0, 23, 20) != 0
                           : true;
    if (in->plan->kind == BOOT_KIND_IMAGE && !has)
        warn(o, "F18",
             "the kernel is built for %u KiB pages, which this CPU model does not have: it will stop "
             "before its first message; choose another --cpu or CONFIG_ARM64_%uK_PAGES=n",
             kib, kib);
}

static void lint_initrd(const struct boot_lint_in *in, const struct out *o)
{
    for (unsigned i = 0; i < in->req->initrd_count; i++) {
        const struct blob *b = &in->req->initrd[i];
        const char *name;
        switch (boot_detect(b->data, b->len, &name)) {
        case BOOT_CPIO: case BOOT_GZIP: case BOOT_ZSTD: case BOOT_LZ4_LEGACY: case BOOT_XZ:
        case BOOT_LZMA: case BOOT_BZIP2: break;
        case BOOT_LZ4:
            warn(o, "F19", "%s: lz4 frame format; Linux unpacks initrds made with lz4 -l only", b->name);
            break;
        default: warn(o, "F19", "%s: %s; an initrd is a cpio archive, packed or not", b->name, name);
        }
    }
}

/// A program linked for another address than it is loaded at: adr-relative code survives, absolute
/// addresses do not. Only ELF knows; a raw binary is told where it was put.
static void lint_link_address(const struct boot_lint_in *in, const struct out *o)
{
    const struct boot_plan *p = in->plan;
    if (p->is_guess && in->is_strict)
        warn(o, "F10",
             "%s: raw binary without header, placed at 0x%llx; if it was linked for another address "
             "say --load FILE@ADDR",
             in->req->kernel.name, (unsigned long long)p->load_base);
    bool covered = p->seg_count == 0;
    for (unsigned i = 0; i < p->seg_count; i++)
        covered |= p->entry >= p->seg[i].gpa && p->entry - p->seg[i].gpa < p->seg[i].mem_len;
    for (unsigned i = 0; i < in->req->flat_count; i++)
        covered |= p->entry >= in->req->flat[i].gpa &&
                   p->entry - in->req->flat[i].gpa < in->req->flat[i].blob.len;
    if (!covered)
        warn(o, "F10", "entry 0x%llx: nothing was loaded there", (unsigned long long)p->entry);
}

/// Fields of the Image header that do not fit the file: a header written by hand.
static void lint_header(const struct boot_lint_in *in, const struct out *o)
{
    const struct boot_image *im = &in->plan->image;
    u64 len = in->plan->seg_count ? in->plan->seg[0].file_len : 0;
    if (in->plan->kind != BOOT_KIND_IMAGE || in->plan->seg_count != 1)
        return;
    if (im->image_size_field && im->image_size_field < len - len / 4) /* a signature may follow the kernel */
        warn(o, "F07", "Image header: image_size 0x%llx is less than the file has (0x%llx): what lies behind it, and the bss, are not kept free",
             (unsigned long long)im->image_size_field, (unsigned long long)len);
    if (im->text_offset & 0xfff)
        warn(o, "F07", "Image header: text_offset 0x%llx is not a multiple of 4 KiB, so adrp in the kernel misses what it means; use 0",
             (unsigned long long)im->text_offset);
}

void boot_lint(const struct boot_lint_in *in, void (*say)(void *ctx, const char *id, const char *msg),
               void *ctx)
{
    struct out o = {say, ctx};
    lint_link_address(in, &o);
    lint_page_size(in, &o);
    lint_header(in, &o);
    lint_cmdline(in, &o);
    lint_initrd(in, &o);
}
