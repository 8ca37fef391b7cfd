/// Runs of scalar floating point with one test for all of them.
///
/// Instead of a test behind every operation (fp.h), the results of a run are tested together at its end,
/// where one jump goes to the repair. That runs the bodies of the whole run, from the V registers as they
/// were: what the run reads and then overwrites is copied before, into xmm16 to xmm31. Nothing in a run
/// writes memory, flags or general registers, and its loads rely on the check of another access, so that
/// it can begin again.
///
/// A NaN stays one through arithmetic: only results that no other operation of the run takes are tested
/// for it. Where a result might have been tiny before rounding, two at a time are compared with the
/// smallest normal number. Comparisons gather in mask registers, k1 for single and k2 for double: a bit
/// stays set as long as its lane is in order.
#include "jit/fp.h"

enum { POOL_FIRST = 16, POOL_COUNT = 16, RUN_MIN = 3, NO_REG = 32 };
enum { NEQ_ORDERED = 12, ORDERED = 7 };
enum { K_SINGLE = 1, K_DOUBLE = 2 };

struct run {
    u8 at[32], fmt[32]; ///< of each V register: where its new value is (NO_REG: none), and its format
    u8 old[32];         ///< ... where its value from before the run is kept, or NO_REG
    u32 read;           ///< V registers whose value from before the run is an operand
    u32 used;           ///< host registers of the pool that hold something
    u32 leaf[2];        ///< host registers with results that must be tested for NaN, by fp_di
    u8 wait[2];         ///< ... with one that must be tested for tiny numbers, or NO_REG
    bool tested[2];     ///< a mask register is in use
};

enum kind { KIND_NONE, KIND_BINARY, KIND_SQRT, KIND_NMUL, KIND_FUSED, KIND_MOVE, KIND_LOAD };

static enum kind kind_of(const struct jit *j, unsigned k)
{
#define SD(op) case OP_##op##_s: case OP_##op##_d
    const struct insn *i = &j->in[k];
    switch (i->op) {
    SD(FADD): SD(FSUB): SD(FMUL): SD(FDIV): return KIND_BINARY;
    SD(FSQRT): return KIND_SQRT;
    SD(FNMUL): return KIND_NMUL;
    SD(FMADD): SD(FMSUB): SD(FNMADD): SD(FNMSUB): return KIND_FUSED;
    SD(FMOV): SD(FABS): SD(FNEG): return KIND_MOVE;
    case OP_LDRvs_ui: case OP_LDRvs_ur: case OP_LDRvd_ui: case OP_LDRvd_ur: case OP_LDPvs_of: case OP_LDPvd_of:
        return j->grp[k] && (i->rn != REG_SP || j->sp_aligned) ? KIND_LOAD : KIND_NONE;
    default: return KIND_NONE;
    }
#undef SD
}

static bool is_arithmetic(enum kind k) { return k >= KIND_BINARY && k <= KIND_FUSED; }

/// VEX opcode of an operation, byte or fused; the EVEX form of a double needs W.
static u32 opcode(const struct insn *i)
{
    u32 w = i->p == FP_D ? XW : 0;
#define SD(op, code) case OP_##op##_s: case OP_##op##_d: return code
    switch (i->op) {
    SD(FADD, fp_op_scalar(i->p, 0x58) | w);
    SD(FSUB, fp_op_scalar(i->p, 0x5c) | w);
    SD(FMUL, fp_op_scalar(i->p, 0x59) | w);
    SD(FNMUL, fp_op_scalar(i->p, 0x59) | w);
    SD(FDIV, fp_op_scalar(i->p, 0x5e) | w);
    SD(FSQRT, fp_op_scalar(i->p, 0x51) | w);
    SD(FMADD, XV_FMADD231SS | w);
    SD(FMSUB, XV_FNMADD231SS | w);
    SD(FNMADD, XV_FNMSUB231SS | w);
    SD(FNMSUB, XV_FMSUB231SS | w);
    default: return 0;
    }
#undef SD
}

/// A result that may have been tiny before it was rounded.
static bool may_be_tiny(const struct insn *i, enum kind kind)
{
    return kind == KIND_NMUL || kind == KIND_FUSED || i->op == OP_FMUL_s || i->op == OP_FMUL_d || i->op == OP_FDIV_s || i->op == OP_FDIV_d;
}

/* ---- registers ---- */

static u32 bit_of(int x) { return 1u << x; }

/// An operation on any xmm registers.
static void emit(struct jit *j, u32 op, int d, int a, xrm m)
{
    bool is_fused = (op >> 8 & 3) == 2;
    if (d < POOL_FIRST && a < POOL_FIRST && m.reg < POOL_FIRST)
        x_v(&j->b, is_fused ? op : op & ~(u32)XW, d, a, m);
    else
        x_ev(&j->b, op, d, a, m);
}

