/// Which vCPUs wait, for what, and whether anything can wake them.
#include "board/priv.h"

enum { NEVER_LOG2 = 58 }; ///< a timer set to a count of so many bits is centuries away

bool run_can_go(struct vcpu *v)
{
    enum vcpu_state s = v->state;
    if (s == VCPU_OFF)
        return false;
    if (s == VCPU_RUN)
        return true;
    bool woken = cpu_irq_wire(v->cpu) || (s == VCPU_WFE && atomic_load(&v->cpu->event));
    if (woken && !atomic_load(&v->m->on_threads)) /* there it finds out itself */
        v->state = VCPU_RUN;
    return woken;
}

unsigned run_count_runnable(struct machine *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        n += run_can_go(&m->vcpu[i]);
    return n;
}

bool run_has_event_stream(const struct vcpu *v)
{
    const struct cpu *c = v->cpu;
    return bit(c->sr[SYSREG_CNTKCTL_EL1], 2) || (c->has_el2 && bit(c->sr[SYSREG_CNTHCTL_EL2], 2));
}

static bool timer_can_wake(struct machine *m, const struct vcpu *v)
{
    static const enum sysreg_id ctl[TIMER_COUNT] = {SYSREG_CNTV_CTL_EL0, SYSREG_CNTP_CTL_EL0, SYSREG_CNTHP_CTL_EL2,
                                                    SYSREG_CNTHV_CTL_EL2};
    static const enum sysreg_id cval[TIMER_COUNT] = {SYSREG_CNTV_CVAL_EL0, SYSREG_CNTP_CVAL_EL0, SYSREG_CNTHP_CVAL_EL2,
                                                     SYSREG_CNTHV_CVAL_EL2};
    for (unsigned t = 0; m->chip && t < TIMER_COUNT; t++)
        if ((v->cpu->sr[ctl[t]] & 3) == 1 && v->cpu->sr[cval[t]] >> NEVER_LOG2 == 0 && m->chip->ops->can_deliver(m->chip, run_timer_ppi[t], v->cpu->index))
            return true;
    return false;
}

/// A device may raise an interrupt that reaches a vCPU.
static bool device_can_wake(struct machine *m)
{
    bool can = false;
    os_mutex_lock(&m->lock);
    for (unsigned i = 0; m->chip && i < m->device_count && !can; i++) {
        const struct board_device *d = &m->device[i];
        can = d->can_wake && d->spi >= 0 && d->can_wake(d->dev) &&
              m->chip->ops->can_deliver(m->chip, IRQ_SPI_BASE + (unsigned)d->spi, 0);
    }
    os_mutex_unlock(&m->lock);
    return can;
}

bool run_is_deadlocked(struct machine *m)
{
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        const struct vcpu *v = &m->vcpu[i];
        if (v->state == VCPU_OFF)
            continue;
        if ((v->state == VCPU_WFE && run_has_event_stream(v)) || timer_can_wake(m, v))
            return false;
    }
    return !device_can_wake(m) && !run_count_runnable(m);
}

bool machine_cpu_is_on(struct machine *m, unsigned index)
{
    return index < m->cfg.cpus && m->vcpu[index].state != VCPU_OFF;
}

const char *machine_cpu_state(struct machine *m, unsigned index)
{
    enum vcpu_state state = m->vcpu[index].state;
    switch (state) {
    case VCPU_OFF: return "off";
    case VCPU_WFI: return "in WFI";
    case VCPU_WFE: return "in WFE";
    default: return "running";
    }
}

void machine_cpu_nudge(struct machine *m, unsigned index)
{
    if (machine_cpu_is_on(m, index))
        m->vcpu[index].state = VCPU_RUN;
}

bool machine_cpu_can_act(struct machine *m, unsigned index)
{
    if (!machine_cpu_is_on(m, index))
        return false;
    struct vcpu *v = &m->vcpu[index];
    if (index != run_self(m) && (run_can_go(v) || threads_will_notice(v)))
        return true;
    return (v->state == VCPU_WFE && run_has_event_stream(v)) || timer_can_wake(m, v) ||
           device_can_wake(m);
}

bool machine_cpu_awaits_event(struct machine *m, unsigned index) { return machine_cpu_is_on(m, index) && m->vcpu[index].state == VCPU_WFE; }

bool machine_gic_was_woken(struct machine *m, unsigned index)
{
    return m->chip == NULL || m->chip->ops->was_woken == NULL || m->chip->ops->was_woken(m->chip, index);
}
