/// Address translation and the slow paths of memory access. Arm ARM, "The AArch64 Virtual Memory
/// System Architecture".
#include "cpu/cpu.h"
#include "cpu/dbg.h"

/// Fault status codes; the level is added where it applies.
enum {
    FSC_ADDR_SIZE = 0x00, FSC_TRANSLATION = 0x04, FSC_ACCESS_FLAG = 0x08, FSC_PERMISSION = 0x0c,
    FSC_EXTERNAL = 0x10, FSC_EXTERNAL_WALK = 0x14, FSC_ALIGNMENT = 0x21, FSC_DEBUG = 0x22,
    FSC_EXCLUSIVE = 0x35,
};

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

/* ---- soft TLB ---- */

static void note_block(struct mmuctx *t, gva_t va, u64 size)
{
    u64 lo = va & ~(size - 1), hi = lo + size - 1;
    const u64 near = 64 * MIB;
    unsigned best = 0;
    u64 best_gap = ~0ULL;
    for (unsigned k = 0; k < t->block_count; k++) {
        u64 gap = hi < t->block[k].lo ? t->block[k].lo - hi : lo > t->block[k].hi ? lo - t->block[k].hi : 0;
        if (gap < best_gap) {
            best_gap = gap;
            best = k;
        }
    }
    if (best_gap > near && t->block_count < CTX_BLOCKS) {
        t->block[t->block_count].lo = lo;
        t->block[t->block_count++].hi = hi;
        return;
    }
    if (lo < t->block[best].lo)
        t->block[best].lo = lo;
    if (hi > t->block[best].hi)
        t->block[best].hi = hi;
}
static bool in_block(const struct mmuctx *t, gva_t va)
{
    for (unsigned k = 0; k < t->block_count; k++)
        if (va >= t->block[k].lo && va <= t->block[k].hi)
            return true;
    return false;
}

/// Enters a translation of RAM. Stores to pages that hold code stay on the slow path.
static void fill(struct cpu *c, struct mmuctx *t, gva_t va, const struct xlat *x, enum access acc, const u8 *host)
{
    unsigned k = va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1);
    if (UNLIKELY(c->watch_armed) && acc != ACC_FETCH)
        return;
    struct tlb_ent *e = acc == ACC_LOAD ? &t->r[k] : acc == ACC_STORE ? &t->w[k] : &t->x[k];
    struct tlb_info *n = acc == ACC_LOAD ? &t->ri[k] : acc == ACC_STORE ? &t->wi[k] : &t->xi[k];
    if (acc == ACC_FETCH && !tlb_is_empty(e->tag) && e->tag != (va & ~0xfffULL))
        t->x_lost[x_lost_bit(e->tag) / 64] |= 1ULL << x_lost_bit(e->tag) % 64;
    if (acc == ACC_STORE && UNLIKELY(!tlb_is_empty(e->tag) && e->tag != (va & ~0xfffULL)))
        slot_drop_va(t, e->tag); /* protect() finds slots by the entries they were copied from */
    e->tag = va & ~0xfffULL;
    e->addend = (u64)(uintptr_t)host - va;
    n->pa = x->pa & ~0xfffULL;
    n->device = x->device;
    n->global = x->global;
    *(acc == ACC_LOAD ? &t->used_r : acc == ACC_STORE ? &t->used_w : &t->used_x) |= 1ULL << k / (TLB_SIZE / 64);
    t->has_nonglobal |= !x->global;
    t->has_high |= bit(va, 55);
    t->has_low |= !bit(va, 55);
    c->tlb_fills++;
    TRACE(c, TRACE_TLB, c->pc, va & ~0xfffULL, n->pa, acc);
    if (x->page_size > GUEST_PAGE)
        note_block(t, va, x->page_size);
    if (c->hooks.tlb_fill && LIKELY(!c->stage2)) /* a guest of the guest is not ours to judge */
        c->hooks.tlb_fill(c->hooks.ctx, c, va, x->pa, x->attr, x->sh, acc == ACC_STORE, acc == ACC_FETCH);
}

