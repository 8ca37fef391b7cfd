/// The soft TLB: contexts by address space, what enters them, what drops it. Arm ARM, "Translation
/// Lookaside Buffers", says what TLBI must reach; each context caches pieces of 4 KiB.
#include "cpu/priv.h"

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

/// An entry for the page `tag` goes, the translation does not.
static inline void replaced(struct mmuctx *t, u64 tag, enum access acc)
{
    if (acc == ACC_FETCH)
        t->x_lost[x_lost_bit(tag) / 64] |= 1ULL << x_lost_bit(tag) % 64;
    if (acc == ACC_STORE)
        slot_drop_va(t, tag); /* protect() finds slots by the entries they were copied from */
}

void tlb_evict(struct mmuctx *t, enum access acc, unsigned k)
{
    struct tlb_ent *e = acc == ACC_LOAD ? &t->r[k] : acc == ACC_STORE ? &t->w[k] : &t->x[k];
    if (tlb_is_empty(e->tag))
        return;
    replaced(t, e->tag, acc);
    if (acc == ACC_LOAD)
        slot_drop_va(t, e->tag);
    e->tag = tlb_empty(k);
}

/// The explainer has nothing new to see: the page was reached with these attributes before.
static inline bool was_audited(const struct cpu *c, const struct xlat *x, enum access acc)
{
    const struct cpu_audited *a = &c->audited;
    u64 page = (x->pa - a->base) / GUEST_PAGE;
    return acc != ACC_FETCH && page < a->pages && __atomic_load_n(&a->attr[page], __ATOMIC_RELAXED) == x->attr && x->attr &&
           (x->sh || !a->shared);
}

void tlb_enter(struct cpu *c, struct mmuctx *t, gva_t va, const struct xlat *x, enum access acc, const u8 *host)
{
    unsigned k = va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1);
    if (UNLIKELY(c->watch_armed || (c->tells_uncached && x->attr == MAIR_NON_CACHEABLE)) && acc != ACC_FETCH) {
        if (c->tells_uncached && c->hooks.tlb_fill && !was_audited(c, x, acc) && !c->stage2)
            c->hooks.tlb_fill(c->hooks.ctx, c, va, x->pa, x->attr, x->sh, acc == ACC_STORE, false);
        return;
    }
    struct tlb_ent *e = acc == ACC_LOAD ? &t->r[k] : acc == ACC_STORE ? &t->w[k] : &t->x[k];
    struct tlb_info *n = acc == ACC_LOAD ? &t->ri[k] : acc == ACC_STORE ? &t->wi[k] : &t->xi[k];
    if (!tlb_is_empty(e->tag) && e->tag != (va & ~0xfffULL))
        replaced(t, e->tag, acc);
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
    if (c->hooks.tlb_fill && !was_audited(c, x, acc) && LIKELY(!c->stage2)) /* a guest of the guest is not ours to judge */
        c->hooks.tlb_fill(c->hooks.ctx, c, va, x->pa, x->attr, x->sh, acc == ACC_STORE, acc == ACC_FETCH);
    if (UNLIKELY(c->tlb_stress != NULL))
        tlb_stress_fill(c, t, acc, k);
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

/// Translations went: translated code and what remembers one must look again.
static void dropped_all(struct cpu *c)
{
    c->tlb_dropped = DROPPED_ALL;
    c->op_page.page = 0;
    c->code_page.ctx = NULL;
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
    dropped_all(c);
    c->ctx_user = NULL;
    if (UNLIKELY(c->peer_count))
        cpu_set_space(c, (u16)(space_key(c) >> 48));
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
    dropped_all(c);
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
    dropped_all(c);
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
    dropped_all(c);
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
    c->tlb_dropped |= DROPPED_DATA;
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
void tlb_protect_own(struct cpu *c, gpa_t page)
{
    c->tlb_dropped |= DROPPED_DATA;
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
bool tlb_protect_page(struct cpu *c, gpa_t pa)
{
    gpa_t page = pa & ~0xfffULL;
    struct mem_region *r = mem_find(c->mem, pa);
    u8 *writable = r && r->tlb_writable ? &r->tlb_writable[(pa - r->base) / GUEST_PAGE] : NULL;
    if (writable == NULL || !__atomic_load_n(writable, __ATOMIC_RELAXED))
        return false;
    __atomic_store_n(writable, 0, __ATOMIC_RELAXED);
    tlb_protect_own(c, page);
    return cpu_ask_peers(c, &(struct cpu_request){.what = ASK_PROTECT, .val = page});
}
