/// Which link is broken in the chain from a timer or device through the interrupt controller to a CPU.
#include "debug/wake.h"

#include <stdarg.h>
#include <stdio.h>

typedef unsigned long long ull;

#define GICD 0x08000000ULL
#define GICR 0x080a0000ULL
#define GICC 0x08010000ULL
enum {
    GICR_STRIDE = 0x20000,
    GICR_SGI = 0x10000,
    IGROUPR = 0x80,
    ISENABLER = 0x100,
    ISPENDR = 0x200,
    ISACTIVER = 0x300,
    IPRIORITYR = 0x400,
    ITARGETSR = 0x800,
    IROUTER = 0x6000,
    GICR_WAKER = 0x14
};
#define YEAR_S (365ULL * 24 * 3600)

static u64 io(struct explain *x, gpa_t pa)
{
    u64 v = 0;
    return mem_io_read(machine_mem(x->m), pa, 4, &v) ? v : 0;
}

void read_chain(struct explain *x, struct cpu *c, struct chain *k)
{
    *k = (struct chain){.has_gic = !machine_config(x->m)->bare};
    k->v_ctl = c->sr[SYSREG_CNTV_CTL_EL0];
    k->p_ctl = c->sr[SYSREG_CNTP_CTL_EL0];
    k->hp_ctl = c->sr[SYSREG_CNTHP_CTL_EL2];
    k->hv_ctl = c->sr[SYSREG_CNTHV_CTL_EL2];
    if (!k->has_gic)
        return;
    k->gicd_ctlr = io(x, GICD);
    if (machine_config(x->m)->gic == 3) {
        k->asleep = bit(io(x, GICR + (u64)GICR_STRIDE * c->index + GICR_WAKER), 1);
        k->bank = GICR + (u64)GICR_STRIDE * c->index + GICR_SGI;
        if (c->icc.read) {
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 4, 6, 0), &k->pmr);
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 12, 12, 6), &k->group0);
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 12, 12, 7), &k->group1);
            u64 ctlr = 0;
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 12, 12, 4), &ctlr);
            k->eoi_drops = bit(ctlr, 1);
        }
    } else {
        k->bank = GICD;
        k->pmr = io(x, GICC + 4);
        k->group0 = io(x, GICC) & 1;
        k->group1 = io(x, GICC) >> 1 & 1;
        k->eoi_drops = bit(io(x, GICC), 9);
    }
    k->group = io(x, k->bank + IGROUPR);
    k->enabled = io(x, k->bank + ISENABLER);
    k->pending = io(x, k->bank + ISPENDR);
    k->active = io(x, k->bank + ISACTIVER);
}

bool fiq_may_come(struct explain *x, struct cpu *c)
{
    struct chain k;
    read_chain(x, c, &k);
    return k.group0 != 0;
}

static u64 priority(struct explain *x, const struct chain *k, unsigned intid)
{
    return io(x, k->bank + IPRIORITYR + (intid & ~3u)) >> (intid & 3) * 8 & 0xff;
}

static const char *intid_name(unsigned intid)
{
    static const struct {
        unsigned intid;
        const char *name;
    } known[] = {{25, "the GIC's maintenance interrupt"},
                 {26, "the hypervisor timer"},
                 {27, "the virtual timer"},
                 {28, "the hypervisor's virtual timer"},
                 {30, "the physical timer"},
                 {33, "the UART"},
                 {34, "the RTC"},
                 {39, "the GPIO keys"}};
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].intid == intid)
            return known[i].name;
    return intid < 16 ? "an SGI" : intid < 32 ? "a private interrupt" : "a device";
}

const char *pending_interrupt(struct explain *x, struct cpu *c, char *buf, size_t size)
{
    struct chain k;
    buf[0] = 0;
    read_chain(x, c, &k);
    for (unsigned n = 0; k.has_gic && n < 8; n++) { /* banks: private ones, then SPIs */
        u64 on = n ? io(x, GICD + ISENABLER + 4 * n) : k.enabled;
        u64 act = n ? io(x, GICD + ISACTIVER + 4 * n) : k.active,
            pend = n ? io(x, GICD + ISPENDR + 4 * n) : k.pending;
        u64 hit = act & on ? act & on : pend & on;
        if (hit) {
            unsigned intid = 32 * n + (unsigned)__builtin_ctzll(hit);
            snprintf(buf, size, " (INTID %u, %s%s)", intid, intid_name(intid),
                     act & on ? ", acknowledged" : "");
            break;
        }
    }
    return buf;
}

