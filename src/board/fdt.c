/// The device tree of a machine, through libfdt. Sources: Devicetree Specification 0.4, and the
/// bindings of Linux for each compatible string.
#include "board/priv.h"

#include <libfdt.h>
#include <stdio.h>

enum { PHANDLE_GIC = 1, PHANDLE_CLOCK = 2, PHANDLE_GPIO = 3 };
enum { IRQ_SPI = 0, IRQ_PPI = 1, IRQ_EDGE = 1, IRQ_LEVEL_HIGH = 4 };
enum { KEY_POWER = 116, POWER_PIN = 3, RNG_SEED_LEN = 32 };
#define APB_CLOCK_HZ 24000000

/// One property list in writing: errors stick, so that callers test once.
struct tree {
    void *fdt;
    int err;
};

static int node_begin(struct tree *t, int parent, const char *name)
{
    int n = t->err ? t->err : fdt_add_subnode(t->fdt, parent, name);
    if (n < 0)
        t->err = n;
    return n;
}
static void prop(struct tree *t, int node, const char *name, const void *val, size_t len)
{
    if (!t->err)
        t->err = fdt_setprop(t->fdt, node, name, val, (int)len);
}
static void prop_str(struct tree *t, int node, const char *name, const char *s)
{
    prop(t, node, name, s, strlen(s) + 1);
}
static void prop_u64(struct tree *t, int node, const char *name, u64 v)
{
    fdt64_t be = cpu_to_fdt64(v);
    prop(t, node, name, &be, sizeof be);
}
static void prop_cells(struct tree *t, int node, const char *name, const u32 *cell, unsigned n)
{
    fdt32_t be[32];
    for (unsigned i = 0; i < n && i < ARRAY_LEN(be); i++)
        be[i] = cpu_to_fdt32(cell[i]);
    prop(t, node, name, be, n * sizeof be[0]);
}
static void prop_u32(struct tree *t, int node, const char *name, u32 v)
{
    prop_cells(t, node, name, &v, 1);
}
/// Pairs of 64-bit address and size.
static void prop_reg(struct tree *t, int node, const u64 *pair, unsigned n)
{
    u32 cell[16];
    for (unsigned i = 0; i < n * 2 && i < 8; i++) {
        cell[i * 2] = (u32)(pair[i] >> 32);
        cell[i * 2 + 1] = (u32)pair[i];
    }
    prop_cells(t, node, "reg", cell, n * 4);
}
#define PROP_FLAG(t, node, name) prop(t, node, name, "", 0)
#define PROP_LIST(t, node, name, lit) prop(t, node, name, lit, sizeof(lit))

static void add_root(struct tree *t)
{
    PROP_LIST(t, 0, "compatible", "bruin,virt\0linux,dummy-virt");
    prop_str(t, 0, "model", "bruin,virt");
    prop_u32(t, 0, "#address-cells", 2);
    prop_u32(t, 0, "#size-cells", 2);
    prop_u32(t, 0, "interrupt-parent", PHANDLE_GIC);
}

static void add_cpus(struct tree *t, struct machine *m)
{
    int cpus = node_begin(t, 0, "cpus");
    prop_u32(t, cpus, "#address-cells", 1);
    prop_u32(t, cpus, "#size-cells", 0);
    for (unsigned i = m->cfg.cpus; i-- > 0;) { /* libfdt puts the newest first */
        char name[24];
        u32 aff = m->vcpu[i].cpu->sr[SYSREG_MPIDR_EL1] & 0xffffff;
        snprintf(name, sizeof name, "cpu@%x", aff);
        int n = node_begin(t, cpus, name);
        prop_str(t, n, "device_type", "cpu");
        prop_str(t, n, "compatible", "arm,armv8");
        prop_u32(t, n, "reg", aff);
        prop_str(t, n, "enable-method", "psci");
    }
}

