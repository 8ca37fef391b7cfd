/// System registers: one table, side effects of reading and writing. Arm ARM, "AArch64
/// System Register Descriptions".
#include "cpu/priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

/* ---- read and write functions ---- */

static u64 sysreg_r_PLAIN(struct cpu *c, enum sysreg_id id) { return c->sr[id]; }
#define sysreg_r_CONST sysreg_r_PLAIN
static u64 sysreg_r_RAZ(struct cpu *c, enum sysreg_id id) { return 0; }
static void sysreg_w_PLAIN(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[id] = v; }
static void sysreg_w_WI(struct cpu *c, enum sysreg_id id, u64 v) {}

static u64 sysreg_r_pfr0(struct cpu *c, enum sysreg_id id)
{
    return c->sr[id] | (c->icc.read ? 1ULL << 24 : 0) | (c->has_el2 ? 1ULL << 8 : 0);
}
static u64 sysreg_r_mmfr1(struct cpu *c, enum sysreg_id id) { return c->sr[id] | (c->has_vhe ? 1ULL << 8 : 0); }
/* EL1 sees what EL2 wants it to. */
static u64 sysreg_r_midr(struct cpu *c, enum sysreg_id id)
{
    return c->sr[c->has_el2 && c->el == 1 ? SYSREG_VPIDR_EL2 : id];
}
static u64 sysreg_r_mpidr(struct cpu *c, enum sysreg_id id)
{
    return c->sr[c->has_el2 && c->el == 1 ? SYSREG_VMPIDR_EL2 : id];
}
static u64 sysreg_r_ccsidr(struct cpu *c, enum sysreg_id id)
{
    return 0x700fe01a; /* 32 KiB, 4 ways, 64-byte lines: what caches a guest may see */
}
static void sysreg_w_csselr(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[id] = v & 0xf; }
static u64 sysreg_r_dczid(struct cpu *c, enum sysreg_id id)
{
    bool prohibited = (c->el == 0 && !bit(cpu_sctlr(c), 14)) ||
                      (cpu_el2_traps(c) && c->sr[SYSREG_HCR_EL2] & HCR_TDZ);
    return c->sr[id] | (prohibited ? 0x10 : 0);
}

/// The translations that a register controls.
static enum tlb_class class_of(enum sysreg_id id)
{
    switch (id) {
    case SYSREG_SCTLR_EL2:
    case SYSREG_TCR_EL2:
    case SYSREG_TTBR0_EL2:
    case SYSREG_TTBR1_EL2:
    case SYSREG_MAIR_EL2: return TLB_EL2;
    default: return TLB_EL10;
    }
}
static void sysreg_w_sctlr(struct cpu *c, enum sysreg_id id, u64 v)
{
    u64 changed = c->sr[id] ^ v;
    c->sr[id] = v;
    if (changed & (1 | 1ULL << 19)) /* M, WXN */
        tlb_flush_class(c, class_of(id));
    cpu_update_mode(c);
}
static void sysreg_w_cpacr(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[id] = v & (3u << 20 | 1u << 28);
    cpu_update_mode(c);
}
static void sysreg_w_ttbr0(struct cpu *c, enum sysreg_id id, u64 v)
{
    if (c->sr[id] == v)
        return;
    c->sr[id] = v;
    if (id == SYSREG_TTBR0_EL2 && !(c->sr[SYSREG_HCR_EL2] & HCR_E2H))
        tlb_flush_class(c, TLB_EL2); /* no ASIDs: everything is another's now */
    else
        tlb_address_space_changed(c, class_of(id));
}
static void sysreg_w_ttbr1(struct cpu *c, enum sysreg_id id, u64 v)
{
    u64 changed = c->sr[id] ^ v;
    c->sr[id] = v;
    if (changed & 0xfffffffffffeULL) /* other kernel tables: the guest flushes, but be safe */
        tlb_flush_class(c, class_of(id));
    else if (changed)
        tlb_address_space_changed(c, class_of(id));
}
static void sysreg_w_tcr(struct cpu *c, enum sysreg_id id, u64 v)
{
    if (c->sr[id] == v)
        return;
    c->sr[id] = v;
    tlb_flush_class(c, class_of(id));
    cpu_update_mode(c);
}
static void sysreg_w_mair(struct cpu *c, enum sysreg_id id, u64 v)
{
    if (c->sr[id] == v)
        return;
    c->sr[id] = v;
    tlb_flush_class(c, class_of(id));
}

