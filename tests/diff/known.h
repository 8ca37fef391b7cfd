/// Differences from qemu-aarch64 7.2 that are not ours, each with its reason.
#ifndef BRUIN_DIFF_KNOWN_H
#define BRUIN_DIFF_KNOWN_H

#include "a64/insn.h"
#include "case.h"

/// ret  the reason why the two results of one instruction may differ, or NULL
static inline const char *known_difference(const struct insn *i, const struct diff_state *in,
                                           const struct diff_state *qemu, const struct diff_state *ours)
{
    unsigned d = i->word & 31;
    if (i->op == OP_FCVTZS_sfh && qemu->v[d][0] == (u32)(s16)ours->v[d][0] && ours->v[d][0] <= 0xffff)
        return "qemu writes 32 bits of a negative 16-bit result; the register's rest is zero";
    u64 a = in->v[i->rn & 31][0];
    if (i->op == OP_FJCVTZS && in->fpcr & 1 << 24 && !(a << 1 >> 53) && a << 12 && !ours->nzcv)
        return "qemu sets Z for a subnormal that is flushed";
    return NULL;
}

/// Rows with a known difference stay out of pieces, where it would spread.
static inline bool known_row(enum insn_op op) { return op == OP_FCVTZS_sfh || op == OP_FJCVTZS; }

#endif
