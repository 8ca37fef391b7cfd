/// --check: everything runs in the translator and in the interpreter, and must give the same.
#ifndef BRUIN_CHECK_H
#define BRUIN_CHECK_H

#include "accel/interp.h"
#include "jit/jit.h"

struct check;
struct check *check_new(struct cpu *c, struct interp *in);
void check_free(struct check *k);
/// As run() of an accelerator. EXIT_FAIL: a difference was found, check_report describes it.
void check_run(struct check *k);
/// Text of several lines, or NULL while the engines agree.
const char *check_report(const struct check *k);

#endif
