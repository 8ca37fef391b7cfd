/// GICv3: distributor and redistributors. Source: IHI 0069, "Programmers' Model". Affinity routing
/// is always on (GICD_CTLR.ARE reads as one); there are no LPIs.
#include "irq/gic.h"

#include <libfdt.h>

enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IIDR = 0x008,
    GICD_IGROUPR = 0x080,
    GICD_IPRIORITYR = 0x400,
    GICD_ITARGETSR = 0x800,
    GICD_ICFGR = 0xc00,
    GICD_IROUTER = 0x6000,
    GICD_IROUTER_END = 0x6000 + 8 * IRQ_INTIDS,
    GIC_ID = 0xffd0,
};
enum {
    GICR_CTLR = 0x00,
    GICR_IIDR = 0x04,
    GICR_TYPER = 0x08,
    GICR_WAKER = 0x14,
    GICR_SGI_BASE = 0x10000,
    GICR_STRIDE_SHIFT = 17,
};
enum { CTLR_ARE = 1 << 4, CTLR_DS = 1 << 6, WAKER_SLEEP = 2, WAKER_ASLEEP = 4 };
/// INTIDs of 10 bits, affinity level 3 valid, no 1-of-N routing.
#define TYPER_VALUE (GIC_SPI_BANKS | 9U << 19 | 1U << 24 | 1U << 25)
#define IIDR_VALUE 0x0000043bU
#define ROUTE_MASK 0xff00ffffffULL

static u32 id_register(u64 off)
{
    static const u8 id[12] = {0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    return id[(off - GIC_ID) / 4 % 12];
}

static u8 prio_read(const struct gic_bank *b, unsigned n) { return b->prio[n & 31]; }
static void prio_write(struct gic_bank *b, unsigned n, u8 v) { b->prio[n & 31] = v & GIC_PRIO_MASK; }

/* ---- distributor ---- */

static u16 cpu_by_affinity(const struct gic *g, u64 route)
{
    for (unsigned i = 0; i < g->cpus; i++)
        if ((g->cpu[i].mpidr & ROUTE_MASK) == (route & ROUTE_MASK))
            return (u16)i;
    return GIC_NO_TARGET;
}

static u32 dist_word_read(struct gic *g, u64 off)
{
    if (off == GICD_CTLR)
        return g->group_on[0] | (u32)g->group_on[1] << 1 | CTLR_ARE | CTLR_DS;
    if (off == GICD_TYPER)
        return TYPER_VALUE;
    if (off == GICD_IIDR)
        return IIDR_VALUE;
    if (off >= GICD_IGROUPR && off < GICD_IPRIORITYR) {
        u32 n = (u32)(off & 0x7f) * 8; /* SGIs and PPIs live in the redistributors */
        return n >= 32 && n < IRQ_INTIDS ? gic_word_read(&g->spi[n / 32 - 1], off) : 0;
    }
    if (off >= GICD_ICFGR && off < GICD_ICFGR + 0x100) {
        u32 n = (u32)(off & 0xff) * 4;
        return n >= 32 && n < IRQ_INTIDS ? gic_config_read(&g->spi[n / 32 - 1], n >> 4 & 1) : 0;
    }
    if (off >= GICD_IROUTER && off < GICD_IROUTER_END) {
        u32 n = (u32)(off - GICD_IROUTER) / 8;
        return n >= 32 ? (u32)(g->route[n - 32] >> (off & 4) * 8) : 0;
    }
    return off >= GIC_ID ? id_register(off) : 0;
}

static void route_write(struct gic *g, u64 off, u32 v)
{
    u32 n = (u32)(off - GICD_IROUTER) / 8;
    if (n < 32)
        return;
    u64 *r = &g->route[n - 32];
    *r = off & 4 ? (*r & 0xffffffffULL) | (u64)v << 32 : (*r & ~0xffffffffULL) | v;
    *r &= ROUTE_MASK;
    g->target[n - 32] = cpu_by_affinity(g, *r);
}

static void dist_word_write(struct gic *g, u64 off, u32 v)
{
    if (off == GICD_CTLR) {
        g->group_on[0] = v & 1;
        g->group_on[1] = v >> 1 & 1;
    } else if (off >= GICD_IGROUPR && off < GICD_IPRIORITYR) {
        u32 n = (u32)(off & 0x7f) * 8;
        if (n >= 32 && n < IRQ_INTIDS)
            gic_word_write(g, &g->spi[n / 32 - 1], off, v, false);
    } else if (off >= GICD_ICFGR && off < GICD_ICFGR + 0x100) {
        u32 n = (u32)(off & 0xff) * 4;
        if (n >= 32 && n < IRQ_INTIDS)
            gic_config_write(&g->spi[n / 32 - 1], n >> 4 & 1, v, ~0U);
    } else if (off >= GICD_IROUTER && off < GICD_IROUTER_END) {
        route_write(g, off, v);
    }
}

static bool is_priority(u64 off) { return off >= GICD_IPRIORITYR && off < GICD_ITARGETSR; }

static bool dist_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    u64 v = 0;
    os_mutex_lock(&g->lock);
    if (is_priority(off)) {
        for (unsigned i = 0; i < size; i++) {
            u32 n = (u32)(off - GICD_IPRIORITYR) + i;
            if (n >= 32 && n < IRQ_INTIDS)
                v |= (u64)prio_read(&g->spi[n / 32 - 1], n) << i * 8;
        }
    } else if (size == 8) {
        v = dist_word_read(g, off) | (u64)dist_word_read(g, off + 4) << 32;
    } else {
        v = dev_reg_part(dist_word_read(g, off & ~3ULL), off, size);
    }
    os_mutex_unlock(&g->lock);
    *val = v;
    return true;
}

