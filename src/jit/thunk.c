// Hand-made code that every block shares: entry and exit, calls of C bodies, the soft-TLB probe
// behind site slots, and the ways into the C side of control flow.
#include "jit/jit.h"

#include <stddef.h>

#define P_STORE(g, h) x_op(b, XI_ST | XW, h, ENV_X(g), 0);
#define P_LOAD(g, h) x_rm(b, XI_MOV | XW, h, ENV_X(g));

enum { RSB_BYTES = 64 << 10 };

static void spill(struct xbuf *b) { JIT_PINNED(P_STORE) }
static void reload(struct xbuf *b) { JIT_PINNED(P_LOAD) }

static void env_to_rdi(struct xbuf *b) { x_rm(b, XI_LEA | XW, RDI, xm(RENV, -CPU_BIAS)); }

static void call_c(struct xbuf *b, const void *fn)
{
    x_mov_ri(b, RAX, (u64)(uintptr_t)fn);
    x_call_rm(b, xr(RAX));
}

static const u8 saved_regs[] = {RBX, RBP, R12, R13, R14, R15};

/// void enter(struct cpu *c, const u8 *target)
static void make_enter(struct jit *j)
{
    struct xbuf *b = &j->b;
    u8 *bottom = b->p; // rax = guest address, popped off the end of the prediction stack
    x_rm(b, XI_MOV | XW, RSP, ENV_JW(JW_RSP));
    u8 *to_indirect = x_jmp(b, NULL);
    j->t_bottom = to_indirect;
    j->t_enter = b->p;
    for (size_t k = 0; k < ARRAY_LEN(saved_regs); k++)
        x_push(b, saved_regs[k]);
    x_rm(b, XI_LEA | XW, RENV, xm(RDI, CPU_BIAS));
    x_op(b, XI_ST | XW, RSP, ENV_JW(JW_HOST_RSP), 0);
    // The bottom entry pairs address 1 with code that looks the address up like any other.
    x_alu_i(b, ALU_SUB, XW, xr(RSP), 24);
    x_mov_ri(b, RAX, (u64)(uintptr_t)jit_rx(j, bottom));
    x_op(b, XI_ST | XW, RAX, xm(RSP, 0), 0);
    x_store_i(b, XW, xm(RSP, 8), 1);
    x_op(b, XI_ST | XW, RSP, ENV_JW(JW_RSP), 0);
    x_rm(b, XI_LEA | XW, RAX, xm(RSP, -RSB_BYTES));
    x_op(b, XI_ST | XW, RAX, ENV_JW(JW_RSP_LIMIT), 0);
    x_mov(b, RAX, RSI);
    if (j->cpu.sse42) {
        x_vex(b, XV_LDMXCSR, 3, 0, ENV_JW(JW_HOST_MXCSR), 0);
        x_vex(b, XV_LDMXCSR, 2, 0, ENV_JW(JW_MXCSR), 0);
    }
    x_rm(b, XI_MOV | XW, RCTX, ENV(ctx));
    reload(b);
    x_jmp_rm(b, xr(RAX));

    j->t_exit = b->p;
    if (j->cpu.sse42) {
        x_vex(b, XV_LDMXCSR, 3, 0, ENV_JW(JW_MXCSR), 0);
        x_vex(b, XV_LDMXCSR, 2, 0, ENV_JW(JW_HOST_MXCSR), 0);
    }
    x_rm(b, XI_MOV | XW, RSP, ENV_JW(JW_HOST_RSP));
    for (size_t k = ARRAY_LEN(saved_regs); k-- > 0;)
        x_pop(b, saved_regs[k]);
    x_ret(b);
}

/// Goes on at rax with empty return prediction and everything reloaded.
static u8 *make_continue(struct jit *j)
{
    struct xbuf *b = &j->b;
    u8 *at = b->p;
    x_rm(b, XI_MOV | XW, RSP, ENV_JW(JW_RSP));
    x_store_i(b, XW, ENV_JW(JW_RESET), 0);
    x_rm(b, XI_MOV | XW, RCTX, ENV(ctx));
    reload(b);
    x_jmp_rm(b, xr(RAX));
    return at;
}

