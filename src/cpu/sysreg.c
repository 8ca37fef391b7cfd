/// System registers and SYS instructions: one table, access checks, side effects. Arm ARM, "AArch64
/// System Register Descriptions".
#include "cpu/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

enum sr_access {
    SR_RW1, SR_RO1, SR_RW0, SR_RO0, SR_R0W1, SR_WO1, SR_ID, SR_CTR, SR_DAIF, SR_FP0, SR_CNT, SR_CNTP,
    SR_CNTV, SR_TIMP, SR_TIMV, SR_PMU, SR_RW2, SR_RO2, SR_VHE, SR_TOP1,
};

typedef u64 sr_read_fn(struct cpu *c, enum sysreg_id id);
typedef void sr_write_fn(struct cpu *c, enum sysreg_id id, u64 val);

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

struct sr_row {
    const char *name;
    u32 enc;
    u8 access;
    sr_read_fn *read;
    sr_write_fn *write;
};
static const struct sr_row rows[SYSREG_COUNT] = {
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
        row_of[rows[k].enc] = (u8)(k + 1);
}
static const struct sr_row *find(u32 enc)
{
    pthread_once(&row_once, index_rows);
    unsigned k = row_of[enc & 0xffff];
    return k ? &rows[k - 1] : NULL;
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
        if (rows[redirected[k].el1].enc == el1)
            return el1;
    for (unsigned k = 0; k < ARRAY_LEN(redirected_timers); k++)
        if (rows[redirected_timers[k].el0].enc == el0)
            return el0;
    return 0;
}

/// The row an MRS or MSR means in this state, or NULL.
static COLD const struct sr_row *find_host(const struct cpu *c, u32 enc)
{
    if (c->el == 2 && sysreg_el12(enc))
        return find(sysreg_el12(enc));
    const struct sr_row *r = find(enc);
    if (r && (c->el == 2 || bits(enc, 13, 11) == 3))
        r = &rows[sysreg_redirect((enum sysreg_id)(r - rows))];
    return r;
}
static const struct sr_row *find_for(const struct cpu *c, u32 enc)
{
    return UNLIKELY(c->mode & MODE_E2H) ? find_host(c, enc) : find(enc);
}

int sysreg_id(u32 enc)
{
    const struct sr_row *r = find(enc);
    return r ? (int)(r - rows) : -1;
}

const char *sysreg_name(u32 enc)
{
    const struct sr_row *r = find(enc);
    return r ? r->name : NULL;
}
const char *sysreg_id_name(enum sysreg_id id) { return id < SYSREG_COUNT ? rows[id].name : "?"; }
u32 sysreg_find(const char *name)
{
    for (unsigned k = 0; k < SYSREG_COUNT; k++)
        if (strcasecmp(rows[k].name, name) == 0)
            return rows[k].enc;
    return 0;
}
bool sysreg_get(struct cpu *c, const char *name, u64 *val)
{
    const struct sr_row *r = find(sysreg_find(name));
    if (r == NULL)
        return false;
    u16 nzcv = c->nzcv;
    *val = r->read(c, (enum sysreg_id)(r - rows));
    c->nzcv = nzcv;
    return true;
}
bool sysreg_set(struct cpu *c, const char *name, u64 val)
{
    const struct sr_row *r = find(sysreg_find(name));
    if (r == NULL)
        return false;
    r->write(c, (enum sysreg_id)(r - rows), val);
    return true;
}

/* ---- access checks ---- */

/// ISS of a trapped MRS, MSR or SYS. Arm ARM, "ISS encoding for an exception from MSR, MRS, or System
/// instruction execution in AArch64 state". dir: 1 read.
static COLD int trap(struct cpu *c, unsigned el, u32 enc, bool read)
{
    u32 rt = 31;
    u32 word;
    if (mmu_debug_read(c, c->pc, &word, 4))
        rt = word & 31;
    u32 iss = (u32)bits(enc, 15, 14) << 20 | (u32)bits(enc, 2, 0) << 17 | (u32)bits(enc, 13, 11) << 14 |
              (u32)bits(enc, 10, 7) << 10 | rt << 5 | (u32)bits(enc, 6, 3) << 1 | read;
    return cpu_raise_to(c, el, EC_SYSREG, iss, c->pc);
}

