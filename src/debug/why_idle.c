/// F13 and its kin: the machine waits for something that cannot come. Reads timers and interrupt
/// controller to say which link of the chain is missing.
#include "debug/priv.h"

#include <stdio.h>

#define GICD 0x08000000ULL
#define GICR 0x080a0000ULL
#define GICC 0x08010000ULL
enum { GICR_STRIDE = 0x20000, GICR_SGI = 0x10000, IGROUPR = 0x80, ISENABLER = 0x100, ISPENDR = 0x200,
       ISACTIVER = 0x300, IPRIORITYR = 0x400, GICR_WAKER = 0x14 };
#define YEAR_S (365ULL * 24 * 3600)
typedef unsigned long long ull;

struct chain {
    u64 v_ctl, p_ctl, hp_ctl, hv_ctl; ///< CNTV_CTL_EL0, CNTP_CTL_EL0, CNTHP_CTL_EL2, CNTHV_CTL_EL2
    u64 gicd_ctlr, enabled, group, pending, active, pmr, group1, group0;
    gpa_t bank;       ///< registers of this CPU's SGIs and PPIs
    bool has_gic, asleep; ///< GICR_WAKER.ProcessorSleep
};

static u64 io(struct explain *x, gpa_t pa)
{
    u64 v = 0;
    return mem_io_read(machine_mem(x->m), pa, 4, &v) ? v : 0;
}

static void read_chain(struct explain *x, struct cpu *c, struct chain *k)
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
        }
    } else {
        k->bank = GICD;
        k->pmr = io(x, GICC + 4);
        k->group0 = io(x, GICC) & 1;
        k->group1 = io(x, GICC) >> 1 & 1;
    }
    k->group = io(x, k->bank + IGROUPR);
    k->enabled = io(x, k->bank + ISENABLER);
    k->pending = io(x, k->bank + ISPENDR);
    k->active = io(x, k->bank + ISACTIVER);
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
    } known[] = {{25, "the GIC's maintenance interrupt"}, {26, "the hypervisor timer"}, {27, "the virtual timer"}, {28, "the hypervisor's virtual timer"},
                 {30, "the physical timer"}, {33, "the UART"}, {34, "the RTC"}, {39, "the GPIO keys"}};
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
        u64 act = n ? io(x, GICD + ISACTIVER + 4 * n) : k.active, pend = n ? io(x, GICD + ISPENDR + 4 * n) : k.pending;
        u64 hit = act & on ? act & on : pend & on;
        if (hit) {
            unsigned intid = 32 * n + (unsigned)__builtin_ctzll(hit);
            snprintf(buf, size, " (INTID %u, %s%s)", intid, intid_name(intid), act & on ? ", acknowledged" : "");
            break;
        }
    }
    return buf;
}

static const char *timer_link(struct explain *x, const struct cpu *c, const struct chain *k, char *buf, size_t size)
{
    const struct {
        u64 ctl;
        unsigned intid;
        const char *name;
        enum sysreg_id cval;
    } all[] = {{k->v_ctl, 27, "virtual", SYSREG_CNTV_CVAL_EL0}, {k->p_ctl, 30, "physical", SYSREG_CNTP_CVAL_EL0},
               {k->hp_ctl, 26, "EL2 physical", SYSREG_CNTHP_CVAL_EL2}, {k->hv_ctl, 28, "EL2 virtual", SYSREG_CNTHV_CVAL_EL2}};
    unsigned t = 0;
    while (t < ARRAY_LEN(all) && !(all[t].ctl & 1))
        t++;
    if (t == ARRAY_LEN(all))
        return NULL;
    unsigned intid = all[t].intid;
    const char *name = all[t].name;
    u64 ctl = all[t].ctl;
    size_t n;
    u64 prio = priority(x, k, intid);
    bool group1 = bit(k->group, intid);
    n = (size_t)snprintf(buf, size, "The %s timer runs, but ", name);
    buf += n;
    size -= n;
    u64 cval = c->sr[all[t].cval], freq = c->sr[SYSREG_CNTFRQ_EL0];
    if (ctl & 2)
        snprintf(buf, size, "its IMASK bit masks it.");
    else if (freq && cval / freq > YEAR_S)
        snprintf(buf, size, "its compare value 0x%llx is %llu years away.", (ull)cval, (ull)(cval / freq / YEAR_S));
    else if (!bit(k->enabled, intid))
        snprintf(buf, size, "INTID %u is not enabled in the GIC (%s=0x%llx).", intid,
                 k->bank == GICD ? "GICD_ISENABLER0" : "GICR_ISENABLER0", (ull)k->enabled);
    else if (k->asleep)
        snprintf(buf, size, "the redistributor sleeps (GICR_WAKER.ProcessorSleep=1): clear it first.");
    else if (!(k->gicd_ctlr & 3))
        snprintf(buf, size, "the distributor is off (GICD_CTLR=0x%llx).", (ull)k->gicd_ctlr);
    else if (bit(k->active, intid))
        snprintf(buf, size, "INTID %u is still active: its handler acknowledged it (IAR) and never ended it (EOIR), so it cannot "
                            "come again.", intid);
    else if (!k->group1 && !k->group0)
        snprintf(buf, size, "the CPU interface takes no interrupts (group enable is 0%s).",
                 machine_config(x->m)->gic == 3 ? ": ICC_IGRPEN1_EL1" : ": GICC_CTLR");
    else if (!(group1 ? k->group1 : k->group0) || !bit(k->gicd_ctlr, group1))
        snprintf(buf, size, "INTID %u is in group %d (IGROUPR0=0x%llx), which is not enabled %s.", intid, group1, (ull)k->group,
                 (group1 ? k->group1 : k->group0) ? "in GICD_CTLR" : "in the CPU interface");
    else if (k->pmr == 0)
        snprintf(buf, size, "the priority mask (PMR) is 0 and blocks every interrupt.");
    else if (prio >= k->pmr)
        snprintf(buf, size, "INTID %u has priority 0x%llx, and the priority mask (PMR=0x%llx) lets only lower values through.", intid,
                 (ull)prio, (ull)k->pmr);
    else
        snprintf(buf, size, "its interrupt does not reach the CPU (an active one of higher priority?).");
    return buf - n;
}

