/// The interrupt state machine that GICv2 and GICv3 share.
#include "irq/gic.h"

#include <stdlib.h>

struct gic_bank *gic_bank_of(struct gic *g, struct gic_cpu *c, u32 intid)
{
    return intid < 32 ? &c->bank : &g->spi[intid / 32 - 1];
}

static bool targets(const struct gic *g, const struct gic_cpu *c, u32 spi)
{
    return g->version == 2 ? g->target[spi] >> c->index & 1 : g->target[spi] == c->index;
}

/// Group enables of distributor and CPU interface as a mask over a bank.
static u32 group_mask(const struct gic_cpu *c, const struct gic_bank *b)
{
    const struct gic *g = c->gic;
    u32 m = 0;
    if (g->group_on[0] && c->group_on[0])
        m |= ~b->group;
    if (g->group_on[1] && c->group_on[1])
        m |= b->group;
    return m;
}

static void consider(const struct gic_cpu *c, const struct gic_bank *b, unsigned bank,
                     struct gic_best *best)
{
    u32 w = (b->pending | (b->level & ~b->edge)) & b->enabled & ~b->active;
    for (w &= w ? group_mask(c, b) : 0; w; w &= w - 1) {
        unsigned n = (unsigned)__builtin_ctz(w);
        if (b->prio[n] >= best->prio || (bank && !targets(c->gic, c, (bank - 1) * 32 + n)))
            continue;
        *best = (struct gic_best){bank * 32 + n, b->prio[n], b->group >> n & 1};
    }
}

struct gic_best gic_best(const struct gic_cpu *c)
{
    struct gic_best best = {GIC_SPURIOUS, GIC_PRIO_IDLE, 0};
    if (c->asleep)
        return best;
    consider(c, &c->bank, 0, &best);
    for (unsigned i = 0; i < GIC_SPI_BANKS; i++)
        consider(c, &c->gic->spi[i], i + 1, &best);
    return best;
}

u8 gic_running_priority(const struct gic_cpu *c)
{
    u32 ap = c->ap[0] | c->ap[1];
    return ap ? (u8)(__builtin_ctz(ap) << GIC_PRIO_SHIFT) : GIC_PRIO_IDLE;
}

/// The bits of a priority that decide preemption. The binary point of group 1 is one higher than
/// that of group 0 for the same split ("Priority grouping").
static u8 group_priority(const struct gic_cpu *c, u8 prio, unsigned group)
{
    unsigned low = group && !c->cbpr ? c->bpr[1] : c->bpr[0] + 1U;
    return (u8)(prio & (0xffU << low));
}

struct gic_best gic_signalled(const struct gic_cpu *c)
{
    struct gic_best b = gic_best(c);
    if (b.intid != GIC_SPURIOUS &&
        (b.prio >= c->pmr || group_priority(c, b.prio, b.group) >= gic_running_priority(c)))
        b.intid = GIC_SPURIOUS;
    return b;
}

void gic_update_cpu(struct gic_cpu *c)
{
    u8 wires = UNLIKELY(c->virt.hcr || c->bank.level >> GIC_PPI_MAINTENANCE & 1) ? gic_virt_update(c) : 0;
    struct gic_best b = gic_signalled(c);
    if (b.intid != GIC_SPURIOUS) {
        bool fiq = b.group == 0 && (c->gic->version == 3 || c->fiq_enabled);
        wires |= fiq ? 1U << IRQ_WIRE_FIQ : 1U << IRQ_WIRE_IRQ;
    }
    u8 changed = wires ^ c->wires;
    c->wires = wires;
    for (unsigned w = 0; changed && w < IRQ_WIRES; w++)
        if (changed >> w & 1)
            irq_set(&c->wire[w], wires >> w & 1);
}

void gic_update(struct gic *g)
{
    for (unsigned i = 0; i < g->cpus; i++)
        gic_update_cpu(&g->cpu[i]);
}

u32 gic_acknowledge(struct gic_cpu *c, struct gic_best b)
{
    struct gic_bank *bank = gic_bank_of(c->gic, c, b.intid);
    u32 bit = 1U << (b.intid & 31), source = 0;
    if (b.intid < 16 && c->gic->version == 2) {
        source = c->sgi_source[b.intid] ? (u32)__builtin_ctz(c->sgi_source[b.intid]) : 0;
        c->sgi_source[b.intid] &= (u8)~(1U << source);
        if (!c->sgi_source[b.intid])
            bank->pending &= ~bit;
    } else {
        bank->pending &= ~bit;
    }
    bank->active |= bit;
    c->ap[b.group] |= 1U << (group_priority(c, b.prio, b.group) >> GIC_PRIO_SHIFT);
    gic_update(c->gic);
    return b.intid | source << 10;
}

