// Exclusives, ordered accesses and atomic memory operations. A machine with one CPU needs neither locked
// operations nor more order than x86's own: plain read-modify-write is atomic for it. With several CPUs, which
// may run on threads, they are locked, and STLR is an exchange, which a later LDAR cannot overtake.
// Arm ARM, "Synchronization and semaphores"; FEAT_LSE.
#include "jit/translate.h"

#define B (&j->b)

static bool usable(const struct jit *j) { return (j->mode & (MODE_MMU | MODE_UNCACHED)) == MODE_MMU && j->cpu.bmi1; }

static u32 load_op(unsigned p)
{
    static const u32 op[4] = {XI_MOVZX8, XI_MOVZX16, XI_MOV, XI_MOV | XW};
    return op[p];
}
static u32 store_op(unsigned p)
{
    static const u32 op[4] = {XI_ST8, XI_ST16, XI_ST, XI_ST | XW};
    return op[p];
}

static u32 exchange_op(unsigned p)
{
    static const u32 op[4] = {XO(0, 0, 0x86) | XR8, XI_XCHG | X66, XI_XCHG, XI_XCHG | XW};
    return op[p];
}

/// Prefix of a read-modify-write.
static void lock(struct jit *j)
{
    if (j->cfg.smp)
        x_u8(B, 0xf0);
}

/// The operand of an aligned access at [Rn].
static xrm place(struct jit *j, const struct insn *i, bool write)
{
    jit_clobber(j);
    return jit_mem(j, i, jit_addr_rn(j, i->rn, 0), 1u << i->p, write, 1u << i->p);
}

static int emit_load(struct jit *j, const struct insn *i)
{
    bool exclusive = bits(i->word, 29, 23) == 0x10; // not LDAR, LDAPR
    if (!usable(j))
        return 0;
    xrm m = place(j, i, false);
    if (exclusive)
        x_op(B, XI_ST | XW, j->mem_addr.base, ENV(excl_va), 0);
    int d = jit_xwrite(j, i->rd, RDX);
    x_rm(B, load_op(i->p), d, m);
    if (exclusive) {
        x_op(B, XI_ST | XW, d, ENV(excl_val[0]), 0);
        x_store_i(B, 0, ENV(excl_size), i->p);
    }
    jit_xdone(j, i->rd, d);
    jit_mem_done(j, i);
    return 1;
}

static int emit_store(struct jit *j, const struct insn *i)
{
    if (!usable(j))
        return 0;
    xrm m = place(j, i, true);
    if (j->cfg.smp) {
        x_mov(B, RDX, jit_xread(j, i->rd, RDX));
        x_op(B, exchange_op(i->p), RDX, m, 0);
    } else {
        x_op(B, store_op(i->p), jit_xread(j, i->rd, RDX), m, 0);
    }
    jit_mem_done(j, i);
    return 1;
}

/// cmpxchg [m], r of 1 << p bytes
static void cmpxchg(struct jit *j, unsigned p, xrm m, int r)
{
    static const u32 op[4] = {XO(0, 1, 0xb0) | XR8, XI_CMPXCHG_MR | X66, XI_CMPXCHG_MR, XI_CMPXCHG_MR | XW};
    lock(j);
    x_op(B, op[p], r, m, 0);
}

static int emit_store_exclusive(struct jit *j, const struct insn *i)
{
    if (!usable(j))
        return 0;
    xrm m = place(j, i, true);
    int base = j->mem_addr.base;
    x_rm(B, XI_CMP | XW, base, ENV(excl_va));
    x_rm(B, XI_LEA | XW, RDX, m);
    x_mov_ri(B, RAX, 1);
    u8 *fail1 = x_jcc8(B, CC_NE);
    x_alu_i(B, ALU_CMP, 0, ENV(excl_size), i->p);
    u8 *fail2 = x_jcc8(B, CC_NE);
    x_rm(B, XI_MOV | XW, RAX, ENV(excl_val[0]));
    bool cached = jit_xinreg(j, i->rd) && j->xloaded[i->rd];
    if (!cached) { // inside a diamond nothing may become "loaded"
        if (i->rd == REG_ZR)
            x_mov_ri(B, RCX, 0);
        else
            x_rm(B, XI_MOV | XW, RCX, ENV_X(i->rd));
    }
    cmpxchg(j, i->p, xm(RDX, 0), cached ? j->xmap[i->rd] : RCX);
    x_setcc(B, CC_NE, xr(RAX));
    x_rm(B, XI_MOVZX8, RAX, xr(RAX));
    x_patch8(fail1, B->p);
    x_patch8(fail2, B->p);
    x_store_i(B, XW, ENV(excl_va), -1);
    jit_xdone(j, i->rm, RAX);
    jit_mem_done(j, i);
    return 1;
}

