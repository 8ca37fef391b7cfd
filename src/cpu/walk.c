/// Address translation: the walks of both stages, permissions, and who takes the abort. Arm ARM, "The
/// AArch64 Virtual Memory System Architecture".
#include "cpu/priv.h"

/* ---- the walk ---- */

struct regime {
    u64 ttbr;
    unsigned va_bits, page_bits;
    bool disabled; ///< EPDn, or the address is in neither half
};

static struct regime select_regime(const struct cpu *c, gva_t va)
{
    const struct cpu_regime_regs *rr = &cpu_regime_regs[c->regime];
    u64 tcr = cpu_tcr(c);
    bool high = bit(va, 55);
    struct regime r;
    unsigned tsz = (unsigned)(high ? bits(tcr, 21, 16) : bits(tcr, 5, 0));
    unsigned tg = (unsigned)(high ? bits(tcr, 31, 30) : bits(tcr, 15, 14));
    static const u8 tg0_bits[4] = {12, 16, 14, 12}, tg1_bits[4] = {12, 14, 12, 16};
    r.page_bits = high ? tg1_bits[tg] : tg0_bits[tg];
    r.ttbr = c->sr[high ? rr->ttbr1 : rr->ttbr0];
    if (tsz < 16) /* CONSTRAINED UNPREDICTABLE: treated as the smallest legal value */
        tsz = 16;
    if (tsz > 39)
        tsz = 39;
    r.va_bits = 64 - tsz;
    bool tbi = bit(tcr, high ? 38 : 37);
    s64 top = sext(va, tbi ? 56 : 64) >> r.va_bits;
    r.disabled = bit(tcr, high ? 23 : 7) || (high ? top != -1 : top != 0);
    return r;
}

static unsigned pa_bits(const struct cpu *c)
{
    static const u8 by_ips[8] = {32, 36, 40, 42, 44, 48, 48, 48};
    return by_ips[bits(cpu_tcr(c), 34, 32)];
}

static bool walk_fault(struct xlat *x, unsigned kind, int level)
{
    x->fault = (u8)(kind + (unsigned)level);
    x->level = level;
    return false;
}

static void leaf_attributes(const struct cpu *c, struct xlat *x, u64 d, unsigned tables_ap, bool uxn, bool pxn)
{
    bool el0 = bit(d, 6) && !(tables_ap & 1), ro = bit(d, 7) || (tables_ap & 2);
    bool wxn = bit(cpu_sctlr(c), 19), alone = c->regime == REGIME_EL2;
    x->attr = (u8)(c->sr[cpu_regime_regs[c->regime].mair] >> (8 * bits(d, 4, 2)));
    x->sh = (u8)bits(d, 9, 8);
    x->device = (x->attr & 0xf0) == 0;
    x->global = !bit(d, 11) || alone;
    x->priv_r = true;
    x->priv_w = !ro;
    x->user_r = el0 && !alone;
    x->user_w = el0 && !ro && !alone;
    uxn |= bit(d, 54);
    pxn = alone ? uxn : pxn || bit(d, 53); /* one privilege level: one XN bit */
    x->priv_x = !pxn && !x->user_w && !(wxn && x->priv_w);
    x->user_x = !uxn && !(wxn && x->user_w);
}

static void flat_map(const struct cpu *c, gva_t va, struct xlat *x)
{
    bool normal = c->stage2 && c->sr[SYSREG_HCR_EL2] & HCR_DC;
    x->pa = x->ipa = va;
    x->page_size = GUEST_PAGE;
    x->attr = normal ? 0xff : 0;
    x->sh = normal ? 0 : 2;
    x->device = !normal;
    x->global = true;
    x->priv_r = x->priv_w = x->priv_x = x->user_r = x->user_w = x->user_x = true;
}

/* ---- stage 2 ---- */