static void PRINTF_LIKE(2, 3) broken(struct links *l, const char *fmt, ...)
{
    va_list ap;
    if (l->count++ && l->len < sizeof l->text)
        l->len += (size_t)snprintf(l->text + l->len, sizeof l->text - l->len, "; and ");
    if (l->len >= sizeof l->text)
        return;
    va_start(ap, fmt);
    l->len += (size_t)vsnprintf(l->text + l->len, sizeof l->text - l->len, fmt, ap);
    va_end(ap);
}

static void PRINTF_LIKE(2, 3) mend(struct links *l, const char *fmt, ...)
{
    va_list ap;
    if (l->fix_len && l->fix_len < sizeof l->fix)
        l->fix_len += (size_t)snprintf(l->fix + l->fix_len, sizeof l->fix - l->fix_len, "; ");
    if (l->fix_len >= sizeof l->fix)
        return;
    va_start(ap, fmt);
    l->fix_len += (size_t)vsnprintf(l->fix + l->fix_len, sizeof l->fix - l->fix_len, fmt, ap);
    va_end(ap);
}

/// What stands in the way of an interrupt in the distributor or redistributor.
static void distributor_links(struct explain *x, const struct chain *k, unsigned intid, struct links *l)
{
    unsigned n = intid % 32;
    bool v3 = machine_config(x->m)->gic == 3;
    const char *frame = v3 && intid < 32 ? "GICR" : "GICD";
    if (!bit(k->enabled, n)) {
        broken(l, "INTID %u is not enabled in the GIC (%s_ISENABLER%u=0x%llx)", intid, frame,
               intid / 32, (ull)k->enabled);
        mend(l, "write 1 << %u to %s_ISENABLER%u (0x%llx)", n, frame, intid / 32,
             (ull)(k->bank + ISENABLER + (intid >= 32 ? 4 * (intid / 32) : 0)));
    }
    if (k->asleep) {
        broken(l, "the redistributor sleeps (GICR_WAKER.ProcessorSleep=1): clear it first");
        mend(l, "clear GICR_WAKER.ProcessorSleep and wait for ChildrenAsleep=0");
    }
    if (!(k->gicd_ctlr & 3)) {
        broken(l, "the distributor is off (GICD_CTLR=0x%llx)", (ull)k->gicd_ctlr);
        mend(l, "set the group enables in GICD_CTLR (%s)",
             v3 ? "0x12: affinity routing and group 1" : "1");
    }
    if (intid >= 32 && !v3 && (io(x, GICD + ITARGETSR + (intid & ~3u)) >> (intid & 3) * 8 & 0xff) == 0) {
        broken(l, "INTID %u has no target CPU (GICD_ITARGETSR%u is 0 for it)", intid, intid / 4);
        mend(l, "set its byte of GICD_ITARGETSR (0x%llx) to 1", GICD + ITARGETSR + intid);
    }
    if (intid >= 32 && v3 && !(io(x, GICD + IROUTER + 8ULL * intid) >> 31) &&
        (io(x, GICD + IROUTER + 8ULL * intid) & 0xffffff) >= x->cpus) {
        broken(l, "INTID %u is routed to a CPU that does not exist (GICD_IROUTER%u=0x%llx)", intid,
               intid, (ull)io(x, GICD + IROUTER + 8ULL * intid));
        mend(l, "write the MPIDR of a CPU (0) to GICD_IROUTER%u (0x%llx)", intid,
             (ull)(GICD + IROUTER + 8ULL * intid));
    }
    if (bit(k->active, n) && k->eoi_drops) {
        broken(l, "INTID %u is still active: EOImode is 1, so EOIR only drops its priority and nobody deactivated it",
               intid);
        mend(l, "write the INTID to %s after EOIR, or set %s to 0", v3 ? "ICC_DIR_EL1" : "GICC_DIR",
             v3 ? "ICC_CTLR_EL1.EOImode" : "GICC_CTLR.EOImode");
    } else if (bit(k->active, n)) {
        broken(l, "INTID %u is still active: its handler acknowledged it (IAR) and never ended it (EOIR), so it cannot come again",
               intid);
        mend(l, "write what IAR returned (%u) to %s at the end of the handler", intid,
             v3 ? "ICC_EOIR1_EL1" : "GICC_EOIR");
    }
}

