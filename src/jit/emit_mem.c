// Loads and stores. Arm ARM, "Loads and stores".
#include "jit/mem.h"

/* ---- general registers ---- */

enum ext { EXT_Z, EXT_S64, EXT_S32 };

static enum ext ext_of(unsigned op)
{
    switch (op) {
#define SX(id, e) case OP_##id##_ui: case OP_##id##_ur: case OP_##id##_po: case OP_##id##_pr: case OP_##id##_ro: return e;
    case OP_LDTRSBx: case OP_LDTRSHx: case OP_LDTRSW: return EXT_S64;
    case OP_LDTRSBw: case OP_LDTRSHw: return EXT_S32;
        SX(LDRSBx, EXT_S64) SX(LDRSHx, EXT_S64) SX(LDRSW, EXT_S64) SX(LDRSBw, EXT_S32) SX(LDRSHw, EXT_S32)
    case OP_LDRSW_l: return EXT_S64;
    case OP_LDPSW_of: case OP_LDPSW_po: case OP_LDPSW_pr: return EXT_S64;
    default: return EXT_Z;
    }
}

static void load_into(struct jit *j, int r, xrm m, unsigned p, enum ext e)
{
    u32 w = e == EXT_S64 ? XW : 0;
    if (e == EXT_Z) {
        static const u32 op[4] = {XI_MOVZX8, XI_MOVZX16, XI_MOV, XI_MOV | XW};
        x_rm(&j->b, op[p], r, m);
    } else if (p == 2) {
        x_rm(&j->b, XI_MOVSXD, r, m);
    } else {
        x_rm(&j->b, (p ? XI_MOVSX16 : XI_MOVSX8) | w, r, m);
    }
}

static void store_from(struct jit *j, unsigned n, xrm m, unsigned p)
{
    static const u32 op[4] = {XI_ST8, XI_ST16, XI_ST, XI_ST | XW};
    if (n == REG_ZR && p >= 2)
        x_store_i(&j->b, p == 3 ? XW : 0, m, 0);
    else
        x_op(&j->b, op[p], jit_xread(j, n, RDX), m, 0);
}

/// rn <- address + off, after the access. The base register of the address holds the old value.
static void write_back(struct jit *j, const struct insn *i)
{
    bool keeps = i->rn == REG_SP && j->sp_aligned && !(i->imm & 15);
    int d = jit_xwrite(j, i->rn, RAX);
    x_rm(&j->b, XI_LEA | XW, d, xm(j->mem_addr.base, (s32)(s64)i->imm));
    jit_xdone(j, i->rn, d);
    if (keeps)
        j->sp_aligned = true;
}

/// A load whose destination is the base cannot write the destination before a fault is excluded;
/// there is none after jit_mem. With write-back the value waits in rdx.
static void move_data(struct jit *j, const struct insn *i, xrm m, bool wb)
{
    if (i->flags & ST) {
        store_from(j, i->rd, m, i->p);
        if (wb)
            write_back(j, i);
        return;
    }
    if (wb) {
        load_into(j, RDX, m, i->p, ext_of(i->op));
        write_back(j, i);
        jit_xdone(j, i->rd, RDX);
        return;
    }
    int d = jit_xwrite(j, i->rd, RDX);
    load_into(j, d, m, i->p, ext_of(i->op));
    jit_xdone(j, i->rd, d);
}

static void data_v(struct jit *j, const struct insn *i, unsigned n, xrm m, unsigned p)
{
    struct xbuf *b = &j->b;
    if (i->flags & ST) {
        int x = jit_vread(j, n, X0);
        switch (p) {
        case 0: x_vex(b, XV_PEXTRB, x, 0, m, 1); x_u8(b, 0); break;
        case 1: x_vex(b, XV_PEXTRW, x, 0, m, 1); x_u8(b, 0); break;
        case 2: x_v(b, XV_MOVSS_ST, x, 0, m); break;
        case 3: x_v(b, XV_MOVSD_ST, x, 0, m); break;
        default: x_v(b, XV_MOVUPS_ST, x, 0, m); break;
        }
        return;
    }
    int x = jit_vwrite(j, n, X0);
    switch (p) {
    case 0: x_rm(b, XI_MOVZX8, RDX, m); x_v(b, XV_MOVD, x, 0, xr(RDX)); break;
    case 1: x_rm(b, XI_MOVZX16, RDX, m); x_v(b, XV_MOVD, x, 0, xr(RDX)); break;
    case 2: x_v(b, XV_MOVSS, x, 0, m); break;
    case 3: x_v(b, XV_MOVSD, x, 0, m); break;
    default: x_v(b, XV_MOVUPS, x, 0, m); break;
    }
    jit_vdone(j, n, x);
}