/// Two engines are being compared: the page of pa is about to change.
static inline void announce_store(struct cpu *c, const struct mem_region *r, gpa_t pa)
{
    gpa_t page = pa & ~0xfffULL;
    if (UNLIKELY(c->twice != NULL))
        c->twice->page(c->twice->ctx, page, r->host + (page - r->base));
}
/// ... and an access to a device has to wait until they were.
static inline bool must_wait(struct cpu *c)
{
    if (LIKELY(c->twice == NULL))
        return false;
    c->twice->blocked = true;
    return true;
}

static void fill_write(struct cpu *c, struct mmuctx *t, gva_t va, const struct xlat *x, struct mem_region *r)
{
    r->tlb_writable[(x->pa - r->base) / GUEST_PAGE] = 1;
    fill(c, t, va, x, ACC_STORE, r->host + (x->pa - r->base));
}

enum { GROUP = TLB_SIZE / 64 };
static void clear_used(struct tlb_ent *e, u64 *used)
{
    for (u64 left = *used; left; left &= left - 1)
        memset(e + (unsigned)__builtin_ctzll(left) * GROUP, 0xff, GROUP * sizeof *e);
    e[0].tag = tlb_empty(0);
    e[TLB_SIZE - 1].tag = tlb_empty(TLB_SIZE - 1);
    *used = 0;
}
void mmuctx_flush(struct mmuctx *t)
{
    slot_clear(t);
    clear_used(t->r, &t->used_r);
    clear_used(t->w, &t->used_w);
    clear_used(t->x, &t->used_x);
    t->block_count = 0;
    t->has_nonglobal = t->has_low = t->has_high = t->stale = false;
    memset(t->x_lost, 0, sizeof t->x_lost);
    t->code_gen++;
}
/// Drops the entries of the low half (user addresses) from an EL1 context.
static void flush_nonglobal(struct mmuctx *t)
{
    if (t->has_nonglobal && !t->stale)
        mmuctx_flush(t);
}

/// TTBR0 and ASID of the regime whose EL0 is meant.
static u64 space_key(const struct cpu *c)
{
    const struct cpu_regime_regs *r = &cpu_regime_regs[c->user_vm == VM_HOST ? REGIME_EL20 : REGIME_EL10];
    bool a1 = bit(c->sr[r->tcr], 22);
    u64 asid = c->sr[a1 ? r->ttbr1 : r->ttbr0] >> 48;
    return (c->sr[r->ttbr0] & 0xfffffffffffeULL) | asid << 48;
}

struct mmuctx *tlb_user_ctx(struct cpu *c)
{
    u64 key = space_key(c);
    struct mmuctx *old = c->ctx_el0[0];
    for (int k = 0; k < CTX_EL0_MAX; k++) {
        struct mmuctx *t = c->ctx_el0[k];
        if (t->ttbr0 == key && t->last_use && t->vm == c->user_vm) {
            t->last_use = ++c->ctx_clock;
            return t;
        }
        if (t->last_use < old->last_use)
            old = t;
    }
    mmuctx_flush(old);
    old->ttbr0 = key;
    old->vm = c->user_vm;
    old->last_use = ++c->ctx_clock;
    return old;
}

void tlb_address_space_changed(struct cpu *c, enum tlb_class k)
{
    c->ctx_user = NULL;
    if (LIKELY(k == TLB_EL10)) {
        flush_nonglobal(c->ctx_el1);
        flush_nonglobal(c->ctx_el1_pan);
    } else if (c->ctx_el2) {
        flush_nonglobal(c->ctx_el2);
        flush_nonglobal(c->ctx_el2_pan);
    }
    tlb_select(c);
}

