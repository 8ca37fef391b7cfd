/// Helpers of the translation driver that the branch and memory emitters use.
#ifndef BRUIN_JIT_TRANSLATE_H
#define BRUIN_JIT_TRANSLATE_H

#include "jit/jit.h"

static inline bool jit_is_cond_branch(const struct insn *i)
{
    return i->op == OP_Bcond || i->op == OP_CBZ || i->op == OP_CBNZ || i->op == OP_TBZ || i->op == OP_TBNZ;
}

/// The trace of the block j->blk, whose page is at `page`: instructions, the loop they make if any, and their
/// live flags (trace.c).
void jit_decode_trace(struct jit *j, const u32 *page);
void jit_find_loop(struct jit *j);
void jit_liveness(struct jit *j, const u32 *page);
/// Page offset where the block goes on after instruction k.
s64 jit_next_off(const struct jit *j, unsigned k);

/// Gives the cache registers to the guest registers used most (regs.c).
void jit_assign(struct jit *j);
/// Lends the host registers of j->lent, before the loop; takes them back, and stores what is late, in hot code after it.
void jit_lend(struct jit *j);
void jit_end_loop(struct jit *j);
/// What the loop does with registers: which it names, and which V registers in the host's it writes whole.
/// At its top those count as newer than cpu.v, since they are after the first round. (Of lists of registers
/// this names the first.) ret  those of them that it reads before it writes them.
u32 jit_loop_registers(struct jit *j);

/// Copies i into cold code, for thunks.
u8 *jit_put_insn(struct jit *j, const struct insn *i);
/// Cached registers: forget (C code ran in line), load the missing (loop edges), reload what is
/// marked loaded (after C code ran out of line).
void jit_caches_drop(struct jit *j);
void jit_caches_fill(struct jit *j, struct xbuf *b);
void jit_caches_reload(struct jit *j, struct xbuf *b);

/// Leaves the block in b for `target`, an offset from the start of the current page (it may lie
/// outside). Flags the target needs are in cpu.nzcv already.
void jit_exit_to(struct jit *j, struct xbuf *b, s64 target);
/// The same when x86 condition cc holds; saves flags on that path.
void jit_exit_cc(struct jit *j, unsigned cc, s64 target);
/// Loops test attention at their top, so that the way back is a plain jump; not those that count, to
/// which it matters where they test.
bool jit_tests_at_top(const struct jit *j);
/// Writes that code at this offset of the page runs now into cpu.trail. Clobbers rax, rcx and flags.
void jit_mark_trail(struct jit *j, unsigned off);
/// True for a system instruction that does not end the block because it is emitted in line.
bool jit_sys_is_inline(const struct jit *j, const struct insn *i);
/// Translated code keeps part of FPSR in MXCSR; only it reads and writes that.
bool jit_touches_fpsr(const struct insn *i);
/// True for what reaches beyond CPU and RAM, or depends on the time: not to be run twice.
bool jit_runs_once(const struct jit *j, const struct insn *i);
/// Leaves through C for `target` when cpu.attention is set.
void jit_attention_check(struct jit *j, struct xbuf *b, s64 target);
/// In cold code, before a body runs: says how many instructions cpu.icount lacks. EFLAGS are kept.
void jit_say_pending(struct jit *j);
/// BL to target.
void jit_call_to(struct jit *j, s64 target);
enum { CALL_RDX = -1 << 30 }; ///< no offset: the target of a call is in rdx
void jit_push_return(struct jit *j, s64 target);
void jit_landing(struct jit *j);

#endif