bool gic_priority_drop(struct gic_cpu *c, unsigned group)
{
    u32 mine = c->ap[group], other = c->ap[!group];
    if (!mine || (other && __builtin_ctz(other) < __builtin_ctz(mine)))
        return false;
    c->ap[group] &= mine - 1;
    return true;
}

void gic_deactivate(struct gic_cpu *c, u32 intid)
{
    if (intid < IRQ_INTIDS)
        gic_bank_of(c->gic, c, intid)->active &= ~(1U << (intid & 31));
}

void gic_send_sgi(struct gic_cpu *to, unsigned sgi, unsigned source)
{
    to->bank.pending |= 1U << sgi;
    if (to->gic->version == 2)
        to->sgi_source[sgi] |= (u8)(1U << source);
    gic_update_cpu(to);
}

void gic_set_line(struct irqchip *chip, unsigned intid, unsigned cpu, bool level)
{
    struct gic *g = CONTAINER_OF(chip, struct gic, chip);
    if (intid < IRQ_PPI_BASE || intid >= IRQ_INTIDS || cpu >= g->cpus)
        return;
    os_mutex_lock(&g->lock);
    struct gic_bank *b = gic_bank_of(g, &g->cpu[cpu], intid);
    u32 bit = 1U << (intid & 31);
    if (!(b->level & bit) == level) {
        b->level ^= bit;
        if (level && b->edge & bit)
            b->pending |= bit;
        if (intid < 32)
            gic_update_cpu(&g->cpu[cpu]);
        else
            gic_update(g);
    }
    os_mutex_unlock(&g->lock);
}

bool gic_can_deliver(struct irqchip *chip, unsigned intid, unsigned cpu)
{
    struct gic *g = CONTAINER_OF(chip, struct gic, chip);
    if (intid >= IRQ_INTIDS || cpu >= g->cpus)
        return false;
    os_mutex_lock(&g->lock);
    bool can = false;
    for (unsigned i = 0; i < g->cpus && !can; i++) {
        const struct gic_cpu *c = &g->cpu[i];
        const struct gic_bank *b = gic_bank_of(g, &g->cpu[i], intid);
        unsigned n = intid & 31;
        if (c->asleep || (intid < 32 && i != cpu) || (intid >= 32 && !targets(g, c, intid - 32)))
            continue;
        can = b->enabled & ~b->active & group_mask(c, b) & 1U << n && b->prio[n] < c->pmr &&
              b->prio[n] < gic_running_priority(c);
    }
    os_mutex_unlock(&g->lock);
    return can;
}

/* ---- registers that both versions have ---- */

u32 gic_word_read(struct gic_bank *b, u64 off)
{
    switch (off >> 7) {
    case 1: return b->group;
    case 2:
    case 3: return b->enabled;
    case 4:
    case 5: return b->pending | (b->level & ~b->edge);
    default: return b->active;
    }
}

void gic_word_write(struct gic *g, struct gic_bank *b, u64 off, u32 val, bool is_sgi_bank)
{
    u32 v2_sgis = g->version == 2 && is_sgi_bank ? 0xffff : 0; /* no enables, own pending registers */
    switch (off >> 7) {
    case 1: b->group = val; break;
    case 2: b->enabled |= val; break;
    case 3: b->enabled &= ~val | v2_sgis; break;
    case 4: b->pending |= val & ~v2_sgis; break;
    case 5: b->pending &= ~val | v2_sgis; break;
    case 6: b->active |= val; break;
    default: b->active &= ~val; break;
    }
    gic_update(g);
}

u32 gic_config_read(const struct gic_bank *b, unsigned half)
{
    u32 v = 0;
    for (unsigned i = 0; i < 16; i++)
        v |= (b->edge >> (half * 16 + i) & 1) << (i * 2 + 1);
    return v;
}

void gic_config_write(struct gic_bank *b, unsigned half, u32 val, u32 writable)
{
    for (unsigned i = 0; i < 16; i++) {
        u32 bit = 1U << (half * 16 + i);
        if (bit & writable)
            b->edge = val >> (i * 2 + 1) & 1 ? b->edge | bit : b->edge & ~bit;
    }
}

/* ---- life ---- */

