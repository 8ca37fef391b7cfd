/// GICv3 virtual CPU interface: ICV_*, which EL1 sees under the names ICC_*, and ICH_*, by which a
/// hypervisor feeds it. Source: IHI 0069, "Virtualization of the interrupt controller" and "AArch64
/// System register descriptions". Four list registers, five priority bits, no direct injection.
#include "irq/gic.h"

enum {
    HCR_EN = 1 << 0, HCR_UIE = 1 << 1, HCR_LRENPIE = 1 << 2, HCR_NPIE = 1 << 3, HCR_GRP0E = 1 << 4, HCR_GRP0D = 1 << 5,
    HCR_GRP1E = 1 << 6, HCR_GRP1D = 1 << 7, HCR_STORED = 0xff,
};
#define HCR_EOICOUNT_SHIFT 27
enum { MISR_EOI = 1 << 0, MISR_U = 1 << 1, MISR_LRENP = 1 << 2, MISR_NP = 1 << 3 };
#define LR_PENDING (1ULL << 62)
#define LR_ACTIVE (1ULL << 63)
#define LR_STATE (LR_PENDING | LR_ACTIVE)
#define LR_HW (1ULL << 61)
#define LR_EOI (1ULL << 41) /* without LR_HW */
#define LR_MASK 0xf0ff1fffffffffffULL
/// 4 list registers, A3V, no direct injection, 16 INTID bits, 5 preemption and priority bits.
#define VTR_VALUE ((GIC_LRS - 1) | 1U << 20 | 1U << 21 | 4U << 26 | 4U << 29)

static bool lr_group(u64 lr) { return bit(lr, 60); }
static u8 lr_prio(u64 lr) { return (u8)bits(lr, 55, 48) & GIC_PRIO_MASK; }

static u8 running_priority(const struct gic_virt *v)
{
    u32 ap = v->ap[0] | v->ap[1];
    return ap ? (u8)(__builtin_ctz(ap) << GIC_PRIO_SHIFT) : GIC_PRIO_IDLE;
}

/// The list register with the best pending interrupt of an enabled group, or -1.
static int best_lr(const struct gic_virt *v)
{
    int best = -1;
    for (int n = 0; n < GIC_LRS; n++) {
        u64 lr = v->lr[n];
        if ((lr & LR_STATE) == LR_PENDING && v->group_on[lr_group(lr)] && (best < 0 || lr_prio(lr) < lr_prio(v->lr[best])))
            best = n;
    }
    return best;
}
/// The same when it is signalled now.
static int signalled_lr(const struct gic_virt *v)
{
    int n = best_lr(v);
    if (n < 0 || !(v->hcr & HCR_EN) || lr_prio(v->lr[n]) >= v->pmr)
        return -1;
    bool group = lr_group(v->lr[n]);
    unsigned low = group && !v->cbpr ? v->bpr[1] : v->bpr[0] + 1U;
    return (u8)(lr_prio(v->lr[n]) & (0xffU << low)) < running_priority(v) ? n : -1;
}

static u32 ended(const struct gic_virt *v) /* EISR */
{
    u32 m = 0;
    for (unsigned n = 0; n < GIC_LRS; n++)
        m |= (u32)(!(v->lr[n] & (LR_STATE | LR_HW)) && v->lr[n] & LR_EOI) << n;
    return m;
}
static u32 empty(const struct gic_virt *v) /* ELRSR */
{
    u32 m = 0;
    for (unsigned n = 0; n < GIC_LRS; n++)
        m |= (u32)(!(v->lr[n] & LR_STATE) && (v->lr[n] & LR_HW || !(v->lr[n] & LR_EOI))) << n;
    return m;
}

static u32 maintenance(const struct gic_virt *v) /* MISR */
{
    unsigned valid = 0, pending = 0;
    u32 m = ended(v) ? MISR_EOI : 0;
    for (unsigned n = 0; n < GIC_LRS; n++) {
        valid += (v->lr[n] & LR_STATE) != 0;
        pending += (v->lr[n] & LR_STATE) == LR_PENDING;
    }
    m |= v->hcr & HCR_UIE && valid <= 1 ? MISR_U : 0;
    m |= v->hcr & HCR_LRENPIE && v->hcr >> HCR_EOICOUNT_SHIFT ? MISR_LRENP : 0;
    m |= v->hcr & HCR_NPIE && !pending ? MISR_NP : 0;
    m |= v->hcr & (v->group_on[0] ? HCR_GRP0E : HCR_GRP0D);
    m |= v->hcr & (v->group_on[1] ? HCR_GRP1E : HCR_GRP1D);
    return m;
}

u8 gic_virt_update(struct gic_cpu *c)
{
    const struct gic_virt *v = &c->virt;
    u32 line = v->hcr & HCR_EN && maintenance(v) ? 1U << GIC_PPI_MAINTENANCE : 0;
    c->bank.level = (c->bank.level & ~(1U << GIC_PPI_MAINTENANCE)) | line;
    int n = signalled_lr(v);
    return n < 0 ? 0 : lr_group(v->lr[n]) ? 1U << IRQ_WIRE_VIRQ : 1U << IRQ_WIRE_VFIQ;
}

