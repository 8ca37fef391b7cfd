/// Who may access a system register, and where a refused access goes. Arm ARM, "AArch64 System Register
/// Descriptions".
#include "cpu/priv.h"

/// ISS of a trapped MRS, MSR or SYS. Arm ARM, "ISS encoding for an exception from MSR, MRS, or System
/// instruction execution in AArch64 state". dir: 1 read.
int sysreg_trap(struct cpu *c, unsigned el, u32 enc, bool read)
{
    u32 rt = 31;
    u32 word;
    if (mmu_debug_read(c, c->pc, &word, 4))
        rt = word & 31;
    u32 iss = (u32)bits(enc, 15, 14) << 20 | (u32)bits(enc, 2, 0) << 17 | (u32)bits(enc, 13, 11) << 14 |
              (u32)bits(enc, 10, 7) << 10 | rt << 5 | (u32)bits(enc, 6, 3) << 1 | read;
    return cpu_raise_to(c, el, EC_SYSREG, iss, c->pc);
}

static enum sysreg_verdict check_el0(const struct cpu *c, const struct sr_row *r, u32 enc, bool read)
{
    u64 sctlr = cpu_sctlr(c), pm = c->sr[SYSREG_PMUSERENR_EL0];
    u64 kctl = c->sr[c->regime == REGIME_EL20 ? SYSREG_CNTHCTL_EL2 : SYSREG_CNTKCTL_EL1];
    switch ((enum sr_access)r->access) {
    case SR_RW0: return SYSREG_ALLOWED;
    case SR_RO0:
    case SR_R0W1: return read ? SYSREG_ALLOWED : SYSREG_UNDEFINED;
    case SR_CTR: return !read ? SYSREG_UNDEFINED : bit(sctlr, 15) ? SYSREG_ALLOWED : SYSREG_TRAPPED;
    case SR_DAIF: return bit(sctlr, 9) ? SYSREG_ALLOWED : SYSREG_TRAPPED;
    case SR_FP0: return cpu_fp_enabled(c) ? SYSREG_ALLOWED : SYSREG_FP_TRAP;
    case SR_CNT: return !read ? SYSREG_UNDEFINED : kctl & 3 ? SYSREG_ALLOWED : SYSREG_TRAPPED;
    case SR_CNTP: return !read ? SYSREG_UNDEFINED : bit(kctl, 0) ? SYSREG_ALLOWED : SYSREG_TRAPPED;
    case SR_CNTV: return !read ? SYSREG_UNDEFINED : bit(kctl, 1) ? SYSREG_ALLOWED : SYSREG_TRAPPED;
    case SR_TIMP: return bit(kctl, 9) ? SYSREG_ALLOWED : SYSREG_TRAPPED;
    case SR_TIMV: return bit(kctl, 8) ? SYSREG_ALLOWED : SYSREG_TRAPPED;
    case SR_PMU:
        if (bit(pm, 0) || (read && bit(pm, 2) && r->enc == SYSREG_ENC(3, 3, 9, 13, 0)))
            return SYSREG_ALLOWED;
        return SYSREG_TRAPPED;
    default: /* the host's EL0 names its timers by their names of EL0 */
        if (r->enc != enc && bits(enc, 10, 7) == 14)
            return bit(kctl, bits(enc, 6, 3) == 2 ? 9 : 8) ? SYSREG_ALLOWED : SYSREG_TRAPPED;
        return SYSREG_UNDEFINED;
    }
}
static enum sysreg_verdict check(const struct cpu *c, const struct sr_row *r, u32 enc, bool read)
{
    if (c->el == 0)
        return check_el0(c, r, enc, read);
    switch ((enum sr_access)r->access) {
    case SR_RO1:
    case SR_RO0:
    case SR_ID:
    case SR_CTR:
    case SR_CNTP:
    case SR_CNTV: return read ? SYSREG_ALLOWED : SYSREG_UNDEFINED;
    case SR_WO1: return read ? SYSREG_UNDEFINED : SYSREG_ALLOWED;
    case SR_FP0: return cpu_fp_enabled(c) ? SYSREG_ALLOWED : SYSREG_FP_TRAP;
    case SR_RW2: return c->el == 2 ? SYSREG_ALLOWED : SYSREG_UNDEFINED;
    case SR_RO2: return c->el == 2 && read ? SYSREG_ALLOWED : SYSREG_UNDEFINED;
    case SR_VHE: return c->el == 2 && c->has_vhe ? SYSREG_ALLOWED : SYSREG_UNDEFINED;
    case SR_TOP1: return c->has_el2 || !(read || r->enc == SYSREG_ENC(3, 0, 12, 0, 2)) ? SYSREG_UNDEFINED : SYSREG_ALLOWED;
    default: return SYSREG_ALLOWED;
    }
}
int sysreg_refuse(struct cpu *c, enum sysreg_verdict v, u32 enc, bool read)
{
    if (v == SYSREG_TRAPPED || v == SYSREG_TRAPPED_EL2)
        return sysreg_trap(c, v == SYSREG_TRAPPED_EL2 ? 2 : cpu_target_el(c), enc, read);
    return v == SYSREG_FP_TRAP ? cpu_fp_trap(c) : cpu_undef(c);
}