/// Where the walk of stage 2 begins. ret  false: VTCR_EL2 describes no legal walk of this address
static bool s2_start(const struct cpu *c, u64 ipa, unsigned *page_bits, int *level, unsigned *top_bits)
{
    static const u8 tg_bits[4] = {12, 16, 14, 12};
    u64 vtcr = c->sr[SYSREG_VTCR_EL2];
    unsigned sl0 = (unsigned)bits(vtcr, 7, 6), tsz = (unsigned)bits(vtcr, 5, 0);
    unsigned ipa_bits = tsz < 16 ? 48 : 64 - tsz;
    *page_bits = tg_bits[bits(vtcr, 15, 14)];
    *level = (*page_bits == 12 ? 2 : 3) - (int)sl0;
    if (sl0 == 3 || tsz > 39 || ipa >> ipa_bits)
        return false;
    unsigned shift = *page_bits + (unsigned)(3 - *level) * (*page_bits - 3);
    if (ipa_bits <= shift || ipa_bits - shift > *page_bits - 3 + 4) /* up to 16 tables side by side */
        return false;
    *top_bits = ipa_bits - shift;
    return true;
}

static bool s2_fault(struct cpu *c, struct xlat *x, unsigned kind, int level, u64 ipa, bool in_walk)
{
    c->s2_fault.is_set = 1;
    c->s2_fault.in_walk = in_walk;
    c->s2_fault.ipa = ipa;
    return walk_fault(x, kind, level);
}

/// Stage 2 of one intermediate address. out: pa; x: permissions, memory type. in_walk: of a descriptor.
static bool s2_walk(struct cpu *c, u64 ipa, bool in_walk, struct xlat *x, gpa_t *pa)
{
    unsigned page_bits, top_bits;
    int level, first;
    u64 d;
    if (!(c->sr[SYSREG_HCR_EL2] & HCR_VM)) { /* HCR_EL2.DC alone */
        *pa = ipa;
        return true;
    }
    if (!s2_start(c, ipa, &page_bits, &level, &top_bits))
        return s2_fault(c, x, FSC_TRANSLATION, 0, ipa, in_walk);
    first = level;
    gpa_t table = c->sr[SYSREG_VTTBR_EL2] & 0xfffffffffffeULL & ~((8ULL << top_bits) - 1);
    for (;; level++) {
        unsigned shift = page_bits + (unsigned)(3 - level) * (page_bits - 3);
        unsigned index_bits = level == first ? top_bits : page_bits - 3;
        gpa_t at = table + 8 * bits(ipa, shift + index_bits - 1, shift);
        const void *p = mem_host(c->mem, at, 8);
        if (p == NULL)
            return s2_fault(c, x, FSC_EXTERNAL_WALK, level, ipa, in_walk);
        d = ld64(p);
        bool block_ok = level == 2 || (level == 1 && page_bits == 12);
        if (!(d & 1) || (level == 3 && !(d & 2)) || (!(d & 2) && !block_ok))
            return s2_fault(c, x, FSC_TRANSLATION, level, ipa, in_walk);
        gpa_t out = d & 0xffffffffffffULL & ~((1ULL << page_bits) - 1);
        if (level < 3 && (d & 2)) {
            table = out;
            continue;
        }
        u64 size = 1ULL << shift;
        *pa = (out & ~(size - 1)) | (ipa & (size - 1));
        break;
    }
    x->s2_level = (u8)level;
    if (!bit(d, 10))
        return s2_fault(c, x, FSC_ACCESS_FLAG, level, ipa, in_walk);
    x->s2_r = bit(d, 6);
    x->s2_w = bit(d, 7);
    x->s2_x = !bit(d, 54) && x->s2_r;
    if (in_walk && !x->s2_r)
        return s2_fault(c, x, FSC_PERMISSION, level, ipa, true);
    if (!in_walk && bits(d, 5, 4) == 0) { /* Device wins over what stage 1 says */
        x->device = true;
        x->attr &= 0x0c;
    }
    return true;
}

