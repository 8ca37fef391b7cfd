// Hints, barriers, PSTATE and the system registers that are plain storage.
// Arm ARM, "System instructions" and "AArch64 System Register Descriptions".
#include "jit/translate.h"

/* ---- which registers are plain ---- */

enum plain { NOT_PLAIN, READS = 1, WRITES = 2, EL0_READS = 4, EL0_WRITES = 8 };

enum reader { R_other, R_PLAIN, R_CONST };
#define KIND(x) (!strcmp(#x, "PLAIN") ? R_PLAIN : !strcmp(#x, "CONST") ? R_CONST : R_other)

struct row {
    u32 enc;
    const char *access, *read, *write;
};
static const struct row rows[SYSREG_COUNT] = {
#define SR(name, op0, op1, crn, crm, op2, access, reset, read, write)                              \
    [SYSREG_##name] = {SYSREG_ENC(op0, op1, crn, crm, op2), #access, #read, #write},
#include "cpu/sysreg.def"
#undef SR
};

static bool is(const char *a, const char *b) { return !strcmp(a, b); }

/// Index of the register that enc means in this mode, or -1.
static int row_of(const struct jit *j, u64 enc)
{
    bool host = j->mode & MODE_EL2 && j->mode & MODE_E2H;
    u32 other = host ? sysreg_el12((u32)enc) : 0;
    if (other)
        return sysreg_id(other);
    int id = sysreg_id((u32)enc);
    return id >= 0 && (host || (j->mode & MODE_E2H && bits(enc, 13, 11) == 3)) ? (int)sysreg_redirect((enum sysreg_id)id) : id;
}

/// Registers whose change nobody watches and that change nothing else.
static bool quiet(int id)
{
    switch (id) {
    case SYSREG_TPIDR_EL0: case SYSREG_TPIDR_EL1: case SYSREG_TPIDRRO_EL0: case SYSREG_ELR_EL1:
    case SYSREG_SPSR_EL1: case SYSREG_CONTEXTIDR_EL1: case SYSREG_TPIDR_EL2: case SYSREG_ELR_EL2: case SYSREG_SPSR_EL2:
    case SYSREG_CONTEXTIDR_EL2: return true;
    default: return false;
    }
}

static unsigned plain(const struct jit *j, int id)
{
    const struct row *r = &rows[id];
    bool el1 = j->mode & MODE_EL1, stored = is(r->read, "PLAIN") || is(r->read, "CONST");
    unsigned p = 0;
    if (j->mode & MODE_TRAP)
        return 0;
    if (j->mode & MODE_EL2 && (is(r->access, "SR_RW2") || (is(r->access, "SR_VHE") && j->mode & MODE_E2H)))
        return (stored ? READS : 0) | (is(r->write, "PLAIN") && quiet(id) ? WRITES : 0);
    if (el1 && stored &&
        (is(r->access, "SR_RW1") || is(r->access, "SR_RO1") || is(r->access, "SR_ID") || is(r->access, "SR_RW0") ||
         is(r->access, "SR_RO0") || is(r->access, "SR_R0W1")))
        p |= READS;
    if (!el1 && stored && (is(r->access, "SR_RW0") || is(r->access, "SR_R0W1")))
        p |= READS;
    bool el2_only = is(r->access, "SR_RW2") || is(r->access, "SR_RO2") || is(r->access, "SR_VHE");
    if (el1 && !el2_only && is(r->write, "PLAIN") && quiet(id))
        p |= WRITES;
    if (!el1 && id == SYSREG_TPIDR_EL0)
        p |= WRITES;
    return p;
}

static xrm env_sr(int id) { return xm(RENV, (s32)(offsetof(struct cpu, sr) + 8 * (size_t)id) - CPU_BIAS); }
static xrm env_sp0(void) { return xm(RENV, (s32)offsetof(struct cpu, sp_bank) - CPU_BIAS); }

enum special { SP_NONE, SP_SP_EL0, SP_DAIF, SP_NZCV, SP_FPCR, SP_CURRENTEL };
static enum special special(const struct jit *j, int id)
{
    bool el1 = j->mode & MODE_EL1;
    switch (id) {
    case SYSREG_SP_EL0: return el1 && j->mode & MODE_SPSEL ? SP_SP_EL0 : SP_NONE;
    case SYSREG_DAIF: return el1 ? SP_DAIF : SP_NONE;
    case SYSREG_NZCV: return SP_NZCV;
    case SYSREG_FPCR: return j->mode & MODE_FP ? SP_FPCR : SP_NONE;
    case SYSREG_CurrentEL: return el1 ? SP_CURRENTEL : SP_NONE;
    default: return SP_NONE;
    }
}

/* ---- reads ---- */

/// rd <- NZCV register layout, from cpu.nzcv.
static void read_nzcv(struct jit *j, int d)
{
    struct xbuf *b = &j->b;
    x_rm(b, XI_MOVZX16, RAX, ENV(nzcv));
    x_mov32(b, RCX, RAX);
    x_alu_i(b, ALU_AND, 0, xr(RCX), FLAG_N | FLAG_Z);
    x_shift_i(b, SH_SHL, 0, xr(RCX), 16);
    x_mov32(b, RDX, RAX);
    x_alu_i(b, ALU_AND, 0, xr(RDX), FLAG_C);
    x_shift_i(b, SH_SHL, 0, xr(RDX), 21);
    x_rr(b, XI_OR, RCX, RDX);
    x_alu_i(b, ALU_AND, 0, xr(RAX), FLAG_V);
    x_shift_i(b, SH_SHL, 0, xr(RAX), 28);
    x_rr(b, XI_OR, RAX, RCX);
    (void)d;
}

/// CNTVCT and CNTPCT from the host's counter; through the body when cpu.clock is too old, or EL0 may not.
static int emit_counter(struct jit *j, const struct insn *i, int id)
{
    struct xbuf *b = &j->b;
    struct cpu *c = j->c;
    u8 *slow[2] = {0};
    if (!c->clock.on || c->has_el2 || j->cfg.count || j->cfg.check || i->rd == REG_SINK)
        return 0;
    jit_clobber(j);
    if (!(j->mode & MODE_EL1)) {
        x_test8_i(b, env_sr(SYSREG_CNTKCTL_EL1), id == SYSREG_CNTPCT_EL0 ? 1 : 2);
        slow[0] = x_jcc(b, CC_E, NULL);
    }
    x_rdtsc(b);
    x_shift_i(b, SH_SHL, XW, xr(RDX), 32);
    x_rr(b, XI_OR | XW, RAX, RDX);
    x_rm(b, XI_SUB | XW, RAX, ENV(clock.at));
    x_rm(b, XI_CMP | XW, RAX, ENV(clock.window));
    slow[1] = x_jcc(b, CC_AE, NULL);
    x_mul(b, XW, ENV(clock.rate));
    x_rm(b, XI_ADD | XW, RDX, ENV(clock.ns));
    x_shift_i(b, SH_SHR, XW, xr(RDX), CNT_NS_SHIFT);
    if (id == SYSREG_CNTVCT_EL0)
        x_rm(b, XI_SUB | XW, RDX, env_sr(SYSREG_CNTVOFF_EL2));
    jit_xdone(j, i->rd, RDX);
    for (unsigned k = 0; k < 2; k++)
        if (slow[k])
            x_patch(slow[k], j->cold.p);
    jit_cold_exec(j, i);
    jit_caches_reload(j, &j->cold);
    jit_cold_end(j);
    return 1;
}

static int emit_mrs(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    int id = row_of(j, i->imm);
    if (id < 0 || j->cfg.trace_sysreg || (j->cfg.delays_sysregs && sysreg_is_delayed((u32)id)))
        return 0;
    if (id == SYSREG_CNTVCT_EL0 || id == SYSREG_CNTPCT_EL0)
        return emit_counter(j, i, id);
    enum special s = special(j, id);
    int d = jit_xwrite(j, i->rd, RAX);
    if (s == SP_NZCV) {
        jit_flags_to_env(j);
        if (j->live_out[j->k])
            j->fl = FL_NONE;
        read_nzcv(j, RAX);
        j->fl = FL_NONE;
        jit_xdone(j, i->rd, RAX);
        return 1;
    }
    if (s == SP_SP_EL0)
        x_rm(b, XI_MOV | XW, d, env_sp0());
    else if (s == SP_DAIF)
        x_rm(b, XI_MOV, d, ENV(daif));
    else if (s == SP_FPCR)
        x_rm(b, XI_MOV, d, ENV(fpcr));
    else if (s == SP_CURRENTEL)
        x_mov_ri(b, d, j->mode & MODE_EL2 ? 8 : 4);
    else if (plain(j, id) & READS)
        x_rm(b, XI_MOV | XW, d, env_sr(id));
    else
        return 0;
    jit_xdone(j, i->rd, d);
    return 1;
}

/* ---- writes ---- */

/// After interrupts may have been unmasked: leaves when a wire is up.
static void unmasked(struct jit *j)
{
    struct xbuf *b = &j->b;
    x_alu_i(b, ALU_CMP, 0, xm(RENV, (s32)offsetof(struct cpu, irq_lines) - CPU_BIAS), 0);
    struct xbuf *c = jit_cold_begin(j, CC_NE);
    x_u8(c, 0xf0); // lock: other threads set bits too
    x_alu_i(c, ALU_OR, 0, ENV(attention), ATT_IRQ);
    jit_count(j, c, j->k + 1);
    jit_give_back(j, c);
    jit_pc(j, c, RAX, j->off[j->k] + 4);
    x_jmp(c, j->t_attention);
}

static bool is_cache_op(u64 enc)
{
    switch (enc) {
    case SYSREG_ENC(1, 3, 7, 4, 1): case SYSREG_ENC(1, 3, 7, 5, 1): case SYSREG_ENC(1, 3, 7, 10, 1):
    case SYSREG_ENC(1, 3, 7, 11, 1): case SYSREG_ENC(1, 3, 7, 12, 1): case SYSREG_ENC(1, 3, 7, 14, 1): return true;
    default: return false;
    }
}

bool jit_sys_is_inline(const struct jit *j, const struct insn *i)
{
    if (j->cfg.no_inline || j->cfg.trace_sysreg || (i->op >= j->cfg.skip_lo && i->op < j->cfg.skip_hi))
        return false;
    if (i->op == OP_MSR) {
        int id = row_of(j, i->imm);
        if (id < 0)
            return false;
        enum special s = special(j, id);
        return s == SP_SP_EL0 || s == SP_DAIF || plain(j, id) & WRITES;
    }
    if (i->op == OP_MSR_i) { // DAIFSet and DAIFClr of A, I and F
        u32 op1 = i->word >> 16 & 7, op2 = i->word >> 5 & 7, imm = i->word >> 8 & 15;
        return op1 == 3 && op2 >= 6 && j->mode & MODE_EL1 && (imm & 8 ? op2 == 6 : true);
    }
    if (i->op == OP_SYS) // cache maintenance
        return is_cache_op(i->imm);
    return false;
}

/// System registers that are no more than storage, or state of the CPU alone.
static bool is_inner(const struct jit *j, const struct insn *i)
{
    int id = row_of(j, i->imm);
    if (i->imm == SYSREG_ENC(3, 3, 4, 4, 0) || i->imm == SYSREG_ENC(3, 3, 4, 4, 1) || id == SYSREG_NZCV)
        return true;
    if (id < 0 || !strncmp(sysreg_id_name((enum sysreg_id)id), "CNT", 3))
        return false;
    enum special s = special(j, id);
    if (i->op == OP_MRS)
        return s != SP_NONE || plain(j, id) & READS;
    return s == SP_SP_EL0 || s == SP_DAIF || plain(j, id) & WRITES;
}

bool jit_runs_once(const struct jit *j, const struct insn *i)
{
    switch (i->op) {
    case OP_MRS:
    case OP_MSR: return !is_inner(j, i);
    case OP_SYS: return !is_cache_op(i->imm);
    case OP_SYSL:
    case OP_WFI: case OP_WFE: case OP_HVC: case OP_SMC: case OP_HLT: case OP_BRK: return true;
    case OP_MSR_i: return false;
    default: return i->fn == NULL;
    }
}

/// With software step armed, PSTATE.D is part of the mode: leave through the body.
static u8 *when_stepping(struct jit *j)
{
    x_test8_i(&j->b, env_sr(SYSREG_MDSCR_EL1), 1);
    return x_jcc(&j->b, CC_NE, NULL);
}
static void stepping(struct jit *j, const struct insn *i, u8 *site)
{
    x_patch(site, j->cold.p);
    jit_cold_exec(j, i);
    jit_count(j, &j->cold, j->k + 1);
    x_mov_ri(&j->cold, RCX, j->off[j->k] + 4u);
    x_jmp(&j->cold, j->t_dispatch);
}

static int emit_msr(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    if (!jit_sys_is_inline(j, i))
        return 0;
    int id = row_of(j, i->imm);
    enum special s = special(j, id);
    if (s == SP_DAIF) {
        if (j->live_out[j->k])
            jit_flags_to_env(j);
        j->fl = FL_NONE;
        x_mov(b, RAX, jit_xread(j, i->rd, RAX));
        x_alu_i(b, ALU_AND, 0, xr(RAX), DAIF_D | DAIF_A | DAIF_I | DAIF_F);
        u8 *debug = when_stepping(j);
        x_op(b, XI_ST, RAX, ENV(daif), 0);
        unmasked(j);
        stepping(j, i, debug);
        return 1;
    }
    int v = jit_xread(j, i->rd, RAX);
    x_op(b, XI_ST | XW, v, s == SP_SP_EL0 ? env_sp0() : env_sr(id), 0);
    return 1;
}

static int emit_msr_i(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    u32 op2 = i->word >> 5 & 7, imm = i->word >> 8 & 15;
    if (!jit_sys_is_inline(j, i))
        return 0;
    if (j->live_out[j->k])
        jit_flags_to_env(j);
    j->fl = FL_NONE;
    if (op2 == 6) {
        u8 *debug = imm & 8 ? when_stepping(j) : NULL;
        if (debug)
            stepping(j, i, debug);
        x_alu_i(b, ALU_OR, 0, ENV(daif), (s32)(imm << 6));
        return 1;
    }
    x_alu_i(b, ALU_AND, 0, ENV(daif), ~(s32)(imm << 6));
    unmasked(j);
    return 1;
}

/* ---- cache maintenance ---- */

/// DC ZVA: 64 bytes of zeros.
static int emit_zva(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    if (!(j->mode & MODE_MMU) || j->mode & MODE_TRAP || !j->cpu.sse42)
        return 0;
    jit_clobber(j);
    x_mov(b, RAX, jit_xread(j, i->rd, RAX));
    x_alu_i(b, ALU_AND, XW, xr(RAX), -64);
    u8 *trapped = NULL;
    if (!(j->mode & MODE_EL1)) {
        x_test_i(b, 0, env_sr(j->mode & MODE_E2H ? SYSREG_SCTLR_EL2 : SYSREG_SCTLR_EL1), 1 << 14);
        trapped = x_jcc(b, CC_E, NULL);
    }
    xrm m = jit_mem(j, i, (struct jit_addr){.base = RAX}, 64, true, 0);
    x_v(b, XV_PXOR, X0, X0, xr(X0));
    for (unsigned done = 0, step = j->cpu.avx2 ? 32 : 16; done < 64; done += step, m.disp += (s32)step)
        x_v(b, XV_MOVUPS_ST | (j->cpu.avx2 ? XL : 0), X0, 0, m);
    jit_mem_done(j, i);
    if (trapped) {
        x_patch(trapped, j->cold.p);
        jit_cold_exec(j, i);
        jit_cold_end(j);
    }
    return 1;
}

static int emit_sys(struct jit *j, const struct insn *i)
{
    if (!jit_sys_is_inline(j, i))
        return 0;
    if (i->imm == SYSREG_ENC(1, 3, 7, 4, 1) && emit_zva(j, i))
        return 1;
    jit_exec(j, i);
    return 1;
}

/* ---- hints and barriers ---- */

static int emit_hint(struct jit *j, const struct insn *i)
{
    unsigned crm_op2 = i->word >> 5 & 0x7f;
    (void)j;
    return crm_op2 != 4 && crm_op2 != 5; // SEV and SEVL set the event
}

/// DMB and DSB. x86 lets only a load overtake an older store to elsewhere, which those for loads or stores alone
/// allow. One CPU orders nothing that it could see; device threads synchronise through the machine lock.
static int emit_barrier(struct jit *j, const struct insn *i)
{
    unsigned type = i->word >> 8 & 3; // 1: loads, 2: stores
    if (!j->cfg.smp || type == 1 || type == 2)
        return 1;
    jit_clobber(j);
    x_u8(&j->b, 0xf0);
    x_alu_i(&j->b, ALU_OR, 0, xm(RSP, -64), 0); // a fence, faster than mfence
    return 1;
}

static int emit_isb(struct jit *j, const struct insn *i)
{
    (void)i;
    if (j->cfg.delays_sysregs)
        return 0;
    if (j->live_out[j->k])
        jit_flags_to_env(j);
    // code may have changed: no predicted return may be older
    x_rm(&j->b, XI_MOV | XW, RSP, ENV_JW(JW_RSP));
    jit_exit_to(j, &j->b, j->off[j->k] + 4);
    j->over = true;
    return 1;
}

static int emit_clrex(struct jit *j, const struct insn *i)
{
    (void)i;
    x_store_i(&j->b, XW, ENV(excl_va), -1);
    return 1;
}

void jit_init_sys(jit_emit_fn **t)
{
    t[OP_MRS] = emit_mrs;
    t[OP_MSR] = emit_msr;
    t[OP_MSR_i] = emit_msr_i;
    t[OP_SYS] = emit_sys;
    t[OP_HINT] = emit_hint;
    t[OP_DMB] = t[OP_DSB] = emit_barrier;
    t[OP_ISB] = emit_isb;
    t[OP_CLREX] = emit_clrex;
}
