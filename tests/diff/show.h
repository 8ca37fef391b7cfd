/// Cases and differences as text.
#ifndef BRUIN_DIFF_SHOW_H
#define BRUIN_DIFF_SHOW_H

#include "a64/insn.h"
#include "case.h"

#include <stdio.h>

enum { INSN_BRK = (int)0xd4200000, INSN_NOP = (int)0xd503201f };

/// Writes what differs between two results. in  f  NULL: only tells. ret  true when nothing does
bool show_compare(const struct diff_state *want, const struct diff_state *got, FILE *f);
/// The instructions of a case and the registers they name.
void show_case(const u32 *words, const struct diff_state *in);

#endif
