/// What the emitters of general-register arithmetic share.
#ifndef BRUIN_JIT_INT_H
#define BRUIN_JIT_INT_H

#include "jit/translate.h"

static inline u32 w_of(const struct insn *i) { return i->sf ? XW : 0; }
static inline unsigned size_of(const struct insn *i) { return i->sf ? 64 : 32; }

/// Guest register n as an operand; zero comes in scratch.
static inline xrm src(struct jit *j, unsigned n, int scratch)
{
    return n == REG_ZR ? xr(jit_xread(j, n, scratch)) : jit_xop(j, n);
}

static inline void mov_rm(struct jit *j, u32 w, int d, xrm m)
{
    if (m.reg == d && w)
        return;
    x_rm(&j->b, XI_MOV | w, d, m);
}

/// rd <- n op m. The operands may be in d's home.
static inline void alu3(struct jit *j, u32 op, u32 w, unsigned rd, xrm n, xrm m, bool commutes)
{
    int d = jit_xwrite(j, rd, RAX);
    if (m.reg == d && n.reg != d) {
        if (commutes) {
            x_rm(&j->b, op | w, d, n);
            jit_xdone(j, rd, d);
            return;
        }
        d = RAX;
    }
    if (n.reg != d)
        x_rm(&j->b, XI_MOV | w, d, n);
    x_rm(&j->b, op | w, d, m);
    jit_xdone(j, rd, d);
}

/// Their families' parts of the table.
void jit_init_bits(jit_emit_fn **t);
void jit_init_cond(jit_emit_fn **t);

#endif
