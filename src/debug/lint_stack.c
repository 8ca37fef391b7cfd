/// F14: the stack pointer leaves its stack. Seen when a page below the stack is first written through
/// it, and at exceptions; costs nothing in between.
#include "debug/priv.h"

enum { NEAR = 512, REACH = 64 * 1024 };

/// SP came below the stack step by step. A program that put it there has another stack.
static bool ran_down(const struct explain *x, const struct cpu *c)
{
    return c->sp_set >= x->stack_lo && c->sp_set <= x->stack_hi;
}

void lint_stack_at(struct explain *x, struct cpu *c, u64 sp, u64 pc)
{
    char at[96];
    x->stack_used |= sp >= x->stack_lo && sp <= x->stack_hi && x->stack_hi;
    if (!x->stack_used || sp >= x->stack_lo || x->stack_lo - sp > REACH || c->el == 0 || !ran_down(x, c))
        return;
    explain_say(x, c, "F14", true,
                "stack overflow: SP=0x%llx at %s is %llu bytes below the stack 0x%llx-0x%llx and overwrites what lies "
                "there; recursion without end, a large local array, or too small a stack",
                (unsigned long long)sp, name_full(x, pc, at, sizeof at), (unsigned long long)(x->stack_lo - sp),
                (unsigned long long)x->stack_lo, (unsigned long long)(x->stack_hi - 1));
}

void lint_stack_fill(struct explain *x, struct cpu *c, gva_t va)
{
    u64 sp = c->x[REG_SP];
    if (sp >= x->stack_lo && sp <= x->stack_hi && x->stack_hi)
        x->stack_used = true;
    else if (x->stack_used && va - (sp - NEAR) <= 2 * NEAR && va < x->stack_lo)
        lint_stack_at(x, c, va < sp ? va : sp, c->pc);
}
