/// System registers and SYS instructions: one table, access checks, side effects. Arm ARM, "AArch64
/// System Register Descriptions".
#include "cpu/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

enum sr_access {
    SR_RW1, SR_RO1, SR_RW0, SR_RO0, SR_R0W1, SR_WO1, SR_ID, SR_CTR, SR_DAIF, SR_FP0, SR_CNT, SR_CNTP,
    SR_CNTV, SR_TIMP, SR_TIMV, SR_PMU,
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
    return c->sr[id] | (c->icc.read ? 1ULL << 24 : 0);
}
static u64 sysreg_r_ccsidr(struct cpu *c, enum sysreg_id id)
{
    return 0x700fe01a; /* 32 KiB, 4 ways, 64-byte lines: what caches a guest may see */
}
static void sysreg_w_csselr(struct cpu *c, enum sysreg_id id, u64 v) { c->sr[id] = v & 0xf; }
static u64 sysreg_r_dczid(struct cpu *c, enum sysreg_id id)
{
    bool prohibited = c->el == 0 && !bit(c->sr[SYSREG_SCTLR_EL1], 14);
    return c->sr[id] | (prohibited ? 0x10 : 0);
}

static void sysreg_w_sctlr(struct cpu *c, enum sysreg_id id, u64 v)
{
    u64 changed = c->sr[id] ^ v;
    c->sr[id] = v;
    if (changed & (1 | 1ULL << 19)) /* M, WXN */
        tlb_flush_all(c);
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
    tlb_address_space_changed(c);
}
static void sysreg_w_ttbr1(struct cpu *c, enum sysreg_id id, u64 v)
{
    u64 changed = c->sr[id] ^ v;
    c->sr[id] = v;
    if (changed & 0xfffffffffffeULL) /* other kernel tables: the guest flushes, but be safe */
        tlb_flush_all(c);
    else if (changed)
        tlb_address_space_changed(c);
}
static void sysreg_w_tcr(struct cpu *c, enum sysreg_id id, u64 v)
{
    if (c->sr[id] == v)
        return;
    c->sr[id] = v;
    tlb_flush_all(c);
    cpu_update_mode(c);
}
static void sysreg_w_mair(struct cpu *c, enum sysreg_id id, u64 v)
{
    if (c->sr[id] == v)
        return;
    c->sr[id] = v;
    tlb_flush_all(c);
}
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
    return (lines & 1 ? 1u << 7 : 0) | (lines & 2 ? 1u << 6 : 0);
}

