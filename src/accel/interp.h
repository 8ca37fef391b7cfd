/// The interpreter as a part of other engines: fallback, single step, oracle of lock-step.
#ifndef BRUIN_INTERP_H
#define BRUIN_INTERP_H

#include "cpu/cpu.h"

struct interp;
struct interp *interp_new(struct cpu *c);
/// The same without a memory of what it decoded, so that other CPUs may write code while it runs.
struct interp *interp_new_forgetful(struct cpu *c);
void interp_free(struct interp *in);
/// Executes one instruction at c->pc, software step included. ret  exec_status of its body.
int interp_step(struct interp *in);
/// Serves c->attention: timers, interrupts. ret  false when run() must return (c->exit is set).
bool accel_attention(struct cpu *c);

#endif