static void gic_links(struct explain *x, struct cpu *c, const struct chain *k, unsigned intid,
                      struct links *l)
{
    unsigned n = intid % 32;
    bool group1 = bit(k->group, n), v3 = machine_config(x->m)->gic == 3;
    u64 prio = priority(x, k, intid);
    distributor_links(x, k, intid, l);
    if (c->has_el2 && c->el < 2 && (c->sr[SYSREG_HCR_EL2] & HCR_IMO)) {
        broken(l, "HCR_EL2.IMO=1 sends interrupts to EL2 and gives EL1 the virtual CPU interface, "
                  "so what EL1 wrote to ICC_* registers "
                  "did not reach the real one");
        mend(l, "clear HCR_EL2.IMO (and FMO) before the ERET to EL1, or let EL2 take interrupts "
                "and inject them (ICH_LR0_EL2)");
        return;
    }
    if (!k->group1 && !k->group0) {
        broken(l, "the CPU interface takes no interrupts (group enable is 0: %s)",
               v3 ? "ICC_IGRPEN1_EL1" : "GICC_CTLR");
        mend(l, "set %s=1", v3 ? "ICC_IGRPEN1_EL1" : "GICC_CTLR");
    } else if (!(group1 ? k->group1 : k->group0)) {
        broken(l, "INTID %u is in group %d (IGROUPR%u=0x%llx), which is not enabled in the CPU interface",
               intid, group1, intid / 32, (ull)k->group);
        mend(l,
             v3 ? group1 ? "set ICC_IGRPEN1_EL1=1" : "put it into group 1 (GICR_IGROUPR0) with ICC_IGRPEN1_EL1=1, or set ICC_IGRPEN0_EL1=1 and take it as FIQ"
                : "set bit %d of GICC_CTLR (0x%llx)",
             group1, GICC);
    } else if ((k->gicd_ctlr & 3) && !bit(k->gicd_ctlr, group1)) {
        broken(l, "INTID %u is in group %d (IGROUPR%u=0x%llx), which is not enabled in GICD_CTLR",
               intid, group1, intid / 32, (ull)k->group);
        mend(l, "set bit %d of GICD_CTLR", group1);
    }
    if (k->pmr == 0) {
        broken(l, "the priority mask (PMR) is 0 and blocks every interrupt");
        mend(l, "write 0xff to %s", v3 ? "ICC_PMR_EL1" : "GICC_PMR");
    } else if (prio >= k->pmr) {
        broken(l, "INTID %u has priority 0x%llx, and the priority mask (PMR=0x%llx) lets only lower values through",
               intid, (ull)prio, (ull)k->pmr);
        mend(l, "write 0xff to %s, or give the interrupt a priority below 0x%llx",
             v3 ? "ICC_PMR_EL1" : "GICC_PMR", (ull)k->pmr);
    }
}

/// An interrupt that is pending and cannot reach the CPU it is for. ret  whether there is one
bool blocked_link(struct explain *x, struct links *l)
{
    struct chain k;
    for (unsigned i = 0; i < x->cpus; i++) {
        struct cpu *c = machine_cpu(x->m, i);
        if (!machine_cpu_is_on(x->m, i))
            continue;
        read_chain(x, c, &k);
        for (unsigned n = 0; k.has_gic && n <= 8; n++) { /* banks: private ones, then SPIs */
            if (n) {
                k.bank = GICD;
                k.group = io(x, GICD + IGROUPR + 4 * n);
                k.enabled = io(x, GICD + ISENABLER + 4 * n);
                k.pending = io(x, GICD + ISPENDR + 4 * n);
                k.active = io(x, GICD + ISACTIVER + 4 * n);
            }
            if ((k.pending & ~k.active) == 0 || (n && i != x->verdict_cpu))
                continue;
            unsigned bit_no = (unsigned)__builtin_ctzll(k.pending & ~k.active), intid = 32 * n + bit_no;
            *l = (struct links){0};
            l->len = (size_t)snprintf(l->text, sizeof l->text,
                                      "INTID %u (%s) is pending for cpu%u, but ", intid,
                                      intid_name(intid), i);
            gic_links(x, c, &k, intid, l);
            if (l->count)
                return true;
        }
    }
    return false;
}