/// Ands a comparison of the lanes of x with m into the mask register of the format.
static void gather(struct jit *j, struct run *r, unsigned fmt, int x, xrm m, unsigned predicate)
{
    unsigned d = fp_di(fmt), k = d ? K_DOUBLE : K_SINGLE;
    x_evex(&j->b, d ? XV_CMPPD | XW : XV_CMPPS, (int)k, x, m, r->tested[d] ? k : 0, 1);
    x_u8(&j->b, predicate);
    r->tested[d] = true;
}

static void test_tiny(struct jit *j, struct run *r, unsigned fmt, int x, int y)
{
    struct xbuf *b = &j->b;
    unsigned d = fp_di(fmt);
    emit(j, d ? XV_UNPCKLPD | XW : XV_UNPCKLPS, X3, x, xr(y));
    x_v(b, XV_ANDPS, X3, X3, FP_CONST(j, abs[d]));
    gather(j, r, fmt, X3, FP_CONST(j, min_normal[d]), NEQ_ORDERED);
}

/// Gives back what is neither a V register's value nor waits for a test.
static void release(struct run *r)
{
    u32 keep = r->leaf[0] | r->leaf[1];
    for (unsigned n = 0; n < 32; n++) {
        keep |= r->at[n] != NO_REG ? bit_of(r->at[n]) : 0;
        keep |= r->old[n] != NO_REG ? bit_of(r->old[n]) : 0;
    }
    for (unsigned d = 0; d < 2; d++)
        keep |= r->wait[d] != NO_REG ? bit_of(r->wait[d]) : 0;
    r->used &= keep;
}

static unsigned room(const struct run *r) { return POOL_COUNT - (unsigned)__builtin_popcount(r->used); }

static int take(struct run *r)
{
    int x = POOL_FIRST + __builtin_ctz(~(r->used >> POOL_FIRST));
    r->used |= bit_of(x);
    return x;
}

/// Whether another instruction of the run writes Vn after the present one.
static bool is_replaced(const struct jit *j, unsigned n)
{
    for (unsigned k = j->k + 1; k < j->n && kind_of(j, k) != KIND_NONE; k++)
        if (j->in[k].rd == n || (j->in[k].flags & LD && j->in[k].flags & AW && j->in[k].ra == n))
            return true;
    return false;
}

/// Where to put the new value of Vn: its home, whose old value is kept if the run would miss it; or, if
/// there is none or the value does not last, a register of the pool. Tests what waits in that home.
static int target(struct jit *j, struct run *r, unsigned n)
{
    int home = j->vmap[n];
    if (home < 0 || is_replaced(j, n))
        return take(r);
    for (unsigned d = 0; d < 2; d++) {
        if (r->wait[d] == home) {
            test_tiny(j, r, d ? FP_D : FP_S, home, home);
            r->wait[d] = NO_REG;
        }
        if (r->leaf[d] & bit_of(home))
            gather(j, r, d ? FP_D : FP_S, home, xr(home), ORDERED);
        r->leaf[d] &= ~bit_of(home);
    }
    if (r->at[n] != home && r->read & j->vdirty & 1u << n) {
        r->old[n] = (u8)take(r);
        x_ev(&j->b, XV_MOVAPS, r->old[n], 0, xr(home));
    }
    return home;
}

/// x is the new value of V register n.
static void set(struct run *r, unsigned n, int x, unsigned fmt)
{
    r->at[n] = (u8)x;
    r->fmt[n] = (u8)fmt;
}

/// Vn, zeros above its format.
static int source(struct jit *j, const struct run *r, unsigned n, unsigned fmt, int scratch)
{
    return r->at[n] != NO_REG ? r->at[n] : fp_src(j, n, fmt, scratch);
}
/// Vn as the last operand.
static xrm operand(struct jit *j, const struct run *r, unsigned n)
{
    return r->at[n] != NO_REG ? xr(r->at[n]) : fp_opnd(j, n);
}

static void result(struct jit *j, struct run *r, const struct insn *i, int x, bool tiny)
{
    unsigned d = fp_di(i->p);
    if (!tiny) {
        r->leaf[d] |= bit_of(x);
    } else if (r->wait[d] == NO_REG) {
        r->wait[d] = (u8)x;
    } else {
        test_tiny(j, r, i->p, r->wait[d], x);
        r->wait[d] = NO_REG;
    }
    set(r, i->rd, x, i->p);
}

/// Before an instruction is emitted: what it reads. An operand that was a NaN makes the result one.
static void note_operands(struct run *r, const struct insn *i, enum kind kind)
{
    const u8 reg[3] = {i->rn, i->rm, i->ra};
    static const u32 is_v[3] = {VN, VM, VA};
    for (unsigned k = 0; k < 3; k++) {
        unsigned n = reg[k];
        if (!(i->flags & is_v[k]) || i->flags & LD)
            continue;
        if (r->at[n] == NO_REG)
            r->read |= 1u << n;
        else if (is_arithmetic(kind))
            r->leaf[fp_di(i->p)] &= ~bit_of(r->at[n]);
    }
}

