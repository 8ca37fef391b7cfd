/// Memory accesses that the soft TLB does not answer: alignment, translation, memory type, devices, code
/// that is written to. Arm ARM, "The AArch64 Application Level Memory Model".
#include "cpu/dbg.h"
#include "cpu/priv.h"

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

/// Lines of the page that hold code, as other CPUs may be marking them now.
static u64 code_in(const struct mem_region *r, u64 page) { return __atomic_load_n(&r->code_lines[page], __ATOMIC_RELAXED); }

/// ret  false: another CPU just found code in the page
static bool fill_write(struct cpu *c, struct mmuctx *t, gva_t va, const struct xlat *x,
                       struct mem_region *r)
{
    u64 page = (x->pa - r->base) / GUEST_PAGE;
    if (UNLIKELY(r->code_suspect[page] & MEM_SUSPECT_OPEN) && c->hooks.code_open)
        c->hooks.code_open(c->hooks.ctx, c, x->pa);
    if (c->peer_count == 0) {
        r->tlb_writable[page] = 1;
    } else {
        __atomic_store_n(&r->tlb_writable[page], 1,
                         __ATOMIC_SEQ_CST); /* pairs with mem_mark_code: one sees the other */
        if (__atomic_load_n(&r->code_lines[page], __ATOMIC_SEQ_CST))
            return false;
    }
    tlb_enter(c, t, va, x, ACC_STORE, r->host + (x->pa - r->base));
    return true;
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
        if (dbg_access(c, va, x->pa, size, write))
            return false;
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

/// At the end of every slow access.
static inline void stressed(struct cpu *c, gva_t va)
{
    if (UNLIKELY(c->tlb_stress != NULL))
        tlb_stress_access(c, va);
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
/// Atomics there are told to whoever watches.
static bool is_told(const struct cpu *c, const struct xlat *x)
{
    return x->device || (c->tells_uncached && x->attr == MAIR_NON_CACHEABLE);
}

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
            tlb_enter(c, ctx_for(c, flags), va, &x, ACC_LOAD, host);
        else if (c->hooks.wrong_type)
            c->hooks.wrong_type(c->hooks.ctx, c, va, x.pa, x.attr, true);
        if ((flags & ACCF_ATOMIC) && is_told(c, &x) && c->hooks.device_atomic)
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

bool mmu_op_pa(struct cpu *c, gva_t va, gpa_t *pa)
{
    const gva_t page = va & ~0xfffULL;
    const unsigned k = va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1);
    struct xlat x;
    u8 fsc;
    if (c->el > 1 || c->stage2 || !(c->mode & MODE_MMU))
        return false;
    if (c->ctx->r[k].tag == page) {
        *pa = c->ctx->ri[k].pa | (va & 0xfff);
        return true;
    }
    if (c->el != 1 || !bit(va, 55))
        return false;
    if (c->op_page.page != page) {
        if (!mmu_translate(c, va, ACC_LOAD, 0, &x, &fsc))
            return false;
        c->op_page.page = page;
        c->op_page.pa = x.pa & ~0xfffULL;
    }
    *pa = c->op_page.pa | (va & 0xfff);
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
        if (UNLIKELY(c->mem->watched_pages) && mem_is_watched(c->mem, x.pa))
            return false;
        if (host != NULL)
            tlb_enter(c, c->ctx, va, &x, ACC_LOAD, host);
        stressed(c, va);
        return host != NULL;
    }
    struct mem_region *r = mem_find(c->mem, x.pa);
    u64 page = r ? (x.pa - r->base) / GUEST_PAGE : 0;
    if (r == NULL || r->kind != MEM_RAM || code_in(r, page) || r->stale_lines[page])
        return false;
    announce_store(c, r, x.pa);
    bool ok = fill_write(c, c->ctx, va, &x, r);
    stressed(c, va);
    return ok;
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

static bool load_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, u64 *val)
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

