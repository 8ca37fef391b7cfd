/// Exclusives, load-acquire/store-release, compare-and-swap and atomic memory operations.
/// Arm ARM, "Synchronization and semaphores"; FEAT_LSE.
#include "a64/insn.h"

static inline bool sp_bad(const struct cpu *c, const struct insn *i)
{
    return UNLIKELY(i->rn == REG_SP && (c->mode & MODE_SA) && (c->x[REG_SP] & 15));
}
#define SP_CHECK                                                                                   \
    if (sp_bad(c, i))                                                                              \
    return cpu_raise(c, EC_SP_ALIGN, 0, c->pc)

static int load_ordered(struct cpu *c, const struct insn *i, unsigned flags, bool exclusive)
{
    u64 v[2], va = c->x[i->rn];
    SP_CHECK;
    if (exclusive && UNLIKELY((c->mode & (MODE_MMU | MODE_UNCACHED)) != MODE_MMU) && c->hooks.device_atomic)
        c->hooks.device_atomic(c->hooks.ctx, c, va, va);
    if (!cpu_ld(c, va, i->p, flags, v))
        return EXEC_BRANCH;
    atomic_thread_fence(memory_order_acquire);
    if (exclusive) {
        c->excl_va = va;
        c->excl_val[0] = v[0];
        c->excl_size = i->p;
    }
    c->x[i->rd] = v[0];
    return EXEC_NEXT;
}
static int store_release(struct cpu *c, const struct insn *i)
{
    SP_CHECK;
    atomic_thread_fence(memory_order_seq_cst);
    if (!cpu_st(c, c->x[i->rn], i->p, ACCF_ALIGNED, &c->x[i->rd]))
        return EXEC_BRANCH;
    atomic_thread_fence(memory_order_seq_cst);
    return EXEC_NEXT;
}