enum verdict { ALLOW, UNDEFINED, TRAPPED, FP_TRAP, TRAPPED_EL2 };
static enum verdict check_el0(const struct cpu *c, const struct sr_row *r, u32 enc, bool read)
{
    u64 sctlr = cpu_sctlr(c), pm = c->sr[SYSREG_PMUSERENR_EL0];
    u64 kctl = c->sr[c->regime == REGIME_EL20 ? SYSREG_CNTHCTL_EL2 : SYSREG_CNTKCTL_EL1];
    switch ((enum sr_access)r->access) {
    case SR_RW0: return ALLOW;
    case SR_RO0:
    case SR_R0W1: return read ? ALLOW : UNDEFINED;
    case SR_CTR: return !read ? UNDEFINED : bit(sctlr, 15) ? ALLOW : TRAPPED;
    case SR_DAIF: return bit(sctlr, 9) ? ALLOW : TRAPPED;
    case SR_FP0: return cpu_fp_enabled(c) ? ALLOW : FP_TRAP;
    case SR_CNT: return !read ? UNDEFINED : kctl & 3 ? ALLOW : TRAPPED;
    case SR_CNTP: return !read ? UNDEFINED : bit(kctl, 0) ? ALLOW : TRAPPED;
    case SR_CNTV: return !read ? UNDEFINED : bit(kctl, 1) ? ALLOW : TRAPPED;
    case SR_TIMP: return bit(kctl, 9) ? ALLOW : TRAPPED;
    case SR_TIMV: return bit(kctl, 8) ? ALLOW : TRAPPED;
    case SR_PMU:
        if (bit(pm, 0) || (read && bit(pm, 2) && r->enc == SYSREG_ENC(3, 3, 9, 13, 0)))
            return ALLOW;
        return TRAPPED;
    default: /* the host's EL0 names its timers by their names of EL0 */
        if (r->enc != enc && bits(enc, 10, 7) == 14)
            return bit(kctl, bits(enc, 6, 3) == 2 ? 9 : 8) ? ALLOW : TRAPPED;
        return UNDEFINED;
    }
}
static enum verdict check(const struct cpu *c, const struct sr_row *r, u32 enc, bool read)
{
    if (c->el == 0)
        return check_el0(c, r, enc, read);
    switch ((enum sr_access)r->access) {
    case SR_RO1:
    case SR_RO0:
    case SR_ID:
    case SR_CTR:
    case SR_CNTP:
    case SR_CNTV: return read ? ALLOW : UNDEFINED;
    case SR_WO1: return read ? UNDEFINED : ALLOW;
    case SR_FP0: return cpu_fp_enabled(c) ? ALLOW : FP_TRAP;
    case SR_RW2: return c->el == 2 ? ALLOW : UNDEFINED;
    case SR_RO2: return c->el == 2 && read ? ALLOW : UNDEFINED;
    case SR_VHE: return c->el == 2 && c->has_vhe ? ALLOW : UNDEFINED;
    case SR_TOP1: return c->has_el2 || !(read || r->enc == SYSREG_ENC(3, 0, 12, 0, 2)) ? UNDEFINED : ALLOW;
    default: return ALLOW;
    }
}
static int refuse(struct cpu *c, enum verdict v, u32 enc, bool read)
{
    if (v == TRAPPED || v == TRAPPED_EL2)
        return trap(c, v == TRAPPED_EL2 ? 2 : cpu_target_el(c), enc, read);
    return v == FP_TRAP ? cpu_fp_trap(c) : cpu_undef(c);
}