bool sysreg_is_id_space(u32 enc)
{
    return bits(enc, 15, 7) == bits(SYSREG_ENC(3, 0, 0, 0, 0), 15, 7) && bits(enc, 6, 3) >= 1 && bits(enc, 6, 3) <= 7;
}

/* ---- traps to EL2 ---- */

/// What HCR_EL2.TVM and TRVM call virtual memory controls.
static bool is_vm_control(u32 enc)
{
    switch (enc) {
    case SYSREG_ENC(3, 0, 1, 0, 0):
    case SYSREG_ENC(3, 0, 2, 0, 0):
    case SYSREG_ENC(3, 0, 2, 0, 1):
    case SYSREG_ENC(3, 0, 2, 0, 2):
    case SYSREG_ENC(3, 0, 5, 1, 0):
    case SYSREG_ENC(3, 0, 5, 1, 1):
    case SYSREG_ENC(3, 0, 5, 2, 0):
    case SYSREG_ENC(3, 0, 6, 0, 0):
    case SYSREG_ENC(3, 0, 10, 2, 0):
    case SYSREG_ENC(3, 0, 10, 3, 0):
    case SYSREG_ENC(3, 0, 13, 0, 1): return true;
    default: return false;
    }
}
bool sysreg_hcr_traps(u64 hcr, u32 enc, bool read)
{
    u32 op1 = (u32)bits(enc, 13, 11), crn = (u32)bits(enc, 10, 7);
    if (hcr & (read ? HCR_TRVM : HCR_TVM) && is_vm_control(enc))
        return true;
    if (hcr & HCR_TIDCP && (crn == 11 || crn == 15))
        return true;
    switch (enc) {
    case SYSREG_ENC(3, 0, 1, 0, 1): return hcr & HCR_TACR;
    case SYSREG_ENC(3, 0, 0, 0, 6):
    case SYSREG_ENC(3, 1, 0, 0, 7): return hcr & HCR_TID1;
    case SYSREG_ENC(3, 3, 0, 0, 1):
    case SYSREG_ENC(3, 1, 0, 0, 0):
    case SYSREG_ENC(3, 1, 0, 0, 1):
    case SYSREG_ENC(3, 2, 0, 0, 0): return hcr & HCR_TID2;
    default: return hcr & HCR_TID3 && read && op1 == 0 && sysreg_is_id_space(enc);
    }
}
/// Debug and performance monitor registers: MDCR_EL2.
static bool mdcr_traps(u64 mdcr, u32 enc)
{
    u32 crn = (u32)bits(enc, 10, 7), crm = (u32)bits(enc, 6, 3);
    if (bits(enc, 15, 14) == 2) {
        if (crn == 1 && crm == 0 && bits(enc, 2, 0) == 0)
            return bit(mdcr, 11); /* TDRA */
        return crn == 1 ? bit(mdcr, 10) : bit(mdcr, 9) || bit(mdcr, 8); /* TDOSA, TDA (TDE implies it) */
    }
    if (crn == 9 && crm >= 12)
        return bit(mdcr, 6) || (bit(mdcr, 5) && enc == SYSREG_ENC(3, 3, 9, 12, 0)); /* TPM, TPMCR */
    return bit(mdcr, 6) && crn == 14 && crm >= 8;
}
static bool cnthctl_traps(const struct cpu *c, u32 enc)
{
    u64 ctl = c->sr[SYSREG_CNTHCTL_EL2];
    bool e2h = c->sr[SYSREG_HCR_EL2] & HCR_E2H;
    if (enc == SYSREG_ENC(3, 3, 14, 0, 1))
        return !bit(ctl, e2h ? 10 : 0);
    return (enc & ~7u) == SYSREG_ENC(3, 3, 14, 2, 0) && !bit(ctl, e2h ? 11 : 1);
}
bool sysreg_el2_takes(const struct cpu *c, u32 enc, bool read)
{
    u64 hcr = c->sr[SYSREG_HCR_EL2];
    if (enc == SYSREG_ENC(3, 0, 1, 0, 2) && bit(c->sr[SYSREG_CPTR_EL2], 31)) /* CPACR_EL1 */
        return true;
    if (sysreg_hcr_traps(hcr, enc, read) || cnthctl_traps(c, enc))
        return true;
    bool is_sgi = (enc & ~7u) == SYSREG_ENC(3, 0, 12, 11, 0) && (enc & 7) >= 5;
    return is_sgi && hcr & (HCR_IMO | HCR_FMO);
}

enum sysreg_verdict sysreg_verdict_on(const struct cpu *c, const struct sr_row *r, u32 enc, bool read)
{
    enum sysreg_verdict v = check(c, r, enc, read);
    /* SP_EL0 while it is the current stack pointer is UNDEFINED. */
    if (v == SYSREG_ALLOWED && r->enc == SYSREG_ENC(3, 0, 4, 1, 0) && !c->sp_sel)
        v = SYSREG_UNDEFINED;
    if (v == SYSREG_ALLOWED && UNLIKELY(c->has_el2) && c->el < 2 &&
        (mdcr_traps(c->sr[SYSREG_MDCR_EL2], enc) || (!cpu_in_host(c) && sysreg_el2_takes(c, enc, read))))
        v = SYSREG_TRAPPED_EL2;
    return v;
}
