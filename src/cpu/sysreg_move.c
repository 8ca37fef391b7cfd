/// MRS and MSR: the registers of the table and of the interrupt controller, and writes that wait for a context
/// synchronization event.
#include "cpu/priv.h"

static bool is_icc(u32 enc)
{
    return bits(enc, 15, 14) == 3 && bits(enc, 13, 11) == 0 &&
           (bits(enc, 10, 7) == 12 ? bits(enc, 6, 3) >= 8 : enc == SYSREG_ENC(3, 0, 4, 6, 0));
}
/// ICC_SRE_EL2 and ICH_*.
static bool is_icc_el2(u32 enc)
{
    return bits(enc, 15, 7) == bits(SYSREG_ENC(3, 4, 12, 0, 0), 15, 7) && bits(enc, 6, 3) >= 8;
}

/// The GIC's registers. ret  exec_status, or -1: not one of them
static int gic_access(struct cpu *c, u32 enc, u64 *val, bool write)
{
    bool is_el2 = c->el == 2 && is_icc_el2(enc);
    u32 at = enc;
    if (!(c->el && is_icc(enc)) && !is_el2)
        return -1;
    if (cpu_el2_traps(c)) {
        if (sysreg_el2_takes(c, enc, !write))
            return sysreg_refuse(c, SYSREG_TRAPPED_EL2, enc, !write);
        if (c->sr[SYSREG_HCR_EL2] & HCR_IMO)
            at |= CPU_ICC_VIRTUAL_IRQ;
        if (c->sr[SYSREG_HCR_EL2] & HCR_FMO)
            at |= CPU_ICC_VIRTUAL_FIQ;
    }
    if (write ? !c->icc.write || !c->icc.write(c->icc.ctx, at, *val) : !c->icc.read || !c->icc.read(c->icc.ctx, at, val))
        return -1;
    TRACE(c, TRACE_SYSREG, c->pc, enc, *val, write);
    return EXEC_NEXT;
}

int sysreg_read(struct cpu *c, u32 enc, u64 *val)
{
    const struct sr_row *r = sysreg_row_for(c, enc);
    if (r == NULL) {
        int st = gic_access(c, enc, val, false);
        if (st >= 0)
            return st;
        bool is_id = c->el && sysreg_is_id_space(enc);
        if (cpu_el2_traps(c) && (is_id || c->el) && sysreg_hcr_traps(c->sr[SYSREG_HCR_EL2], enc, true))
            return sysreg_refuse(c, SYSREG_TRAPPED_EL2, enc, true);
        if (is_id) {
            *val = 0;
            return EXEC_NEXT;
        }
        c->unknown_sysregs++;
        return cpu_undef(c);
    }
    enum sysreg_verdict v = sysreg_verdict_on(c, r, enc, true);
    if (UNLIKELY(v != SYSREG_ALLOWED))
        return sysreg_refuse(c, v, enc, true);
    *val = r->read(c, (enum sysreg_id)(r - sysreg_rows));
    for (unsigned k = 0; UNLIKELY(k < c->pending_count); k++)
        if (c->pending[k].id == (u32)(r - sysreg_rows)) /* program order is kept between MSR and MRS */
            *val = c->pending[k].val;
    TRACE(c, TRACE_SYSREG, c->pc, enc, *val, 0);
    return EXEC_NEXT;
}

/* ---- writes that wait. Arm ARM, "Synchronization requirements for AArch64 System registers" ---- */

bool sysreg_is_delayed(u32 id)
{
    switch (id) {
    case SYSREG_SCTLR_EL1: case SYSREG_TTBR0_EL1: case SYSREG_TTBR1_EL1: case SYSREG_TCR_EL1: case SYSREG_MAIR_EL1:
    case SYSREG_CPACR_EL1: case SYSREG_VBAR_EL1:
    case SYSREG_SCTLR_EL2: case SYSREG_TTBR0_EL2: case SYSREG_TTBR1_EL2: case SYSREG_TCR_EL2: case SYSREG_MAIR_EL2:
    case SYSREG_CPTR_EL2: case SYSREG_VBAR_EL2: return true;
    default: return false;
    }
}

static void delay_write(struct cpu *c, u32 id, u64 val)
{
    for (unsigned k = 0; k < c->pending_count; k++)
        if (c->pending[k].id == id) {
            c->pending[k].val = val;
            return;
        }
    c->pending[c->pending_count++] = (struct sysreg_pending){id, c->pc, val};
}
_Static_assert(SYSREGS_PENDING_MAX >= 14, "one for each register of sysreg_is_delayed");

void cpu_context_sync_slow(struct cpu *c)
{
    unsigned n = c->pending_count;
    c->pending_count = 0;
    for (unsigned k = 0; k < n; k++)
        sysreg_rows[c->pending[k].id].write(c, (enum sysreg_id)c->pending[k].id, c->pending[k].val);
}

int sysreg_write(struct cpu *c, u32 enc, u64 val)
{
    const struct sr_row *r = sysreg_row_for(c, enc);
    if (r == NULL) {
        int st = gic_access(c, enc, &val, true);
        if (st >= 0)
            return st;
        if (cpu_el2_traps(c) && c->el && sysreg_hcr_traps(c->sr[SYSREG_HCR_EL2], enc, false))
            return sysreg_refuse(c, SYSREG_TRAPPED_EL2, enc, false);
        c->unknown_sysregs++;
        return cpu_undef(c);
    }
    enum sysreg_verdict v = sysreg_verdict_on(c, r, enc, false);
    if (UNLIKELY(v != SYSREG_ALLOWED))
        return sysreg_refuse(c, v, enc, false);
    enum sysreg_id id = (enum sysreg_id)(r - sysreg_rows);
    TRACE(c, TRACE_SYSREG, c->pc, enc, val, 1);
    if (c->hooks.sysreg_write)
        c->hooks.sysreg_write(c->hooks.ctx, c, id, c->sr[id], val);
    if (UNLIKELY(c->delays_sysregs) && sysreg_is_delayed(id)) {
        delay_write(c, id, val);
        return EXEC_NEXT;
    }
    r->write(c, id, val);
    return EXEC_NEXT;
}