static struct mmuctx *fresh(struct mmuctx *t)
{
    if (UNLIKELY(t->stale))
        mmuctx_flush(t);
    return t;
}
/// The EL1 contexts hold translations of one virtual machine, or of none.
static void claim_el1(struct cpu *c)
{
    if (LIKELY(c->el1_vm == c->user_vm))
        return;
    c->el1_vm = c->user_vm;
    c->ctx_el1->stale = c->ctx_el1_pan->stale = true;
}
void tlb_select(struct cpu *c)
{
    if (!(c->mode & MODE_MMU) && LIKELY(!c->stage2)) {
        c->ctx = c->ctx_unpriv = fresh(c->ctx_off);
        return;
    }
    if (c->el == 0) {
        if (c->ctx_user == NULL)
            c->ctx_user = tlb_user_ctx(c);
        c->ctx = c->ctx_unpriv = c->ctx_user;
        return;
    }
    if (LIKELY(c->el == 1)) {
        claim_el1(c);
        c->ctx = fresh(c->pan ? c->ctx_el1_pan : c->ctx_el1);
    } else {
        c->ctx = fresh(c->pan && c->regime == REGIME_EL20 ? c->ctx_el2_pan : c->ctx_el2);
    }
    c->ctx_unpriv = UNLIKELY(!cpu_has_unpriv(c)) ? c->ctx : c->ctx_user ? c->ctx_user : c->ctx_none;
}

/// The contexts of EL0 belong to one class or the other.
static bool is_of(const struct mmuctx *t, enum tlb_class k) { return (t->vm == VM_HOST) == (k == TLB_EL2); }

void tlb_flush_class(struct cpu *c, enum tlb_class k)
{
    c->tlb_flushes++;
    /* Emptied when selected again: tlb_select, tlb_user_ctx. */
    if (LIKELY(k == TLB_EL10))
        c->ctx_el1->stale = c->ctx_el1_pan->stale = true;
    else if (c->ctx_el2)
        c->ctx_el2->stale = c->ctx_el2_pan->stale = true;
    c->ctx_off->stale = true;
    for (int n = 0; n < CTX_EL0_MAX; n++)
        if (is_of(c->ctx_el0[n], k))
            c->ctx_el0[n]->last_use = 0;
    c->ctx_user = NULL;
    tlb_select(c);
}

void tlb_flush_all(struct cpu *c)
{
    if (UNLIKELY(c->has_el2))
        tlb_flush_class(c, TLB_EL2);
    tlb_flush_class(c, TLB_EL10);
}

/// A tag belongs to the page whatever its top byte (TBI).
static bool same_page(u64 tag, gva_t page) { return (tag ^ page) << 8 == 0; }

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void slot_drop_va_avx2(struct mmuctx *x, gva_t page)
{
    typedef long long v4 __attribute__((vector_size(32), aligned(8)));
    const v4 want = (v4){} + (long long)(page << 8);
    for (unsigned i = 0; i < SLOT_COUNT; i += 8) {
        v4 a = *(const v4 *)(const void *)&x->slot_page[i], b = *(const v4 *)(const void *)&x->slot_page[i + 4];
        v4 hit = ((a << 8) == want) | ((b << 8) == want);
        if (LIKELY(!(hit[0] | hit[1] | hit[2] | hit[3])))
            continue;
        for (unsigned k = i; k < i + 8; k++)
            if (x->slot_page[k] << 8 == page << 8)
                x->slot[k].limit = 0;
    }
}
#endif
void slot_drop_va(struct mmuctx *x, gva_t page)
{
#if defined(__x86_64__)
    if (LIKELY(__builtin_cpu_supports("avx2"))) {
        slot_drop_va_avx2(x, page);
        return;
    }
#endif
    for (unsigned i = 0; i < SLOT_COUNT; i++)
        if (x->slot_page[i] << 8 == page << 8)
            x->slot[i].limit = 0;
}

static void flush_page(struct mmuctx *t, gva_t page)
{
    unsigned k = page >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1);
    if (t->stale || !(bit(page, 55) ? t->has_high : t->has_low))
        return;
    if (in_block(t, page)) {
        mmuctx_flush(t);
        return;
    }
    if (same_page(t->r[k].tag, page))
        t->r[k].tag = tlb_empty(k);
    if (same_page(t->w[k].tag, page))
        t->w[k].tag = tlb_empty(k);
    if (same_page(t->x[k].tag, page)) {
        t->x[k].tag = tlb_empty(k);
        t->code_gen++;
    } else if (t->x_lost[x_lost_bit(page) / 64] >> x_lost_bit(page) % 64 & 1) {
        t->code_gen++; /* translated code of the page may still run */
    }
    slot_drop_va(t, page);
}

