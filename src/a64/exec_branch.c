/// Branches and exception-generating instructions. Arm ARM, "Branches, Exception generating, and
/// System instructions".
#include "a64/insn.h"

static inline int go(struct cpu *c, u64 target)
{
    cpu_trail(c, c->pc, target);
    TRACE(c, TRACE_EXEC, c->pc, target, 0, 0);
    c->pc = target;
    return EXEC_BRANCH;
}

EXEC(B) { return go(c, c->pc + i->imm); }
EXEC(BL)
{
    c->x[30] = c->pc + 4;
    return go(c, c->pc + i->imm);
}
EXEC(Bcond) { return cond_holds(i->word & 15, c->nzcv) ? go(c, c->pc + i->imm) : EXEC_NEXT; }
static inline bool is_zero(const struct cpu *c, const struct insn *i)
{
    return (i->sf ? c->x[i->rd] : (u32)c->x[i->rd]) == 0;
}
EXEC(CBZ) { return is_zero(c, i) ? go(c, c->pc + i->imm) : EXEC_NEXT; }
EXEC(CBNZ) { return is_zero(c, i) ? EXEC_NEXT : go(c, c->pc + i->imm); }
EXEC(TBZ) { return bit(c->x[i->rd], i->p) ? EXEC_NEXT : go(c, c->pc + i->imm); }
EXEC(TBNZ) { return bit(c->x[i->rd], i->p) ? go(c, c->pc + i->imm) : EXEC_NEXT; }

/// Removes the tag of a branch target when TBI applies to its half. Arm ARM, BranchAddr.
static inline u64 branch_addr(const struct cpu *c, u64 va)
{
    if (!(c->mode & (MODE_TBI0 | MODE_TBI1)))
        return va;
    if (bit(va, 55))
        return c->mode & MODE_TBI1 ? va | 0xff00000000000000ULL : va;
    return c->mode & MODE_TBI0 ? va & 0x00ffffffffffffffULL : va;
}
EXEC(BR) { return go(c, branch_addr(c, c->x[i->rn])); }
EXEC(RET) { return go(c, branch_addr(c, c->x[i->rn])); }
EXEC(BLR)
{
    u64 target = branch_addr(c, c->x[i->rn]);
    c->x[30] = c->pc + 4;
    return go(c, target);
}
EXEC(ERET) { return c->el ? cpu_eret(c) : cpu_undef(c); }

EXEC(INVALID) { return cpu_undef(c); }
EXEC(UDF) { return cpu_undef(c); }
EXEC(SVC) { return cpu_raise(c, EC_SVC64, (u32)i->imm, c->pc + 4); }

static int to_machine(struct cpu *c, enum cpu_exit_kind kind, u64 imm)
{
    cpu_context_sync(c); /* an exception, if to someone else */
    c->exit.kind = kind;
    c->exit.value = imm;
    c->exit.addr = c->pc;
    c->pc += 4;
    return EXEC_EXIT;
}
EXEC(HVC)
{
    if (c->el == 0 || c->sr[SYSREG_HCR_EL2] & HCR_HCD)
        return cpu_undef(c);
    return c->has_el2 ? cpu_raise_to(c, 2, EC_HVC64, (u32)i->imm, c->pc + 4) : to_machine(c, EXIT_HVC, i->imm);
}
EXEC(SMC)
{
    if (c->el == 1 && c->sr[SYSREG_HCR_EL2] & HCR_TSC)
        return cpu_raise_to(c, 2, EC_SMC64, (u32)i->imm, c->pc);
    return c->el ? to_machine(c, EXIT_SMC, i->imm) : cpu_undef(c);
}
EXEC(BRK)
{
    if (c->brk_exits) {
        c->exit.kind = EXIT_BRK;
        c->exit.value = i->imm;
        c->exit.addr = c->pc;
        c->exit.syndrome = (u32)EC_BRK << 26 | 1u << 25 | (u32)i->imm;
        return EXEC_EXIT;
    }
    return cpu_raise_debug(c, EC_BRK, (u32)i->imm, c->pc);
}
EXEC(HLT)
{
    if (c->semihosting && i->imm == 0xf000)
        return to_machine(c, EXIT_HLT, i->imm);
    return cpu_undef(c);
}
