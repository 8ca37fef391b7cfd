/// The seam to what runs vCPUs: interpreter, translator, KVM, Hypervisor.framework.
#ifndef BRUIN_ACCEL_H
#define BRUIN_ACCEL_H

#include "cpu/cpu.h"

struct accel_ops {
    const char *name;
    /// True when this host can run it; else why says what is missing.
    bool (*probe)(struct err *why);
    /// Per-vCPU state; called once on the vCPU's thread before run. NULL: nothing to do.
    bool (*vcpu_open)(struct cpu *c, struct err *e);
    void (*vcpu_close)(struct cpu *c);
    /// Runs until an exit that the board must serve; c->exit says which. Pending attention bits are
    /// served inside, except ATT_KICK, which ends the run with EXIT_KICK.
    void (*run)(struct cpu *c);
    /// After EXIT_FAIL: what is wrong, several lines; NULL: nothing. May be NULL.
    const char *(*report)(const struct cpu *c);
};
extern const struct accel_ops accel_interp;
extern const struct accel_ops accel_jit; ///< x86-64 hosts only

/// By name ("interp", "jit", "auto"), or NULL with a message that lists the names.
const struct accel_ops *accel_find(const char *name, struct err *e);

#endif