/// Goes on at rax, keeping return prediction unless something asked to drop it.
static void continue_soft(struct jit *j, const u8 *cont)
{
    struct xbuf *b = &j->b;
    x_alu_i(b, ALU_CMP, 0, ENV_JW(JW_RESET), 0);
    x_jcc(b, CC_NE, cont);
    x_rm(b, XI_MOV | XW, RCTX, ENV(ctx));
    reload(b);
    x_jmp_rm(b, xr(RAX));
}

/// call: ecx = offset of the instruction in its page; rax = struct insn, or eax = its word. Does not
/// come back when the body took translations away (cpu.h, "The rule"): the block is left then.
static u8 *make_exec(struct jit *j, const u8 *cont, bool word)
{
    struct xbuf *b = &j->b;
    u8 *at = b->p;
    x_rm(b, XI_ADD | XW, RCX, ENV(jit_page));
    x_op(b, XI_ST | XW, RCX, ENV(pc), 0);
    spill(b);
    env_to_rdi(b);
    x_mov(b, RSI, RAX);
    x_alu_i(b, ALU_SUB, XW, xr(RSP), 8);
    if (word)
        call_c(b, (const void *)jit_c_exec_word);
    else
        x_call_rm(b, xm(RSI, (s32)offsetof(struct insn, fn)));
    x_rr(b, XI_TEST, RAX, RAX);
    u8 *other = x_jcc8(b, CC_NE);
    u8 *dropped = NULL;
    if (!word) { // jit_c_exec_word has looked
        x_alu_i(b, ALU_CMP, 0, ENV(tlb_dropped), 0);
        dropped = x_jcc8(b, CC_NE);
    }
    x_alu_i(b, ALU_ADD, XW, xr(RSP), 8);
    reload(b);
    x_ret(b);
    if (dropped) {
        x_patch8(dropped, b->p);
        x_alu_i(b, ALU_ADD, XW, ENV(pc), 4);
    }
    x_patch8(other, b->p);
    env_to_rdi(b);
    x_mov32(b, RSI, RAX);
    call_c(b, (const void *)jit_c_after);
    x_jmp(b, cont);
    return at;
}

/// The slot missed on another page: costs the site patience, little when pages are walked through in
/// order. rcx = 8 * slot number, rdx = the page; rax changes. ret  the jump taken when there is none left.
static u8 *lose_patience(struct xbuf *b)
{
    x_rm(b, XI_MOV | XW, RAX, xmi(RCTX, RCX, 0, (s32)offsetof(struct mmuctx, slot_page)));
    x_rr(b, XI_SUB | XW, RAX, RDX);
    x_alu_i(b, ALU_ADD, XW, xr(RAX), GUEST_PAGE);
    x_alu_i(b, ALU_CMP, XW, xr(RAX), 2 * GUEST_PAGE);
    x_op(b, XI_ST | XW, RDX, xmi(RCTX, RCX, 0, (s32)offsetof(struct mmuctx, slot_page)), 0);
    xrm site = ENV_JW(JW_TMP2);
    site.disp += 4;
    x_rm(b, XI_MOV, RAX, site);
    x_rm(b, XI_MOV | XW, RCX, ENV_JW(JW_PATIENCE));
    u8 *near = x_jcc8(b, CC_BE);
    x_alu_i(b, ALU_SUB, 0, xmi(RCX, RAX, 2, 0), SITE_FAR - 1);
    x_patch8(near, b->p);
    x_alu_i(b, ALU_SUB, 0, xmi(RCX, RAX, 2, 0), 1);
    return x_jcc8(b, CC_S);
}