/// After stage 1 gave pa: the same through stage 2, if the regime has one.
static bool through_stage2(struct cpu *c, struct xlat *x)
{
    x->s2_r = x->s2_w = x->s2_x = true;
    x->ipa = x->pa;
    return LIKELY(!c->stage2) || s2_walk(c, x->ipa, false, x, &x->pa);
}

/// Host address of a descriptor of stage 1, or NULL with the fault in x.
static const void *descriptor(struct cpu *c, gpa_t *at, int level, struct xlat *x)
{
    if (UNLIKELY(c->stage2) && !s2_walk(c, *at, true, x, at)) {
        x->level = level;
        return NULL;
    }
    const void *p = mem_host(c->mem, *at, 8);
    if (p == NULL)
        walk_fault(x, FSC_EXTERNAL_WALK, level);
    return p;
}

static bool walk(struct cpu *c, gva_t va, struct xlat *x)
{
    memset(x, 0, sizeof *x);
    c->s2_fault.is_set = 0;
    if (!(c->mode & MODE_MMU)) {
        flat_map(c, va, x);
        return va >> 48 ? walk_fault(x, FSC_ADDR_SIZE, 0) : through_stage2(c, x);
    }
    struct regime r = select_regime(c, va);
    unsigned stride = r.page_bits - 3, limit = pa_bits(c);
    int level = 4 - (int)((r.va_bits - r.page_bits + stride - 1) / stride);
    x->desc_first = (u8)level;
    if (r.disabled)
        return walk_fault(x, FSC_TRANSLATION, 0);
    unsigned tables_ap = 0;
    bool uxn = false, pxn = false;
    unsigned top_bits = r.va_bits - (r.page_bits + (unsigned)(3 - level) * stride);
    gpa_t table = r.ttbr & 0xfffffffffffeULL;
    table &= ~((8ULL << top_bits) - 1);
    if (table >> limit)
        return walk_fault(x, FSC_ADDR_SIZE, 0);
    for (;; level++) {
        unsigned shift = r.page_bits + (unsigned)(3 - level) * stride;
        unsigned index_bits = level == x->desc_first ? top_bits : stride;
        gpa_t at = table + 8 * bits(va, shift + index_bits - 1, shift);
        const void *p = descriptor(c, &at, level, x);
        if (p == NULL)
            return false;
        u64 d = ld64(p);
        x->desc[level] = d;
        x->desc_pa[level] = at;
        bool block_ok = level == 2 || (level == 1 && r.page_bits == 12);
        if (!(d & 1) || (level == 3 && !(d & 2)) || (!(d & 2) && !block_ok))
            return walk_fault(x, FSC_TRANSLATION, level);
        gpa_t out = d & 0xffffffffffffULL & ~((1ULL << r.page_bits) - 1);
        if (level < 3 && (d & 2)) {
            if (out >> limit)
                return walk_fault(x, FSC_ADDR_SIZE, level);
            tables_ap |= (unsigned)bits(d, 62, 61);
            uxn |= bit(d, 60);
            pxn |= bit(d, 59);
            table = out;
            continue;
        }
        u64 size = 1ULL << shift;
        out &= ~(size - 1);
        x->level = level;
        if (out >> limit)
            return walk_fault(x, FSC_ADDR_SIZE, level);
        if (!bit(d, 10))
            return walk_fault(x, FSC_ACCESS_FLAG, level);
        x->pa = out | (va & (size - 1));
        x->page_size = size;
        leaf_attributes(c, x, d, tables_ap, uxn, pxn);
        return through_stage2(c, x);
    }
}

bool mmu_walk(struct cpu *c, gva_t va, struct xlat *x)
{
    bool ok = walk(c, va, x);
    c->s2_fault.is_set = 0; /* nobody will raise it */
    return ok;
}

