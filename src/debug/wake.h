/// The chain from a timer or device through the interrupt controller to a CPU, for the explainer.
#ifndef BRUIN_WAKE_H
#define BRUIN_WAKE_H

#include "debug/priv.h"

/// Registers on the way of an interrupt to one CPU.
struct chain {
    u64 v_ctl, p_ctl, hp_ctl, hv_ctl; ///< CNTV_CTL_EL0, CNTP_CTL_EL0, CNTHP_CTL_EL2, CNTHV_CTL_EL2
    u64 gicd_ctlr, enabled, group, pending, active, pmr, group1, group0;
    gpa_t bank;           ///< registers of this CPU's SGIs and PPIs
    bool has_gic, asleep; ///< GICR_WAKER.ProcessorSleep
    bool eoi_drops;       ///< EOImode=1
};

/// The links of a chain that are broken, one after the other, and what mends each.
struct links {
    char text[480], fix[400];
    size_t len, fix_len;
    unsigned count;
    bool certain; ///< of a timer: a link is broken
};

void read_chain(struct explain *x, struct cpu *c, struct chain *k);
/// An interrupt that is pending and cannot reach the CPU it is for. ret  whether there is one
bool blocked_link(struct explain *x, struct links *l);
/// A device that was told to interrupt, and whose interrupt cannot reach the CPU. ret  whether there is one
bool device_link(struct explain *x, struct cpu *c, struct links *l);
/// What keeps an enabled timer from waking the CPU. ret  false when no timer is enabled
bool timer_link(struct explain *x, struct cpu *c, const struct chain *k, struct links *l);

#endif