/// call: rdx = address, rcx = 8 * slot number | span << 16 | number of the site << 32. After the call: a
/// 5-byte jump to the retry, u32 word of the instruction, u32 page offset; then the instruction to go on
/// with after the exec_ body ran. rax is kept when the probe hits.
static u8 *make_probe(struct jit *j, s32 table)
{
    struct xbuf *b = &j->b;
    u8 *at = b->p;
    x_op(b, XI_ST | XW, RAX, ENV_JW(JW_TMP), 0);
    x_op(b, XI_ST | XW, RCX, ENV_JW(JW_TMP2), 0);
    x_shift_i(b, SH_SHR, 0, xr(RCX), 16);
    // crossing a page?
    x_mov32(b, RAX, RDX);
    x_alu_i(b, ALU_AND, 0, xr(RAX), 0xfff);
    x_rr(b, XI_ADD, RAX, RCX);
    x_alu_i(b, ALU_CMP, 0, xr(RAX), GUEST_PAGE);
    u8 *slow1 = x_jcc(b, CC_A, NULL);
    x_mov32(b, RAX, RDX);
    x_shift_i(b, SH_SHR, 0, xr(RAX), GUEST_PAGE_SHIFT - 4);
    x_alu_i(b, ALU_AND, 0, xr(RAX), (TLB_SIZE - 1) << 4);
    x_alu_i(b, ALU_AND, XW, xr(RDX), -GUEST_PAGE);
    x_rm(b, XI_CMP | XW, RDX, xmi(RCTX, RAX, 0, table + (s32)offsetof(struct tlb_ent, tag)));
    u8 *slow2 = x_jcc(b, CC_NE, NULL);
    x_neg(b, 0, xr(RCX));
    x_alu_i(b, ALU_ADD, 0, xr(RCX), GUEST_PAGE + 1);
    x_rm(b, XI_MOV | XW, RAX, xmi(RCTX, RAX, 0, table + (s32)offsetof(struct tlb_ent, addend)));
    xrm entry = xmi(RCTX, RCX, 1, (s32)offsetof(struct mmuctx, slot));
    x_push(b, RCX);
    x_rm(b, XI_MOVZX16, RCX, ENV_JW(JW_TMP2));
    entry.disp += (s32)offsetof(struct slot_ent, addend);
    x_op(b, XI_ST | XW, RAX, entry, 0);
    x_pop(b, RAX);
    entry.disp += (s32)offsetof(struct slot_ent, limit) - (s32)offsetof(struct slot_ent, addend);
    x_op(b, XI_ST | XW, RAX, entry, 0);
    u8 *tired = lose_patience(b); // a site that misses often is translated again, without a slot
    x_rm(b, XI_MOV | XW, RAX, ENV_JW(JW_TMP));
    x_ret(b);
    x_patch8(tired, b->p);
    spill(b);
    env_to_rdi(b);
    x_rm(b, XI_MOV | XW, RAX, xm(RSP, 0));
    x_rm(b, XI_MOV, RSI, xm(RAX, SITE_OFF));
    x_alu_i(b, ALU_SUB, XW, xr(RSP), 8);
    call_c(b, (const void *)jit_c_hot_site);
    x_alu_i(b, ALU_ADD, XW, xr(RSP), 8);
    reload(b);
    x_patch(slow1, b->p);
    x_patch(slow2, b->p);
    x_alu_i(b, ALU_ADD, XW, ENV_JW(JW_SLOW_MEM), 1);
    x_pop(b, RAX);
    x_rm(b, XI_MOV, RCX, xm(RAX, SITE_OFF));
    x_rm(b, XI_MOV, RDX, xm(RAX, SITE_INSN));
    x_alu_i(b, ALU_ADD, XW, xr(RAX), SITE_SIZE);
    x_push(b, RAX);
    x_mov(b, RAX, RDX);
    x_jmp(b, j->t_exec_word);
    return at;
}

/// call: rdx = address, rcx = what jit_c_fill takes. ret  rcx = 1: the check may be made again. rax is kept.
static void make_fill(struct jit *j)
{
    struct xbuf *b = &j->b;
    j->t_fill = b->p;
    x_op(b, XI_ST | XW, RAX, ENV_JW(JW_TMP), 0);
    spill(b);
    env_to_rdi(b);
    x_mov(b, RSI, RDX);
    x_mov(b, RDX, RCX);
    x_alu_i(b, ALU_SUB, XW, xr(RSP), 8);
    call_c(b, (const void *)jit_c_fill);
    x_alu_i(b, ALU_ADD, XW, xr(RSP), 8);
    x_rm(b, XI_MOVZX8, RCX, xr(RAX));
    x_rm(b, XI_MOV | XW, RAX, ENV_JW(JW_TMP));
    reload(b);
    x_ret(b);
}