/* EL2's control of the others. What is not listed is RES0. */
#define HCR_KNOWN (0x7fffffffULL | HCR_RW | HCR_CD | HCR_ID) /* without TEA, TERR, TLOR, NV, API, FIEN, ... */
static void sysreg_w_hcr(struct cpu *c, enum sysreg_id id, u64 v)
{
    v = (v & (HCR_KNOWN | (c->has_vhe ? HCR_E2H : 0))) | HCR_RW; /* EL1 is never AArch32 */
    u64 changed = c->sr[id] ^ v;
    c->sr[id] = v;
    if (changed & (HCR_DC | HCR_CD))
        tlb_flush_class(c, TLB_EL10);
    if (changed & HCR_E2H)
        tlb_flush_class(c, TLB_EL2);
    cpu_update_mode(c);
    if (v & (HCR_VF | HCR_VI | HCR_VSE))
        atomic_fetch_or(&c->irq_lines, CPU_LINE_HCR);
    else
        atomic_fetch_and(&c->irq_lines, ~(u32)CPU_LINE_HCR);
    cpu_look_for_interrupts(c);
}
static void sysreg_w_mdcr(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[id] = v & 0xfff;
    cpu_update_mode(c);
}
static void sysreg_w_cptr(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[id] = v;
    cpu_update_mode(c);
}
static void sysreg_w_vttbr(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[id] = v & ~(0xff00ULL << 48); /* VMIDs of 8 bits */
    cpu_update_mode(c);
}
static void sysreg_w_vtcr(struct cpu *c, enum sysreg_id id, u64 v)
{
    if ((c->sr[id] ^ v) & ~(1ULL << 31))
        tlb_flush_class(c, TLB_EL10);
    c->sr[id] = v | 1u << 31;
}
static void sysreg_w_cnth(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[id] = v;
    cpu_timer_update(c);
}
static u64 sysreg_r_sp_el1(struct cpu *c, enum sysreg_id id) { return c->sp_bank[1]; }
static void sysreg_w_sp_el1(struct cpu *c, enum sysreg_id id, u64 v) { c->sp_bank[1] = v; }
static void sysreg_w_vbar(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[id] = v & ~0x7ffULL; }

static u64 sysreg_r_sp_el0(struct cpu *c, enum sysreg_id id) { return c->sp_bank[0]; }
static void sysreg_w_sp_el0(struct cpu *c, enum sysreg_id id, u64 v) { c->sp_bank[0] = v; }
static u64 sysreg_r_spsel(struct cpu *c, enum sysreg_id id) { return c->sp_sel; }
static void sysreg_w_spsel(struct cpu *c, enum sysreg_id id, u64 v) { cpu_set_spsel(c, v & 1); }
static u64 sysreg_r_currentel(struct cpu *c, enum sysreg_id id) { return (u64)c->el << 2; }
static u64 sysreg_r_pan(struct cpu *c, enum sysreg_id id) { return (u64)c->pan << 22; }
static void sysreg_w_pan(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->pan = (u8)bit(v, 22);
    tlb_select(c);
}
static u64 sysreg_r_nzcv(struct cpu *c, enum sysreg_id id) { return cpu_nzcv(c); }
static void sysreg_w_nzcv(struct cpu *c, enum sysreg_id id, u64 v) { cpu_set_nzcv(c, (u32)v); }
static u64 sysreg_r_daif(struct cpu *c, enum sysreg_id id) { return c->daif; }
static void sysreg_w_daif(struct cpu *c, enum sysreg_id id, u64 v) { cpu_set_daif(c, (u32)v); }
static u64 sysreg_r_fpcr(struct cpu *c, enum sysreg_id id) { return c->fpcr; }
static void sysreg_w_fpcr(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->fpcr = (u32)v & 0x07c80000; /* AHP DN FZ RMode FZ16; trap enables are RAZ */
    cpu_update_mode(c);
}
static u64 sysreg_r_fpsr(struct cpu *c, enum sysreg_id id) { return c->fpsr; }
static void sysreg_w_fpsr(struct cpu *c, enum sysreg_id id, u64 v) { c->fpsr = (u32)v & 0x0800009f; }
static u64 sysreg_r_isr(struct cpu *c, enum sysreg_id id)
{
    u32 lines = atomic_load_explicit(&c->irq_lines, memory_order_acquire);
    u64 hcr = c->sr[SYSREG_HCR_EL2];
    bool irq = lines & CPU_LINE_IRQ, fiq = lines & CPU_LINE_FIQ;
    if (cpu_el2_traps(c) && hcr & HCR_IMO)
        irq = lines & CPU_LINE_VIRQ || hcr & HCR_VI;
    if (cpu_el2_traps(c) && hcr & HCR_FMO)
        fiq = lines & CPU_LINE_VFIQ || hcr & HCR_VF;
    return (u64)irq << 7 | (u64)fiq << 6;
}

