/// F19 for device trees: one that a user gave is compared with the board's own. What it says of RAM, interrupt
/// controller, UART, timer, PSCI and CPUs must be so, or the kernel dies before it can speak.
#include "lib/lib.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CELLS_MAX = 64 };
typedef unsigned long long ull;

struct dtblint {
    const void *user, *own;
    const char *name; ///< of the file
    void (*say)(void *ctx, const char *id, const char *msg);
    void *ctx;
};

static void PRINTF_LIKE(2, 3) warn(const struct dtblint *l, const char *fmt, ...)
{
    char text[320], msg[480];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(msg, sizeof msg, "%.120s: %s", l->name, text);
    l->say(l->ctx, "F19", msg);
}

/// One cell or two, big-endian.
static u64 number(const fdt32_t *p, int cells)
{
    u64 v = 0;
    for (int i = 0; i < cells; i++)
        v = v << 32 | fdt32_to_cpu(p[i]);
    return v;
}

/// The first address and size of reg below the root. ret  false when there is none
static bool first_reg(const void *fdt, int node, u64 *at, u64 *size)
{
    int len, ac = fdt_address_cells(fdt, 0), sc = fdt_size_cells(fdt, 0);
    const fdt32_t *p = fdt_getprop(fdt, node, "reg", &len);
    if (p == NULL || ac < 1 || ac > 2 || sc < 0 || sc > 2 || len < 4 * (ac + sc))
        return false;
    *at = number(p, ac);
    *size = number(p + ac, sc);
    return true;
}

static int by_type(const void *fdt, int after, const char *type)
{
    return fdt_node_offset_by_prop_value(fdt, after, "device_type", type, (int)strlen(type) + 1);
}

static void lint_memory(const struct dtblint *l, u64 ram_base, u64 ram_size)
{
    int node, seen = 0;
    u64 at, size;
    for (node = by_type(l->user, -1, "memory"); node >= 0 && seen < CELLS_MAX;
         node = by_type(l->user, node, "memory")) {
        if (!first_reg(l->user, node, &at, &size))
            continue;
        seen++;
        if (size && (at < ram_base || !range_ok(at - ram_base, size, ram_size)))
            warn(l,
                 "memory at 0x%llx-0x%llx, but RAM of this machine is 0x%llx-0x%llx: the kernel "
                 "will use memory that is not there; change /memory or "
                 "-m and --ram-base",
                 (ull)at, (ull)(at + size - 1), (ull)ram_base, (ull)(ram_base + ram_size - 1));
        else if (size && size < 64 * MIB && size < ram_size / 2)
            warn(l, "memory of %llu MiB only, while the machine has %llu MiB", (ull)(size / MIB),
                 (ull)(ram_size / MIB));
    }
}

/// Node with one of some names in both trees.
static int by_compatible(const void *fdt, const char *const *names, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        int node = fdt_node_offset_by_compatible(fdt, -1, names[i]);
        if (node >= 0)
            return node;
    }
    return -1;
}

/// Every cell of a property alike. ret  index of the first that differs; -1: none
static int differs(const struct dtblint *l, int user, int own, const char *prop, int *cells)
{
    int ul, ol;
    const fdt32_t *u = fdt_getprop(l->user, user, prop, &ul), *o = fdt_getprop(l->own, own, prop, &ol);
    *cells = ul / 4;
    if (o == NULL)
        return -1;
    if (u == NULL)
        return 0;
    for (int i = 0; i < ul / 4 && i < ol / 4; i++)
        if (u[i] != o[i])
            return i;
    return -1;
}

static void lint_gic(const struct dtblint *l)
{
    static const char *const v3[] = {"arm,gic-v3"}, *const v2[] = {"arm,cortex-a15-gic", "arm,gic-400",
                                                                   "arm,cortex-a9-gic"};
    int own3 = by_compatible(l->own, v3, 1), own2 = by_compatible(l->own, v2, 3);
    int user3 = by_compatible(l->user, v3, 1), user2 = by_compatible(l->user, v2, 3);
    int own = own3 >= 0 ? own3 : own2, user = own3 >= 0 ? user3 : user2, cells;
    if (own < 0)
        return;
    if (user3 < 0 && user2 < 0)
        warn(l, "no interrupt controller that this board has (%s): no interrupt will come, not even the timer's",
             own3 >= 0 ? "arm,gic-v3" : "arm,cortex-a15-gic");
    else if (user < 0)
        warn(l, "it describes a GICv%d, and this machine has a GICv%d: use --gic %d, or the board's own node",
             user3 >= 0 ? 3 : 2, own3 >= 0 ? 3 : 2, user3 >= 0 ? 3 : 2);
    else if (differs(l, user, own, "reg", &cells) >= 0) {
        int len, at = differs(l, user, own, "reg", &cells);
        const fdt32_t *u = fdt_getprop(l->user, user, "reg", &len),
                      *o = fdt_getprop(l->own, own, "reg", NULL);
        int k = at / 4 * 4; /* address and size, two cells each */
        warn(l, "interrupt controller: %s at 0x%llx size 0x%llx, but here it is at 0x%llx",
             k ? own3 >= 0 ? "redistributors (GICR)" : "CPU interface (GICC)" : "distributor (GICD)",
             u && k + 4 <= len / 4 ? (ull)number(u + k, 2) : 0,
             u && k + 4 <= len / 4 ? (ull)number(u + k + 2, 2) : 0, (ull)number(o + k, 2));
    }
}

