/// The generic timer: counter, virtual and physical timers. Arm ARM, "The Generic Timer in AArch64
/// state". The counter is guest time in ns >> CNT_NS_SHIFT; EL2 has timers of its own and an offset.
#include "cpu/cpu.h"

enum { CTL_ENABLE = 1, CTL_IMASK = 2, CTL_ISTATUS = 4 };

enum {
    RATE_NS = 10000000,          ///< measured over so long at least
    RATE_NEW_CYCLES = 1u << 31,  ///< ... and again after so long
    RATE_SLOW_SHIFT = 14,        ///< slower than measured by 1 in 2^14
    WINDOW_NS = 1000000,
    NEAR_CYCLES = 4096, ///< two readings of the counter with nothing but one of the clock between
};

/// Measures how fast the counter runs: rather too slow than too fast, wherever the host takes the CPU away.
static void measure(struct cpu_clock *k)
{
    u64 before = os_cycles(), host = os_now_ns(), after = os_cycles(), passed = host - k->from_ns;
    if (after - before > NEAR_CYCLES || (k->from_ns != 0 && passed < RATE_NS))
        return;
    u64 cycles = after - k->from_cycles;
    if (k->from_ns != 0 && cycles > passed) {
        u64 rate = (u64)(((unsigned __int128)passed << 64) / cycles);
        k->rate = rate - (rate >> RATE_SLOW_SHIFT);
        k->window_max = (u64)(((unsigned __int128)WINDOW_NS << 64) / rate);
    }
    k->from_cycles = before;
    k->from_ns = host;
}

/// The clock was read and gave ns after os_cycles gave `before`. ret  guest time: not less than what may have been read
/// from c->clock meanwhile; nor will what is read from it be less than this
static u64 clock_seen(struct cpu_clock *k, u64 before, u64 ns)
{
    u64 now = os_cycles(), since = before - k->at < k->window ? before - k->at : k->window;
    u64 told = k->ns + (u64)((unsigned __int128)since * k->rate >> 64);
    if (UNLIKELY(k->rate == 0 || now - k->from_cycles > RATE_NEW_CYCLES))
        measure(k);
    k->window = k->window_max;
    k->at = now;
    k->ns = ns > told ? ns : told;
    return k->ns;
}

u64 cpu_counter(struct cpu *c)
{
    if (!c->now_ns)
        return c->icount;
    if (!c->clock.on)
        return c->now_ns(c->now_ctx) >> CNT_NS_SHIFT;
    u64 before = os_cycles();
    return clock_seen(&c->clock, before, c->now_ns(c->now_ctx)) >> CNT_NS_SHIFT;
}

u64 cpu_timer_offset(const struct cpu *c, enum cpu_timer t)
{
    return t == TIMER_VIRT ? c->sr[SYSREG_CNTVOFF_EL2] : 0;
}

/// Updates one timer. ret  the counter value at which its condition becomes true, ~0 if never.
static u64 update_one(struct cpu *c, enum cpu_timer which, u32 ctl_sr, u32 cval_sr, u64 now)
{
    u64 ctl = c->sr[ctl_sr] & (CTL_ENABLE | CTL_IMASK), cval = c->sr[cval_sr], off = cpu_timer_offset(c, which);
    bool met = (ctl & CTL_ENABLE) && now - off >= cval;
    bool level = met && !(ctl & CTL_IMASK);
    c->sr[ctl_sr] = ctl | (met ? CTL_ISTATUS : 0);
    if (level != c->timer_level[which]) {
        c->timer_level[which] = level;
        if (c->timer_irq)
            c->timer_irq(c->timer_ctx, c, which, level);
    }
    if (!(ctl & CTL_ENABLE) || met || ctl & CTL_IMASK)
        return ~0ULL;
    return cval > ~0ULL - off && off < 1ULL << 63 ? ~0ULL : cval + off; /* an offset may be negative */
}

void cpu_timer_update(struct cpu *c)
{
    u64 now = cpu_counter(c);
    u64 v = update_one(c, TIMER_VIRT, SYSREG_CNTV_CTL_EL0, SYSREG_CNTV_CVAL_EL0, now);
    u64 p = update_one(c, TIMER_PHYS, SYSREG_CNTP_CTL_EL0, SYSREG_CNTP_CVAL_EL0, now);
    u64 next = v < p ? v : p;
    if (UNLIKELY(c->has_el2)) {
        u64 h = update_one(c, TIMER_HYP_PHYS, SYSREG_CNTHP_CTL_EL2, SYSREG_CNTHP_CVAL_EL2, now);
        u64 hv = update_one(c, TIMER_HYP_VIRT, SYSREG_CNTHV_CTL_EL2, SYSREG_CNTHV_CVAL_EL2, now);
        next = h < next ? h : next;
        next = hv < next ? hv : next;
    }
    if (c->timer_arm)
        c->timer_arm(c->timer_ctx, c, next >> (64 - CNT_NS_SHIFT) ? ~0ULL : next << CNT_NS_SHIFT);
}
