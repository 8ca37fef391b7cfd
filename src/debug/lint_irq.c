/// F21: interrupt storms. An interrupt that is pending again at the ERET of its own handler, thousands
/// of times, leaves no time for anything else; a handler that unmasks interrupts before it acknowledges
/// its own recurses until the stack is gone. Arm GIC Architecture Specification, "Interrupt handling".
#include "debug/priv.h"

#include <stdio.h>

enum { STORM_MAX = 100000, NEST_MAX = 600 }; ///< a handler that is slower than its timer may still come to an end

/// The INTID that is pending with the highest priority: ICC_HPPIR1_EL1 or GICC_HPPIR.
static u32 pending_intid(struct explain *x, struct cpu *c)
{
    u64 v = 1023;
    if (machine_config(x->m)->gic == 3)
        return c->icc.read && c->icc.read(c->icc.ctx, SYSREG_ENC(3, 0, 12, 12, 2), &v) ? (u32)v & 0xffffff : 1023;
    return mem_io_read(machine_mem(x->m), 0x08010018, 4, &v) ? (u32)v & 0x3ff : 1023;
}

void lint_interrupt(struct explain *x, struct cpu *c, u32 kind, u64 from_pc, bool returned)
{
    struct cpu_watch *w = watch_of(x, c);
    u64 sp = c->x[REG_SP];
    bool at_once = c->eret_irq == c->erets && c->eret_pc == from_pc && c->erets;
    w->storm = at_once ? w->storm + 1 : 0;
    w->irq_nest = (kind & 0x600) == 0x200 && sp < w->irq_sp && !returned ? w->irq_nest + 1 : 0;
    w->irq_sp = sp;
    if (w->storm < STORM_MAX && w->irq_nest < NEST_MAX)
        return;
    w->storm_intid = pending_intid(x, c);
    explain_doom(x, c, V_STORM);
}

static const char *intid_name(u32 intid, char *buf, size_t size)
{
    if (intid == 27 || intid == 30)
        snprintf(buf, size, "INTID %u, the %s timer", intid, intid == 27 ? "virtual" : "physical");
    else if (intid == 33)
        snprintf(buf, size, "INTID 33, the PL011");
    else if (intid < 16)
        snprintf(buf, size, "INTID %u, an SGI", intid);
    else if (intid >= 1020)
        snprintf(buf, size, "an interrupt that the handler did not acknowledge");
    else
        snprintf(buf, size, "INTID %u%s", intid, intid >= 32 ? ", a device" : "");
    return buf;
}

void why_storm(struct explain *x, struct why *out)
{
    const struct cpu_watch *w = &x->cpu[x->verdict_cpu];
    struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    char what[80], at[96];
    bool timer = w->storm_intid == 27 || w->storm_intid == 30;
    intid_name(w->storm_intid, what, sizeof what);
    snprintf(out->id, sizeof out->id, "F21");
    snprintf(out->title, sizeof out->title, "an interrupt that never goes away");
    if (w->irq_nest >= NEST_MAX)
        snprintf(out->cause, sizeof out->cause,
                 "%s interrupts its own handler at %s, %u levels deep: the handler unmasks interrupts (DAIF.I) before it "
                 "acknowledged the interrupt and silenced its source.",
                 what, name_full(x, c->sr[SYSREG_ELR_EL1], at, sizeof at), w->irq_nest);
    else
        snprintf(out->cause, sizeof out->cause,
                 "%s was taken %u times in a row at %s, each time right at the ERET of its own handler: the code it "
                 "interrupts never advances. The handler returns with the interrupt still pending.",
                 what, w->storm, name_full(x, c->sr[SYSREG_ELR_EL1], at, sizeof at));
    snprintf(out->fix, sizeof out->fix,
             "Read the acknowledge register (ICC_IAR1_EL1, GICC_IAR), %s, then write the INTID to the EOI register, before "
             "ERET or unmasking.",
             timer ? "move the timer's deadline (CNT*_CVAL_EL0, or *_TVAL_EL0) into the future or clear its ENABLE"
            : w->storm_intid == 33 ? "silence the UART (UARTICR at 0x09000044, or read its data)"
            : w->storm_intid == 34 ? "silence the RTC (RTCICR at 0x0901001c)"
                                   : "silence the device (its interrupt-clear register; virtio: InterruptACK)");
}