/// The reserved part of the identification space reads as zero at EL1.
static bool is_id_space(u32 enc)
{
    return bits(enc, 15, 7) == bits(SYSREG_ENC(3, 0, 0, 0, 0), 15, 7) && bits(enc, 6, 3) >= 1 && bits(enc, 6, 3) <= 7;
}
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
static bool hcr_traps(u64 hcr, u32 enc, bool read)
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
    default: return hcr & HCR_TID3 && read && op1 == 0 && is_id_space(enc);
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
/// An access that EL1 or EL0 may make by their own rules goes to EL2.
static COLD bool el2_takes(const struct cpu *c, u32 enc, bool read)
{
    u64 hcr = c->sr[SYSREG_HCR_EL2];
    if (enc == SYSREG_ENC(3, 0, 1, 0, 2) && bit(c->sr[SYSREG_CPTR_EL2], 31)) /* CPACR_EL1 */
        return true;
    if (hcr_traps(hcr, enc, read) || cnthctl_traps(c, enc))
        return true;
    bool is_sgi = (enc & ~7u) == SYSREG_ENC(3, 0, 12, 11, 0) && (enc & 7) >= 5;
    return is_sgi && hcr & (HCR_IMO | HCR_FMO);
}

/* ---- MRS and MSR ---- */