/// jmp: eax = link number.
static void make_link(struct jit *j, const u8 *cont)
{
    struct xbuf *b = &j->b;
    j->t_link = b->p;
    spill(b);
    env_to_rdi(b);
    x_mov32(b, RSI, RAX);
    call_c(b, (const void *)jit_c_link);
    continue_soft(j, cont);
}

/// jmp: rax = guest address, edx = link number (cross), probing the jump cache first.
static u8 *make_lookup(struct jit *j, const u8 *cont, bool cross)
{
    struct xbuf *b = &j->b;
    u8 *at = b->p;
    if (cross) {
        x_mov32(b, RCX, RAX);
        x_alu_i(b, ALU_AND, 0, xr(RCX), (JC_SIZE - 1) << 2);
        x_shift_i(b, SH_SHL, 0, xr(RCX), 2);
        x_rm(b, XI_ADD | XW, RCX, ENV_JW(JW_JC));
        x_rm(b, XI_CMP | XW, RAX, xm(RCX, 0));
        u8 *miss = x_jcc8(b, CC_NE);
        x_alu_i(b, ALU_AND, XW, xr(RAX), -GUEST_PAGE);
        x_op(b, XI_ST | XW, RAX, ENV(jit_page), 0);
        x_jmp_rm(b, xm(RCX, 8));
        x_patch8(miss, b->p);
    }
    x_op(b, XI_ST | XW, RAX, ENV(pc), 0);
    spill(b);
    env_to_rdi(b);
    if (cross)
        x_mov32(b, RSI, RDX);
    call_c(b, cross ? (const void *)jit_c_cross : (const void *)jit_c_lookup);
    continue_soft(j, cont);
    return at;
}

/// jmp: rax = guest address to go on at.
static void make_attention(struct jit *j, const u8 *cont)
{
    struct xbuf *b = &j->b;
    j->t_attention = b->p;
    x_op(b, XI_ST | XW, RAX, ENV(pc), 0);
    u8 *here = b->p;
    spill(b);
    env_to_rdi(b);
    call_c(b, (const void *)jit_c_attention);
    x_jmp(b, cont);
    /* jmp: ecx = offset in the page to go on at. */
    j->t_dispatch = b->p;
    x_rm(b, XI_ADD | XW, RCX, ENV(jit_page));
    x_op(b, XI_ST | XW, RCX, ENV(pc), 0);
    x_jmp(b, here);
    /* jmp: the same, from the entry of a block that must not be entered again. */
    j->t_dead = b->p;
    x_rm(b, XI_ADD | XW, RCX, ENV(jit_page));
    x_op(b, XI_ST | XW, RCX, ENV(pc), 0);
    spill(b);
    env_to_rdi(b);
    call_c(b, (const void *)jit_c_dead);
    x_jmp(b, cont);
}

/// jmp: eax = number of a link whose loop is hot.
static void make_hot(struct jit *j, const u8 *cont)
{
    struct xbuf *b = &j->b;
    j->t_hot = b->p;
    spill(b);
    env_to_rdi(b);
    x_mov32(b, RSI, RAX);
    call_c(b, (const void *)jit_c_hot);
    x_jmp(b, cont);
}

void jit_make_thunks(struct jit *j)
{
    jit_simd_constants(j);
    make_enter(j);
    u8 *cont = make_continue(j);
    j->t_exec = make_exec(j, cont, false);
    j->t_exec_word = make_exec(j, cont, true);
    j->t_load = make_probe(j, (s32)offsetof(struct mmuctx, r));
    j->t_store = make_probe(j, (s32)offsetof(struct mmuctx, w));
    make_fill(j);
    make_link(j, cont);
    j->t_cross = make_lookup(j, cont, true);
    j->t_indirect = make_lookup(j, cont, false);
    make_attention(j, cont);
    make_hot(j, cont);
    x_patch(j->t_bottom, j->t_indirect);
    jit_make_fp_consts(j);
    jit_make_fp_estimates(j);
    j->t_end = j->b.p;
}