static int emit_cas(struct jit *j, const struct insn *i)
{
    if (!usable(j))
        return 0;
    xrm m = place(j, i, true);
    x_rm(B, XI_LEA | XW, RDX, m);
    if (i->rm == REG_SINK)
        x_mov_ri(B, RAX, 0);
    else
        x_mov(B, RAX, jit_xread(j, i->rm, RAX));
    cmpxchg(j, i->p, xm(RDX, 0), jit_xread(j, i->rd, RCX));
    if (i->p == 0)
        x_rm(B, XI_MOVZX8, RAX, xr(RAX));
    else if (i->p == 1)
        x_rm(B, XI_MOVZX16, RAX, xr(RAX));
    else if (i->p == 2)
        x_mov32(B, RAX, RAX);
    jit_xdone(j, i->rm, RAX);
    jit_mem_done(j, i);
    return 1;
}

enum rmw { RMW_ADD, RMW_CLR, RMW_EOR, RMW_SET, RMW_SMAX, RMW_SMIN, RMW_UMAX, RMW_UMIN, RMW_SWP };

static enum rmw kind_of(const struct insn *i)
{
    return i->word >> 15 & 1 ? RMW_SWP : (enum rmw)(i->word >> 12 & 7);
}

/// rdx = host address, rax = old value (zero-extended): rcx <- new value.
static void combine(struct jit *j, const struct insn *i, enum rmw k)
{
    u32 w = i->p == 3 ? XW : 0;
    if (i->rm == REG_ZR)
        x_mov_ri(B, RCX, 0);
    else
        x_mov(B, RCX, jit_xread(j, i->rm, RCX));
    switch (k) {
    case RMW_ADD: x_rr(B, XI_ADD | w, RCX, RAX); return;
    case RMW_CLR: x_not(B, w, xr(RCX)); x_rr(B, XI_AND | w, RCX, RAX); return;
    case RMW_EOR: x_rr(B, XI_XOR | w, RCX, RAX); return;
    case RMW_SET: x_rr(B, XI_OR | w, RCX, RAX); return;
    case RMW_SWP: return;
    default: break;
    }
    x_rr(B, XI_CMP | w, RCX, RAX); // keep the operand or the old value
    static const u8 take_old[4] = {CC_L, CC_G, CC_B, CC_A};
    x_cmov(B, take_old[k - RMW_SMAX], w, RCX, xr(RAX));
}

/// rdx = host address: does the operation in one piece; rax <- old value.
static void locked_rmw(struct jit *j, const struct insn *i, enum rmw k)
{
    static const u32 xadd[4] = {XO(0, 1, 0xc0) | XR8, XI_XADD_MR | X66, XI_XADD_MR, XI_XADD_MR | XW};
    if (k == RMW_ADD || k == RMW_SWP) {
        if (i->rm == REG_ZR)
            x_mov_ri(B, RCX, 0);
        else
            x_mov(B, RCX, jit_xread(j, i->rm, RCX));
        if (k == RMW_ADD)
            lock(j);
        x_op(B, k == RMW_ADD ? xadd[i->p] : exchange_op(i->p), RCX, xm(RDX, 0), 0);
        if (i->p < 2)
            x_rm(B, i->p ? XI_MOVZX16 : XI_MOVZX8, RAX, xr(RCX));
        else
            x_rr(B, XI_MOV | (i->p == 3 ? XW : 0), RAX, RCX);
        return;
    }
    x_rm(B, load_op(i->p), RAX, xm(RDX, 0));
    u8 *again = B->p;
    combine(j, i, k);
    cmpxchg(j, i->p, xm(RDX, 0), RCX);
    x_jcc(B, CC_NE, again);
}

static int emit_rmw(struct jit *j, const struct insn *i)
{
    enum rmw k = kind_of(i);
    if (!usable(j) || (i->p < 2 && k >= RMW_SMAX && k <= RMW_UMIN))
        return 0;
    xrm m = place(j, i, true);
    x_rm(B, XI_LEA | XW, RDX, m);
    if (j->cfg.smp) {
        locked_rmw(j, i, k);
    } else {
        x_rm(B, load_op(i->p), RAX, xm(RDX, 0));
        combine(j, i, k);
        x_op(B, store_op(i->p), RCX, xm(RDX, 0), 0);
    }
    jit_xdone(j, i->rd, RAX);
    jit_mem_done(j, i);
    return 1;
}

void jit_init_atomic(jit_emit_fn **t)
{
#define EX(s)                                                                                      \
    t[OP_LDXR##s] = t[OP_LDAXR##s] = t[OP_LDAR##s] = t[OP_LDAPR##s] = emit_load;                   \
    t[OP_STXR##s] = t[OP_STLXR##s] = emit_store_exclusive;                                         \
    t[OP_STLR##s] = emit_store;                                                                    \
    t[OP_CAS##s] = emit_cas;                                                                       \
    t[OP_LDADD##s] = t[OP_LDCLR##s] = t[OP_LDEOR##s] = t[OP_LDSET##s] = emit_rmw;                  \
    t[OP_LDSMAX##s] = t[OP_LDSMIN##s] = t[OP_LDUMAX##s] = t[OP_LDUMIN##s] = emit_rmw;              \
    t[OP_SWP##s] = emit_rmw;
    EX(b) EX(h) EX(w) EX(x)
}
