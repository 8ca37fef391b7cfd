/// Our side of a differential run: a bare CPU at EL0 under a small page table.
#ifndef BRUIN_DIFF_ENGINE_H
#define BRUIN_DIFF_ENGINE_H

#include "accel/accel.h"
#include "case.h"

struct engine;

/// in  accel  "interp", "jit"; ret  NULL with a message
struct engine *engine_new(const char *accel, struct err *e);
void engine_free(struct engine *e);
/// Replaces the code of all cases: words[CASE_WORDS] each.
void engine_code(struct engine *e, const u32 *words, u32 count);
/// Runs the case in slot `index` from state in to state out.
void engine_run(struct engine *e, const struct diff_state *in, struct diff_state *out);
/// Its CPU.
struct cpu *engine_cpu(struct engine *e);

#endif
