/// Hints, barriers, PSTATE and system registers. Arm ARM, "System instructions".
#include "a64/insn.h"

/// CRm:op2 of the hints that are not NOPs here.
enum { HINT_SEV = 4, HINT_SEVL = 5 };

EXEC(HINT)
{
    u32 crm_op2 = i->word >> 5 & 0x7f;
    if (crm_op2 == HINT_SEV || crm_op2 == HINT_SEVL)
        atomic_store_explicit(&c->event, 1, memory_order_release);
    if (crm_op2 == HINT_SEV && c->send_event)
        c->send_event(c->timer_ctx);
    return EXEC_NEXT;
}

/// WFI and WFE may trap from EL0, and to EL2. ti: 0 WFI, 1 WFE.
static int wait_trap(struct cpu *c, unsigned el, u32 ti)
{
    return cpu_raise_to(c, el, EC_WFX, 1u << 24 | 0xe << 20 | ti, c->pc);
}
static int wait_exit(struct cpu *c, u64 is_wfe)
{
    c->exit.kind = EXIT_WFI;
    c->exit.value = is_wfe;
    c->exit.addr = c->pc;
    c->pc += 4;
    return EXEC_EXIT;
}
EXEC(WFI)
{
    if (c->el == 0 && !bit(cpu_sctlr(c), 16))
        return wait_trap(c, cpu_target_el(c), 0);
    if (cpu_el2_traps(c) && c->sr[SYSREG_HCR_EL2] & HCR_TWI && !cpu_irq_wire(c))
        return wait_trap(c, 2, 0);
    return cpu_irq_wire(c) ? EXEC_NEXT : wait_exit(c, 0);
}
EXEC(WFE)
{
    if (c->el == 0 && !bit(cpu_sctlr(c), 18))
        return wait_trap(c, cpu_target_el(c), 1);
    if (cpu_el2_traps(c) && c->sr[SYSREG_HCR_EL2] & HCR_TWE && !atomic_load(&c->event) && !cpu_irq_wire(c))
        return wait_trap(c, 2, 1);
    if (atomic_exchange(&c->event, 0) || cpu_irq_wire(c))
        return EXEC_NEXT;
    return wait_exit(c, 1);
}

EXEC(CLREX) { c->excl_va = EXCL_NONE; return EXEC_NEXT; }
EXEC(DSB) { atomic_thread_fence(memory_order_seq_cst); return EXEC_NEXT; }
EXEC(DMB) { atomic_thread_fence(memory_order_seq_cst); return EXEC_NEXT; }
EXEC(ISB)
{
    cpu_context_sync(c);
    return EXEC_NEXT;
}

static int daif_imm_trap(struct cpu *c, const struct insn *i)
{
    u32 iss = 0u << 20 | (i->word >> 5 & 7) << 17 | (i->word >> 16 & 7) << 14 | 4u << 10 | 31u << 5 |
              (i->word >> 8 & 15) << 1;
    return cpu_raise(c, EC_SYSREG, iss, c->pc);
}
EXEC(MSR_i)
{
    u32 op1 = i->word >> 16 & 7, op2 = i->word >> 5 & 7, imm = i->word >> 8 & 15;
    switch (op1 << 3 | op2) {
    case 0 << 3 | 4: /* PAN */
        if (c->el == 0 || imm > 1)
            return cpu_undef(c);
        c->pan = (u8)imm;
        tlb_select(c);
        return EXEC_NEXT;
    case 0 << 3 | 5: /* SPSel */
        if (c->el == 0 || imm > 1)
            return cpu_undef(c);
        cpu_set_spsel(c, (u8)imm);
        return EXEC_NEXT;
    case 3 << 3 | 6: /* DAIFSet */
    case 3 << 3 | 7: /* DAIFClr */
        if (c->el == 0 && !bit(cpu_sctlr(c), 9))
            return daif_imm_trap(c, i);
        cpu_set_daif(c, op2 == 6 ? c->daif | imm << 6 : c->daif & ~(imm << 6));
        return EXEC_NEXT;
    default: return cpu_undef(c);
    }
}

EXEC(MRS)
{
    u64 v;
    int st = sysreg_read(c, (u32)i->imm, &v);
    if (LIKELY(st == EXEC_NEXT))
        c->x[i->rd] = v;
    return st;
}
EXEC(MSR) { return sysreg_write(c, (u32)i->imm, c->x[i->rd]); }
EXEC(SYS) { return sysreg_sys(c, (u32)i->imm, c->x[i->rd]); }
EXEC(SYSL) { return cpu_undef(c); }