/// A firmware call that was refused before: most likely what is waited for.
static bool add_psci(struct explain *x, const struct cpu_watch *w, struct why *out)
{
    size_t n = strlen(out->cause);
    char at[96];
    u64 fn = w->psci.fn & 0xffffffff;
    bool on = (fn & ~0x40000000ULL) == 0x84000003;
    if (!w->psci.failed)
        return false;
    name_full(x, w->psci.pc, at, sizeof at);
    if (on)
        snprintf(out->cause + n, sizeof out->cause - n,
                 " PSCI CPU_ON for MPIDR 0x%llx at %s was refused (%lld: %s); the machine has %u CPU%s, with MPIDR 0x0%s.",
                 (ull)w->psci.arg, at, (long long)w->psci.ret,
                 (s64)w->psci.ret == -4 ? "already on" : w->psci.entry & 3 ? "the entry is not a multiple of 4" : "no such CPU",
                 x->cpus, x->cpus == 1 ? "" : "s", x->cpus == 1 ? " (-c N gives more)" : x->cpus == 2 ? " and 0x1" : ", 0x1, ...");
    else
        snprintf(out->cause + n, sizeof out->cause - n, " Before, the firmware call x0=0x%llx at %s was refused (%lld%s).", (ull)fn, at,
                 (long long)w->psci.ret, (s64)w->psci.ret == -1 ? ": no such function" : "");
    return on;
}

static void why_stuck(struct explain *x, struct cpu *c, const char *at, struct why *out)
{
    bool masked = c->daif & DAIF_I;
    char what[96];
    snprintf(out->title, sizeof out->title, "a loop that nothing can end");
    snprintf(out->cause, sizeof out->cause, "cpu%u loops at %s on values that nothing else changes, and %s, so it never leaves.",
             c->index, at, masked ? "interrupts are masked (DAIF.I=1)" : "no interrupt is enabled that could come");
    snprintf(out->fix, sizeof out->fix,
             "If the program is finished here, end with PSCI SYSTEM_OFF (x0=0x84000008, %s #0); else find why it came "
             "to this loop from the transfers above.", c->has_el2 ? "smc" : "hvc");
    size_t n = strlen(out->cause);
    if (x->polls_uart) {
        snprintf(out->title, sizeof out->title, "waiting for a UART flag that never changes");
        snprintf(out->cause + n, sizeof out->cause - n, " It reads a register of the PL011 and waits for a bit that this UART never shows "
                                                        "there, whatever is received.");
        snprintf(out->fix, sizeof out->fix, "The UART here is a PL011: UARTFR is at offset 0x18, TXFF is bit 5 (1: full), RXFE bit 4; a "
                                            "16550's LSR at offset 5 or 0x14 does not exist. Use 32-bit accesses.");
    } else if (masked && cpu_irq_wire(c)) {
        snprintf(out->cause + n, sizeof out->cause - n, " An interrupt%s is pending and would be taken with DAIF.I=0.",
                 pending_interrupt(x, c, what, sizeof what));
        snprintf(out->fix, sizeof out->fix, "Unmask interrupts (msr daifclr, #2) before waiting for one; WFI wakes while they are masked, "
                                            "but no handler runs.");
    }
}

