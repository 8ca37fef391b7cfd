/// GICv2: distributor and memory-mapped CPU interface. Source: IHI 0048B, "Programmers' Model".
#include "irq/gic.h"

enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IIDR = 0x008,
    GICD_IGROUPR = 0x080,
    GICD_IPRIORITYR = 0x400,
    GICD_ITARGETSR = 0x800,
    GICD_ICFGR = 0xc00,
    GICD_SGIR = 0xf00,
    GICD_CPENDSGIR = 0xf10,
    GICD_SPENDSGIR = 0xf20,
    GICD_ID = 0xfd0,
};
enum {
    GICC_CTLR = 0x00,
    GICC_PMR = 0x04,
    GICC_BPR = 0x08,
    GICC_IAR = 0x0c,
    GICC_EOIR = 0x10,
    GICC_RPR = 0x14,
    GICC_HPPIR = 0x18,
    GICC_ABPR = 0x1c,
    GICC_AIAR = 0x20,
    GICC_AEOIR = 0x24,
    GICC_AHPPIR = 0x28,
    GICC_APR0 = 0xd0,
    GICC_NSAPR0 = 0xe0,
    GICC_IIDR = 0xfc,
    GICC_DIR = 0x1000,
};
enum { GROUP1_NOT_ACKED = 1022 };
#define IIDR_VALUE 0x0200143bU  /* Arm, GIC-400-like */
#define GICC_IIDR_VALUE 0x0202143bU

static struct gic_cpu *accessor(struct gic *g)
{
    unsigned i = g->cpus > 1 && g->current_cpu ? g->current_cpu(g->current_ctx) : 0;
    return &g->cpu[i < g->cpus ? i : 0];
}

static u32 dist_id(u64 off)
{
    static const u8 id[12] = {0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    return id[(off - GICD_ID) / 4 % 12];
}

/* ---- byte-wide registers ---- */

static u8 dist_byte_read(struct gic *g, struct gic_cpu *c, u64 off)
{
    u32 n = (u32)off & 0x3ff;
    if (off >= GICD_SPENDSGIR)
        return c->sgi_source[off & 0xf];
    if (off >= GICD_CPENDSGIR)
        return c->sgi_source[off & 0xf];
    if (n >= IRQ_INTIDS)
        return 0;
    if (off < GICD_ITARGETSR)
        return gic_bank_of(g, c, n)->prio[n & 31];
    return n < 32 ? (u8)(1U << c->index) : (u8)g->target[n - 32];
}

static void dist_byte_write(struct gic *g, struct gic_cpu *c, u64 off, u8 v)
{
    u32 n = (u32)off & 0x3ff;
    if (off >= GICD_CPENDSGIR) {
        u8 *src = &c->sgi_source[off & 0xf];
        u32 bit = 1U << (off & 0xf);
        *src = off >= GICD_SPENDSGIR ? *src | v : *src & (u8)~v;
        c->bank.pending = *src ? c->bank.pending | bit : c->bank.pending & ~bit;
    } else if (n < IRQ_INTIDS) {
        if (off < GICD_ITARGETSR)
            gic_bank_of(g, c, n)->prio[n & 31] = v & GIC_PRIO_MASK;
        else if (n >= 32)
            g->target[n - 32] = v & (u8)((1U << g->cpus) - 1);
    }
}

static bool is_byte_wide(u64 off)
{
    return (off >= GICD_IPRIORITYR && off < GICD_ICFGR) ||
           (off >= GICD_CPENDSGIR && off < GICD_SPENDSGIR + 16);
}

/* ---- distributor ---- */

static u32 dist_word_read(struct gic *g, struct gic_cpu *c, u64 off)
{
    if (off == GICD_CTLR)
        return g->group_on[0] | (u32)g->group_on[1] << 1;
    if (off == GICD_TYPER)
        return GIC_SPI_BANKS | (g->cpus - 1) << 5;
    if (off == GICD_IIDR)
        return IIDR_VALUE;
    if (off >= GICD_IGROUPR && off < GICD_IPRIORITYR) {
        u32 n = (u32)(off & 0x7f) * 8;
        return n < IRQ_INTIDS ? gic_word_read(gic_bank_of(g, c, n), off) : 0;
    }
    if (off >= GICD_ICFGR && off < GICD_ICFGR + 0x100) {
        u32 n = (u32)(off & 0xff) * 4;
        return n < IRQ_INTIDS ? gic_config_read(gic_bank_of(g, c, n), n >> 4 & 1) : 0;
    }
    return off >= GICD_ID && off < 0x1000 ? dist_id(off) : 0;
}

static void send_sgi(struct gic *g, struct gic_cpu *from, u32 v)
{
    unsigned filter = v >> 24 & 3, list = v >> 16 & 0xff;
    for (unsigned i = 0; i < g->cpus; i++) {
        bool hit = filter == 0   ? list >> i & 1
                   : filter == 1 ? i != from->index
                                 : filter == 2 && i == from->index;
        if (hit)
            gic_send_sgi(&g->cpu[i], v & 15, from->index);
    }
}

static void dist_word_write(struct gic *g, struct gic_cpu *c, u64 off, u32 v)
{
    if (off == GICD_CTLR) {
        g->group_on[0] = v & 1;
        g->group_on[1] = v >> 1 & 1;
    } else if (off >= GICD_IGROUPR && off < GICD_IPRIORITYR) {
        u32 n = (u32)(off & 0x7f) * 8;
        if (n < IRQ_INTIDS)
            gic_word_write(g, gic_bank_of(g, c, n), off, v, n < 32);
    } else if (off >= GICD_ICFGR && off < GICD_ICFGR + 0x100) {
        u32 n = (u32)(off & 0xff) * 4;
        if (n < IRQ_INTIDS)
            gic_config_write(gic_bank_of(g, c, n), n >> 4 & 1, v, n < 32 ? 0xffff0000 : ~0U);
    } else if (off == GICD_SGIR) {
        send_sgi(g, c, v);
    }
}

static bool dist_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    os_mutex_lock(&g->lock);
    struct gic_cpu *c = accessor(g);
    u64 v = 0;
    if (is_byte_wide(off))
        for (unsigned i = 0; i < size; i++)
            v |= (u64)dist_byte_read(g, c, off + i) << i * 8;
    else
        v = dev_reg_part(dist_word_read(g, c, off & ~3ULL), off, size);
    os_mutex_unlock(&g->lock);
    *val = v;
    return true;
}

