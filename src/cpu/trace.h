/// Event ring of the vCPUs, which take turns while there is one: what happened on slow paths. One writer at a time.
#ifndef BRUIN_TRACE_H
#define BRUIN_TRACE_H

#include "base/base.h"

enum trace_kind {
    TRACE_EXC = 1 << 0,    ///< a = vector offset, b = ESR, c = FAR; pc = where it came from
    TRACE_ERET = 1 << 1,   ///< a = target, b = SPSR
    TRACE_MMIO = 1 << 2,   ///< a = physical address, b = value, c = size | write << 8
    TRACE_SYSREG = 1 << 3, ///< a = encoding, b = value, c = write
    TRACE_PSCI = 1 << 4,   ///< a = function, b = x1, c = SMC
    TRACE_IRQ = 1 << 5,    ///< a = wire, b = level
    TRACE_EXEC = 1 << 6,   ///< a = target of a taken branch
    TRACE_TLB = 1 << 7,    ///< a = virtual page, b = physical page, c = access
};

struct trace_rec {
    u64 time_ns, pc, a, b, c;
    u32 kind;
    u16 el, cpu;
};
struct trace {
    u32 mask;     ///< enum trace_kind
    u64 pc_lo, pc_hi; ///< only events at these addresses, inclusive
    u64 cap;      ///< records, a power of two
    u64 head;     ///< records written since the start
    struct trace_rec *rec;
};

struct cpu;
struct trace *trace_new(u64 cap_log2, u32 mask);
void trace_free(struct trace *t);
void trace_record(struct cpu *c, u32 kind, u64 pc, u64 a, u64 b, u64 cc);
/// trace: the field cpu.trace.
#define TRACE_ON(c, kind) (UNLIKELY((c)->trace != NULL) && ((c)->trace->mask & (kind)))
#define TRACE(c, kind, pc, a, b, cc)                                                               \
    do {                                                                                           \
        if (TRACE_ON(c, kind))                                                                     \
            trace_record(c, kind, pc, a, b, cc);                                                   \
    } while (0)

#endif