/// Granules larger than 4 KiB are cached as 4 KiB pieces, noted as blocks.
void tlb_flush_va(struct cpu *c, enum tlb_class k, gva_t va, u16 asid, bool all_asids)
{
    gva_t page = va & ~0xfffULL;
    c->tlb_flushes++;
    if (LIKELY(k == TLB_EL10)) {
        flush_page(c->ctx_el1, page);
        flush_page(c->ctx_el1_pan, page);
    } else if (c->ctx_el2) {
        flush_page(c->ctx_el2, page);
        flush_page(c->ctx_el2_pan, page);
    }
    for (int n = 0; n < CTX_EL0_MAX; n++) {
        struct mmuctx *t = c->ctx_el0[n];
        if (t->last_use && is_of(t, k) && (bit(va, 55) ? t->has_high : all_asids || (u16)(t->ttbr0 >> 48) == asid))
            flush_page(t, page);
    }
}
void tlb_flush_asid(struct cpu *c, enum tlb_class k, u16 asid)
{
    c->tlb_flushes++;
    if (LIKELY(k == TLB_EL10)) {
        flush_nonglobal(c->ctx_el1);
        flush_nonglobal(c->ctx_el1_pan);
    } else if (c->ctx_el2) {
        flush_nonglobal(c->ctx_el2);
        flush_nonglobal(c->ctx_el2_pan);
    }
    for (int n = 0; n < CTX_EL0_MAX; n++)
        if (c->ctx_el0[n]->last_use && is_of(c->ctx_el0[n], k) && (u16)(c->ctx_el0[n]->ttbr0 >> 48) == asid)
            mmuctx_flush(c->ctx_el0[n]);
}

void tlb_forget_writes(struct cpu *c)
{
    struct mmuctx *all[5 + CTX_EL0_MAX] = {c->ctx_off, c->ctx_el1, c->ctx_el1_pan, c->ctx_el2, c->ctx_el2_pan};
    memcpy(all + 5, c->ctx_el0, sizeof c->ctx_el0);
    for (size_t k = 0; k < ARRAY_LEN(all); k++) {
        if (all[k] == NULL || all[k]->used_w == 0)
            continue;
        clear_used(all[k]->w, &all[k]->used_w);
        slot_clear(all[k]);
    }
}