static bool dist_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    os_mutex_lock(&g->lock);
    if (is_priority(off)) {
        for (unsigned i = 0; i < size; i++) {
            u32 n = (u32)(off - GICD_IPRIORITYR) + i;
            if (n >= 32 && n < IRQ_INTIDS)
                prio_write(&g->spi[n / 32 - 1], n, (u8)(val >> i * 8));
        }
    } else if (size >= 4 && !(off & 3)) {
        dist_word_write(g, off, (u32)val);
        if (size == 8)
            dist_word_write(g, off + 4, (u32)(val >> 32));
    }
    gic_update(g);
    os_mutex_unlock(&g->lock);
    return true;
}

/* ---- redistributors: two 64 KiB frames a CPU ---- */

static u64 redist_typer(const struct gic_cpu *c)
{
    u64 aff = (c->mpidr & 0xffffff) | (c->mpidr >> 8 & 0xff000000);
    bool last = c->index + 1 == c->gic->cpus;
    return aff << 32 | (u64)c->index << 8 | (u64)last << 4;
}

static u32 redist_word_read(struct gic_cpu *c, u64 off)
{
    switch (off) {
    case GICR_IIDR: return IIDR_VALUE;
    case GICR_TYPER: return (u32)redist_typer(c);
    case GICR_TYPER + 4: return (u32)(redist_typer(c) >> 32);
    case GICR_WAKER: return c->asleep ? WAKER_SLEEP | WAKER_ASLEEP : 0;
    case GICR_SGI_BASE + GICD_ICFGR: return gic_config_read(&c->bank, 0);
    case GICR_SGI_BASE + GICD_ICFGR + 4: return gic_config_read(&c->bank, 1);
    default: break;
    }
    u64 sgi = off - GICR_SGI_BASE;
    if (off >= GICR_SGI_BASE && sgi >= GICD_IGROUPR && sgi < GICD_IPRIORITYR && !(sgi & 0x7f))
        return gic_word_read(&c->bank, sgi);
    return (off & 0xffff) >= GIC_ID ? id_register(off & 0xffff) : 0;
}