static int finish(struct jit *j, const struct insn *i, struct jit_addr a, bool wb)
{
    xrm m = jit_mem(j, i, a, 1u << i->p, i->flags & ST, 0);
    if (i->flags & VD) {
        data_v(j, i, i->rd, m, i->p);
        if (wb)
            write_back(j, i);
    } else {
        move_data(j, i, m, wb);
    }
    jit_mem_done(j, i);
    return 1;
}

static bool no_vec(const struct jit *j, const struct insn *i) { return i->flags & VD && !j->cpu.sse42; }

static int emit_offset(struct jit *j, const struct insn *i)
{
    if (no_vec(j, i))
        return 0;
    jit_mem_clobber(j, i);
    return finish(j, i, jit_addr_rn(j, i->rn, (s64)i->imm), false);
}

/// LDTR and STTR: at EL1 with the permissions of EL0.
static int emit_user(struct jit *j, const struct insn *i)
{
    jit_clobber(j);
    struct jit_addr a = jit_addr_rn(j, i->rn, (s64)i->imm);
    j->mem_user = true;
    a.is_sp = false;
    return finish(j, i, a, false);
}

static int emit_post(struct jit *j, const struct insn *i)
{
    if (no_vec(j, i))
        return 0;
    jit_mem_clobber(j, i);
    return finish(j, i, jit_addr_rn(j, i->rn, 0), true);
}

static int emit_pre(struct jit *j, const struct insn *i)
{
    if (no_vec(j, i))
        return 0;
    jit_mem_clobber(j, i);
    return finish(j, i, jit_addr_rn(j, i->rn, (s64)i->imm), true);
}

/// rax <- Rn + extended Rm << shift
static int emit_regoff(struct jit *j, const struct insn *i)
{
    struct xbuf *b = &j->b;
    unsigned option = (unsigned)(i->imm >> 8), shift = i->imm & 0xff;
    if (no_vec(j, i))
        return 0;
    if (shift > 3)
        jit_clobber(j);
    else
        jit_mem_clobber(j, i);
    int index;
    if (option == 2 || option == 6) {
        if (i->rm == REG_ZR)
            x_mov_ri(b, RAX, 0);
        else
            x_rm(b, option == 2 ? XI_MOV : XI_MOVSXD, RAX, jit_xop(j, i->rm));
        index = RAX;
    } else {
        index = jit_xread(j, i->rm, RAX);
    }
    int base = jit_xread(j, i->rn, RCX);
    if (index == RSP || shift > 3) {
        if (index != RAX)
            x_mov(b, RAX, index);
        x_shift_i(b, SH_SHL, XW, xr(RAX), shift);
        x_rr(b, XI_ADD | XW, RAX, base);
    } else {
        x_rm(b, XI_LEA | XW, RAX, xmi(base, index, shift, 0));
    }
    return finish(j, i, (struct jit_addr){.base = RAX}, false);
}

static int emit_literal(struct jit *j, const struct insn *i)
{
    if (no_vec(j, i))
        return 0;
    jit_clobber(j);
    x_rm(&j->b, XI_MOV | XW, RAX, ENV(jit_page));
    return finish(j, i, (struct jit_addr){.base = RAX, .off = j->off[j->k] + (s64)i->imm}, false);
}

/* ---- pairs: one check of both ---- */

