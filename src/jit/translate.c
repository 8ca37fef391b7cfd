// The translation of one superblock: decode along the fall-through path and one backward pass for live
// flags (trace.c), choice of cached registers (regs.c), forward emission.
#include "jit/jit.h"
#include "jit/translate.h"

#include <stdlib.h>

jit_emit_fn *jit_emitters[OP_COUNT];

void jit_init_tables(void)
{
    static bool emitters_known; // the same values every time: a race is harmless
    if (emitters_known)
        return;
    jit_init_int(jit_emitters);
    jit_init_mem(jit_emitters);
    jit_init_branch(jit_emitters);
    jit_init_sys(jit_emitters);
    jit_init_atomic(jit_emitters);
    jit_init_fp(jit_emitters);
    jit_init_simd(jit_emitters);
    emitters_known = true;
}

/* ---- counting ---- */

void jit_count(struct jit *j, struct xbuf *b, unsigned end)
{
    if (!j->cfg.count)
        return;
    if (end > j->counted)
        x_alu_i(b, ALU_ADD, XW, ENV(icount), (s32)(end - j->counted));
    if (b == &j->b)
        j->counted = end;
}

void jit_say_pending(struct jit *j)
{
    if (j->cfg.count)
        x_store_i(&j->cold, XW, ENV_JW(JW_PENDING), (s32)(j->k + 1 - j->counted));
}

/* ---- calls of bodies ---- */

u8 *jit_put_insn(struct jit *j, const struct insn *i)
{
    j->cold.p = (u8 *)align_up((u64)(uintptr_t)j->cold.p, 8);
    u8 *at = j->cold.p;
    memcpy(at, i, sizeof *i);
    j->cold.p += sizeof *i;
    return at;
}

static void call_exec(struct jit *j, struct xbuf *b, const u8 *at)
{
    x_rm(b, XI_LEA | XW, RAX, xrip(at));
    x_mov_ri(b, RCX, j->off[j->k]);
    x_call(b, j->t_exec);
}

void jit_exec(struct jit *j, const struct insn *i)
{
    if (j->live_in[j->k])
        jit_flags_to_env(j);
    j->waiting = j->origin = NULL;
    jit_vflush(j, ~0u);
    jit_count(j, &j->b, j->k + 1);
    jit_give_back(j, &j->b);
    call_exec(j, &j->b, jit_put_insn(j, i));
    jit_caches_drop(j);
    j->fl = FL_NONE;
    if (i->flags & FW)
        j->fl_env = true;
    j->st_fallback++;
    j->st_op_fallback[i->op]++;
}

void jit_cold_exec(struct jit *j, const struct insn *i)
{
    jit_vspill(j, &j->cold, j->vdirty_cold);
    jit_cold_body(j, i);
}

void jit_cold_body(struct jit *j, const struct insn *i)
{
    jit_say_pending(j);
    jit_give_back(j, &j->cold);
    jit_wait_cold(j, RNONE);
    x_mov_ri(&j->cold, RAX, i->word);
    x_mov_ri(&j->cold, RCX, j->off[j->k]);
    x_call(&j->cold, j->t_exec_word);
}

struct xbuf *jit_cold_begin(struct jit *j, unsigned cc)
{
    if (cc < 16)
        x_jcc(&j->b, cc, j->cold.p);
    else
        x_jmp(&j->b, j->cold.p);
    return &j->cold;
}

void jit_cold_end(struct jit *j) { x_jmp(&j->cold, j->b.p); }

/* ---- the driver ---- */