void gic_virt_reset(struct gic_virt *v)
{
    memset(v, 0, sizeof *v);
    v->bpr[0] = GIC_BPR0_MIN;
    v->bpr[1] = GIC_BPR1_MIN;
}

/* ---- ICV ---- */

static u32 acknowledge(struct gic_virt *v, unsigned group)
{
    int n = signalled_lr(v);
    if (n < 0 || lr_group(v->lr[n]) != group)
        return GIC_SPURIOUS;
    v->ap[group] |= 1U << (lr_prio(v->lr[n]) >> GIC_PRIO_SHIFT);
    v->lr[n] ^= LR_STATE; /* pending becomes active */
    return (u32)v->lr[n];
}

static u32 peek(const struct gic_virt *v, unsigned group)
{
    int n = best_lr(v);
    return n < 0 || !(v->hcr & HCR_EN) || lr_group(v->lr[n]) != group ? GIC_SPURIOUS : (u32)v->lr[n];
}

static void deactivate(struct gic_cpu *c, u32 intid)
{
    struct gic_virt *v = &c->virt;
    for (unsigned n = 0; n < GIC_LRS; n++) {
        if (!(v->lr[n] & LR_ACTIVE) || (u32)v->lr[n] != intid)
            continue;
        v->lr[n] &= ~LR_ACTIVE;
        if (v->lr[n] & LR_HW)
            gic_deactivate(c, (u32)bits(v->lr[n], 44, 32));
        return;
    }
    v->hcr += 1U << HCR_EOICOUNT_SHIFT;
}

static void end_of_interrupt(struct gic_cpu *c, unsigned group, u64 val)
{
    struct gic_virt *v = &c->virt;
    if ((val & 0xffffff) >= 1020 && (val & 0xffffff) <= 1023)
        return;
    if (!v->ap[group])
        return;
    v->ap[group] &= v->ap[group] - 1;
    if (!v->eoi_split)
        deactivate(c, (u32)val & 0xffffff);
}

static u8 clamp_bpr(u64 val, u8 min) { return (val & 7) < min ? min : (u8)(val & 7); }

static u64 bpr1(const struct gic_virt *v)
{
    if (!v->cbpr)
        return v->bpr[1];
    return v->bpr[0] < 7 ? v->bpr[0] + 1U : 7;
}

bool gic_virt_is_mine(u32 enc, bool irq, bool fiq)
{
    switch (enc) {
    case ICC_IAR0_EL1:
    case ICC_EOIR0_EL1:
    case ICC_HPPIR0_EL1:
    case ICC_BPR0_EL1:
    case ICC_AP0R0_EL1:
    case ICC_IGRPEN0_EL1: return fiq;
    case ICC_IAR1_EL1:
    case ICC_EOIR1_EL1:
    case ICC_HPPIR1_EL1:
    case ICC_BPR1_EL1:
    case ICC_AP1R0_EL1:
    case ICC_IGRPEN1_EL1: return irq;
    case ICC_PMR_EL1:
    case ICC_DIR_EL1:
    case ICC_RPR_EL1:
    case ICC_CTLR_EL1: return irq || fiq;
    default: return false;
    }
}

bool gic_virt_read(struct gic_cpu *c, u32 enc, u64 *val)
{
    struct gic_virt *v = &c->virt;
    switch (enc) {
    case ICC_PMR_EL1: *val = v->pmr; break;
    case ICC_IAR0_EL1: *val = acknowledge(v, 0); break;
    case ICC_IAR1_EL1: *val = acknowledge(v, 1); break;
    case ICC_HPPIR0_EL1: *val = peek(v, 0); break;
    case ICC_HPPIR1_EL1: *val = peek(v, 1); break;
    case ICC_BPR0_EL1: *val = v->bpr[0]; break;
    case ICC_BPR1_EL1: *val = bpr1(v); break;
    case ICC_AP0R0_EL1: *val = v->ap[0]; break;
    case ICC_AP1R0_EL1: *val = v->ap[1]; break;
    case ICC_RPR_EL1: *val = running_priority(v); break;
    case ICC_CTLR_EL1:
        *val = (v->cbpr ? ICC_CTLR_CBPR : 0) | (v->eoi_split ? ICC_CTLR_EOIMODE : 0) | ICC_CTLR_FIXED;
        break;
    case ICC_IGRPEN0_EL1: *val = v->group_on[0]; break;
    case ICC_IGRPEN1_EL1: *val = v->group_on[1]; break;
    default: return false;
    }
    return true;
}