/// The permissions of stage 2, which come after those of stage 1.
static bool s2_permits(struct cpu *c, enum access acc, struct xlat *x, u8 *fsc)
{
    if (acc == ACC_LOAD ? x->s2_r : acc == ACC_STORE ? x->s2_w : x->s2_x)
        return true;
    s2_fault(c, x, FSC_PERMISSION, x->s2_level, x->ipa, false);
    *fsc = x->fault;
    return false;
}

bool mmu_translate(struct cpu *c, gva_t va, enum access acc, unsigned flags, struct xlat *x, u8 *fsc)
{
    bool user = c->el == 0 || ((flags & ACCF_UNPRIV) && cpu_has_unpriv(c)), ok;
    c->walks++;
    if (UNLIKELY(user && (c->mode & MODE_MMU) && bit(cpu_tcr(c), bit(va, 55) ? 56 : 55))) { /* E0PDn */
        memset(x, 0, sizeof *x);
        c->s2_fault.is_set = 0;
        *fsc = x->fault = FSC_TRANSLATION;
        return false;
    }
    if (!walk(c, va, x)) {
        *fsc = x->fault;
        return false;
    }
    if (!(c->mode & MODE_MMU)) {
        x->device = x->device && acc != ACC_FETCH;
        return s2_permits(c, acc, x, fsc);
    }
    switch (acc) {
    case ACC_LOAD: ok = user ? x->user_r : x->priv_r; break;
    case ACC_STORE: ok = user ? x->user_w : x->priv_w; break;
    default: ok = user ? x->user_x : x->priv_x; break;
    }
    if (acc != ACC_FETCH && !user && c->pan && x->user_r)
        ok = false;
    if (!ok) {
        *fsc = (u8)(FSC_PERMISSION + (unsigned)x->level);
        return false;
    }
    return s2_permits(c, acc, x, fsc);
}

/* ---- faults ---- */

/// ISS[24:14] of a stage 2 abort: what a hypervisor needs to know about the load or store at pc to do
/// it itself. Zero (ISV = 0) for anything but one general register without write-back.
static u32 access_syndrome(struct cpu *c)
{
    u32 w;
    c->s2_fault.is_set = 0;
    if (!mmu_debug_read(c, c->pc, &w, 4))
        return 0;
    u32 size = w >> 30, opc = w >> 22 & 3, rt = w & 31, form = w >> 10 & 3;
    bool is_single = (w & 0x3f000000) == 0x39000000 || /* unsigned offset */
                     ((w & 0x3f200000) == 0x38000000 && (form == 0 || form == 2)) || /* unscaled, LDTR */
                     ((w & 0x3f200c00) == 0x38200800); /* register offset */
    if ((w & 0x3fa00000) == 0x08800000) /* LDAR, STLR */
        return 1u << 24 | size << 22 | rt << 16 | (u32)(size == 3) << 15 | (w >> 15 & 1) << 14;
    if (!is_single || (size == 3 && opc > 1))
        return 0;
    bool sf = opc == 2 || (opc < 2 && size == 3);
    return 1u << 24 | size << 22 | (u32)(opc > 1) << 21 | rt << 16 | (u32)sf << 15;
}

int mmu_abort(struct cpu *c, bool is_fetch, u32 iss, gva_t va)
{
    u32 same = is_fetch ? EC_IABT : EC_DABT, low = is_fetch ? EC_IABT_LOW : EC_DABT_LOW;
    if (LIKELY(!c->s2_fault.is_set))
        return cpu_raise_far(c, c->el == 0 ? low : same, iss, va, c->pc);
    u64 ipa = c->s2_fault.ipa;
    bool in_walk = c->s2_fault.in_walk;
    c->s2_fault.is_set = 0;
    if (in_walk)
        iss = (iss & ~(1u << 6)) | 1u << 7; /* S1PTW: the walk reads */
    else if (!is_fetch && !bit(iss, 8))
        iss |= access_syndrome(c);
    c->sr[SYSREG_HPFAR_EL2] = ipa >> 12 << 4;
    return cpu_raise_far_to(c, 2, low, iss, va, c->pc);
}