/// A device that was told to interrupt, and whose interrupt cannot reach the CPU. ret  whether there is one
bool device_link(struct explain *x, struct cpu *c, struct links *l)
{
    static const struct {
        gpa_t mask; ///< its register of interrupts that are let through
        unsigned intid;
        const char *what, *reg;
    } all[] = {{0x09000038, 33, "UART", "UARTIMSC"}, {0x09010010, 34, "RTC's alarm", "RTCIMSC"}};
    struct chain k;
    read_chain(x, c, &k);
    for (unsigned i = 0; k.has_gic && i < ARRAY_LEN(all); i++) {
        unsigned n = all[i].intid / 32;
        u64 let = io(x, all[i].mask);
        if (let == 0)
            continue;
        k.bank = GICD;
        k.group = io(x, GICD + IGROUPR + 4 * n);
        k.enabled = io(x, GICD + ISENABLER + 4 * n);
        k.active = io(x, GICD + ISACTIVER + 4 * n);
        *l = (struct links){0};
        l->len = (size_t)snprintf(l->text, sizeof l->text, "The %s may interrupt (%s=0x%llx), but ", all[i].what, all[i].reg, (ull)let);
        gic_links(x, c, &k, all[i].intid, l);
        if (l->count)
            return true;
    }
    return false;
}

/// What keeps an enabled timer from waking the CPU. ret  false when no timer is enabled
bool timer_link(struct explain *x, struct cpu *c, const struct chain *k, struct links *l)
{
    const struct {
        u64 ctl;
        unsigned intid;
        const char *name, *reg;
        enum sysreg_id cval;
    } all[] = {{k->v_ctl, 27, "virtual", "CNTV", SYSREG_CNTV_CVAL_EL0},
               {k->p_ctl, 30, "physical", "CNTP", SYSREG_CNTP_CVAL_EL0},
               {k->hp_ctl, 26, "EL2 physical", "CNTHP", SYSREG_CNTHP_CVAL_EL2},
               {k->hv_ctl, 28, "EL2 virtual", "CNTHV", SYSREG_CNTHV_CVAL_EL2}};
    unsigned t = 0;
    *l = (struct links){0};
    while (t < ARRAY_LEN(all) && !(all[t].ctl & 1))
        t++;
    if (t == ARRAY_LEN(all))
        return false;
    l->len = (size_t)snprintf(l->text, sizeof l->text, "The %s timer runs, but ", all[t].name);
    u64 cval = c->sr[all[t].cval], freq = c->sr[SYSREG_CNTFRQ_EL0];
    if (all[t].ctl & 2) {
        broken(l, "its IMASK bit masks it");
        mend(l, "write 1 (ENABLE without IMASK) to %s_CTL", all[t].reg);
    }
    if (freq && cval / freq > YEAR_S) {
        broken(l, "its compare value 0x%llx is %llu years away", (ull)cval,
               (ull)(cval / freq / YEAR_S));
        mend(l, "write the ticks to wait to %s_TVAL, or the counter plus them to %s_CVAL",
             all[t].reg, all[t].reg);
    }
    if (k->has_gic)
        gic_links(x, c, k, all[t].intid, l);
    if (l->count && (c->daif & DAIF_I) && c->el == 1) {
        broken(l, "interrupts are masked (DAIF.I=1)");
        mend(l, "unmask interrupts (msr daifclr, #2)");
    }
    l->certain = l->count != 0;
    if (l->count == 0)
        broken(l, "its interrupt does not reach the CPU (an active one of higher priority?)");
    return true;
}

/// The state that decides about waking, in one line for the report.
void idle_state(struct explain *x, struct cpu *c, char *buf, size_t size)
{
    struct chain k;
    read_chain(x, c, &k);
    snprintf(buf,
             size, "CNTV_CTL=0x%llx CNTP_CTL=0x%llx DAIF=0x%x GICD_CTLR=0x%llx ISENABLER0=0x%llx PMR=0x%llx IGRPEN1=%llu wires=%u",
             (ull)k.v_ctl, (ull)k.p_ctl, c->daif, (ull)k.gicd_ctlr, (ull)k.enabled, (ull)k.pmr,
             (ull)k.group1, atomic_load(&c->irq_lines));
    size_t n = strlen(buf);
    if (c->has_el2)
        snprintf(buf + n, size - n, " CNTHP_CTL=0x%llx CNTHV_CTL=0x%llx", (ull)k.hp_ctl, (ull)k.hv_ctl);
}