bool gic_virt_write(struct gic_cpu *c, u32 enc, u64 val)
{
    struct gic_virt *v = &c->virt;
    switch (enc) {
    case ICC_PMR_EL1: v->pmr = val & GIC_PRIO_MASK; break;
    case ICC_EOIR0_EL1: end_of_interrupt(c, 0, val); break;
    case ICC_EOIR1_EL1: end_of_interrupt(c, 1, val); break;
    case ICC_BPR0_EL1: v->bpr[0] = clamp_bpr(val, GIC_BPR0_MIN); break;
    case ICC_BPR1_EL1:
        if (!v->cbpr)
            v->bpr[1] = clamp_bpr(val, GIC_BPR1_MIN);
        break;
    case ICC_AP0R0_EL1: v->ap[0] = (u32)val; break;
    case ICC_AP1R0_EL1: v->ap[1] = (u32)val; break;
    case ICC_DIR_EL1:
        if (v->eoi_split)
            deactivate(c, (u32)val & 0xffffff);
        break;
    case ICC_CTLR_EL1:
        v->cbpr = val & ICC_CTLR_CBPR;
        v->eoi_split = val & ICC_CTLR_EOIMODE;
        break;
    case ICC_IGRPEN0_EL1: v->group_on[0] = val & 1; break;
    case ICC_IGRPEN1_EL1: v->group_on[1] = val & 1; break;
    default: return false;
    }
    return true;
}

/* ---- ICH ---- */

#define ICH(crm, op2) ((u32)(3 << 14 | 4 << 11 | 12 << 7 | (crm) << 3 | (op2)))
enum {
    ICH_AP0R0_EL2 = ICH(8, 0),
    ICH_AP1R0_EL2 = ICH(9, 0),
    ICC_SRE_EL2 = ICH(9, 5),
    ICH_HCR_EL2 = ICH(11, 0),
    ICH_VTR_EL2 = ICH(11, 1),
    ICH_MISR_EL2 = ICH(11, 2),
    ICH_EISR_EL2 = ICH(11, 3),
    ICH_ELRSR_EL2 = ICH(11, 5),
    ICH_VMCR_EL2 = ICH(11, 7),
    ICH_LR0_EL2 = ICH(12, 0),
};
enum { SRE2_FIXED = 0xf }; ///< SRE, DFB, DIB and Enable read as one

static u64 vmcr_read(const struct gic_virt *v)
{
    return (u64)v->group_on[0] | (u64)v->group_on[1] << 1 | 1U << 3 | (u64)v->cbpr << 4 | (u64)v->eoi_split << 9 |
           (u64)v->bpr[1] << 18 | (u64)v->bpr[0] << 21 | (u64)v->pmr << 24;
}
static void vmcr_write(struct gic_virt *v, u64 val)
{
    v->group_on[0] = bit(val, 0);
    v->group_on[1] = bit(val, 1);
    v->cbpr = bit(val, 4);
    v->eoi_split = bit(val, 9);
    v->bpr[1] = clamp_bpr(bits(val, 20, 18), GIC_BPR1_MIN);
    v->bpr[0] = clamp_bpr(bits(val, 23, 21), GIC_BPR0_MIN);
    v->pmr = bits(val, 31, 24) & GIC_PRIO_MASK;
}

bool gic_ich_read(struct gic_cpu *c, u32 enc, u64 *val)
{
    const struct gic_virt *v = &c->virt;
    switch (enc) {
    case ICC_SRE_EL2: *val = SRE2_FIXED; return true;
    case ICH_AP0R0_EL2: *val = v->ap[0]; return true;
    case ICH_AP1R0_EL2: *val = v->ap[1]; return true;
    case ICH_HCR_EL2: *val = v->hcr; return true;
    case ICH_VTR_EL2: *val = VTR_VALUE; return true;
    case ICH_MISR_EL2: *val = maintenance(v); return true;
    case ICH_EISR_EL2: *val = ended(v); return true;
    case ICH_ELRSR_EL2: *val = empty(v); return true;
    case ICH_VMCR_EL2: *val = vmcr_read(v); return true;
    default: break;
    }
    if (enc < ICH_LR0_EL2 || enc >= ICH_LR0_EL2 + GIC_LRS)
        return false;
    *val = v->lr[enc - ICH_LR0_EL2];
    return true;
}

bool gic_ich_write(struct gic_cpu *c, u32 enc, u64 val)
{
    struct gic_virt *v = &c->virt;
    switch (enc) {
    case ICC_SRE_EL2: return true;
    case ICH_AP0R0_EL2: v->ap[0] = (u32)val; return true;
    case ICH_AP1R0_EL2: v->ap[1] = (u32)val; return true;
    case ICH_HCR_EL2: v->hcr = (u32)val & (HCR_STORED | 0x1fU << HCR_EOICOUNT_SHIFT); return true;
    case ICH_VMCR_EL2: vmcr_write(v, val); return true;
    default: break;
    }
    if (enc < ICH_LR0_EL2 || enc >= ICH_LR0_EL2 + GIC_LRS)
        return false;
    v->lr[enc - ICH_LR0_EL2] = val & LR_MASK;
    return true;
}