static void redist_word_write(struct gic_cpu *c, u64 off, u32 v)
{
    u64 sgi = off - GICR_SGI_BASE;
    if (off == GICR_WAKER)
        c->asleep = v & WAKER_SLEEP, c->woken = true;
    else if (off == GICR_SGI_BASE + GICD_ICFGR + 4)
        gic_config_write(&c->bank, 1, v, 0xffff0000);
    else if (off >= GICR_SGI_BASE && sgi >= GICD_IGROUPR && sgi < GICD_IPRIORITYR && !(sgi & 0x7f))
        gic_word_write(c->gic, &c->bank, sgi, v, true);
}

static bool redist_prio(u64 off)
{
    return off >= GICR_SGI_BASE + GICD_IPRIORITYR && off < GICR_SGI_BASE + GICD_IPRIORITYR + 32;
}

static bool redist_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    u64 cpu = off >> GICR_STRIDE_SHIFT, v = 0;
    if (cpu >= g->cpus)
        return false;
    struct gic_cpu *c = &g->cpu[cpu];
    off &= (1ULL << GICR_STRIDE_SHIFT) - 1;
    os_mutex_lock(&g->lock);
    if (redist_prio(off))
        for (unsigned i = 0; i < size; i++)
            v |= (u64)prio_read(&c->bank, (unsigned)off + i) << i * 8;
    else if (size == 8)
        v = redist_word_read(c, off) | (u64)redist_word_read(c, off + 4) << 32;
    else
        v = dev_reg_part(redist_word_read(c, off & ~3ULL), off, size);
    os_mutex_unlock(&g->lock);
    *val = v;
    return true;
}

static bool redist_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    u64 cpu = off >> GICR_STRIDE_SHIFT;
    if (cpu >= g->cpus)
        return false;
    struct gic_cpu *c = &g->cpu[cpu];
    off &= (1ULL << GICR_STRIDE_SHIFT) - 1;
    os_mutex_lock(&g->lock);
    if (redist_prio(off)) {
        for (unsigned i = 0; i < size; i++)
            prio_write(&c->bank, (unsigned)off + i, (u8)(val >> i * 8));
    } else if (size >= 4 && !(off & 3)) {
        redist_word_write(c, off, (u32)val);
        if (size == 8)
            redist_word_write(c, off + 4, (u32)(val >> 32));
    }
    gic_update(g);
    os_mutex_unlock(&g->lock);
    return true;
}

static const struct mmio_ops dist_io = {dist_read, dist_write, 1, 8};
static const struct mmio_ops redist_io = {redist_read, redist_write, 1, 8};

static void gicv3_frame(struct irqchip *chip, unsigned i, struct irqchip_frame *out)
{
    const struct gic *g = CONTAINER_OF(chip, struct gic, chip);
    *out = i ? (struct irqchip_frame){"gicv3-redist", &redist_io, (u64)g->cpus << GICR_STRIDE_SHIFT}
             : (struct irqchip_frame){"gicv3-dist", &dist_io, 0x10000};
}

static void gicv3_fdt(struct irqchip *chip, void *fdt, int node)
{
    fdt_setprop_u32(fdt, node, "#redistributor-regions", 1);
}

static void gicv3_reset(struct irqchip *c) { gic_reset(CONTAINER_OF(c, struct gic, chip)); }

static bool gicv3_was_woken(struct irqchip *chip, unsigned cpu)
{
    const struct gic *g = (const struct gic *)chip;
    return cpu < g->cpus && g->cpu[cpu].woken;
}

static const struct irqchip_ops gicv3_ops = {
    .name = "gic-v3",
    .compatible = "arm,gic-v3",
    .cpus_max = 123,
    .frame_count = 2,
    .frame = gicv3_frame,
    .set_line = gic_set_line,
    .can_deliver = gic_can_deliver,
    .was_woken = gicv3_was_woken,
    .fdt = gicv3_fdt,
    .reset = gicv3_reset,
    .state = gic_state,
    .free = gic_free,
};

struct irqchip *gicv3_new(const struct irqchip_config *cfg)
{
    struct gic *g = gic_new(3, cfg);
    g->chip.ops = &gicv3_ops;
    return &g->chip;
}