static u64 sysreg_r_cntpct(struct cpu *c, enum sysreg_id id) { return cpu_counter(c); }
static u64 sysreg_r_cntvct(struct cpu *c, enum sysreg_id id)
{
    bool host = c->mode & MODE_E2H && (c->el == 2 || cpu_in_host(c));
    return cpu_counter(c) - (host ? 0 : c->sr[SYSREG_CNTVOFF_EL2]);
}
#define TIMER(x, t, cval_id)                                                                       \
    static u64 sysreg_r_cnt##x##_tval(struct cpu *c, enum sysreg_id id)                            \
    {                                                                                              \
        return (u32)(c->sr[cval_id] - (cpu_counter(c) - cpu_timer_offset(c, t)));                  \
    }                                                                                              \
    static void sysreg_w_cnt##x##_tval(struct cpu *c, enum sysreg_id id, u64 v)                    \
    {                                                                                              \
        c->sr[cval_id] = cpu_counter(c) - cpu_timer_offset(c, t) + (u64)(s64)(s32)v;               \
        cpu_timer_update(c);                                                                       \
    }                                                                                              \
    static u64 sysreg_r_cnt##x##_ctl(struct cpu *c, enum sysreg_id id)                             \
    {                                                                                              \
        cpu_timer_update(c);                                                                       \
        return c->sr[id];                                                                          \
    }                                                                                              \
    static void sysreg_w_cnt##x##_ctl(struct cpu *c, enum sysreg_id id, u64 v)                     \
    {                                                                                              \
        c->sr[id] = v & 3;                                                                         \
        cpu_timer_update(c);                                                                       \
    }                                                                                              \
    static void sysreg_w_cnt##x##_cval(struct cpu *c, enum sysreg_id id, u64 v)                    \
    {                                                                                              \
        c->sr[id] = v;                                                                             \
        cpu_timer_update(c);                                                                       \
    }
TIMER(p, TIMER_PHYS, SYSREG_CNTP_CVAL_EL0)
TIMER(v, TIMER_VIRT, SYSREG_CNTV_CVAL_EL0)
TIMER(hp, TIMER_HYP_PHYS, SYSREG_CNTHP_CVAL_EL2)
TIMER(hv, TIMER_HYP_VIRT, SYSREG_CNTHV_CVAL_EL2)

static u64 sysreg_r_rndr(struct cpu *c, enum sysreg_id id)
{
    c->nzcv = 0; /* success */
    return rng_next(&c->rng);
}