static void protect(struct mmuctx *t, gpa_t page)
{
    if (t->used_w == 0)
        return;
    for (unsigned k = 0; k < TLB_SIZE; k++) {
        if (!(t->used_w >> k / GROUP & 1)) {
            k += GROUP - 1;
            continue;
        }
        if (!tlb_is_empty(t->w[k].tag) && t->wi[k].pa == page) {
            slot_drop_host(t, (const void *)(uintptr_t)(t->w[k].tag + t->w[k].addend));
            t->w[k].tag = tlb_empty(k);
        }
    }
}
static void protect_one(struct cpu *c, gpa_t page)
{
    protect(c->ctx_off, page);
    protect(c->ctx_el1, page);
    protect(c->ctx_el1_pan, page);
    if (c->ctx_el2) {
        protect(c->ctx_el2, page);
        protect(c->ctx_el2_pan, page);
    }
    for (int k = 0; k < CTX_EL0_MAX; k++)
        protect(c->ctx_el0[k], page);
}
void tlb_protect_page(struct cpu *c, gpa_t pa)
{
    gpa_t page = pa & ~0xfffULL;
    struct mem_region *r = mem_find(c->mem, pa);
    if (r == NULL || r->tlb_writable == NULL || !r->tlb_writable[(pa - r->base) / GUEST_PAGE])
        return;
    r->tlb_writable[(pa - r->base) / GUEST_PAGE] = 0;
    protect_one(c, page);
    for (u32 k = 0; k < c->peer_count; k++)
        if (c->peers[k] != c)
            protect_one(c->peers[k], page);
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

static COLD void data_abort(struct cpu *c, gva_t va, enum access acc, unsigned flags, u8 fsc)
{
    u32 iss = fsc | (acc == ACC_STORE || (flags & ACCF_CM) ? 1u << 6 : 0) | (flags & ACCF_CM ? 1u << 8 : 0);
    mmu_abort(c, false, iss, va);
}

/* ---- slow accesses ---- */

static struct mmuctx *ctx_for(struct cpu *c, unsigned flags)
{
    if (!(flags & ACCF_UNPRIV) || (!(c->mode & MODE_MMU) && !c->stage2) || !cpu_has_unpriv(c))
        return c->ctx;
    if (c->ctx_user == NULL)
        c->ctx_user = tlb_user_ctx(c);
    c->ctx_unpriv = c->ctx_user;
    return c->ctx_user;
}

/// Checks alignment rules and translates one access that lies within a page.
static bool prepare(struct cpu *c, gva_t va, unsigned size, unsigned align, enum access acc, unsigned flags,
                    struct xlat *x)
{
    u8 fsc = 0;
    bool misaligned = va & (align - 1);
    if (misaligned && ((flags & (ACCF_ATOMIC | ACCF_ALIGNED)) || c->align_strict)) {
        data_abort(c, va, acc, flags, FSC_ALIGNMENT);
        return false;
    }
    if (!mmu_translate(c, va, acc, flags, x, &fsc)) {
        data_abort(c, va, acc, flags, fsc);
        return false;
    }
    if (misaligned && x->device && !c->lenient) {
        data_abort(c, va, acc, flags, FSC_ALIGNMENT);
        return false;
    }
    if (UNLIKELY(c->watch_armed)) {
        bool user = c->el == 0 || (flags & ACCF_UNPRIV), write = acc == ACC_STORE;
        dbg_access(c, va, size, write);
        if (cpu_watchpoints_armed(c) && cpu_watchpoint_hit(c, va, size, write, user)) {
            c->sr[cpu_el_regs[cpu_debug_el(c)].far] = va;
            cpu_raise_debug(c, c->el < cpu_debug_el(c) ? EC_WATCH_LOW : EC_WATCH, FSC_DEBUG | (u32)write << 6, c->pc);
            return false;
        }
    }
    return true;
}

static COLD bool external_abort(struct cpu *c, gva_t va, gpa_t pa, unsigned size, enum access acc, unsigned flags,
                                u64 val)
{
    if (c->hooks.bad_access)
        c->hooks.bad_access(c->hooks.ctx, c, va, pa, size, acc == ACC_STORE, val);
    data_abort(c, va, acc, flags, FSC_EXTERNAL);
    return false;
}

static u64 load_host(const u8 *p, unsigned size)
{
    switch (size) {
    case 1: return *p;
    case 2: return ld16(p);
    case 4: return ld32(p);
    default: return ld64(p);
    }
}
static void store_host(u8 *p, unsigned size, u64 v)
{
    switch (size) {
    case 1: *p = (u8)v; break;
    case 2: st16(p, (u16)v); break;
    case 4: st32(p, (u32)v); break;
    default: st64(p, v); break;
    }
}

/// Within one page; size 1, 2, 4, 8.
static bool load_piece(struct cpu *c, gva_t va, unsigned size, unsigned align, unsigned flags, u64 *val)
{
    struct xlat x;
    if (!prepare(c, va, size, align, ACC_LOAD, flags, &x))
        return false;
    const u8 *host = mem_host(c->mem, x.pa, size);
    if (LIKELY(host != NULL)) {
        if (UNLIKELY(c->mem->watched_pages) && mem_is_watched(c->mem, x.pa)) {
            if (c->hooks.watched_load)
                c->hooks.watched_load(c->hooks.ctx, c, va, x.pa, size);
        } else if (!x.device || !(c->mode & MODE_MMU))
            fill(c, ctx_for(c, flags), va, &x, ACC_LOAD, host);
        else if (c->hooks.wrong_type)
            c->hooks.wrong_type(c->hooks.ctx, c, va, x.pa, x.attr, true);
        if (x.device && (flags & ACCF_ATOMIC) && c->hooks.device_atomic)
            c->hooks.device_atomic(c->hooks.ctx, c, va, x.pa);
        *val = load_host(host, size);
        return true;
    }
    if (flags & ACCF_ATOMIC) {
        data_abort(c, va, ACC_LOAD, flags, FSC_EXCLUSIVE);
        return false;
    }
    if (must_wait(c))
        return false;
    if (!mem_io_read(c->mem, x.pa, size, val))
        return external_abort(c, va, x.pa, size, ACC_LOAD, flags, 0);
    TRACE(c, TRACE_MMIO, c->pc, x.pa, *val, size);
    if (UNLIKELY(!x.device) && c->hooks.wrong_type)
        c->hooks.wrong_type(c->hooks.ctx, c, va, x.pa, x.attr, false);
    return true;
}

bool mmu_fill(struct cpu *c, gva_t va, bool write)
{
    struct xlat x;
    u8 fsc;
    if (UNLIKELY(c->probe != NULL || c->watch_armed) || !mmu_translate(c, va, write ? ACC_STORE : ACC_LOAD, 0, &x, &fsc) ||
        (x.device && c->mode & MODE_MMU))
        return false;
    if (!write) {
        const u8 *host = mem_host(c->mem, x.pa, 1);
        if (host != NULL)
            fill(c, c->ctx, va, &x, ACC_LOAD, host);
        return host != NULL;
    }
    struct mem_region *r = mem_find(c->mem, x.pa);
    u64 page = r ? (x.pa - r->base) / GUEST_PAGE : 0;
    if (r == NULL || r->kind != MEM_RAM || r->code_lines[page] || r->stale_lines[page])
        return false;
    announce_store(c, r, x.pa);
    fill_write(c, c->ctx, va, &x, r);
    return true;
}

/// An access of a rehearsal. ret  false when it ends here.
/// val: what is stored, with the probe's own access; where loads go
static COLD bool probe_access(struct cpu *c, gva_t va, unsigned size, enum access acc, u64 *val)
{
    struct cpu_probe *p = c->probe;
    u8 buf[16] = {0};
    p->va = va;
    p->size = size;
    *(acc == ACC_STORE ? &p->stored : &p->loaded) = true;
    if (p->access) {
        p->blocked |= !p->access(c, p, va, size, acc == ACC_STORE, val);
        return !p->blocked;
    }
    if (!mmu_debug_read(c, va, buf, size)) {
        p->blocked = true;
        return false;
    }
    if (acc == ACC_LOAD) {
        val[0] = ld64(buf);
        if (size == 16)
            val[1] = ld64(buf + 8);
    }
    return true;
}

bool mmu_load_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, u64 *val)
{
    unsigned size = 1u << size_log2;
    if (UNLIKELY(c->probe != NULL))
        return probe_access(c, va, size, ACC_LOAD, val);
    unsigned room = GUEST_PAGE - (unsigned)(va & 0xfff);
    if (size == 16 && room >= 16) {
        if (!load_piece(c, va, 8, 16, flags, &val[0]))
            return false;
        return load_piece(c, va + 8, 8, 8 - (va & 7 ? 7 : 0), flags & ~(unsigned)(ACCF_ATOMIC | ACCF_ALIGNED), &val[1]);
    }
    if (LIKELY(room >= size))
        return load_piece(c, va, size, size, flags, val);
    /* Crosses a page: byte by byte, both pages translated. */
    u8 buf[16];
    if ((flags & (ACCF_ATOMIC | ACCF_ALIGNED)) || c->align_strict) {
        data_abort(c, va, ACC_LOAD, flags, FSC_ALIGNMENT);
        return false;
    }
    for (unsigned k = 0; k < size; k++) {
        u64 b;
        if (k == 0 || ((va + k) & 0xfff) == 0) {
            struct xlat x;
            if (!prepare(c, va + k, 1, 1, ACC_LOAD, flags, &x))
                return false;
            if (x.device && (c->mode & MODE_MMU)) {
                data_abort(c, va + k, ACC_LOAD, flags, FSC_ALIGNMENT);
                return false;
            }
        }
        if (!load_piece(c, va + k, 1, 1, flags, &b))
            return false;
        buf[k] = (u8)b;
    }
    val[0] = 0;
    if (size == 16)
        val[1] = 0;
    memcpy(val, buf, size);
    return true;
}