static void lint_device(const struct dtblint *l, const char *compatible, const char *what)
{
    int own = fdt_node_offset_by_compatible(l->own, -1, compatible),
        user = fdt_node_offset_by_compatible(l->user, -1, compatible), cells;
    u64 ua, us, oa, os;
    if (own < 0 || user < 0)
        return;
    if (first_reg(l->own, own, &oa, &os) && first_reg(l->user, user, &ua, &us) && ua != oa)
        warn(l, "%s at 0x%llx, but here it is at 0x%llx", what, (ull)ua, (ull)oa);
    else if (differs(l, user, own, "interrupts", &cells) >= 0)
        warn(l, "%s: its interrupts are not those of this board's own tree (`bruin dtb dump`)", what);
}

static void lint_timer(const struct dtblint *l)
{
    static const char *const names[] = {"arm,armv8-timer"};
    static const char *const which[] = {"secure physical", "physical", "virtual", "hypervisor"};
    int own = by_compatible(l->own, names, 1), user = by_compatible(l->user, names, 1), cells;
    if (own < 0)
        return;
    if (user < 0) {
        warn(l, "no timer (arm,armv8-timer): the kernel has no clock and cannot schedule");
        return;
    }
    int at = differs(l, user, own, "interrupts", &cells), len;
    const fdt32_t *u = fdt_getprop(l->user, user, "interrupts", &len),
                  *o = fdt_getprop(l->own, own, "interrupts", NULL);
    if (at >= 0 && at < 12 && u && (at % 3 == 1 || at % 3 == 0) && len >= 48)
        warn(l, "timer: the %s timer on PPI %u (INTID %u), but here it is PPI %u (INTID %u): its interrupt never comes",
             which[at / 3], fdt32_to_cpu(u[at / 3 * 3 + 1]), fdt32_to_cpu(u[at / 3 * 3 + 1]) + 16,
             fdt32_to_cpu(o[at / 3 * 3 + 1]), fdt32_to_cpu(o[at / 3 * 3 + 1]) + 16);
}

static int count_cpus(const void *fdt)
{
    int n = 0;
    for (int node = by_type(fdt, -1, "cpu"); node >= 0; node = by_type(fdt, node, "cpu"))
        n++;
    return n;
}

static void lint_psci(const struct dtblint *l)
{
    static const char *const names[] = {"arm,psci-1.0", "arm,psci-0.2", "arm,psci"};
    int own = by_compatible(l->own, names, 3), user = by_compatible(l->user, names, 3), ul, ol;
    int have = count_cpus(l->own), said = count_cpus(l->user);
    if (own < 0)
        return;
    if (user < 0) {
        warn(l, "no /psci (arm,psci-1.0, method = \"%s\"): no power-off, no further CPUs",
             (const char *)fdt_getprop(l->own, own, "method", &ol));
    } else {
        const char *u = fdt_getprop(l->user, user, "method", &ul),
                   *o = fdt_getprop(l->own, own, "method", &ol);
        if (o && (u == NULL || ul != ol || memcmp(u, o, (size_t)ol)))
            warn(l, "/psci method = \"%.*s\", but the conduit of this machine is \"%s\"",
                 u ? ul > 0 ? ul - 1 : 0 : 4, u ? u : "none", o);
    }
    if (said > have)
        warn(l, "%d CPUs, but the machine has %d (-c %d gives as many): the others will not start",
             said, have, said);
}

void dtb_lint(const void *user, const void *own, const char *name, u64 ram_base, u64 ram_size,
              void (*say)(void *ctx, const char *id, const char *msg), void *ctx)
{
    struct dtblint l = {user, own, name, say, ctx};
    lint_memory(&l, ram_base, ram_size);
    lint_gic(&l);
    lint_timer(&l);
    lint_psci(&l);
    lint_device(&l, "arm,pl011", "UART (arm,pl011)");
    lint_device(&l, "arm,pl031", "RTC (arm,pl031)");
}