static bool dist_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    os_mutex_lock(&g->lock);
    struct gic_cpu *c = accessor(g);
    if (is_byte_wide(off))
        for (unsigned i = 0; i < size; i++)
            dist_byte_write(g, c, off + i, (u8)(val >> i * 8));
    else if (size == 4 && !(off & 3))
        dist_word_write(g, c, off, (u32)val);
    gic_update(g);
    os_mutex_unlock(&g->lock);
    return true;
}

/* ---- CPU interface ---- */

/// The interrupt that an acknowledge register of a group view returns.
static u32 highest(struct gic_cpu *c, bool aliased, bool acknowledge)
{
    struct gic_best b = acknowledge ? gic_signalled(c) : gic_best(c);
    if (b.intid == GIC_SPURIOUS || (aliased && b.group == 0))
        return GIC_SPURIOUS;
    if (!aliased && b.group == 1 && !c->ack_ctl)
        return GROUP1_NOT_ACKED;
    if (acknowledge)
        return gic_acknowledge(c, b);
    bool sgi = b.intid < 16 && c->sgi_source[b.intid];
    return b.intid | (sgi ? (u32)__builtin_ctz(c->sgi_source[b.intid]) << 10 : 0);
}

static void end_of_interrupt(struct gic_cpu *c, u32 v, bool aliased)
{
    u32 intid = v & 0x3ff;
    if (intid >= IRQ_INTIDS)
        return;
    struct gic_bank *b = gic_bank_of(c->gic, c, intid);
    unsigned group = b->group >> (intid & 31) & 1;
    if (group != aliased && !(group && c->ack_ctl))
        return;
    gic_priority_drop(c, group);
    if (!c->eoi_split)
        gic_deactivate(c, intid);
}