/// A page whose code was just changed is likely to be executed again soon: keep its stores slow for a
/// while, rather than enter and drop a writable translation for every patch.
static bool expects_code(struct mem_region *r, u64 page)
{
    enum { PATIENCE = 32 };
    if (r->stale_lines[page] == 0)
        return false;
    if (++r->slow_stores[page] < PATIENCE)
        return true;
    r->slow_stores[page] = 0;
    return false;
}

static bool store_piece(struct cpu *c, gva_t va, unsigned size, unsigned align, unsigned flags, u64 v)
{
    struct xlat x;
    if (!prepare(c, va, size, align, ACC_STORE, flags, &x))
        return false;
    struct mem_region *r = mem_find(c->mem, x.pa);
    if (LIKELY(r != NULL && r->kind == MEM_RAM)) {
        u8 *host = r->host + (x.pa - r->base);
        announce_store(c, r, x.pa);
        if (r->code_lines[(x.pa - r->base) / GUEST_PAGE]) {
            if (c->hooks.code_store)
                c->hooks.code_store(c->hooks.ctx, c, va, x.pa, size);
            store_host(host, size, v);
            mem_written(c->mem, x.pa, size);
            return true;
        }
        if (x.device && (c->mode & MODE_MMU)) {
            if (c->hooks.wrong_type)
                c->hooks.wrong_type(c->hooks.ctx, c, va, x.pa, x.attr, true);
        } else if (!expects_code(r, (x.pa - r->base) / GUEST_PAGE)) {
            fill_write(c, ctx_for(c, flags), va, &x, r);
        }
        store_host(host, size, v);
        return true;
    }
    if (must_wait(c))
        return false;
    TRACE(c, TRACE_MMIO, c->pc, x.pa, v, size | 0x100);
    if (!mem_io_write(c->mem, x.pa, size, v))
        return external_abort(c, va, x.pa, size, ACC_STORE, flags, v);
    if (UNLIKELY(!x.device) && c->hooks.wrong_type)
        c->hooks.wrong_type(c->hooks.ctx, c, va, x.pa, x.attr, false);
    return true;
}