static void why_asleep(struct explain *x, struct cpu *c, const char *at, struct why *out)
{
    struct chain k;
    char link[300];
    u32 word;
    struct insn i = {0};
    if (mmu_debug_read(c, c->pc - 4, &word, 4))
        insn_decode(word, &i);
    bool wfe = i.op == OP_WFE;
    read_chain(x, c, &k);
    snprintf(out->title, sizeof out->title, "WFI or WFE with nothing that can wake it");
    if (!wfe && timer_link(x, c, &k, link, sizeof link))
        snprintf(out->cause, sizeof out->cause, "Every CPU sleeps at %s and nothing can wake one. %s", at, link);
    else if (wfe)
        snprintf(out->cause, sizeof out->cause,
                 "Every CPU sleeps in WFE at %s and no event can come: no other CPU runs that could send one (SEV) or write what is "
                 "waited for, and no interrupt is enabled.", at);
    else
        snprintf(out->cause, sizeof out->cause,
                 "Every CPU sleeps at %s and nothing can wake one: no timer is enabled, no device interrupt is enabled in the "
                 "GIC, and no host input can arrive.", at);
    if (wfe)
        snprintf(out->fix, sizeof out->fix, "If a lock is waited for, find who took it and did not release it; if another CPU, whether it "
                                            "was started (PSCI CPU_ON); if the program is finished, end with PSCI SYSTEM_OFF.");
    else
        snprintf(out->fix, sizeof out->fix,
                 "Arm a timer (CNTV_CVAL_EL0, CNTV_CTL_EL0=1), enable its INTID 27 in the GIC with PMR=0xff and group 1 on; or, if "
                 "the program is finished, end with PSCI SYSTEM_OFF (x0=0x84000008, %s #0).", c->has_el2 ? "smc" : "hvc");
}

void why_idle(struct explain *x, struct why *out)
{
    struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    char at[96];
    name_full(x, x->verdict == V_DEADLOCK ? c->pc - 4 : c->pc, at, sizeof at);
    snprintf(out->id, sizeof out->id, "F13");
    if (x->verdict == V_TIMEOUT) {
        out->id[0] = 0;
        snprintf(out->title, sizeof out->title, "the time given was used up");
        snprintf(out->cause, sizeof out->cause, "Still running when the time was over; cpu%u was at %s, EL%u.", c->index, at,
                 c->el);
        snprintf(out->fix, sizeof out->fix, "Give it more --timeout, or see what it waits for: where it is, and its last "
                                            "transfers, are above.");
        return;
    }
    bool any_on = false;
    for (unsigned i = 0; i < x->cpus; i++)
        any_on |= machine_cpu_is_on(x->m, i);
    if (!any_on) {
        snprintf(out->title, sizeof out->title, "every CPU was switched off");
        snprintf(out->cause, sizeof out->cause, "PSCI CPU_OFF at %s switched the last CPU off; nobody is left to start one.", at);
        snprintf(out->fix, sizeof out->fix, "To end the machine use SYSTEM_OFF (x0=0x84000008); CPU_ON is 0xc4000003, CPU_OFF 0x84000002.");
        return;
    }
    if (x->verdict == V_STUCK)
        why_stuck(x, c, at, out);
    else
        why_asleep(x, c, at, out);
    const struct cpu_watch *w = watch_of(x, c);
    if (add_psci(x, w, out)) {
        snprintf(out->id, sizeof out->id, "F07");
        snprintf(out->title, sizeof out->title, "secondary CPU that could not be started");
        snprintf(out->fix, sizeof out->fix, "Take the MPIDR of each CPU from `reg` of the /cpus nodes of the device tree, and check x0 "
                                            "after CPU_ON: a negative value is an error.");
    }
}

/// The state that decides about waking, in one line for the report.
void idle_state(struct explain *x, struct cpu *c, char *buf, size_t size)
{
    struct chain k;
    read_chain(x, c, &k);
    snprintf(buf, size,
             "CNTV_CTL=0x%llx CNTP_CTL=0x%llx DAIF=0x%x GICD_CTLR=0x%llx ISENABLER0=0x%llx PMR=0x%llx IGRPEN1=%llu wires=%u",
             (ull)k.v_ctl, (ull)k.p_ctl, c->daif, (ull)k.gicd_ctlr, (ull)k.enabled, (ull)k.pmr, (ull)k.group1,
             atomic_load(&c->irq_lines));
    size_t n = strlen(buf);
    if (c->has_el2)
        snprintf(buf + n, size - n, " CNTHP_CTL=0x%llx CNTHV_CTL=0x%llx", (ull)k.hp_ctl, (ull)k.hv_ctl);
}