void gic_reset(struct gic *g)
{
    os_mutex_lock(&g->lock);
    g->group_on[0] = g->group_on[1] = false;
    for (unsigned i = 0; i < GIC_SPI_BANKS; i++)
        g->spi[i] = (struct gic_bank){.level = g->spi[i].level};
    for (unsigned i = 0; i < IRQ_SPI_COUNT; i++) {
        g->target[i] = g->version == 2 ? g->cpus == 1 : 0;
        g->route[i] = g->cpu[0].mpidr & 0xff00ffffffULL;
    }
    for (unsigned i = 0; i < g->cpus; i++) {
        struct gic_cpu *c = &g->cpu[i];
        c->bank = (struct gic_bank){.level = c->bank.level, .edge = 0xffff};
        if (g->version == 2)
            c->bank.enabled = 0xffff;
        memset(c->sgi_source, 0, sizeof c->sgi_source);
        c->ap[0] = c->ap[1] = 0;
        c->pmr = 0;
        c->bpr[0] = GIC_BPR0_MIN;
        c->bpr[1] = GIC_BPR1_MIN;
        c->group_on[0] = c->group_on[1] = false;
        c->eoi_split = c->cbpr = c->fiq_enabled = c->ack_ctl = false;
        gic_virt_reset(&c->virt);
        c->woken = false;
        c->asleep = false; /* as after EL3 firmware: EDK2 does not wake redistributors itself */
    }
    gic_update(g);
    os_mutex_unlock(&g->lock);
}

struct gic *gic_new(unsigned version, const struct irqchip_config *cfg)
{
    struct gic *g = xcalloc(1, sizeof *g);
    os_mutex_init(&g->lock);
    g->version = version;
    g->cpus = cfg->cpus;
    g->cpu = xcalloc(cfg->cpus, sizeof *g->cpu);
    g->current_cpu = cfg->current_cpu;
    g->current_ctx = cfg->current_ctx;
    for (unsigned i = 0; i < g->cpus; i++) {
        g->cpu[i].gic = g;
        g->cpu[i].index = i;
        g->cpu[i].mpidr = cfg->mpidr[i];
        memcpy(g->cpu[i].wire, cfg->wire[i], sizeof g->cpu[i].wire);
    }
    gic_reset(g);
    return g;
}

void gic_free(struct irqchip *chip)
{
    struct gic *g = CONTAINER_OF(chip, struct gic, chip);
    os_mutex_destroy(&g->lock);
    free(g->cpu);
    free(g);
}

static void bank_state(struct state *s, struct gic_bank *b)
{
    u32 *words[] = {&b->group, &b->enabled, &b->pending, &b->active, &b->level, &b->edge};
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        state_u32(s, words[i]);
    state_bytes(s, b->prio, sizeof b->prio);
    for (unsigned i = 0; i < 32; i++)
        b->prio[i] &= GIC_PRIO_MASK;
}

static void cpu_state(struct state *s, struct gic_cpu *c)
{
    bank_state(s, &c->bank);
    state_bytes(s, c->sgi_source, sizeof c->sgi_source);
    state_u32(s, &c->ap[0]);
    state_u32(s, &c->ap[1]);
    state_u8(s, &c->pmr);
    state_u8(s, &c->bpr[0]);
    state_u8(s, &c->bpr[1]);
    bool *flags[] = {&c->group_on[0], &c->group_on[1], &c->eoi_split, &c->cbpr,
                     &c->fiq_enabled, &c->ack_ctl,     &c->asleep,  &c->woken};
    for (unsigned i = 0; i < ARRAY_LEN(flags); i++)
        state_bool(s, flags[i]);
    for (unsigned i = 0; i < GIC_LRS; i++)
        state_u64(s, &c->virt.lr[i]);
    state_u32(s, &c->virt.hcr);
    state_u32(s, &c->virt.ap[0]);
    state_u32(s, &c->virt.ap[1]);
    state_u8(s, &c->virt.pmr);
    state_u8(s, &c->virt.bpr[0]);
    state_u8(s, &c->virt.bpr[1]);
    bool *virt[] = {&c->virt.group_on[0], &c->virt.group_on[1], &c->virt.eoi_split, &c->virt.cbpr};
    for (unsigned i = 0; i < ARRAY_LEN(virt); i++)
        state_bool(s, virt[i]);
    if (c->virt.bpr[0] > 7 || c->virt.bpr[1] > 7)
        s->is_bad = true, c->virt.bpr[0] = c->virt.bpr[1] = 7;
    if (c->bpr[0] > 7 || c->bpr[1] > 7) {
        s->is_bad = true;
        c->bpr[0] = c->bpr[1] = 7;
    }
}

void gic_state(struct irqchip *chip, struct state *s)
{
    struct gic *g = CONTAINER_OF(chip, struct gic, chip);
    os_mutex_lock(&g->lock);
    state_bool(s, &g->group_on[0]);
    state_bool(s, &g->group_on[1]);
    for (unsigned i = 0; i < GIC_SPI_BANKS; i++)
        bank_state(s, &g->spi[i]);
    for (unsigned i = 0; i < IRQ_SPI_COUNT; i++) {
        state_u16(s, &g->target[i]);
        state_u64(s, &g->route[i]);
    }
    for (unsigned i = 0; i < g->cpus; i++)
        cpu_state(s, &g->cpu[i]);
    if (s->is_loading)
        gic_update(g);
    os_mutex_unlock(&g->lock);
}