bool mmu_store_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, const u64 *val)
{
    unsigned size = 1u << size_log2;
    if (UNLIKELY(c->probe != NULL))
        return probe_access(c, va, size, ACC_STORE, (u64[2]){val[0], size == 16 ? val[1] : 0});
    unsigned room = GUEST_PAGE - (unsigned)(va & 0xfff);
    if (size == 16 && room >= 16) {
        if (!store_piece(c, va, 8, 16, flags, val[0]))
            return false;
        return store_piece(c, va + 8, 8, 8 - (va & 7 ? 7 : 0), flags & ~(unsigned)(ACCF_ATOMIC | ACCF_ALIGNED), val[1]);
    }
    if (LIKELY(room >= size))
        return store_piece(c, va, size, size, flags, *val);
    if ((flags & (ACCF_ATOMIC | ACCF_ALIGNED)) || c->align_strict) {
        data_abort(c, va, ACC_STORE, flags, FSC_ALIGNMENT);
        return false;
    }
    /* Both pages must accept the store before any byte changes. */
    gva_t page[2] = {va, align_up(va, GUEST_PAGE)};
    for (int k = 0; k < 2; k++) {
        struct xlat x;
        if (!prepare(c, page[k], 1, 1, ACC_STORE, flags, &x))
            return false;
        if (x.device && (c->mode & MODE_MMU)) {
            data_abort(c, page[k], ACC_STORE, flags, FSC_ALIGNMENT);
            return false;
        }
    }
    const u8 *b = (const u8 *)val;
    for (unsigned k = 0; k < size; k++)
        if (!store_piece(c, va + k, 1, 1, flags, b[k]))
            return false;
    return true;
}

