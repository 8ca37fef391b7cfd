/// SYS instructions: cache maintenance, address translation, TLBI. Arm ARM, "A64 System instruction class
/// encoding overview".
#include "cpu/priv.h"

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
        return sysreg_trap(c, cpu_target_el(c), enc, false);
    if (el2_takes_sys(c, HCR_TDZ))
        return sysreg_trap(c, 2, enc, false);
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
    gpa_t pa;
    u8 fsc;
    bool to_pou = (enc >> 3 & 15) == 5 || (enc >> 3 & 15) == 11;
    if (c->el == 0 && !bit(cpu_sctlr(c), 26))
        return sysreg_trap(c, cpu_target_el(c), enc, false);
    if (el2_takes_sys(c, to_pou ? HCR_TPU : HCR_TPC))
        return sysreg_trap(c, 2, enc, false);
    if (!mmu_op_pa(c, va, &pa)) {
        if (!mmu_translate(c, va, ACC_LOAD, 0, &x, &fsc)) {
            /* Permission faults apply to DC at EL0 only; translation faults always. */
            bool permission = fsc >= 0x0c && fsc <= 0x0f && !c->s2_fault.is_set;
            if (!c->el || !permission)
                return mmu_abort(c, false, fsc | 1u << 8 | 1u << 6, va);
            if (!mmu_walk(c, va, &x))
                return EXEC_NEXT;
        }
        pa = x.pa;
    }
    if (c->hooks.cache_line && mem_is_suspect(c->mem, pa, MEM_SUSPECT_RUN))
        c->hooks.cache_line(c->hooks.ctx, c, enc, pa);
    if (ivau) {
        /* Another vCPU's store may have bypassed the tracking: every engine forgets the line. */
        u64 line = 4ULL << (c->sr[SYSREG_CTR_EL0] & 15);
        line = line < 64 ? 64 : line;
        if (mem_page_has_code(c->mem, pa))
            mem_written(c->mem, align_down(pa, line), line);
        mem_clear_stale(c->mem, align_down(pa, line), line);
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

/// TLBI of EL1 and EL0, or with E2H of the host, by op2. ret  false: no such operation
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

/// One of the operations with op1 = 4, by CRm << 4 | op2. Those on intermediate addresses drop more than they
/// must: all of EL1 and EL0. ret  false: no such operation
static bool tlbi_el2_one(struct cpu *c, u32 op, u64 val, bool has_asids)
{
    switch (op) {
    case 0x01:
    case 0x05:
    case 0x41:
    case 0x45: /* IPAS2E1, IPAS2LE1, IS or not */
    case 0x34:
    case 0x74: /* ALLE1 */
    case 0x36:
    case 0x76: /* VMALLS12E1 */ tlb_flush_class(c, TLB_EL10); break;
    case 0x30:
    case 0x70: /* ALLE2 */ tlb_flush_class(c, TLB_EL2); break;
    case 0x31:
    case 0x71: /* VAE2 */
    case 0x35:
    case 0x75: /* VALE2 */
        tlb_flush_va(c, TLB_EL2, (gva_t)sext(val << 12, 56), (u16)(val >> 48), !has_asids);
        break;
    default: return false;
    }
    return true;
}

bool tlb_invalidate(struct cpu *c, unsigned cls, unsigned op, u64 val, bool flag)
{
    return cls == ASK_EL2 ? tlbi_el2_one(c, op, val, flag) : tlbi_one(c, (enum tlb_class)cls, op, val);
}

static int tlbi(struct cpu *c, u32 enc, u64 val)
{
    u64 hcr = c->sr[SYSREG_HCR_EL2];
    bool is_local = (enc >> 3 & 15) == 7; /* CRm 3: Inner Shareable */
    enum tlb_class k = (hcr & HCR_HOST) == HCR_HOST ? TLB_EL2 : TLB_EL10;
    u32 op2 = enc & 7;
    if (el2_takes_sys(c, HCR_TTLB))
        return sysreg_trap(c, 2, enc, false);
    if (c->el == 1 && hcr & HCR_FB)
        is_local = false;
    if (c->hooks.tlbi)
        c->hooks.tlbi(c->hooks.ctx, c, enc, val);
    if (!tlbi_one(c, k, op2, val))
        return cpu_undef(c);
    if (!is_local && c->peer_count)
        cpu_ask_peers(c, &(struct cpu_request){
                             .what = ASK_TLBI,
                             .cls = (u8)k,
                             .op = (u8)op2,
                             .val = val,
                             .asid = (u16)(val >> 48),
                             /* addresses of the upper half are most often global */
                             .has_asid = !c->has_el2 &&
                                         (op2 == 2 || ((op2 == 1 || op2 == 5) && !bit(val, 43))),
                         });
    return EXEC_NEXT;
}

static int tlbi_el2(struct cpu *c, u32 enc, u64 val)
{
    u32 crm = enc >> 3 & 15, op = crm << 4 | (enc & 7);
    bool has_asids = c->sr[SYSREG_HCR_EL2] & HCR_E2H; /* of who asks, not of who is told */
    if (c->hooks.tlbi)
        c->hooks.tlbi(c->hooks.ctx, c, enc, val);
    if (!tlbi_el2_one(c, op, val, has_asids))
        return cpu_undef(c);
    if ((crm == 0 || crm == 3) && c->peer_count)
        cpu_ask_peers(c, &(struct cpu_request){.what = ASK_TLBI,
                                               .cls = ASK_EL2,
                                               .op = (u8)op,
                                               .val = val,
                                               .flag = has_asids});
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
            return sysreg_trap(c, 2, enc, false);
        if (c->hooks.cache_op)
            c->hooks.cache_op(c->hooks.ctx, c, enc);
        return EXEC_NEXT;
    case SYSREG_ENC(1, 0, 7, 1, 0): /* IC IALLUIS */
    case SYSREG_ENC(1, 0, 7, 5, 0): /* IC IALLU */
        if (el2_takes_sys(c, HCR_TPU))
            return sysreg_trap(c, 2, enc, false);
        mem_clear_stale(c->mem, 0, ~0ULL);
        if (c->hooks.cache_op)
            c->hooks.cache_op(c->hooks.ctx, c, enc);
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