/// The GIC's registers. ret  exec_status, or -1: not one of them
static int gic_access(struct cpu *c, u32 enc, u64 *val, bool write)
{
    bool is_el2 = c->el == 2 && is_icc_el2(enc);
    u32 at = enc;
    if (!(c->el && is_icc(enc)) && !is_el2)
        return -1;
    if (cpu_el2_traps(c)) {
        if (el2_takes(c, enc, !write))
            return refuse(c, TRAPPED_EL2, enc, !write);
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

static enum verdict verdict_on(const struct cpu *c, const struct sr_row *r, u32 enc, bool read)
{
    enum verdict v = check(c, r, enc, read);
    /* SP_EL0 while it is the current stack pointer is UNDEFINED. */
    if (v == ALLOW && r->enc == SYSREG_ENC(3, 0, 4, 1, 0) && !c->sp_sel)
        v = UNDEFINED;
    if (v == ALLOW && UNLIKELY(c->has_el2) && c->el < 2 &&
        (mdcr_traps(c->sr[SYSREG_MDCR_EL2], enc) || (!cpu_in_host(c) && el2_takes(c, enc, read))))
        v = TRAPPED_EL2;
    return v;
}

int sysreg_read(struct cpu *c, u32 enc, u64 *val)
{
    const struct sr_row *r = find_for(c, enc);
    if (r == NULL) {
        int st = gic_access(c, enc, val, false);
        if (st >= 0)
            return st;
        bool is_id = c->el && is_id_space(enc);
        if (cpu_el2_traps(c) && (is_id || c->el) && hcr_traps(c->sr[SYSREG_HCR_EL2], enc, true))
            return refuse(c, TRAPPED_EL2, enc, true);
        if (is_id) {
            *val = 0;
            return EXEC_NEXT;
        }
        c->unknown_sysregs++;
        return cpu_undef(c);
    }
    enum verdict v = verdict_on(c, r, enc, true);
    if (UNLIKELY(v != ALLOW))
        return refuse(c, v, enc, true);
    *val = r->read(c, (enum sysreg_id)(r - rows));
    for (unsigned k = 0; UNLIKELY(k < c->pending_count); k++)
        if (c->pending[k].id == (u32)(r - rows)) /* program order is kept between MSR and MRS */
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
        rows[c->pending[k].id].write(c, (enum sysreg_id)c->pending[k].id, c->pending[k].val);
}

int sysreg_write(struct cpu *c, u32 enc, u64 val)
{
    const struct sr_row *r = find_for(c, enc);
    if (r == NULL) {
        int st = gic_access(c, enc, &val, true);
        if (st >= 0)
            return st;
        if (cpu_el2_traps(c) && c->el && hcr_traps(c->sr[SYSREG_HCR_EL2], enc, false))
            return refuse(c, TRAPPED_EL2, enc, false);
        c->unknown_sysregs++;
        return cpu_undef(c);
    }
    enum verdict v = verdict_on(c, r, enc, false);
    if (UNLIKELY(v != ALLOW))
        return refuse(c, v, enc, false);
    enum sysreg_id id = (enum sysreg_id)(r - rows);
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

/* ---- SYS instructions ---- */

/// A SYS instruction that its own level may execute, in EL2's hands. bits of HCR_EL2
static bool el2_takes_sys(struct cpu *c, u64 mask)
{
    return cpu_el2_traps(c) && c->sr[SYSREG_HCR_EL2] & mask;
}

static int dc_zva(struct cpu *c, gva_t va)
{
    u64 zero[2] = {0, 0};
    gva_t base = va & ~63ULL;
    const u32 enc = SYSREG_ENC(1, 3, 7, 4, 1);
    if (c->el == 0 && !bit(cpu_sctlr(c), 14))
        return trap(c, cpu_target_el(c), enc, false);
    if (el2_takes_sys(c, HCR_TDZ))
        return trap(c, 2, enc, false);
    struct xlat x;
    u8 fsc;
    const struct tlb_ent *e = &c->ctx->w[base >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    if (LIKELY(e->tag == (base & ~0xfffULL) && (c->mode & MODE_MMU))) { /* Normal memory, writable */
        memset((void *)(uintptr_t)(base + e->addend), 0, 64);
        return EXEC_NEXT;
    }
    if (!mmu_translate(c, base, ACC_STORE, 0, &x, &fsc))
        return mmu_abort(c, false, fsc | 1u << 6, va);
    if (x.device) /* an alignment fault on any Device memory */
        return mmu_abort(c, false, 0x21 | 1u << 6, va);
    for (int k = 0; k < 4; k++)
        if (!cpu_st(c, base + 16u * (unsigned)k, 4, 0, zero))
            return EXEC_BRANCH;
    return EXEC_NEXT;
}

/// Cache maintenance by VA: translated, and faults like a load; the memory is coherent.
static int cache_by_va(struct cpu *c, u32 enc, gva_t va, bool ivau)
{
    struct xlat x;
    u8 fsc;
    bool to_pou = (enc >> 3 & 15) == 5 || (enc >> 3 & 15) == 11;
    if (c->el == 0 && !bit(cpu_sctlr(c), 26))
        return trap(c, cpu_target_el(c), enc, false);
    if (el2_takes_sys(c, to_pou ? HCR_TPU : HCR_TPC))
        return trap(c, 2, enc, false);
    if (c->hooks.cache_op)
        c->hooks.cache_op(c->hooks.ctx, c, enc, va);
    if (!mmu_translate(c, va, ACC_LOAD, 0, &x, &fsc)) {
        /* Permission faults apply to DC at EL0 only; translation faults always. */
        if (c->el && fsc >= 0x0c && fsc <= 0x0f && !c->s2_fault.is_set)
            return EXEC_NEXT;
        return mmu_abort(c, false, fsc | 1u << 8 | 1u << 6, va);
    }
    if (ivau) {
        /* Another vCPU's store may have bypassed the tracking: every engine forgets the line. */
        u64 line = 4ULL << (c->sr[SYSREG_CTR_EL0] & 15);
        line = line < 64 ? 64 : line;
        if (mem_page_has_code(c->mem, x.pa))
            mem_written(c->mem, align_down(x.pa, line), line);
        mem_clear_stale(c->mem, align_down(x.pa, line), line);
    }
    return EXEC_NEXT;
}

/// AT: op1 0 names EL1's regime (in the host's hands its own) or, with 4, EL2's, or both stages. The
/// translation is made as if from that level.
static int address_translate(struct cpu *c, u32 op1, u32 op2, gva_t va)
{
    struct xlat x;
    u8 fsc = 0, el = c->el, pan = c->pan;
    bool write = op2 & 1, both = op1 == 4 && op2 >= 4;
    unsigned flags = (op2 & 3) >= 2 ? ACCF_UNPRIV : 0;
    u64 par;
    if (el == 2 && (op1 == 0 || both) && !(op1 == 0 && cpu_in_host(c))) {
        c->el = 1;
        cpu_update_mode(c);
    }
    c->pan = 0; /* AT S1E1RP and WP would heed it */
    bool ok = mmu_translate(c, va, write ? ACC_STORE : ACC_LOAD, flags, &x, &fsc);
    c->pan = pan;
    bool s2 = c->s2_fault.is_set, in_walk = s2 && c->s2_fault.in_walk;
    if (!ok && s2 && !both && !in_walk) /* stage 1 was enough */
        ok = true;
    if (ok)
        par = ((both ? x.pa : x.ipa) & 0xfffffffff000ULL) | (u64)x.attr << 56 | (u64)x.sh << 7 | 1u << 11;
    else if (in_walk && el == 1) /* not EL1's to know */
        return mmu_abort(c, false, fsc | 1u << 8 | 1u << 6, va);
    else
        par = 1 | (u64)fsc << 1 | 1u << 11 | (u64)s2 << 9 | (u64)in_walk << 8;
    c->s2_fault.is_set = 0;
    if (c->el != el) {
        c->el = el;
        cpu_update_mode(c);
    }
    c->sr[SYSREG_PAR_EL1] = par;
    return EXEC_NEXT;
}

/// One TLBI on one CPU, by op2. ret  false: no such operation
static bool tlbi_one(struct cpu *c, enum tlb_class k, u32 op2, u64 val)
{
    gva_t va = (gva_t)sext(val << 12, 56);
    u16 asid = (u16)(val >> 48);
    switch (op2) {
    case 0: tlb_flush_class(c, k); break;
    case 1: /* VA, ASID */
    case 5: /* last level */ tlb_flush_va(c, k, va, asid, false); break;
    case 2: tlb_flush_asid(c, k, asid); break;
    case 3: /* all ASIDs */
    case 7: tlb_flush_va(c, k, va, 0, true); break;
    default: return false;
    }
    return true;
}

static int tlbi(struct cpu *c, u32 enc, u64 val)
{
    u64 hcr = c->sr[SYSREG_HCR_EL2];
    bool is_local = (enc >> 3 & 15) == 7; /* CRm 3: Inner Shareable */
    enum tlb_class k = (hcr & HCR_HOST) == HCR_HOST ? TLB_EL2 : TLB_EL10;
    if (el2_takes_sys(c, HCR_TTLB))
        return trap(c, 2, enc, false);
    if (c->el == 1 && hcr & HCR_FB)
        is_local = false;
    if (c->hooks.cache_op)
        c->hooks.cache_op(c->hooks.ctx, c, enc, val);
    if (!tlbi_one(c, k, enc & 7, val))
        return cpu_undef(c);
    for (u32 n = 0; !is_local && n < c->peer_count; n++)
        if (c->peers[n] != c)
            tlbi_one(c->peers[n], k, enc & 7, val);
    return EXEC_NEXT;
}

/// One of the operations with op1 = 4. Those on intermediate addresses drop more than they must: all
/// of EL1 and EL0. ret  false: no such operation
static bool tlbi_el2_one(struct cpu *c, u32 crm, u32 op2, u64 val, bool has_asids)
{
    switch (crm << 4 | op2) {
    case 0x01: case 0x05: case 0x41: case 0x45: /* IPAS2E1, IPAS2LE1, IS or not */
    case 0x34: case 0x74: /* ALLE1 */
    case 0x36: case 0x76: /* VMALLS12E1 */ tlb_flush_class(c, TLB_EL10); break;
    case 0x30: case 0x70: /* ALLE2 */ tlb_flush_class(c, TLB_EL2); break;
    case 0x31: case 0x71: /* VAE2 */
    case 0x35: case 0x75: /* VALE2 */
        tlb_flush_va(c, TLB_EL2, (gva_t)sext(val << 12, 56), (u16)(val >> 48), !has_asids);
        break;
    default: return false;
    }
    return true;
}
static int tlbi_el2(struct cpu *c, u32 enc, u64 val)
{
    u32 crm = enc >> 3 & 15;
    bool has_asids = c->sr[SYSREG_HCR_EL2] & HCR_E2H; /* of who asks, not of who is told */
    if (c->hooks.cache_op)
        c->hooks.cache_op(c->hooks.ctx, c, enc, val);
    if (!tlbi_el2_one(c, crm, enc & 7, val, has_asids))
        return cpu_undef(c);
    for (u32 n = 0; (crm == 0 || crm == 3) && n < c->peer_count; n++)
        if (c->peers[n] != c)
            tlbi_el2_one(c->peers[n], crm, enc & 7, val, has_asids);
    return EXEC_NEXT;
}

int sysreg_sys(struct cpu *c, u32 enc, u64 val)
{
    switch (enc) {
    case SYSREG_ENC(1, 3, 7, 4, 1): return dc_zva(c, val);
    case SYSREG_ENC(1, 3, 7, 5, 1): return cache_by_va(c, enc, val, true);      /* IC IVAU */
    case SYSREG_ENC(1, 3, 7, 10, 1):                                             /* DC CVAC */
    case SYSREG_ENC(1, 3, 7, 11, 1):                                             /* DC CVAU */
    case SYSREG_ENC(1, 3, 7, 12, 1):                                             /* DC CVAP */
    case SYSREG_ENC(1, 3, 7, 14, 1): return cache_by_va(c, enc, val, false);     /* DC CIVAC */
    default: break;
    }
    if (c->el == 0)
        return cpu_undef(c);
    switch (enc) {
    case SYSREG_ENC(1, 0, 7, 6, 1): return cache_by_va(c, enc, val, false); /* DC IVAC */
    case SYSREG_ENC(1, 0, 7, 6, 2):                                          /* DC ISW */
    case SYSREG_ENC(1, 0, 7, 10, 2):                                         /* DC CSW */
    case SYSREG_ENC(1, 0, 7, 14, 2):                                         /* DC CISW */
        if (el2_takes_sys(c, HCR_TSW))
            return trap(c, 2, enc, false);
        if (c->hooks.cache_op)
            c->hooks.cache_op(c->hooks.ctx, c, enc, val);
        return EXEC_NEXT;
    case SYSREG_ENC(1, 0, 7, 1, 0): /* IC IALLUIS */
    case SYSREG_ENC(1, 0, 7, 5, 0): /* IC IALLU */
        if (el2_takes_sys(c, HCR_TPU))
            return trap(c, 2, enc, false);
        mem_clear_stale(c->mem, 0, ~0ULL);
        if (c->hooks.cache_op)
            c->hooks.cache_op(c->hooks.ctx, c, enc, val);
        return EXEC_NEXT;
    default: break;
    }
    if ((enc & ~7u) == SYSREG_ENC(1, 0, 7, 8, 0) && (enc & 7) < 4) /* AT S1E1R .. S1E0W */
        return address_translate(c, 0, enc & 7, val);
    if (((enc & ~7u) == SYSREG_ENC(1, 0, 8, 3, 0) || (enc & ~7u) == SYSREG_ENC(1, 0, 8, 7, 0)))
        return tlbi(c, enc, val);
    if (c->el == 2 && (enc & ~7u) == SYSREG_ENC(1, 4, 7, 8, 0) && (enc & 6) != 2) /* AT S1E2R .. S12E0W */
        return address_translate(c, 4, enc & 7, val);
    if (c->el == 2 && bits(enc, 15, 7) == bits(SYSREG_ENC(1, 4, 8, 0, 0), 15, 7))
        return tlbi_el2(c, enc, val);
    return cpu_undef(c);
}

void cpu_set_daif(struct cpu *c, u32 daif)
{
    u32 old = c->daif;
    c->daif = daif & (DAIF_D | DAIF_A | DAIF_I | DAIF_F);
    if ((old ^ daif) & DAIF_D)
        cpu_update_mode(c);
    cpu_look_for_interrupts(c);
}