/// Compare and exchange of 1, 2, 4, 8 bytes; *old is updated to what was there.
static bool cas_host(void *p, unsigned size_log2, u64 *old, u64 new_val)
{
    bool ok;
    switch (size_log2) {
    case 0: { u8 o = (u8)*old; ok = __atomic_compare_exchange_n((u8 *)p, &o, (u8)new_val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); *old = o; break; }
    case 1: { u16 o = (u16)*old; ok = __atomic_compare_exchange_n((u16 *)p, &o, (u16)new_val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); *old = o; break; }
    case 2: { u32 o = (u32)*old; ok = __atomic_compare_exchange_n((u32 *)p, &o, (u32)new_val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); *old = o; break; }
    default: ok = __atomic_compare_exchange_n((u64 *)p, old, new_val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); break;
    }
    return ok;
}
/// 16-byte compare and exchange. x86-64 has cmpxchg16b on every host we run on.
static bool cas_host128(void *p, u64 old[2], const u64 new_val[2])
{
#if defined(__x86_64__)
    u8 ok;
    __asm__ volatile("lock cmpxchg16b %1\n\tsete %0"
                     : "=q"(ok), "+m"(*(u128 *)p), "+a"(old[0]), "+d"(old[1])
                     : "b"(new_val[0]), "c"(new_val[1])
                     : "memory", "cc");
    return ok;
#else
    u128 o = (u128)old[1] << 64 | old[0], n = (u128)new_val[1] << 64 | new_val[0];
    bool ok = __atomic_compare_exchange_n((u128 *)p, &o, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    old[0] = (u64)o;
    old[1] = (u64)(o >> 64);
    return ok;
#endif
}

/// STXR of one register: succeeds when memory still holds what LDXR saw at the same address.
static int store_exclusive(struct cpu *c, const struct insn *i)
{
    u64 va = c->x[i->rn], old = c->excl_val[0];
    bool ok = false;
    SP_CHECK;
    void *p = mmu_atomic_ptr(c, va, i->p, true);
    if (p == NULL)
        return EXEC_BRANCH;
    if (c->excl_va == va && c->excl_size == i->p)
        ok = cas_host(p, i->p, &old, c->x[i->rd]);
    if (ok)
        mmu_rmw_done(c, p, i->p);
    c->excl_va = EXCL_NONE;
    c->x[i->rm] = ok ? 0 : 1;
    return EXEC_NEXT;
}

#define EX_SET(b)                                                                                  \
    EXEC(LDXR##b) { return load_ordered(c, i, ACCF_ATOMIC, true); }                                \
    EXEC(LDAXR##b) { return load_ordered(c, i, ACCF_ATOMIC, true); }                               \
    EXEC(LDAR##b) { return load_ordered(c, i, ACCF_ALIGNED, false); }                              \
    EXEC(LDAPR##b) { return load_ordered(c, i, ACCF_ALIGNED, false); }                             \
    EXEC(STLR##b) { return store_release(c, i); }                                                  \
    EXEC(STXR##b) { return store_exclusive(c, i); }                                                \
    EXEC(STLXR##b) { return store_exclusive(c, i); }                                               \
    EXEC(CAS##b) { return cas(c, i); }
static int cas(struct cpu *c, const struct insn *i)
{
    u64 size_mask = i->p == 3 ? ~0ULL : (1ULL << (8 << i->p)) - 1;
    u64 old = (i->rm == REG_SINK ? 0 : c->x[i->rm]) & size_mask;
    SP_CHECK;
    void *p = mmu_atomic_ptr(c, c->x[i->rn], i->p, true);
    if (p == NULL)
        return EXEC_BRANCH;
    if (cas_host(p, i->p, &old, c->x[i->rd]))
        mmu_rmw_done(c, p, i->p);
    c->x[i->rm] = old;
    return EXEC_NEXT;
}
EX_SET(b)
EX_SET(h)
EX_SET(w)
EX_SET(x)

static int load_pair_exclusive(struct cpu *c, const struct insn *i)
{
    u64 va = c->x[i->rn], v[2] = {0, 0};
    SP_CHECK;
    if (!cpu_ld(c, va, i->p + 1u, ACCF_ATOMIC, v))
        return EXEC_BRANCH;
    c->excl_va = va;
    c->excl_size = i->p + 1u;
    c->excl_val[0] = v[0];
    c->excl_val[1] = v[1];
    if (i->p == 2) {
        c->x[i->rd] = (u32)v[0];
        c->x[i->ra] = v[0] >> 32;
    } else {
        c->x[i->rd] = v[0];
        c->x[i->ra] = v[1];
    }
    return EXEC_NEXT;
}
static int store_pair_exclusive(struct cpu *c, const struct insn *i)
{
    u64 va = c->x[i->rn], old[2] = {c->excl_val[0], c->excl_val[1]};
    bool ok = false;
    SP_CHECK;
    void *p = mmu_atomic_ptr(c, va, i->p + 1u, true);
    if (p == NULL)
        return EXEC_BRANCH;
    if (c->excl_va == va && c->excl_size == i->p + 1u) {
        if (i->p == 2) {
            ok = cas_host(p, 3, &old[0], (u32)c->x[i->rd] | c->x[i->ra] << 32);
        } else {
            u64 new_val[2] = {c->x[i->rd], c->x[i->ra]};
            ok = cas_host128(p, old, new_val);
        }
    }
    if (ok)
        mmu_rmw_done(c, p, i->p + 1u);
    c->excl_va = EXCL_NONE;
    c->x[i->rm] = ok ? 0 : 1;
    return EXEC_NEXT;
}
EXEC(LDXPw) { return load_pair_exclusive(c, i); }
EXEC(LDAXPw) { return load_pair_exclusive(c, i); }
EXEC(LDXPx) { return load_pair_exclusive(c, i); }
EXEC(LDAXPx) { return load_pair_exclusive(c, i); }
EXEC(STXPw) { return store_pair_exclusive(c, i); }
EXEC(STLXPw) { return store_pair_exclusive(c, i); }
EXEC(STXPx) { return store_pair_exclusive(c, i); }
EXEC(STLXPx) { return store_pair_exclusive(c, i); }

/// Register s+1 of a CASP pair: 30 pairs with the zero register.
static inline u64 pair_hi(const struct cpu *c, unsigned r) { return r == 30 ? 0 : c->x[r + 1]; }
static int casp(struct cpu *c, const struct insn *i)
{
    unsigned s = i->word >> 16 & 31, t = i->word & 31;
    u64 old[2] = {c->x[s], pair_hi(c, s)}, new_val[2] = {c->x[t], pair_hi(c, t)};
    bool ok;
    SP_CHECK;
    void *p = mmu_atomic_ptr(c, c->x[i->rn], i->p + 1u, true);
    if (p == NULL)
        return EXEC_BRANCH;
    if (i->p == 2) {
        u64 o = (u32)old[0] | old[1] << 32;
        ok = cas_host(p, 3, &o, (u32)new_val[0] | new_val[1] << 32);
        old[0] = (u32)o;
        old[1] = o >> 32;
    } else {
        ok = cas_host128(p, old, new_val);
    }
    if (ok)
        mmu_rmw_done(c, p, i->p + 1u);
    c->x[s] = old[0];
    if (s != 30)
        c->x[s + 1] = old[1];
    return EXEC_NEXT;
}
EXEC(CASPw) { return casp(c, i); }
EXEC(CASPx) { return casp(c, i); }

enum rmw { RMW_ADD, RMW_CLR, RMW_EOR, RMW_SET, RMW_SMAX, RMW_SMIN, RMW_UMAX, RMW_UMIN, RMW_SWP };
static inline u64 rmw_op(enum rmw op, u64 old, u64 v, unsigned width_bits)
{
    s64 so = sext(old, width_bits), sv = sext(v, width_bits);
    switch (op) {
    case RMW_ADD: return old + v;
    case RMW_CLR: return old & ~v;
    case RMW_EOR: return old ^ v;
    case RMW_SET: return old | v;
    case RMW_SMAX: return so > sv ? old : v;
    case RMW_SMIN: return so < sv ? old : v;
    case RMW_UMAX: return old > v ? old : v;
    case RMW_UMIN: return old < v ? old : v;
    default: return v;
    }
}
static int atomic_rmw(struct cpu *c, const struct insn *i, enum rmw op)
{
    unsigned width_bits = 8u << i->p;
    u64 v = i->p == 3 ? c->x[i->rm] : c->x[i->rm] & ((1ULL << width_bits) - 1);
    SP_CHECK;
    void *p = mmu_atomic_ptr(c, c->x[i->rn], i->p, true);
    if (p == NULL)
        return EXEC_BRANCH;
    u64 old = i->p == 0 ? *(u8 *)p : i->p == 1 ? ld16(p) : i->p == 2 ? ld32(p) : ld64(p);
    while (!cas_host(p, i->p, &old, rmw_op(op, old, v, width_bits)))
        ; /* another vCPU or device wrote: bounded by its progress */
    mmu_rmw_done(c, p, i->p);
    c->x[i->rd] = old;
    return EXEC_NEXT;
}
#define AT_SET(id, op)                                                                             \
    EXEC(id##b) { return atomic_rmw(c, i, op); }                                                   \
    EXEC(id##h) { return atomic_rmw(c, i, op); }                                                   \
    EXEC(id##w) { return atomic_rmw(c, i, op); }                                                   \
    EXEC(id##x) { return atomic_rmw(c, i, op); }
AT_SET(LDADD, RMW_ADD)
AT_SET(LDCLR, RMW_CLR)
AT_SET(LDEOR, RMW_EOR)
AT_SET(LDSET, RMW_SET)
AT_SET(LDSMAX, RMW_SMAX)
AT_SET(LDSMIN, RMW_SMIN)
AT_SET(LDUMAX, RMW_UMAX)
AT_SET(LDUMIN, RMW_UMIN)
AT_SET(SWP, RMW_SWP)
