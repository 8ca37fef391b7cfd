/// GICv3 CPU interface: the ICC_* system registers. Source: IHI 0069, "AArch64 System register
/// descriptions". One security state: ICC_BPR1_EL1 is the Non-secure copy.
#include "irq/gic.h"

enum { SRE_FIXED = 7 }; ///< SRE, DFB and DIB read as one
enum { VIRTUAL_IRQ = 1 << 16, VIRTUAL_FIQ = 1 << 17, OP1_EL2 = 4 << 11 };

static u32 pending(struct gic_cpu *c, unsigned group, bool acknowledge)
{
    struct gic_best b = acknowledge ? gic_signalled(c) : gic_best(c);
    if (b.intid == GIC_SPURIOUS || b.group != group)
        return GIC_SPURIOUS;
    return acknowledge ? gic_acknowledge(c, b) : b.intid;
}

static void end_of_interrupt(struct gic_cpu *c, unsigned group, u64 val)
{
    u32 intid = val & 0xffffff;
    if (intid >= IRQ_INTIDS || !gic_priority_drop(c, group))
        return;
    if (!c->eoi_split)
        gic_deactivate(c, intid);
}

/// Sends an SGI that the sender's register addresses, to CPUs where it is of that group.
static void send_sgi(struct gic_cpu *from, u64 val, unsigned group)
{
    struct gic *g = from->gic;
    unsigned sgi = (unsigned)bits(val, 27, 24);
    bool all_but_self = bit(val, 40);
    u64 cluster = bits(val, 55, 48) << 32 | bits(val, 39, 32) << 16 | bits(val, 23, 16) << 8;
    unsigned first = (unsigned)bits(val, 47, 44) * 16;
    for (unsigned i = 0; i < g->cpus; i++) {
        struct gic_cpu *c = &g->cpu[i];
        unsigned aff0 = (unsigned)(c->mpidr & 0xff) - first; /* wraps when below: no match */
        bool hit = all_but_self ? c != from
                                : (c->mpidr & 0xff00ffff00ULL) == cluster && aff0 < 16 &&
                                      bit(val, aff0);
        if (hit && (c->bank.group >> sgi & 1) == group)
            gic_send_sgi(c, sgi, from->index);
    }
}

static u8 clamp_bpr(u64 v, u8 min)
{
    v &= 7;
    return v < min ? min : (u8)v;
}

static u64 bpr1(const struct gic_cpu *c)
{
    if (!c->cbpr)
        return c->bpr[1];
    return c->bpr[0] < 7 ? c->bpr[0] + 1U : 7;
}

void *gicv3_icc(struct irqchip *chip, unsigned cpu)
{
    struct gic *g = CONTAINER_OF(chip, struct gic, chip);
    return &g->cpu[cpu];
}

static bool read_locked(struct gic_cpu *c, u32 enc, u64 *val)
{
    if (UNLIKELY(enc & OP1_EL2))
        return gic_ich_read(c, enc, val);
    if (UNLIKELY(enc >> 16) && gic_virt_is_mine(enc & 0xffff, enc & VIRTUAL_IRQ, enc & VIRTUAL_FIQ))
        return gic_virt_read(c, enc & 0xffff, val);
    enc &= 0xffff;
    switch (enc) {
    case ICC_PMR_EL1: *val = c->pmr; break;
    case ICC_IAR0_EL1: *val = pending(c, 0, true); break;
    case ICC_IAR1_EL1: *val = pending(c, 1, true); break;
    case ICC_HPPIR0_EL1: *val = pending(c, 0, false); break;
    case ICC_HPPIR1_EL1: *val = pending(c, 1, false); break;
    case ICC_BPR0_EL1: *val = c->bpr[0]; break;
    case ICC_BPR1_EL1: *val = bpr1(c); break;
    case ICC_AP0R0_EL1: *val = c->ap[0]; break;
    case ICC_AP1R0_EL1: *val = c->ap[1]; break;
    case ICC_RPR_EL1: *val = gic_running_priority(c); break;
    case ICC_CTLR_EL1:
        *val = (c->cbpr ? ICC_CTLR_CBPR : 0) | (c->eoi_split ? ICC_CTLR_EOIMODE : 0) | ICC_CTLR_FIXED;
        break;
    case ICC_SRE_EL1: *val = SRE_FIXED; break;
    case ICC_IGRPEN0_EL1: *val = c->group_on[0]; break;
    case ICC_IGRPEN1_EL1: *val = c->group_on[1]; break;
    default: return false; /* write-only, or AP registers that five priority bits do not have */
    }
    return true;
}

static bool write_locked(struct gic_cpu *c, u32 enc, u64 val)
{
    if (UNLIKELY(enc & OP1_EL2))
        return gic_ich_write(c, enc, val);
    if (UNLIKELY(enc >> 16) && gic_virt_is_mine(enc & 0xffff, enc & VIRTUAL_IRQ, enc & VIRTUAL_FIQ))
        return gic_virt_write(c, enc & 0xffff, val);
    enc &= 0xffff;
    switch (enc) {
    case ICC_PMR_EL1: c->pmr = val & GIC_PRIO_MASK; break;
    case ICC_EOIR0_EL1: end_of_interrupt(c, 0, val); break;
    case ICC_EOIR1_EL1: end_of_interrupt(c, 1, val); break;
    case ICC_BPR0_EL1: c->bpr[0] = clamp_bpr(val, GIC_BPR0_MIN); break;
    case ICC_BPR1_EL1:
        if (!c->cbpr)
            c->bpr[1] = clamp_bpr(val, GIC_BPR1_MIN);
        break;
    case ICC_AP0R0_EL1: c->ap[0] = (u32)val; break;
    case ICC_AP1R0_EL1: c->ap[1] = (u32)val; break;
    case ICC_DIR_EL1:
        if (c->eoi_split)
            gic_deactivate(c, val & 0xffffff);
        break;
    case ICC_SGI1R_EL1: send_sgi(c, val, 1); return true;
    case ICC_ASGI1R_EL1: return true; /* for the other security state, which does not exist */
    case ICC_SGI0R_EL1: send_sgi(c, val, 0); return true;
    case ICC_CTLR_EL1:
        c->cbpr = val & ICC_CTLR_CBPR;
        c->eoi_split = val & ICC_CTLR_EOIMODE;
        break;
    case ICC_SRE_EL1: break;
    case ICC_IGRPEN0_EL1: c->group_on[0] = val & 1; break;
    case ICC_IGRPEN1_EL1: c->group_on[1] = val & 1; break;
    default: return false;
    }
    return true;
}

bool gicv3_icc_read(void *ctx, u32 enc, u64 *val)
{
    struct gic_cpu *c = ctx;
    os_mutex_lock(&c->gic->lock);
    bool ok = read_locked(c, enc, val);
    if (UNLIKELY(enc >> 16)) /* acknowledged: the next one */
        gic_update_cpu(c);
    os_mutex_unlock(&c->gic->lock);
    return ok;
}

bool gicv3_icc_write(void *ctx, u32 enc, u64 val)
{
    struct gic_cpu *c = ctx;
    os_mutex_lock(&c->gic->lock);
    bool ok = write_locked(c, enc, val);
    gic_update(c->gic);
    os_mutex_unlock(&c->gic->lock);
    return ok;
}
