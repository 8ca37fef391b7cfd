/// The generic timer: counter, virtual and physical timers. Arm ARM, "The Generic Timer in AArch64
/// state". The counter is guest time in ns >> CNT_NS_SHIFT; CNTVOFF is 0.
#include "cpu/cpu.h"

enum { CTL_ENABLE = 1, CTL_IMASK = 2, CTL_ISTATUS = 4 };

u64 cpu_counter(struct cpu *c) { return c->now_ns ? c->now_ns(c->now_ctx) >> CNT_NS_SHIFT : c->icount; }

/// Updates one timer. ret  the counter value at which its condition becomes true, ~0 if never.
static u64 update_one(struct cpu *c, unsigned which, u32 ctl_sr, u32 cval_sr, u64 now)
{
    u64 ctl = c->sr[ctl_sr] & (CTL_ENABLE | CTL_IMASK), cval = c->sr[cval_sr];
    bool met = (ctl & CTL_ENABLE) && now >= cval;
    bool level = met && !(ctl & CTL_IMASK);
    c->sr[ctl_sr] = ctl | (met ? CTL_ISTATUS : 0);
    if (level != c->timer_level[which]) {
        c->timer_level[which] = level;
        if (c->timer_irq)
            c->timer_irq(c->timer_ctx, c, which, level);
    }
    return (ctl & CTL_ENABLE) && !met && !(ctl & CTL_IMASK) ? cval : ~0ULL;
}

void cpu_timer_update(struct cpu *c)
{
    u64 now = cpu_counter(c);
    u64 v = update_one(c, 0, SYSREG_CNTV_CTL_EL0, SYSREG_CNTV_CVAL_EL0, now);
    u64 p = update_one(c, 1, SYSREG_CNTP_CTL_EL0, SYSREG_CNTP_CVAL_EL0, now);
    u64 next = v < p ? v : p;
    if (c->timer_arm)
        c->timer_arm(c->timer_ctx, c, next >> (64 - CNT_NS_SHIFT) ? ~0ULL : next << CNT_NS_SHIFT);
}