/// Of registers used in their low part only, arithmetic takes for granted that the rest is zero, which it is
/// unless vector code used them last. Checks that before the first round; else runs one instruction and
/// looks for another way round.
static void check_tops(struct jit *j, u32 written)
{
    struct xbuf *b = &j->b;
    u8 *insn = NULL, *other = NULL;
    for (; written; written &= written - 1) {
        unsigned n = (unsigned)__builtin_ctz(written);
        xrm high = ENV_V(n), mid = ENV_V(n);
        if (j->vclass[n] == 16)
            continue;
        if (!insn) {
            insn = jit_put_insn(j, &j->in[0]);
            other = j->cold.p;
            jit_count(j, &j->cold, 1);
            call_exec(j, &j->cold, insn);
            x_mov_ri(&j->cold, RCX, j->off[0] + 4u);
            x_jmp(&j->cold, j->cfg.count ? j->t_dead : j->t_dispatch);
        }
        high.disp += 8;
        mid.disp += 4;
        x_alu_i(b, ALU_CMP, XW, high, 0);
        x_jcc(b, CC_NE, other);
        if (j->vclass[n] == 4) {
            x_alu_i(b, ALU_CMP, 0, mid, 0);
            x_jcc(b, CC_NE, other);
        }
    }
}

/// Before an instruction is emitted: stores V registers that could not be stored in its course.
static void settle_v(struct jit *j, const struct insn *i)
{
    bool leaves = (i->flags & (BR | END)) && !jit_is_cond_branch(i) && i->op != OP_B;
    if (leaves)
        jit_vflush(j, ~0u);
    j->vdirty_cold = j->vdirty;
    j->x_late_cold = jit_late_now(j);
}

static void begin(struct jit *j)
{
    j->vdirty = j->vdirty_top = j->vdirty_cold = 0;
    j->fl = FL_NONE;
    j->fl_env = true;
    j->waiting = j->origin = NULL;
    j->sp_aligned = false;
    j->over = false;
    j->pending_n = 0;
    memset(j->grp, 0, sizeof j->grp);
    j->grp_next = 0;
    j->counted = 0;
    j->loop_top = NULL;
    j->mem_retry = NULL;
    jit_assign(j);
    j->b.p = (u8 *)align_up((u64)(uintptr_t)j->b.p, 16);
    j->blk->entry = j->b.p;
    if (j->cfg.smp) { // becomes a jump in one piece: nop of five bytes
        static const u8 nop5[] = {0x0f, 0x1f, 0x44, 0, 0};
        for (unsigned k = 0; k < sizeof nop5; k++)
            x_u8(&j->b, nop5[k]);
    }
    j->blk->dead_stub = j->cold.p;
    x_mov_ri(&j->cold, RCX, j->blk->off);
    x_jmp(&j->cold, j->t_dead);
    if (j->cfg.count_runs) {
        x_mov_ri(&j->b, RAX, (u64)(uintptr_t)&j->blk->runs);
        x_alu_i(&j->b, ALU_ADD, XW, xm(RAX, 0), 1);
    }
    if (!j->is_loop || j->cfg.no_link) // loops do it at their top
        jit_mark_trail(j, j->blk->off);
    if (j->is_loop && !j->cfg.no_link) {
        j->k = 0;
        check_tops(j, jit_loop_registers(j));
        jit_lend(j);
        jit_caches_fill(j, &j->b);
        for (unsigned n = 0; n < 31; n++)
            j->xloaded[n] |= j->xmap[n] >= 0 && j->loop_x >> n & 1;
        for (unsigned n = 0; n < 32; n++)
            j->vloaded[n] = j->vmap[n] >= 0 && j->loop_v >> n & 1;
        while (j->b.p - j->blk->entry > 0 && j->b.p - j->blk->entry < 5)
            x_u8(&j->b, 0x90); // both places take a jump when the block dies
        j->loop_top = j->blk->loop_top = j->b.p;
        j->vdirty = j->vdirty_top;
        j->x_late_cold = jit_late_now(j);
        j->blk->loop_dead_stub = j->cold.p;
        jit_vspill(j, &j->cold, j->vdirty_top);
        jit_give_back(j, &j->cold);
        x_mov_ri(&j->cold, RCX, j->blk->off);
        x_jmp(&j->cold, j->t_dead);
        if (j->cfg.count_runs) {
            x_mov_ri(&j->b, RAX, (u64)(uintptr_t)&j->blk->runs);
            x_alu_i(&j->b, ALU_ADD, XW, xm(RAX, 0), 1);
        }
        jit_mark_trail(j, j->blk->off);
        if (jit_tests_at_top(j))
            jit_attention_check(j, &j->b, j->blk->off);
    }
}