/* ---- instructions ---- */

/// d <- addend + n * m, in one of the three forms.
static void fused(struct jit *j, const struct run *r, const struct insn *i, u32 op, int d)
{
    enum { FORM_213 = -0x10 }; // the factor that is overwritten is the first operand
    unsigned fmt = i->p;
    bool n_is_d = d < POOL_FIRST && i->rn == i->rd, m_is_d = d < POOL_FIRST && i->rm == i->rd;
    bool is_home = r->at[i->rd] == NO_REG || r->at[i->rd] == d;
    if ((n_is_d || m_is_d) && is_home && i->ra != i->rd && i->rn != i->rm) {
        unsigned other = n_is_d ? i->rm : i->rn;
        int dst = source(j, r, i->rd, fmt, X2), f = r->at[other] != NO_REG ? r->at[other] : jit_vread(j, other, X0);
        emit(j, op + (u32)FORM_213, dst, f, operand(j, r, i->ra));
        if (dst != d)
            emit(j, XV_MOVAPS, d, 0, xr(dst));
        return;
    }
    int t = n_is_d || m_is_d ? X2 : d, a = source(j, r, i->ra, fmt, X0);
    if (a != t)
        emit(j, XV_MOVAPS, t, 0, xr(a));
    int f = r->at[i->rn] != NO_REG ? r->at[i->rn] : jit_vread(j, i->rn, X0);
    emit(j, op, t, f, operand(j, r, i->rm));
    if (t != d)
        emit(j, XV_MOVAPS, d, 0, xr(t));
}

static void arithmetic(struct jit *j, struct run *r, const struct insn *i, enum kind kind)
{
    unsigned fmt = i->p;
    u32 op = opcode(i), w = fmt == FP_D ? XW : 0;
    int d = target(j, r, i->rd);
    if (kind == KIND_FUSED) {
        fused(j, r, i, op, d);
    } else {
        int a = source(j, r, i->rn, fmt, X0);
        emit(j, op, d, a, kind == KIND_SQRT ? xr(a) : operand(j, r, i->rm));
    }
    if (kind == KIND_NMUL)
        emit(j, XV_PXOR | w, d, d, FP_CONST(j, sign1[fp_di(fmt)]));
    result(j, r, i, d, may_be_tiny(i, kind));
}

/// Sign changes do not look at their operand: who takes the result takes a NaN as well.
static void move(struct jit *j, struct run *r, const struct insn *i)
{
    unsigned d = fp_di(i->p);
    u32 w = i->p == FP_D ? XW : 0;
    int x = target(j, r, i->rd), a = source(j, r, i->rn, i->p, X0);
    if (i->op == OP_FABS_s || i->op == OP_FABS_d)
        emit(j, XV_PAND | w, x, a, FP_CONST(j, abs1[d]));
    else if (i->op == OP_FNEG_s || i->op == OP_FNEG_d)
        emit(j, XV_PXOR | w, x, a, FP_CONST(j, sign1[d]));
    else if (x != a)
        emit(j, XV_MOVAPS, x, 0, xr(a));
    set(r, i->rd, x, i->p);
}

static void load(struct jit *j, struct run *r, const struct insn *i)
{
    bool is_pair = i->op == OP_LDPvs_of || i->op == OP_LDPvd_of;
    unsigned size = 1u << i->p;
    u32 op = i->p == FP_D ? XV_MOVSD | XW : XV_MOVSS;
    xrm m = jit_mem(j, i, jit_addr_rn(j, i->rn, (s64)i->imm), is_pair ? 2 * size : size, false, 0);
    int x = target(j, r, i->rd);
    emit(j, op, x, 0, m);
    set(r, i->rd, x, i->p);
    if (is_pair) {
        x = target(j, r, i->ra);
        m.disp += (s32)size;
        emit(j, op, x, 0, m);
        set(r, i->ra, x, i->p);
    }
    jit_mem_done(j, i);
}

/// A new value of another format: a wider one has no zeros above what is read, and of a narrower one that is a
/// NaN, which the repair would make another number, flags would be raised that the repair cannot take back.
static bool reads_part(const struct run *r, const struct insn *i)
{
    const u8 reg[3] = {i->rn, i->rm, i->ra};
    static const u32 is_v[3] = {VN, VM, VA};
    for (unsigned k = 0; k < 3; k++)
        if (i->flags & is_v[k] && !(i->flags & LD) && r->at[reg[k]] != NO_REG && r->fmt[reg[k]] != i->p)
            return true;
    return false;
}

