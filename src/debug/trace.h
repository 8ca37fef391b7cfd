/// `bruin trace`: which events to record, and the record as text or JSON.
#ifndef BRUIN_DEBUG_TRACE_H
#define BRUIN_DEBUG_TRACE_H

#include "base/text.h"
#include "debug/symbols.h"
#include "cpu/trace.h"

struct trace_filter {
    u32 mask;
    u64 pc_lo, pc_hi;
};
/// Parses "exc,mmio,sysreg,psci,irq,exec,tlb[:LO-HI]" or "all"; LO and HI are addresses or symbols.
MUST_USE bool trace_filter_parse(const char *text, struct symbols *symbols, struct trace_filter *f,
                                 struct err *e);
/// One record as a line of text, or as a JSON object on a line.
void trace_format(const struct trace_rec *r, struct symbols *symbols, bool json, struct text *out);
/// All records still in the ring, oldest first; a first line says how many were lost.
void trace_dump(const struct trace *t, struct symbols *symbols, bool json, struct text *out);

#endif