void *mmu_atomic_ptr(struct cpu *c, gva_t va, unsigned size_log2, bool write)
{
    struct xlat x;
    unsigned size = 1u << size_log2;
    enum access acc = write ? ACC_STORE : ACC_LOAD;
    if (UNLIKELY(c->probe != NULL)) {
        struct cpu_probe *p = c->probe;
        p->is_atomic = p->access && !(va & (size - 1)) && probe_access(c, va, size, ACC_LOAD, p->atomic);
        p->va = va;
        p->size = size;
        p->stored = true;
        p->blocked |= !p->is_atomic;
        return p->is_atomic ? p->atomic : NULL;
    }
    struct tlb_ent *e = &c->ctx->w[va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    if (LIKELY(write && e->tag == (va & ~0xfffULL) && !(va & (size - 1)) && (c->mode & MODE_MMU)))
        return (void *)(uintptr_t)(va + e->addend);
    if (!prepare(c, va, size, size, acc, ACCF_ATOMIC, &x))
        return NULL;
    struct mem_region *r = mem_find(c->mem, x.pa);
    if (r == NULL || r->host == NULL || (write && r->kind != MEM_RAM)) {
        data_abort(c, va, acc, ACCF_ATOMIC, FSC_EXCLUSIVE);
        return NULL;
    }
    if (x.device && c->hooks.device_atomic)
        c->hooks.device_atomic(c->hooks.ctx, c, va, x.pa);
    u8 *host = r->host + (x.pa - r->base);
    if (write)
        announce_store(c, r, x.pa);
    if ((!x.device || !(c->mode & MODE_MMU)) && !r->code_lines[(x.pa - r->base) / GUEST_PAGE]) {
        if (write)
            fill_write(c, c->ctx, va, &x, r);
        else
            fill(c, c->ctx, va, &x, acc, host);
    }
    return host;
}

void mmu_rmw_done(struct cpu *c, void *host, unsigned size_log2)
{
    /* RAM in one piece covers nearly every machine; others are searched. */
    for (unsigned k = 0; k < c->mem->region_count; k++) {
        const struct mem_region *r = &c->mem->region[k];
        if (r->code_lines && (u8 *)host >= r->host && (u8 *)host < r->host + r->size) {
            u64 off = (u64)((u8 *)host - r->host);
            if (UNLIKELY(r->code_lines[off / GUEST_PAGE]))
                mem_written(c->mem, r->base + off, 1u << size_log2);
            return;
        }
    }
}

const u32 *mmu_fetch(struct cpu *c, gva_t pc, gpa_t *pa)
{
    struct xlat x;
    u8 fsc;
    unsigned k = pc >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1);
    struct tlb_ent *e = &c->ctx->x[k];
    if (LIKELY(e->tag == (pc & ~0xffcULL))) { /* a misaligned pc never matches */
        *pa = c->ctx->xi[k].pa | (pc & 0xfff);
        return (const u32 *)(uintptr_t)(pc + e->addend);
    }
    if (pc & 3) {
        cpu_raise_far(c, EC_PC_ALIGN, 0, pc, pc);
        return NULL;
    }
    if (!mmu_translate(c, pc, ACC_FETCH, 0, &x, &fsc)) {
        mmu_abort(c, true, fsc, pc);
        return NULL;
    }
    const u8 *host = mem_host(c->mem, x.pa & ~0xfffULL, GUEST_PAGE);
    if (host == NULL) {
        if (c->hooks.bad_access)
            c->hooks.bad_access(c->hooks.ctx, c, pc, x.pa, 0, false, 0);
        mmu_abort(c, true, FSC_EXTERNAL, pc);
        return NULL;
    }
    host += x.pa & 0xfff;
    fill(c, c->ctx, pc, &x, ACC_FETCH, host);
    *pa = x.pa;
    return (const u32 *)(const void *)host;
}

/* ---- debuggers ---- */

static bool debug_copy(struct cpu *c, gva_t va, u8 *buf, u64 len, bool write)
{
    while (len) {
        struct xlat x;
        u64 n = GUEST_PAGE - (va & 0xfff);
        if (n > len)
            n = len;
        if (!mmu_walk(c, va, &x))
            return false;
        if (write ? !mem_load(c->mem, x.pa, buf, n) : !mem_read(c->mem, x.pa, buf, n))
            return false;
        va += n;
        buf += n;
        len -= n;
    }
    return true;
}
bool mmu_debug_read(struct cpu *c, gva_t va, void *dst, u64 len) { return debug_copy(c, va, dst, len, false); }
bool mmu_debug_write(struct cpu *c, gva_t va, const void *src, u64 len)
{
    return debug_copy(c, va, (u8 *)src, len, true);
}
