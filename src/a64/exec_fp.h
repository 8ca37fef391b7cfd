/// Inside exec_fp*.c: operands of floating-point bodies.
#ifndef BRUIN_EXEC_FP_H
#define BRUIN_EXEC_FP_H

#include "a64/insn.h"
#include "cpu/softfp.h"

/// FPCR and FPSR as softfp wants them.
#define FPST c->fpcr, &c->fpsr

static inline u64 v_scalar(const struct cpu *c, unsigned r, unsigned fmt)
{
    return fmt == FP_H ? c->v[r].h[0] : fmt == FP_S ? c->v[r].s[0] : c->v[r].d[0];
}
static inline u64 v_elem(const union vreg *v, unsigned fmt, unsigned e)
{
    return fmt == FP_H ? v->h[e] : fmt == FP_S ? v->s[e] : v->d[e];
}
static inline void v_set_elem(union vreg *v, unsigned fmt, unsigned e, u64 val)
{
    if (fmt == FP_H)
        v->h[e] = (u16)val;
    else if (fmt == FP_S)
        v->s[e] = (u32)val;
    else
        v->d[e] = val;
}
/// A scalar result clears the rest of the register.
static inline void v_set_scalar(struct cpu *c, unsigned r, u64 val)
{
    c->v[r].d[0] = val;
    c->v[r].d[1] = 0;
}
/// Elements of a vector of format fmt: 64 or 128 bits by Q.
static inline unsigned v_count(const struct insn *i, unsigned fmt)
{
    return (i->word >> 30 & 1 ? 16u : 8u) >> fmt;
}
/// Sets NZCV from four bits.
static inline void fp_set_flags(struct cpu *c, u32 nzcv) { cpu_set_nzcv(c, nzcv << 28); }

/// All-ones element for true.
static inline u64 fp_mask(bool b) { return b ? ~0ULL : 0; }

#endif