/// Emits instructions from j->k on as long as they fit. ret  how many
static unsigned run(struct jit *j, struct run *r)
{
    unsigned k = j->k, first = k;
    for (; k < j->n; k++) {
        const struct insn *i = &j->in[k];
        enum kind kind = kind_of(j, k);
        release(r);
        if (kind == KIND_NONE || room(r) < 2 || reads_part(r, i))
            break;
        j->k = k;
        note_operands(r, i, kind);
        if (kind == KIND_LOAD)
            load(j, r, i);
        else if (kind == KIND_MOVE)
            move(j, r, i);
        else
            arithmetic(j, r, i, kind);
    }
    j->k = first;
    return k - first;
}

/// Tests what is left, and jumps when a mask register has lost a bit. sites: the jumps
static void finish_tests(struct jit *j, struct run *r, u8 *sites[2])
{
    struct xbuf *b = &j->b;
    for (unsigned d = 0; d < 2; d++) {
        unsigned fmt = d ? FP_D : FP_S;
        if (r->wait[d] != NO_REG)
            test_tiny(j, r, fmt, r->wait[d], r->wait[d]);
        r->wait[d] = NO_REG;
        while (r->leaf[d]) { /* two at a time */
            int x = __builtin_ctz(r->leaf[d]), y = x;
            r->leaf[d] &= r->leaf[d] - 1;
            if (r->leaf[d])
                y = __builtin_ctz(r->leaf[d]);
            r->leaf[d] &= r->leaf[d] - 1;
            gather(j, r, fmt, x, xr(y), ORDERED);
        }
    }
    for (unsigned d = 0; d < 2; d++) {
        if (!r->tested[d])
            continue;
        x_v(b, XV_KMOVW_R, RAX, 0, xr(d ? K_DOUBLE : K_SINGLE));
        x_alu_i(b, ALU_CMP, 0, xr(RAX), d ? 3 : 15);
        sites[d] = x_jcc(b, CC_NE, NULL);
    }
}

/// The new values become the registers'.
static void commit(struct jit *j, const struct run *r)
{
    for (unsigned n = 0; n < 32; n++) {
        int home = j->vmap[n];
        if (r->at[n] == NO_REG)
            continue;
        if (home >= 0) {
            if (r->at[n] != home)
                x_ev(&j->b, XV_MOVAPS, home, 0, xr(r->at[n]));
            jit_vdone(j, n, home);
        } else {
            x_ev(&j->b, XV_MOVAPS_ST, r->at[n], 0, ENV_V(n));
        }
    }
}

/// Cold: the V registers as they were before the run, to cpu.v. What it overwrites unread is not missed.
static void restore(struct jit *j, const struct run *r, u32 dirty)
{
    for (; dirty; dirty &= dirty - 1) {
        unsigned n = (unsigned)__builtin_ctz(dirty);
        if (r->old[n] != NO_REG)
            x_ev(&j->cold, XV_MOVAPS_ST, r->old[n], 0, ENV_V(n));
        else if (r->at[n] != j->vmap[n])
            x_v(&j->cold, XV_MOVAPS_ST, j->vmap[n], 0, ENV_V(n));
    }
}

/// Cold: the bodies of n instructions from j->k on. dirty: V registers to store first.
static void repair(struct jit *j, const struct run *r, unsigned n, u32 dirty, u8 *const sites[2])
{
    struct xbuf *c = &j->cold;
    unsigned first = j->k;
    for (unsigned d = 0; d < 2; d++)
        if (sites[d])
            x_patch(sites[d], c->p);
    restore(j, r, dirty);
    j->vdirty_cold = 0;
    for (unsigned k = 0; k < n; k++) {
        j->k = first + k;
        jit_cold_exec(j, &j->in[j->k]);
        j->x_late_cold = 0; // stored
    }
    j->k = first;
    jit_caches_reload(j, c);
    x_jmp(c, j->b.p);
}

bool jit_fp_run(struct jit *j)
{
    struct run r = {.wait = {NO_REG, NO_REG}};
    unsigned operations = 0, n;
    u8 *sites[2] = {NULL, NULL};
    if (!j->cpu.avx512vl || !j->cpu.fma || fp_flush(j) || j->cfg.skip_hi || j->cfg.fault || j->cfg.no_inline)
        return false;
    for (unsigned k = j->k; k < j->n && operations < RUN_MIN && kind_of(j, k) != KIND_NONE; k++)
        operations += is_arithmetic(kind_of(j, k));
    if (operations < RUN_MIN)
        return false;
    jit_clobber(j);
    memset(r.at, NO_REG, sizeof r.at);
    memset(r.old, NO_REG, sizeof r.old);
    u32 dirty = j->vdirty;
    n = run(j, &r);
    finish_tests(j, &r, sites);
    commit(j, &r);
    repair(j, &r, n, dirty, sites);
    j->k += n - 1;
    return true;
}