static u32 cpu_word_read(struct gic_cpu *c, u64 off)
{
    switch (off) {
    case GICC_CTLR:
        return c->group_on[0] | (u32)c->group_on[1] << 1 | (u32)c->ack_ctl << 2 |
               (u32)c->fiq_enabled << 3 | (u32)c->cbpr << 4 | (u32)c->eoi_split << 9;
    case GICC_PMR: return c->pmr;
    case GICC_BPR: return c->bpr[0];
    case GICC_ABPR: return c->bpr[1];
    case GICC_IAR: return highest(c, false, true);
    case GICC_AIAR: return highest(c, true, true);
    case GICC_HPPIR: return highest(c, false, false);
    case GICC_AHPPIR: return highest(c, true, false);
    case GICC_RPR: return gic_running_priority(c);
    case GICC_APR0: return c->ap[0];
    case GICC_NSAPR0: return c->ap[1];
    case GICC_IIDR: return GICC_IIDR_VALUE;
    default: return 0;
    }
}

static u8 clamp_bpr(u32 v, u32 min)
{
    v &= 7;
    return (u8)(v < min ? min : v);
}

static void cpu_word_write(struct gic_cpu *c, u64 off, u32 v)
{
    switch (off) {
    case GICC_CTLR:
        c->group_on[0] = v & 1;
        c->group_on[1] = v >> 1 & 1;
        c->ack_ctl = v >> 2 & 1;
        c->fiq_enabled = v >> 3 & 1;
        c->cbpr = v >> 4 & 1;
        c->eoi_split = v >> 9 & 1;
        break;
    case GICC_PMR: c->pmr = v & GIC_PRIO_MASK; break;
    case GICC_BPR: c->bpr[0] = clamp_bpr(v, GIC_BPR0_MIN); break;
    case GICC_ABPR: c->bpr[1] = clamp_bpr(v, GIC_BPR1_MIN); break;
    case GICC_EOIR: end_of_interrupt(c, v, false); break;
    case GICC_AEOIR: end_of_interrupt(c, v, true); break;
    case GICC_APR0: c->ap[0] = v; break;
    case GICC_NSAPR0: c->ap[1] = v; break;
    case GICC_DIR:
        if (c->eoi_split)
            gic_deactivate(c, v & 0x3ff);
        break;
    default: break;
    }
}

static bool cpu_read(void *dev, u64 off, unsigned size, u64 *val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    os_mutex_lock(&g->lock);
    *val = off & 3 || size != 4 ? 0 : cpu_word_read(accessor(g), off);
    os_mutex_unlock(&g->lock);
    return true;
}

static bool cpu_write(void *dev, u64 off, unsigned size, u64 val)
{
    struct gic *g = CONTAINER_OF((struct irqchip *)dev, struct gic, chip);
    os_mutex_lock(&g->lock);
    if (!(off & 3) && size == 4)
        cpu_word_write(accessor(g), off, (u32)val);
    gic_update(g);
    os_mutex_unlock(&g->lock);
    return true;
}

static const struct mmio_ops dist_io = {dist_read, dist_write, 1, 4};
static const struct mmio_ops cpu_io = {cpu_read, cpu_write, 1, 4};

static void gicv2_frame(struct irqchip *c, unsigned i, struct irqchip_frame *out)
{
    *out = i ? (struct irqchip_frame){"gicv2-cpu", &cpu_io, 0x10000}
             : (struct irqchip_frame){"gicv2-dist", &dist_io, 0x10000};
}


static void gicv2_reset(struct irqchip *c) { gic_reset(CONTAINER_OF(c, struct gic, chip)); }

static const struct irqchip_ops gicv2_ops = {
    .name = "gic-v2",
    .compatible = "arm,cortex-a15-gic",
    .cpus_max = 8,
    .frame_count = 2,
    .frame = gicv2_frame,
    .set_line = gic_set_line,
    .can_deliver = gic_can_deliver,
    .reset = gicv2_reset,
    .state = gic_state,
    .free = gic_free,
};

struct irqchip *gicv2_new(const struct irqchip_config *cfg)
{
    struct gic *g = gic_new(2, cfg);
    g->chip.ops = &gicv2_ops;
    return &g->chip;
}