static int emit_pair(struct jit *j, const struct insn *i, s64 off, bool wb)
{
    struct xbuf *b = &j->b;
    unsigned size = 1u << i->p;
    enum ext e = ext_of(i->op);
    if (no_vec(j, i) || (!(i->flags & (ST | VD)) && i->rd == i->ra && i->rd != REG_SINK))
        return 0;
    jit_mem_clobber(j, i);
    struct jit_addr a = jit_addr_rn(j, i->rn, off);
    xrm lo = jit_mem(j, i, a, 2 * size, i->flags & ST, 0), hi = lo;
    hi.disp += (s32)size;
    if (i->flags & VD) {
        data_v(j, i, i->rd, lo, i->p);
        data_v(j, i, i->ra, hi, i->p);
    } else if (i->flags & ST) {
        store_from(j, i->rd, lo, i->p);
        store_from(j, i->ra, hi, i->p);
    } else {
        // the base may be one of the destinations, and must last until both are read
        bool clash = i->rd == i->rn;
        int d = clash || wb ? RDX : jit_xwrite(j, i->rd, RDX);
        load_into(j, d, lo, i->p, e);
        int d2 = jit_xwrite(j, i->ra, RCX);
        if (wb)
            d2 = RCX;
        load_into(j, d2, hi, i->p, e);
        if (wb)
            write_back(j, i);
        jit_xdone(j, i->rd, d);
        jit_xdone(j, i->ra, d2);
        jit_mem_done(j, i);
        (void)b;
        return 1;
    }
    if (wb)
        write_back(j, i);
    jit_mem_done(j, i);
    return 1;
}

static int emit_pair_off(struct jit *j, const struct insn *i) { return emit_pair(j, i, (s64)i->imm, false); }
static int emit_pair_pre(struct jit *j, const struct insn *i) { return emit_pair(j, i, (s64)i->imm, true); }
static int emit_pair_post(struct jit *j, const struct insn *i) { return emit_pair(j, i, 0, true); }

static int emit_nothing(struct jit *j, const struct insn *i)
{
    (void)j, (void)i;
    return 1;
}

/* ---- groups ---- */

bool jit_mem_shape(const struct insn *i, struct jit_shape *s)
{
    jit_emit_fn *fn = jit_emitters[i->op];
    bool pair = fn == emit_pair_off || fn == emit_pair_post || fn == emit_pair_pre;
    bool post = fn == emit_post || fn == emit_pair_post, pre = fn == emit_pre || fn == emit_pair_pre;
    bool index = fn == emit_regoff;
    if (!pair && !post && !pre && !index && fn != emit_offset)
        return false;
    s->off = post || index ? 0 : (s64)i->imm;
    s->moves = post || pre ? (s64)i->imm : 0;
    s->size = (pair ? 2u : 1u) << i->p;
    return true;
}

bool jit_mem_has_index(const struct insn *i) { return jit_emitters[i->op] == emit_regoff; }

void jit_init_mem(jit_emit_fn **t)
{
#define LS(id)                                                                                     \
    t[OP_##id##_ui] = t[OP_##id##_ur] = emit_offset;                                               \
    t[OP_##id##_po] = emit_post;                                                                   \
    t[OP_##id##_pr] = emit_pre;                                                                    \
    t[OP_##id##_ro] = emit_regoff;
    LS(STRB) LS(LDRB) LS(LDRSBx) LS(LDRSBw) LS(STRH) LS(LDRH) LS(LDRSHx) LS(LDRSHw)
    LS(STRw) LS(LDRw) LS(LDRSW) LS(STRx) LS(LDRx)
    LS(STRvb) LS(LDRvb) LS(STRvq) LS(LDRvq) LS(STRvh) LS(LDRvh) LS(STRvs) LS(LDRvs) LS(STRvd) LS(LDRvd)
#define LP(id) t[OP_##id##_na] = t[OP_##id##_of] = emit_pair_off; LPW(id)
#define LPW(id) t[OP_##id##_pr] = emit_pair_pre; t[OP_##id##_po] = emit_pair_post;
    LP(STPw) LP(LDPw) LP(STPx) LP(LDPx) LP(STPvs) LP(LDPvs) LP(STPvd) LP(LDPvd) LP(STPvq) LP(LDPvq)
    t[OP_STTRB] = t[OP_LDTRB] = t[OP_LDTRSBx] = t[OP_LDTRSBw] = t[OP_STTRH] = t[OP_LDTRH] = emit_user;
    t[OP_LDTRSHx] = t[OP_LDTRSHw] = t[OP_STTRw] = t[OP_LDTRw] = t[OP_LDTRSW] = t[OP_STTRx] = t[OP_LDTRx] = emit_user;
    t[OP_LDPSW_of] = emit_pair_off;
    LPW(LDPSW)
    t[OP_LDRw_l] = t[OP_LDRx_l] = t[OP_LDRSW_l] = t[OP_LDRvs_l] = t[OP_LDRvd_l] = t[OP_LDRvq_l] = emit_literal;
    t[OP_PRFM_ui] = t[OP_PRFM_ur] = t[OP_PRFM_ro] = t[OP_PRFM_l] = emit_nothing;
}
