/// F13 and its kin: the machine waits for something that cannot come. Reads timers and interrupt
/// controller to say which link of the chain is missing.
#include "debug/priv.h"

#include <stdio.h>

#define GICD 0x08000000ULL
#define GICR 0x080a0000ULL
#define GICC 0x08010000ULL
enum { INTID_VIRT = 27, INTID_PHYS = 30, GICR_STRIDE = 0x20000, GICR_SGI = 0x10000, ISENABLER = 0x100, GICR_WAKER = 0x14 };
typedef unsigned long long ull;

struct chain {
    u64 v_ctl, p_ctl; ///< CNTV_CTL_EL0, CNTP_CTL_EL0
    u64 gicd_ctlr, enabled, pmr, group1;
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
    if (!k->has_gic)
        return;
    k->gicd_ctlr = io(x, GICD);
    if (machine_config(x->m)->gic == 3) {
        k->asleep = bit(io(x, GICR + (u64)GICR_STRIDE * c->index + GICR_WAKER), 1);
        k->enabled = io(x, GICR + (u64)GICR_STRIDE * c->index + GICR_SGI + ISENABLER);
        if (c->icc.read) {
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 4, 6, 0), &k->pmr);
            c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 12, 12, 7), &k->group1);
        }
    } else {
        k->enabled = io(x, GICD + ISENABLER);
        k->pmr = io(x, GICC + 4);
        k->group1 = io(x, GICC) & 3;
    }
}

static const char *timer_link(const struct chain *k, char *buf, size_t size)
{
    bool v = k->v_ctl & 1, p = k->p_ctl & 1;
    unsigned intid = v ? INTID_VIRT : INTID_PHYS;
    const char *name = v ? "virtual" : "physical";
    u64 ctl = v ? k->v_ctl : k->p_ctl;
    if (!v && !p)
        return NULL;
    if (ctl & 2)
        snprintf(buf, size, "The %s timer runs, but its IMASK bit masks it.", name);
    else if (!bit(k->enabled, intid))
        snprintf(buf, size, "The %s timer runs, but INTID %u is not enabled in the GIC (GICR_ISENABLER0=0x%llx).", name, intid,
                 (ull)k->enabled);
    else if (k->asleep)
        snprintf(buf, size, "The %s timer runs, but the redistributor sleeps (GICR_WAKER.ProcessorSleep=1): clear it first.",
                 name);
    else if (!(k->gicd_ctlr & 3))
        snprintf(buf, size, "The %s timer runs, but the distributor is off (GICD_CTLR=0x%llx).", name, (ull)k->gicd_ctlr);
    else if (!k->group1)
        snprintf(buf, size, "The %s timer runs, but the CPU interface takes no interrupts (group enable is 0).", name);
    else if (k->pmr == 0)
        snprintf(buf, size, "The %s timer runs, but the priority mask (PMR) is 0 and blocks every interrupt.", name);
    else
        snprintf(buf, size, "The %s timer runs, but its interrupt does not reach the CPU.", name);
    return buf;
}

void why_idle(struct explain *x, struct why *out)
{
    struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    struct chain k;
    char link[200], at[96];
    bool masked = c->daif & DAIF_I;
    read_chain(x, c, &k);
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
    if (x->verdict == V_STUCK) {
        snprintf(out->title, sizeof out->title, "a loop that nothing can end");
        snprintf(out->cause, sizeof out->cause,
                 "cpu%u loops at %s without changing anything, and %s, so it never leaves.", c->index, at,
                 masked ? "interrupts are masked (DAIF.I=1)" : "no interrupt is enabled that could come");
        snprintf(out->fix, sizeof out->fix,
                 "If the program is finished here, end with PSCI SYSTEM_OFF (x0=0x84000008, hvc #0); else find why it came "
                 "to this loop from the transfers above.");
        return;
    }
    snprintf(out->title, sizeof out->title, "WFI or WFE with nothing that can wake it");
    if (timer_link(&k, link, sizeof link))
        snprintf(out->cause, sizeof out->cause, "Every CPU sleeps and nothing can wake one. %s", link);
    else
        snprintf(out->cause, sizeof out->cause,
                 "Every CPU sleeps at %s and nothing can wake one: no timer is enabled, no device interrupt is enabled in the "
                 "GIC, and no host input can arrive.",
                 at);
    snprintf(out->fix, sizeof out->fix,
             "Arm a timer (CNTV_CVAL_EL0, CNTV_CTL_EL0=1), enable its INTID 27 in the GIC with PMR=0xff and group 1 on; or, if "
             "the program is finished, end with PSCI SYSTEM_OFF (x0=0x84000008, hvc #0).");
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
}
