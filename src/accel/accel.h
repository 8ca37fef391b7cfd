/// The seam to what runs vCPUs: interpreter, translator, KVM, Hypervisor.framework.
#ifndef BRUIN_ACCEL_H
#define BRUIN_ACCEL_H

#include "cpu/cpu.h"

/// A block of translated code that ran often.
struct accel_hot {
    gva_t va; ///< where it was translated for
    gpa_t pa;
    u64 runs;
    u32 insns;
};
/// What a translator has to say about a run (--stats). Slow paths are of one vCPU; what concerns translations is
/// told with the first of the vCPUs that share them, and zero with the others.
struct accel_stats {
    bool shares_cache; ///< with an earlier vCPU
    u64 blocks, insns; ///< translated; insns: guest instructions
    u64 hot_bytes, cold_bytes; ///< host code for them: in line, out of line
    u64 links, evictions, flushes, invalidated;
    /// Ways into C: accesses and operations that fast code does not serve, bodies that left their block, links and
    /// indirect branches to be found, attention and other look-ups.
    u64 slow_memory, bodies, cross_page, indirect, attention, lookups;
    u64 hot_loops, contexts;
    u64 cold; ///< instructions run in bodies before they were worth translating
    struct accel_hot top[16]; ///< by instructions executed; only while profiling
    unsigned top_count;
    struct {
        const char *name;
        u64 count;
    } not_emitted[12]; ///< instructions translated to a call of their body, most frequent first
    unsigned not_emitted_count;
};

struct accel_ops {
    const char *name;
    bool has_threads; ///< vCPUs may run at the same time, each on the thread that calls run
    /// True when this host can run it; else why says what is missing.
    bool (*probe)(struct err *why);
    /// Per-vCPU state; called once on the vCPU's thread before run. NULL: nothing to do.
    bool (*vcpu_open)(struct cpu *c, struct err *e);
    void (*vcpu_close)(struct cpu *c);
    /// Runs until an exit that the board must serve; c->exit says which. Pending attention bits are
    /// served inside, except ATT_KICK, which ends the run with EXIT_KICK.
    void (*run)(struct cpu *c);
    /// Adds up what c's engine counted. May be NULL.
    void (*stats)(const struct cpu *c, struct accel_stats *out);
    /// After EXIT_FAIL: what is wrong, several lines; NULL: nothing. May be NULL.
    const char *(*report)(const struct cpu *c);
};
extern const struct accel_ops accel_interp;
extern const struct accel_ops accel_jit; ///< x86-64 hosts only

/// By name ("interp", "jit", "auto"), or NULL with a message that lists the names.
const struct accel_ops *accel_find(const char *name, struct err *e);

#endif