static bool emit_one(struct jit *j)
{
    const struct insn *i = &j->in[j->k];
    bool trap = (i->flags & FP) && !(j->mode & MODE_FP);
    jit_wait_check(j, i);
    if ((i->op == OP_MRS || i->op == OP_MSR) && jit_fp_sysreg(j, i))
        return true;
    bool no_vec = (i->flags & FP) && !j->cpu.sse42, skip = i->op >= j->cfg.skip_lo && i->op < j->cfg.skip_hi;
    jit_emit_fn *fn = trap || no_vec || skip || j->cfg.no_inline ? NULL : jit_emitters[i->op];
    settle_v(j, i);
    if (fn && i->flags & FPX && jit_fp_run(j))
        return true;
    if (UNLIKELY(j->cfg.fault != NULL) && !strcmp(j->cfg.fault, insn_rows[i->op].name))
        j->in[j->k].imm ^= 1;
    if (fn && jit_can_wait(j, i)) {
        jit_wait(j, i);
        return true;
    }
    unsigned at = j->k;
    if (fn && fn(j, i)) {
        if (i->flags & FW && at == j->k)
            jit_flags_from(j, i);
        return !j->over;
    }
    jit_exec(j, i);
    if (trap || (i->flags & (END | BR)))
        return false;
    return true;
}

static void emit(struct jit *j)
{
    begin(j);
    for (j->k = 0; j->k < j->n; j->k++) {
        if ((j->lent || j->x_late) && j->k >= j->loop_end)
            jit_end_loop(j);
        if (emit_one(j))
            continue;
        const struct insn *i = &j->in[j->k];
        if (j->over)
            return;
        // not taken, or a change of state: find out in C where to go on
        jit_vspill(j, &j->b, j->vdirty);
        x_mov_ri(&j->b, RCX, j->off[j->k] + 4u);
        x_jmp(&j->b, j->t_dispatch);
        if (jit_is_cond_branch(i) || i->op == OP_BL || i->op == OP_BLR)
            j->n = j->k + 1;
        return;
    }
    j->k = j->n - 1;
    if (j->live_out[j->k])
        jit_flags_to_env(j);
    jit_exit_to(j, &j->b, jit_next_off(j, j->k));
}

static void account(struct jit *j, u8 *cold_from)
{
    j->blk->code_len = (u32)(j->b.p - j->blk->entry);
    j->st_blocks++;
    j->st_insns += j->n;
    j->st_hot_bytes += j->blk->code_len;
    j->st_cold_bytes += (u64)(j->cold.p - cold_from);
}

struct jit_block *jit_translate(struct jit *j, struct cpu *c, gpa_t pa, const u32 *host, u32 mode)
{
    const u32 *page = host - (pa & 0xfff) / 4;
    struct jit_block *b = xcalloc(1, sizeof *b);
    b->page = pa & ~0xfffULL;
    b->off = pa & 0xfff;
    b->mode = mode;
    b->va = c->pc;
    j->blk = b;
    j->c = c;
    j->mode = mode;
    j->cfg.trace_sysreg = c->trace != NULL;
    j->cfg.delays_sysregs = c->delays_sysregs;
    if (!j->cfg.smp && !mem_page_has_code(c->mem, pa))
        tlb_protect_page(c, pa);
    jit_decode_trace(j, page);
    jit_find_loop(j);
    jit_liveness(j, page);
    u8 *cold_from = j->cold.p;
    emit(j);
    b->insns = (u16)j->n;
    b->link_count = (u16)j->pending_n;
    b->links = xcalloc(j->pending_n + 1u, sizeof *b->links);
    memcpy(b->links, j->pending, j->pending_n * sizeof *b->links);
    for (unsigned k = 0; k < j->pending_n; k++)
        b->links[k].from = b;
    for (unsigned k = 0; k < 64; k++)
        if (b->lines >> k & 1)
            mem_mark_code(c->mem, b->page + 64 * k, 64);
    jit_publish(j, b);
    account(j, cold_from);
    if (UNLIKELY(j->perf_map != NULL))
        jit_name_block(j, b);
    return b;
}