static void add_psci(struct tree *t, const struct machine *m)
{
    int n = node_begin(t, 0, "psci");
    PROP_LIST(t, n, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    prop_str(t, n, "method", m->cfg.el == 2 ? "smc" : "hvc"); /* HVC goes to the guest's own EL2 */
}

static void add_timer(struct tree *t, struct machine *m)
{
    static const u32 ppi[] = {13, 14, 11, 10, 12}; /* the last: virtual, of EL2 with VHE */
    unsigned count = m->cfg.el == 2 && m->cfg.vhe ? 5 : 4;
    u32 mask = m->cfg.gic == 2 ? ((1U << m->cfg.cpus) - 1) << 8 : 0, cell[15];
    for (unsigned i = 0; i < count; i++) {
        cell[i * 3] = IRQ_PPI;
        cell[i * 3 + 1] = ppi[i];
        cell[i * 3 + 2] = mask | IRQ_LEVEL_HIGH;
    }
    int n = node_begin(t, 0, "timer");
    prop_str(t, n, "compatible", "arm,armv8-timer");
    prop_cells(t, n, "interrupts", cell, count * 3);
    PROP_FLAG(t, n, "always-on");
}

static void add_clock(struct tree *t)
{
    int n = node_begin(t, 0, "apb-pclk");
    prop_str(t, n, "compatible", "fixed-clock");
    prop_u32(t, n, "#clock-cells", 0);
    prop_u32(t, n, "clock-frequency", APB_CLOCK_HZ);
    prop_str(t, n, "clock-output-names", "clk24mhz");
    prop_u32(t, n, "phandle", PHANDLE_CLOCK);
}

static void add_chip(struct tree *t, struct machine *m)
{
    char name[32];
    u64 reg[4];
    for (unsigned i = 0; i < m->chip->ops->frame_count; i++) {
        struct irqchip_frame f;
        m->chip->ops->frame(m->chip, i, &f);
        reg[i * 2] = m->chip_base[i];
        reg[i * 2 + 1] = f.size;
    }
    snprintf(name, sizeof name, "interrupt-controller@%llx", (unsigned long long)reg[0]);
    int n = node_begin(t, 0, name);
    prop_str(t, n, "compatible", m->chip->ops->compatible);
    prop_u32(t, n, "#interrupt-cells", 3);
    prop_u32(t, n, "#address-cells", 0);
    PROP_FLAG(t, n, "interrupt-controller");
    prop_reg(t, n, reg, m->chip->ops->frame_count);
    prop_u32(t, n, "phandle", PHANDLE_GIC);
    if (m->cfg.el == 2 && m->cfg.gic == 3) /* of the virtual CPU interface */
        prop_cells(t, n, "interrupts", (u32[]){IRQ_PPI, 9, IRQ_LEVEL_HIGH}, 3);
    if (!t->err && m->chip->ops->fdt)
        m->chip->ops->fdt(m->chip, t->fdt, n);
}

static void add_device(struct tree *t, const struct board_device *d)
{
    char name[48];
    snprintf(name, sizeof name, "%s@%llx", d->ops->node, (unsigned long long)d->base);
    int n = node_begin(t, 0, name);
    prop(t, n, "compatible", d->ops->compatible, d->ops->compatible_len);
    prop_reg(t, n, (u64[]){d->base, d->size}, 1);
    if (d->spi >= 0)
        prop_cells(t, n, "interrupts",
                   (u32[]){IRQ_SPI, (u32)d->spi, d->is_edge ? IRQ_EDGE : IRQ_LEVEL_HIGH}, 3);
    if (d->ops->clock_names) {
        u32 clocks[4] = {PHANDLE_CLOCK, PHANDLE_CLOCK, PHANDLE_CLOCK, PHANDLE_CLOCK};
        unsigned count = 0;
        for (u32 i = 0; i < d->ops->clock_names_len; i++)
            count += d->ops->clock_names[i] == 0;
        prop_cells(t, n, "clocks", clocks, count);
        prop(t, n, "clock-names", d->ops->clock_names, d->ops->clock_names_len);
    }
    if (d->ops->is_dma_coherent)
        PROP_FLAG(t, n, "dma-coherent");
    if (d->ops == &pl061_ops) {
        prop_u32(t, n, "#gpio-cells", 2);
        PROP_FLAG(t, n, "gpio-controller");
        prop_u32(t, n, "#interrupt-cells", 2);
        prop_u32(t, n, "#address-cells", 0);
        PROP_FLAG(t, n, "interrupt-controller");
        prop_u32(t, n, "phandle", PHANDLE_GPIO);
    }
    if (!t->err && d->ops->fdt)
        d->ops->fdt(d->dev, t->fdt, n);
}

static void add_power_key(struct tree *t)
{
    int keys = node_begin(t, 0, "gpio-keys");
    prop_str(t, keys, "compatible", "gpio-keys");
    int n = node_begin(t, keys, "poweroff");
    prop_str(t, n, "label", "GPIO Key Poweroff");
    prop_u32(t, n, "linux,code", KEY_POWER);
    prop_cells(t, n, "gpios", (u32[]){PHANDLE_GPIO, POWER_PIN, 0}, 3);
}

static void add_memory(struct tree *t, const struct machine *m)
{
    char name[32];
    snprintf(name, sizeof name, "memory@%llx", (unsigned long long)m->cfg.ram_base);
    int n = node_begin(t, 0, name);
    prop_str(t, n, "device_type", "memory");
    prop_reg(t, n, (u64[]){m->cfg.ram_base, m->cfg.ram_size}, 1);
}

/// Fills in /chosen; nodes other than it are not moved to other offsets by that, only shifted.
static void set_chosen(struct tree *t, struct machine *m, const struct machine_chosen *c)
{
    u8 seed[RNG_SEED_LEN];
    int n = t->err ? t->err : fdt_path_offset(t->fdt, "/chosen");
    if (n < 0)
        n = node_begin(t, 0, "chosen");
    if (c && c->bootargs)
        prop_str(t, n, "bootargs", c->bootargs);
    if (c && c->initrd_size) {
        prop_u64(t, n, "linux,initrd-start", c->initrd);
        prop_u64(t, n, "linux,initrd-end", c->initrd + c->initrd_size);
    }
    u64 kaslr = rng_next(&m->rng);
    prop(t, n, "kaslr-seed", &kaslr, sizeof kaslr);
    for (unsigned i = 0; i < sizeof seed; i += 8)
        st64(seed + i, rng_next(&m->rng));
    prop(t, n, "rng-seed", seed, sizeof seed);
}

static const struct board_device *find_device(const struct machine *m, const struct device_ops *ops)
{
    for (unsigned i = 0; i < m->device_count; i++)
        if (m->device[i].ops == ops)
            return &m->device[i];
    return NULL;
}

static bool tree_done(struct tree *t, u64 *size, struct err *e)
{
    if (!t->err)
        t->err = fdt_pack(t->fdt);
    if (t->err)
        return err_set(e, ERR_USAGE, "device tree: %s", fdt_strerror(t->err));
    *size = fdt_totalsize(t->fdt);
    return true;
}

/// The whole tree, in the first `room` bytes at t->fdt.
static void make_tree(struct tree *t, struct machine *m, const struct machine_chosen *chosen, u64 room)
{
    t->err = fdt_create_empty_tree(t->fdt, (int)(room > INT32_MAX ? INT32_MAX : room));
    add_root(t);
    if (m->chip) {
        const struct board_device *uart = find_device(m, &pl011_ops);
        int n = node_begin(t, 0, "chosen");
        if (uart) {
            char path[48];
            snprintf(path, sizeof path, "/%s@%llx", uart->ops->node, (unsigned long long)uart->base);
            prop_str(t, n, "stdout-path", path);
            n = node_begin(t, 0, "aliases");
            prop_str(t, n, "serial0", path);
        }
        for (unsigned i = m->device_count; i-- > 0;)
            add_device(t, &m->device[i]);
        if (m->gpio)
            add_power_key(t);
        add_chip(t, m);
        add_clock(t);
        add_timer(t, m);
    }
    add_psci(t, m);
    add_cpus(t, m);
    add_memory(t, m);
    set_chosen(t, m, chosen);
}

bool machine_fdt(struct machine *m, const struct machine_chosen *chosen, void *buf, u64 buf_size,
                 u64 *size, struct err *e)
{
    enum { USUALLY = 64 * 1024 }; /* libfdt clears all the room: a millisecond for two megabytes */
    struct tree t = {buf, 0};
    make_tree(&t, m, chosen, buf_size < USUALLY ? buf_size : USUALLY);
    if (t.err == -FDT_ERR_NOSPACE && buf_size > USUALLY)
        make_tree(&t, m, chosen, buf_size);
    return tree_done(&t, size, e);
}

int machine_fdt_check(const void *buf, u64 len)
{
    enum { VERSION_MIN = 16 }; /* libfdt reads older names wrongly when the tree is damaged */
    if (len < sizeof(struct fdt_header))
        return -FDT_ERR_TRUNCATED;
    if (fdt_magic(buf) != FDT_MAGIC)
        return -FDT_ERR_BADMAGIC;
    return fdt_version(buf) < VERSION_MIN ? -FDT_ERR_BADVERSION : fdt_check_full(buf, len);
}

bool machine_fdt_fixup(struct machine *m, const struct machine_chosen *chosen, void *buf,
                       u64 buf_size, u64 *size, struct err *e)
{
    struct tree t = {buf, 0};
    int room = (int)(buf_size > INT32_MAX ? INT32_MAX : buf_size);
    if (machine_fdt_check(buf, buf_size))
        return err_set(e, ERR_FORMAT, "device tree: damaged or not a device tree");
    t.err = fdt_open_into(buf, buf, room);
    bool has_memory = !t.err && fdt_node_offset_by_prop_value(buf, -1, "device_type", "memory", 7) >= 0;
    if (!t.err && !has_memory)
        add_memory(&t, m);
    set_chosen(&t, m, chosen);
    return tree_done(&t, size, e);
}