static u64 sysreg_r_cntpct(struct cpu *c, enum sysreg_id id) { return cpu_counter(c); }
static u64 sysreg_r_cntvct(struct cpu *c, enum sysreg_id id) { return cpu_counter(c); }
#define TIMER(x, X)                                                                                \
    static u64 sysreg_r_cnt##x##_tval(struct cpu *c, enum sysreg_id id)                            \
    {                                                                                              \
        return (u32)(c->sr[SYSREG_CNT##X##_CVAL_EL0] - cpu_counter(c));                            \
    }                                                                                              \
    static void sysreg_w_cnt##x##_tval(struct cpu *c, enum sysreg_id id, u64 v)                    \
    {                                                                                              \
        c->sr[SYSREG_CNT##X##_CVAL_EL0] = cpu_counter(c) + (u64)(s64)(s32)v;                       \
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
TIMER(p, P)
TIMER(v, V)

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
static COLD int trap(struct cpu *c, u32 enc, bool read)
{
    u32 rt = 31;
    u32 word;
    if (mmu_debug_read(c, c->pc, &word, 4))
        rt = word & 31;
    u32 iss = (u32)bits(enc, 15, 14) << 20 | (u32)bits(enc, 2, 0) << 17 | (u32)bits(enc, 13, 11) << 14 |
              (u32)bits(enc, 10, 7) << 10 | rt << 5 | (u32)bits(enc, 6, 3) << 1 | read;
    return cpu_raise(c, EC_SYSREG, iss, c->pc);
}

enum verdict { ALLOW, UNDEFINED, TRAPPED, FP_TRAP };
static enum verdict check_el0(const struct cpu *c, const struct sr_row *r, bool read)
{
    u64 sctlr = c->sr[SYSREG_SCTLR_EL1], kctl = c->sr[SYSREG_CNTKCTL_EL1], pm = c->sr[SYSREG_PMUSERENR_EL0];
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
    default: return UNDEFINED;
    }
}
static enum verdict check(const struct cpu *c, const struct sr_row *r, bool read)
{
    if (c->el == 0)
        return check_el0(c, r, read);
    switch ((enum sr_access)r->access) {
    case SR_RO1:
    case SR_RO0:
    case SR_ID:
    case SR_CTR:
    case SR_CNTP:
    case SR_CNTV: return read ? ALLOW : UNDEFINED;
    case SR_WO1: return read ? UNDEFINED : ALLOW;
    case SR_FP0: return cpu_fp_enabled(c) ? ALLOW : FP_TRAP;
    default: return ALLOW;
    }
}
static int refuse(struct cpu *c, enum verdict v, u32 enc, bool read)
{
    if (v == TRAPPED)
        return trap(c, enc, read);
    if (v == FP_TRAP)
        return cpu_raise(c, EC_FP, 1u << 24 | 0xe << 20, c->pc);
    return cpu_undef(c);
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

int sysreg_read(struct cpu *c, u32 enc, u64 *val)
{
    const struct sr_row *r = find(enc);
    if (r == NULL) {
        if (c->el && is_icc(enc) && c->icc.read && c->icc.read(c->icc.ctx, enc, val)) {
            TRACE(c, TRACE_SYSREG, c->pc, enc, *val, 0);
            return EXEC_NEXT;
        }
        if (c->el && is_id_space(enc)) {
            *val = 0;
            return EXEC_NEXT;
        }
        c->unknown_sysregs++;
        return cpu_undef(c);
    }
    enum verdict v = check(c, r, true);
    /* SP_EL0 while it is the current stack pointer is UNDEFINED. */
    if (v == ALLOW && r->enc == SYSREG_ENC(3, 0, 4, 1, 0) && !c->sp_sel)
        v = UNDEFINED;
    if (UNLIKELY(v != ALLOW))
        return refuse(c, v, enc, true);
    *val = r->read(c, (enum sysreg_id)(r - rows));
    TRACE(c, TRACE_SYSREG, c->pc, enc, *val, 0);
    return EXEC_NEXT;
}

int sysreg_write(struct cpu *c, u32 enc, u64 val)
{
    const struct sr_row *r = find(enc);
    if (r == NULL) {
        if (c->el && is_icc(enc) && c->icc.write && c->icc.write(c->icc.ctx, enc, val)) {
            TRACE(c, TRACE_SYSREG, c->pc, enc, val, 1);
            return EXEC_NEXT;
        }
        c->unknown_sysregs++;
        return cpu_undef(c);
    }
    enum verdict v = check(c, r, false);
    if (v == ALLOW && r->enc == SYSREG_ENC(3, 0, 4, 1, 0) && !c->sp_sel)
        v = UNDEFINED;
    if (UNLIKELY(v != ALLOW))
        return refuse(c, v, enc, false);
    enum sysreg_id id = (enum sysreg_id)(r - rows);
    TRACE(c, TRACE_SYSREG, c->pc, enc, val, 1);
    if (c->hooks.sysreg_write)
        c->hooks.sysreg_write(c->hooks.ctx, c, id, c->sr[id], val);
    r->write(c, id, val);
    return EXEC_NEXT;
}

/* ---- SYS instructions ---- */

static int dc_zva(struct cpu *c, gva_t va)
{
    u64 zero[2] = {0, 0};
    gva_t base = va & ~63ULL;
    if (c->el == 0 && !bit(c->sr[SYSREG_SCTLR_EL1], 14))
        return trap(c, SYSREG_ENC(1, 3, 7, 4, 1), false);
    struct xlat x;
    u8 fsc;
    const struct tlb_ent *e = &c->ctx->w[base >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    if (LIKELY(e->tag == (base & ~0xfffULL) && (c->mode & MODE_MMU))) { /* Normal memory, writable */
        memset((void *)(uintptr_t)(base + e->addend), 0, 64);
        return EXEC_NEXT;
    }
    if (!mmu_translate(c, base, ACC_STORE, 0, &x, &fsc))
        return cpu_raise_far(c, c->el ? EC_DABT : EC_DABT_LOW, fsc | 1u << 6, va, c->pc);
    if (x.device) /* an alignment fault on any Device memory */
        return cpu_raise_far(c, c->el ? EC_DABT : EC_DABT_LOW, 0x21 | 1u << 6, va, c->pc);
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
    if (c->el == 0 && !bit(c->sr[SYSREG_SCTLR_EL1], 26))
        return trap(c, enc, false);
    if (c->hooks.cache_op)
        c->hooks.cache_op(c->hooks.ctx, c, enc, va);
    if (!mmu_translate(c, va, ACC_LOAD, 0, &x, &fsc)) {
        /* Permission faults apply to DC at EL0 only; translation faults always. */
        if (c->el && fsc >= 0x0c && fsc <= 0x0f)
            return EXEC_NEXT;
        return cpu_raise_far(c, c->el ? EC_DABT : EC_DABT_LOW, fsc | 1u << 8 | 1u << 6, va, c->pc);
    }
    if (ivau) {
        /* Another vCPU's store may have bypassed the tracking: every engine forgets the line. */
        if (mem_page_has_code(c->mem, x.pa))
            mem_written(c->mem, x.pa & ~63ULL, 64);
        mem_clear_stale(c->mem, x.pa & ~63ULL, 64);
    }
    return EXEC_NEXT;
}

static int address_translate(struct cpu *c, u32 op2, gva_t va)
{
    struct xlat x;
    u8 fsc = 0;
    bool write = op2 & 1;
    unsigned flags = op2 >= 2 ? ACCF_UNPRIV : 0;
    if (mmu_translate(c, va, write ? ACC_STORE : ACC_LOAD, flags, &x, &fsc))
        c->sr[SYSREG_PAR_EL1] = (x.pa & 0xfffffffff000ULL) | (u64)x.attr << 56 | (u64)x.sh << 7 | 1u << 11;
    else
        c->sr[SYSREG_PAR_EL1] = 1 | (u64)fsc << 1 | 1u << 11;
    return EXEC_NEXT;
}

/// One TLBI on one CPU, by op2. ret  false: no such operation
static bool tlbi_one(struct cpu *c, u32 op2, u64 val)
{
    gva_t va = (gva_t)sext(val << 12, 56);
    u16 asid = (u16)(val >> 48);
    switch (op2) {
    case 0: tlb_flush_all(c); break;
    case 1: /* VA, ASID */
    case 5: /* last level */ tlb_flush_va(c, va, asid, false); break;
    case 2: tlb_flush_asid(c, asid); break;
    case 3: /* all ASIDs */
    case 7: tlb_flush_va(c, va, 0, true); break;
    default: return false;
    }
    return true;
}

static int tlbi(struct cpu *c, u32 enc, u64 val)
{
    bool is_local = (enc >> 3 & 15) == 7; /* CRm 3: Inner Shareable */
    if (c->hooks.cache_op)
        c->hooks.cache_op(c->hooks.ctx, c, enc, val);
    if (!tlbi_one(c, enc & 7, val))
        return cpu_undef(c);
    for (u32 k = 0; !is_local && k < c->peer_count; k++)
        if (c->peers[k] != c)
            tlbi_one(c->peers[k], enc & 7, val);
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
        if (c->hooks.cache_op)
            c->hooks.cache_op(c->hooks.ctx, c, enc, val);
        return EXEC_NEXT;
    case SYSREG_ENC(1, 0, 7, 1, 0): /* IC IALLUIS */
    case SYSREG_ENC(1, 0, 7, 5, 0): /* IC IALLU */
        mem_clear_stale(c->mem, 0, ~0ULL);
        if (c->hooks.cache_op)
            c->hooks.cache_op(c->hooks.ctx, c, enc, val);
        return EXEC_NEXT;
    default: break;
    }
    if ((enc & ~7u) == SYSREG_ENC(1, 0, 7, 8, 0) && (enc & 7) < 4) /* AT S1E1R .. S1E0W */
        return address_translate(c, enc & 7, val);
    if (((enc & ~7u) == SYSREG_ENC(1, 0, 8, 3, 0) || (enc & ~7u) == SYSREG_ENC(1, 0, 8, 7, 0)))
        return tlbi(c, enc, val);
    return cpu_undef(c);
}

void cpu_set_daif(struct cpu *c, u32 daif)
{
    u32 old = c->daif;
    c->daif = daif & (DAIF_D | DAIF_A | DAIF_I | DAIF_F);
    if ((old ^ daif) & DAIF_D)
        cpu_update_mode(c);
    if (atomic_load_explicit(&c->irq_lines, memory_order_relaxed))
        atomic_fetch_or(&c->attention, ATT_IRQ);
}
