// Branches. Arm ARM, "Branches, Exception generating, and System instructions".
#include "jit/translate.h"

static s64 target_of(const struct jit *j, const struct insn *i) { return j->off[j->k] + (s64)i->imm; }

static int emit_b(struct jit *j, const struct insn *i)
{
    s64 to = target_of(j, i);
    if (j->k + 1 < j->n && j->off[j->k + 1] == to)
        return 1;
    if (j->live_out[j->k])
        jit_flags_to_env(j);
    jit_exit_to(j, &j->b, to);
    j->over = true;
    return 1;
}

static int emit_bl(struct jit *j, const struct insn *i)
{
    jit_flags_to_env(j);
    jit_call_to(j, target_of(j, i));
    return 1;
}

static int emit_bcond(struct jit *j, const struct insn *i)
{
    unsigned cond = i->word & 15;
    if (cond >= 14)
        return emit_b(j, i);
    unsigned cc = jit_cond(j, cond);
    jit_exit_cc(j, cc, target_of(j, i));
    return 1;
}

static int emit_cbz(struct jit *j, const struct insn *i)
{
    u32 w = i->sf ? XW : 0;
    unsigned cc = i->op == OP_CBZ ? CC_E : CC_NE;
    jit_clobber(j);
    if (i->rd == REG_ZR) {
        x_mov_ri(&j->b, RAX, 0);
        x_rr(&j->b, XI_TEST, RAX, RAX);
    } else if (jit_xinreg(j, i->rd)) {
        int r = jit_xread(j, i->rd, RAX);
        x_rr(&j->b, XI_TEST | w, r, r);
    } else {
        x_alu_i(&j->b, ALU_CMP, w, ENV_X(i->rd), 0);
    }
    jit_exit_cc(j, cc, target_of(j, i));
    return 1;
}

static int emit_tbz(struct jit *j, const struct insn *i)
{
    unsigned n = i->p, cc = i->op == OP_TBZ ? CC_E : CC_NE;
    jit_clobber(j);
    if (i->rd == REG_ZR) {
        x_mov_ri(&j->b, RAX, 0);
        x_rr(&j->b, XI_TEST, RAX, RAX);
    } else if (!jit_xinreg(j, i->rd)) {
        xrm m = ENV_X(i->rd);
        m.disp += (s32)(n / 8);
        x_test8_i(&j->b, m, 1u << n % 8);
    } else {
        int r = jit_xread(j, i->rd, RAX);
        if (n == 31 || n == 63) {
            x_rr(&j->b, XI_TEST | (n == 63 ? XW : 0), r, r);
            cc = i->op == OP_TBZ ? CC_NS : CC_S;
        } else if (n < 31) {
            x_test_i(&j->b, 0, xr(r), (s32)(1u << n));
        } else {
            x_bt_i(&j->b, XW, xr(r), n);
            cc = i->op == OP_TBZ ? CC_AE : CC_B;
        }
    }
    jit_exit_cc(j, cc, target_of(j, i));
    return 1;
}

/// rax = guest address: probes the jump cache; on a hit rdx and rcx form the operand with the host
/// address and jit_page is set. A miss goes to cold code at *miss.
static xrm probe(struct jit *j, u8 **miss)
{
    struct xbuf *b = &j->b;
    x_mov32(b, RCX, RAX);
    x_alu_i(b, ALU_AND, 0, xr(RCX), (JC_SIZE - 1) << 2);
    x_rm(b, XI_MOV | XW, RDX, ENV_JW(JW_JC));
    x_rm(b, XI_CMP | XW, RAX, xmi(RDX, RCX, 2, 0));
    *miss = x_jcc(b, CC_NE, NULL);
    x_alu_i(b, ALU_AND, XW, xr(RAX), -GUEST_PAGE);
    x_op(b, XI_ST | XW, RAX, ENV(jit_page), 0);
    return xmi(RDX, RCX, 2, 8);
}

/// Cold, after a miss: leaves behind where the branch was, for the trail.
static void say_from(struct jit *j)
{
    x_mov_ri(&j->cold, RCX, (u64)j->off[j->k] + 1);
    x_op(&j->cold, XI_ST | XW, RCX, ENV_JW(JW_FROM), 0);
}

static int emit_br(struct jit *j, const struct insn *i)
{
    u8 *miss;
    jit_flags_to_env(j);
    jit_count(j, &j->b, j->k);
    jit_attention_check(j, &j->b, j->off[j->k]);
    jit_count(j, &j->b, j->k + 1);
    x_mov(&j->b, RAX, jit_xread(j, i->rn, RAX));
    xrm host = probe(j, &miss);
    x_jmp_rm(&j->b, host);
    x_patch(miss, j->cold.p);
    say_from(j);
    x_jmp(&j->cold, j->t_indirect);
    j->over = true;
    return 1;
}

static int emit_blr(struct jit *j, const struct insn *i)
{
    u8 *miss;
    struct xbuf *b = &j->b;
    jit_flags_to_env(j);
    jit_count(j, b, j->k);
    if (j->cfg.count || j->cfg.attention_always)
        jit_attention_check(j, b, j->off[j->k]);
    jit_count(j, b, j->k + 1);
    x_mov(b, RDX, jit_xread(j, i->rn, RDX));
    jit_pc(j, b, RAX, j->off[j->k] + 4);
    jit_xset(j, 30, RAX);
    jit_push_return(j, CALL_RDX);
    x_mov(b, RAX, RDX);
    xrm host = probe(j, &miss);
    x_call_rm(b, host);
    x_patch(miss, j->cold.p);
    say_from(j);
    x_call(&j->cold, j->t_indirect);
    x_jmp(&j->cold, b->p);
    jit_landing(j);
    return 1;
}

static int emit_ret(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    jit_flags_to_env(j);
    jit_count(j, b, j->k);
    if (j->cfg.count) // what is predicted depends on the host
        jit_attention_check(j, b, j->off[j->k]);
    x_mov(b, RAX, jit_xread(j, i->rn, RAX));
    x_rm(b, XI_CMP | XW, RAX, xm(RSP, 8));
    struct xbuf *c = jit_cold_begin(j, CC_NE);
    if (!j->cfg.count)
        jit_attention_check(j, c, j->off[j->k]);
    jit_count(j, c, j->k + 1);
    x_rm(c, XI_MOV | XW, RSP, ENV_JW(JW_RSP));
    x_mov_ri(c, RDX, CROSS_UNLINKED | (u32)j->off[j->k]);
    x_jmp(c, j->t_cross);
    jit_count(j, b, j->k + 1);
    x_ret_i(b, 8);
    j->over = true;
    return 1;
}

void jit_init_branch(jit_emit_fn **t)
{
    t[OP_B] = emit_b;
    t[OP_BL] = emit_bl;
    t[OP_Bcond] = emit_bcond;
    t[OP_CBZ] = t[OP_CBNZ] = emit_cbz;
    t[OP_TBZ] = t[OP_TBNZ] = emit_tbz;
    t[OP_BR] = emit_br;
    t[OP_BLR] = emit_blr;
    t[OP_RET] = emit_ret;
}