/* PMU: PMCCNTR counts guest nanoseconds since it was last written, while enabled. */
static bool cycles_on(const struct cpu *c)
{
    return (c->sr[SYSREG_PMCR_EL0] & 1) && (c->sr[SYSREG_PMCNTENSET_EL0] >> 31 & 1);
}
static u64 cycles_now(struct cpu *c) { return cpu_counter(c) << CNT_NS_SHIFT; }
static u64 sysreg_r_pmccntr(struct cpu *c, enum sysreg_id id)
{
    return cycles_on(c) ? cycles_now(c) - c->sr[id] : c->sr[id];
}
static void sysreg_w_pmccntr(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[id] = cycles_on(c) ? cycles_now(c) - v : v;
}
/// Changes an enable while keeping the count.
static void pmu_change(struct cpu *c, enum sysreg_id id, u64 v)
{
    u64 count = sysreg_r_pmccntr(c, SYSREG_PMCCNTR_EL0);
    c->sr[id] = v;
    sysreg_w_pmccntr(c, SYSREG_PMCCNTR_EL0, count);
}
static u64 sysreg_r_pmcr(struct cpu *c, enum sysreg_id id) { return 0x42000040 | c->sr[id]; }
static void sysreg_w_pmcr(struct cpu *c, enum sysreg_id id, u64 v)
{
    if (v & 4)
        sysreg_w_pmccntr(c, SYSREG_PMCCNTR_EL0, 0);
    pmu_change(c, id, v & 0x69);
}
#define CYCLE_BIT (1ULL << 31)
static void sysreg_w_pmcntenset(struct cpu *c, enum sysreg_id id, u64 v) { pmu_change(c, id, c->sr[id] | (v & CYCLE_BIT)); }
static u64 sysreg_r_pmcntenclr(struct cpu *c, enum sysreg_id id) { return c->sr[SYSREG_PMCNTENSET_EL0]; }
static void sysreg_w_pmcntenclr(struct cpu *c, enum sysreg_id id, u64 v)
{
    pmu_change(c, SYSREG_PMCNTENSET_EL0, c->sr[SYSREG_PMCNTENSET_EL0] & ~(v & CYCLE_BIT));
}
static void sysreg_w_pmovsclr(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[id] &= ~v; }
static u64 sysreg_r_pmovsset(struct cpu *c, enum sysreg_id id) { return c->sr[SYSREG_PMOVSCLR_EL0]; }
static void sysreg_w_pmovsset(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[SYSREG_PMOVSCLR_EL0] |= v & CYCLE_BIT; }
static void sysreg_w_pmuserenr(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[id] = v & 0xf; }
static void sysreg_w_pmintenset(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[id] |= v & CYCLE_BIT; }
static u64 sysreg_r_pmintenclr(struct cpu *c, enum sysreg_id id) { return c->sr[SYSREG_PMINTENSET_EL1]; }
static void sysreg_w_pmintenclr(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[SYSREG_PMINTENSET_EL1] &= ~v; }

static void sysreg_w_debug(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[id] = v;
    cpu_update_mode(c);
}
static void sysreg_w_oslar(struct cpu *c, enum sysreg_id id, u64 v)
{
    c->sr[SYSREG_OSLSR_EL1] = 0x08 | (v & 1) << 1;
    cpu_update_mode(c);
}

/* ---- the table ---- */