bool mmu_load_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, u64 *val)
{
    bool ok = load_slow(c, va, size_log2, flags, val);
    stressed(c, va);
    return ok;
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

static inline void tell_code_store(struct cpu *c, gva_t va, gpa_t pa, unsigned size)
{
    if (c->hooks.code_store)
        c->hooks.code_store(c->hooks.ctx, c, va, pa, size);
}

/// A store to the page with code that the last such store went to needs no walk. ret  false: nothing happened
static bool store_again(struct cpu *c, gva_t va, unsigned size, unsigned align, unsigned flags, u64 v)
{
    if (c->code_page.page != (va & ~0xfffULL) || c->code_page.ctx != c->ctx || va & (align - 1) || flags & ACCF_UNPRIV ||
        c->watch_armed)
        return false;
    gpa_t pa = c->code_page.pa | (va & 0xfff);
    struct mem_region *r = mem_find(c->mem, pa);
    if (r == NULL || !code_in(r, (pa - r->base) / GUEST_PAGE))
        return false;
    announce_store(c, r, pa);
    tell_code_store(c, va, pa, size);
    store_host(r->host + (pa - r->base), size, v);
    mem_written(c->mem, pa, size);
    return true;
}

static bool store_piece(struct cpu *c, gva_t va, unsigned size, unsigned align, unsigned flags, u64 v)
{
    struct xlat x;
    if (store_again(c, va, size, align, flags, v))
        return true;
    if (!prepare(c, va, size, align, ACC_STORE, flags, &x))
        return false;
    struct mem_region *r = mem_find(c->mem, x.pa);
    if (LIKELY(r != NULL && r->kind == MEM_RAM)) {
        u8 *host = r->host + (x.pa - r->base);
        announce_store(c, r, x.pa);
        if (code_in(r, (x.pa - r->base) / GUEST_PAGE)) {
            if (!x.device && !c->has_el2 && !(flags & ACCF_UNPRIV)) {
                c->code_page.page = va & ~0xfffULL;
                c->code_page.pa = x.pa & ~0xfffULL;
                c->code_page.ctx = c->ctx;
            }
            tell_code_store(c, va, x.pa, size);
            store_host(host, size, v);
            mem_written(c->mem, x.pa, size);
            return true;
        }
        if (x.device && (c->mode & MODE_MMU)) {
            if (c->hooks.wrong_type)
                c->hooks.wrong_type(c->hooks.ctx, c, va, x.pa, x.attr, true);
        } else if (!expects_code(r, (x.pa - r->base) / GUEST_PAGE)) {
            fill_write(c, ctx_for(c, flags), va, &x, r);
        } else if (mem_is_suspect(c->mem, x.pa, MEM_SUSPECT_OPEN)) {
            tell_code_store(c, va, x.pa, size);
        }
        store_host(host, size, v);
        if (c->peer_count) /* another CPU may have found code here meanwhile */
            mem_written(c->mem, x.pa, size);
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

static bool store_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, const u64 *val)
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

bool mmu_store_slow(struct cpu *c, gva_t va, unsigned size_log2, unsigned flags, const u64 *val)
{
    bool ok = store_slow(c, va, size_log2, flags, val);
    stressed(c, va);
    return ok;
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
    if (LIKELY(write && e->tag == (va & ~0xfffULL) && !(va & (size - 1)) && (c->mode & (MODE_MMU | MODE_UNCACHED)) == MODE_MMU))
        return (void *)(uintptr_t)(va + e->addend);
    if (!prepare(c, va, size, size, acc, ACCF_ATOMIC, &x))
        return NULL;
    struct mem_region *r = mem_find(c->mem, x.pa);
    if (r == NULL || r->host == NULL || (write && r->kind != MEM_RAM)) {
        data_abort(c, va, acc, ACCF_ATOMIC, FSC_EXCLUSIVE);
        return NULL;
    }
    if ((is_told(c, &x) || c->mode & MODE_UNCACHED) && c->hooks.device_atomic)
        c->hooks.device_atomic(c->hooks.ctx, c, va, x.pa);
    u8 *host = r->host + (x.pa - r->base);
    if (write)
        announce_store(c, r, x.pa);
    bool has_code = code_in(r, (x.pa - r->base) / GUEST_PAGE);
    if (has_code && write)
        tell_code_store(c, va, x.pa, size);
    if ((!x.device || !(c->mode & MODE_MMU)) && !has_code) {
        if (write)
            fill_write(c, c->ctx, va, &x, r);
        else
            tlb_enter(c, c->ctx, va, &x, acc, host);
    }
    stressed(c, va);
    return host;
}

void mmu_rmw_done(struct cpu *c, void *host, unsigned size_log2)
{
    /* RAM in one piece covers nearly every machine; others are searched. */
    for (unsigned k = 0; k < c->mem->region_count; k++) {
        const struct mem_region *r = &c->mem->region[k];
        if (r->code_lines && (u8 *)host >= r->host && (u8 *)host < r->host + r->size) {
            u64 off = (u64)((u8 *)host - r->host);
            if (UNLIKELY(code_in(r, off / GUEST_PAGE)))
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
    tlb_enter(c, c->ctx, pc, &x, ACC_FETCH, host);
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