const struct sr_row sysreg_rows[SYSREG_COUNT] = {
#define SR(name, op0, op1, crn, crm, op2, access, reset, rd, wr)                                   \
    {#name, SYSREG_ENC(op0, op1, crn, crm, op2), access, sysreg_r_##rd, sysreg_w_##wr},
#include "cpu/sysreg.def"
#undef SR
};

/// Row number + 1 by encoding; 0 = none. Filled once.
static u8 row_of[1 << 16];
static pthread_once_t row_once = PTHREAD_ONCE_INIT;
_Static_assert(SYSREG_COUNT < 255, "row_of holds bytes");
static void index_rows(void)
{
    for (unsigned k = 0; k < SYSREG_COUNT; k++)
        row_of[sysreg_rows[k].enc] = (u8)(k + 1);
}
static const struct sr_row *find(u32 enc)
{
    pthread_once(&row_once, index_rows);
    unsigned k = row_of[enc & 0xffff];
    return k ? &sysreg_rows[k - 1] : NULL;
}
/// Registers of EL1 that mean those of EL2 in the EL2&0 regime. Arm ARM, "Virtualization Host
/// Extensions", system register redirection.
static const struct {
    u16 el1, el2;
} redirected[] = {
    {SYSREG_SCTLR_EL1, SYSREG_SCTLR_EL2},   {SYSREG_CPACR_EL1, SYSREG_CPTR_EL2},
    {SYSREG_TTBR0_EL1, SYSREG_TTBR0_EL2},   {SYSREG_TTBR1_EL1, SYSREG_TTBR1_EL2},
    {SYSREG_TCR_EL1, SYSREG_TCR_EL2},       {SYSREG_AFSR0_EL1, SYSREG_AFSR0_EL2},
    {SYSREG_AFSR1_EL1, SYSREG_AFSR1_EL2},   {SYSREG_ESR_EL1, SYSREG_ESR_EL2},
    {SYSREG_FAR_EL1, SYSREG_FAR_EL2},       {SYSREG_MAIR_EL1, SYSREG_MAIR_EL2},
    {SYSREG_AMAIR_EL1, SYSREG_AMAIR_EL2},   {SYSREG_VBAR_EL1, SYSREG_VBAR_EL2},
    {SYSREG_CONTEXTIDR_EL1, SYSREG_CONTEXTIDR_EL2}, {SYSREG_CNTKCTL_EL1, SYSREG_CNTHCTL_EL2},
    {SYSREG_SPSR_EL1, SYSREG_SPSR_EL2},     {SYSREG_ELR_EL1, SYSREG_ELR_EL2},
};
static const struct {
    u16 el0, el2;
} redirected_timers[] = {
    {SYSREG_CNTP_TVAL_EL0, SYSREG_CNTHP_TVAL_EL2}, {SYSREG_CNTP_CTL_EL0, SYSREG_CNTHP_CTL_EL2},
    {SYSREG_CNTP_CVAL_EL0, SYSREG_CNTHP_CVAL_EL2}, {SYSREG_CNTV_TVAL_EL0, SYSREG_CNTHV_TVAL_EL2},
    {SYSREG_CNTV_CTL_EL0, SYSREG_CNTHV_CTL_EL2},   {SYSREG_CNTV_CVAL_EL0, SYSREG_CNTHV_CVAL_EL2},
};

enum sysreg_id sysreg_redirect(enum sysreg_id id)
{
    for (unsigned k = 0; k < ARRAY_LEN(redirected); k++)
        if (redirected[k].el1 == id)
            return redirected[k].el2;
    for (unsigned k = 0; k < ARRAY_LEN(redirected_timers); k++)
        if (redirected_timers[k].el0 == id)
            return redirected_timers[k].el2;
    return id;
}

u32 sysreg_el12(u32 enc)
{
    u32 el1 = enc & ~(5u << 11), el0 = el1 | 3u << 11;
    if (bits(enc, 15, 14) != 3 || bits(enc, 13, 11) != 5)
        return 0;
    for (unsigned k = 0; k < ARRAY_LEN(redirected); k++)
        if (sysreg_rows[redirected[k].el1].enc == el1)
            return el1;
    for (unsigned k = 0; k < ARRAY_LEN(redirected_timers); k++)
        if (sysreg_rows[redirected_timers[k].el0].enc == el0)
            return el0;
    return 0;
}

static COLD const struct sr_row *find_host(const struct cpu *c, u32 enc)
{
    if (c->el == 2 && sysreg_el12(enc))
        return find(sysreg_el12(enc));
    const struct sr_row *r = find(enc);
    if (r && (c->el == 2 || bits(enc, 13, 11) == 3))
        r = &sysreg_rows[sysreg_redirect((enum sysreg_id)(r - sysreg_rows))];
    return r;
}
const struct sr_row *sysreg_row_for(const struct cpu *c, u32 enc)
{
    return UNLIKELY(c->mode & MODE_E2H) ? find_host(c, enc) : find(enc);
}

int sysreg_id(u32 enc)
{
    const struct sr_row *r = find(enc);
    return r ? (int)(r - sysreg_rows) : -1;
}

const char *sysreg_name(u32 enc)
{
    const struct sr_row *r = find(enc);
    return r ? r->name : NULL;
}
const char *sysreg_id_name(enum sysreg_id id) { return id < SYSREG_COUNT ? sysreg_rows[id].name : "?"; }
u32 sysreg_find(const char *name)
{
    for (unsigned k = 0; k < SYSREG_COUNT; k++)
        if (strcasecmp(sysreg_rows[k].name, name) == 0)
            return sysreg_rows[k].enc;
    return 0;
}
bool sysreg_get(struct cpu *c, const char *name, u64 *val)
{
    const struct sr_row *r = find(sysreg_find(name));
    if (r == NULL)
        return false;
    u16 nzcv = c->nzcv;
    *val = r->read(c, (enum sysreg_id)(r - sysreg_rows));
    c->nzcv = nzcv;
    return true;
}
bool sysreg_set(struct cpu *c, const char *name, u64 val)
{
    const struct sr_row *r = find(sysreg_find(name));
    if (r == NULL)
        return false;
    r->write(c, (enum sysreg_id)(r - sysreg_rows), val);
    return true;
}

void cpu_set_daif(struct cpu *c, u32 daif)
{
    u32 old = c->daif;
    c->daif = daif & (DAIF_D | DAIF_A | DAIF_I | DAIF_F);
    if ((old ^ daif) & DAIF_D)
        cpu_update_mode(c);
    cpu_look_for_interrupts(c);
}
