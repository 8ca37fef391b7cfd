// The check of a load or store. An access compares its address with the page its site slot remembers; a miss
// goes out of line to the soft TLB, refills the slot and tries again, or runs the exec_ body.
#include "jit/mem.h"

/// Slots 0..15 belong to the stack. The others are dealt out by direction and size: a slot filled by a
/// load must not serve a store (the page may be read-only, or hold code), nor one filled by a narrow
/// access a wider one (it may cross the page). Groups have their own, by the bytes they span.
enum { SLOT_GROUP = 6, SLOT_SHARED = 16, SIZE_CLASSES = 6, SPANS = 4, SPAN_MIN = 32, SPAN_MAX = SPAN_MIN << (SPANS - 1) };
_Static_assert(SIZE_CLASSES + SPANS == SLOT_CLASSES, "classes");
static const u16 slot_deal[2][SLOT_CLASSES] = { /* 1, 2, 4, 8, 16 bytes, any other; groups */
    {40, 8, 48, 104, 48, 16, 16, 16, 12, 8}, /* loads */
    {8, 8, 24, 64, 24, 8, 10, 10, 8, 4},     /* stores */
};
enum { SLOTS_DEALT = 40 + 8 + 48 + 104 + 48 + 16 + 52 + 8 + 8 + 24 + 64 + 24 + 8 + 32 };
_Static_assert(SLOT_SHARED + SLOTS_DEALT <= SLOT_COUNT, "slots dealt out");

static unsigned size_class(unsigned size)
{
    return size <= 16 && (size & (size - 1)) == 0 ? (unsigned)__builtin_ctz(size) : SIZE_CLASSES - 1;
}
static bool is_stack_slot(bool is_sp, unsigned size) { return is_sp && size_class(size) < SIZE_CLASSES - 1; }

/// The next slot of a class.
static s32 deal(struct jit *j, unsigned cls, bool write)
{
    unsigned n = SLOT_SHARED;
    for (unsigned d = 0; d <= (unsigned)write; d++)
        for (unsigned k = 0; k < (d == write ? cls : SLOT_CLASSES); k++)
            n += slot_deal[d][k];
    unsigned count = slot_deal[write][cls] < j->cfg.slots ? slot_deal[write][cls] : j->cfg.slots;
    return (s32)(n + j->slot_next[write][cls]++ % count);
}

/// The slot's number.
static s32 slot_of(struct jit *j, bool is_sp, unsigned size, bool write)
{
    if (is_stack_slot(is_sp, size))
        return (s32)((size <= 4 ? 0 : size == 8 ? 2 : 4) + (unsigned)write);
    return deal(j, size_class(size), write);
}

/// The span that every user of the slot fits into.
static unsigned span_of(bool is_sp, unsigned size)
{
    enum { SPAN_OTHER = 64 };
    if (is_stack_slot(is_sp, size))
        return size < 4 ? 4 : size;
    return size_class(size) == SIZE_CLASSES - 1 ? SPAN_OTHER : size;
}

struct jit_addr jit_addr_rn(struct jit *j, unsigned rn, s64 off)
{
    return (struct jit_addr){.base = jit_xread(j, rn, RAX), .off = off, .is_sp = rn == REG_SP || rn == 29};
}

/// Sites that look the address up in the soft TLB instead of in a slot: those whose slots missed too
/// often, and those of EL1 outside the stack. A kernel's working set has more sites than slots, which
/// would throw each other out (creating a process took four times as long).
static bool is_indexed(const struct jit *j, struct jit_addr a)
{
    return j->mem_user || (j->mode & MODE_EL1 && !a.is_sp) || jit_site_is_hot(j, j->blk->page + j->off[j->k]);
}

/// rdx = address: looks it up in the soft TLB. rcx <- addend.
static void indexed(struct jit *j, unsigned size, bool write)
{
    struct xbuf *b = &j->b;
    s32 table = (s32)(write ? offsetof(struct mmuctx, w) : offsetof(struct mmuctx, r));
    if (j->cpu.bmi2) {
        x_rorx(b, 0, RCX, xr(RDX), GUEST_PAGE_SHIFT - 4);
    } else {
        x_mov32(b, RCX, RDX);
        x_shift_i(b, SH_SHR, 0, xr(RCX), GUEST_PAGE_SHIFT - 4);
    }
    x_alu_i(b, ALU_AND, 0, xr(RCX), (TLB_SIZE - 1) << 4);
    xrm e = xmi(RCTX, RCX, 0, table);
    if (j->mem_user) {
        x_rm(b, XI_ADD | XW, RCX, ENV(ctx_unpriv));
        e = xm(RCX, table);
    }
    x_rm(b, XI_SUB | XW, RDX, e);
    x_alu_i(b, ALU_CMP, XW, xr(RDX), GUEST_PAGE - (s32)size);
    j->mem_probe = x_jcc(b, CC_A, NULL);
    e.disp += (s32)offsetof(struct tlb_ent, addend);
    x_rm(b, XI_MOV | XW, RCX, e);
}
_Static_assert(offsetof(struct tlb_ent, tag) == 0 && sizeof(struct tlb_ent) == 16, "indexed");

static xrm slot_field(s32 slot, size_t field)
{
    return xm(RCTX, (s32)(offsetof(struct mmuctx, slot) + sizeof(struct slot_ent) * (size_t)slot + field));
}

/// rdx = address: compares it with what the slot remembers. rcx <- addend.
static void by_slot(struct jit *j, s32 slot)
{
    struct xbuf *b = &j->b;
    x_rm(b, XI_SUB | XW, RDX, xm(RCTX, (s32)(offsetof(struct mmuctx, slot_page) + 8 * (size_t)slot)));
    x_rm(b, XI_CMP | XW, RDX, slot_field(slot, offsetof(struct slot_ent, limit)));
    j->mem_probe = x_jcc(b, CC_AE, NULL);
    x_rm(b, XI_MOV | XW, RCX, slot_field(slot, offsetof(struct slot_ent, addend)));
}

/// rdx <- the address.
static void load_address(struct xbuf *b, struct jit_addr a)
{
    if (a.off)
        x_rm(b, XI_LEA | XW, RDX, xm(a.base, (s32)a.off));
    else
        x_mov(b, RDX, a.base);
}

/* ---- groups: one check for the accesses around one base ---- */

static bool writes(const struct insn *i, unsigned n)
{
    u32 f = i->flags;
    return (f & DW && !(f & VD) && i->rd == n) || (f & NW && !(f & VN) && i->rn == n) ||
           (f & MW && !(f & VM) && i->rm == n) || (f & AW && !(f & VA) && i->ra == n);
}

/// Two accesses with the same base; as has_index says, with the same index.
static bool same_base(const struct insn *a, const struct insn *b)
{
    return a->rn == b->rn && jit_mem_has_index(a) == jit_mem_has_index(b) && (!jit_mem_has_index(a) || (a->rm == b->rm && a->imm == b->imm));
}

/// A load that overwrites its base.
static bool loads_base(const struct insn *i)
{
    return !(i->flags & (ST | VD)) &&
           (i->rd == i->rn || (i->flags & AW && i->ra == i->rn) || (jit_mem_has_index(i) && i->rd == i->rm));
}

struct group {
    s64 lo, hi; ///< bytes from the leader's base
    bool write;
    u64 members;
};

/// The accesses after the present one that lie close to it: in the block, around the same base as long
/// as that moves by constants only. A store that may not come to pass does not make its leader ask for a
/// page that can be written.
static bool find_group(const struct jit *j, const struct insn *i, struct group *g)
{
    struct jit_shape s;
    if (j->mode & MODE_ALIGN || j->mem_user || j->cfg.no_group || !jit_mem_shape(i, &s) || loads_base(i) ||
        jit_site_is_hot(j, j->blk->page + j->off[j->k] + SITE_ALONE))
        return false;
    s64 moved = s.moves;
    bool maybe = false;
    *g = (struct group){s.off, s.off + s.size, i->flags & ST, 0};
    for (unsigned k = j->k + 1; k < j->n; k++) {
        const struct insn *m = &j->in[k];
        if (jit_is_cond_branch(m)) {
            maybe = true;
            continue;
        }
        if (m->op == OP_B)
            continue;
        if (m->flags & (BR | END))
            break;
        if (!j->grp[k] && jit_mem_shape(m, &s) && same_base(m, i)) {
            s64 lo = moved + s.off < g->lo ? moved + s.off : g->lo, hi = moved + s.off + s.size;
            hi = hi > g->hi ? hi : g->hi;
            if (hi - lo <= SPAN_MAX && (!(m->flags & ST) || g->write || !maybe)) {
                g->lo = lo;
                g->hi = hi;
                g->write |= (m->flags & ST) != 0;
                g->members |= 1ULL << k;
            }
            moved += s.moves;
            if (loads_base(m))
                break;
        } else if ((m->op == OP_ADD_i || m->op == OP_SUB_i) && m->rd == i->rn && m->rn == i->rn && m->sf && !jit_mem_has_index(i)) {
            moved += m->op == OP_ADD_i ? (s64)m->imm : -(s64)m->imm;
        } else if (writes(m, i->rn) || (jit_mem_has_index(i) && writes(m, i->rm))) {
            break;
        }
    }
    return g->members != 0;
}

/// A slot taken by somebody else is lost for the members of an older group.
static void forget_slot(struct jit *j, s32 slot)
{
    for (unsigned k = j->k + 1; k < j->n; k++)
        if (j->grp[k] == slot + 1)
            j->grp[k] = 0;
}

/// The check of a group: all its bytes lie on one page. rcx <- addend, which stays in the group's slot, or
/// is left in cpu.jit[].
static void lead(struct jit *j, struct jit_addr a, const struct group *g)
{
    struct xbuf *b = &j->b;
    unsigned cls = 0, span = (unsigned)(g->hi - g->lo);
    s16 mark;
    j->mem_leads = true;
    j->mem_addr.off = g->lo;
    load_address(b, j->mem_addr);
    if (is_indexed(j, a)) {
        unsigned n = j->grp_next++ % JW_GROUPS;
        mark = (s16)(-1 - (s16)n);
        for (unsigned k = j->k + 1; k < j->n; k++)
            if (j->grp[k] == mark)
                j->grp[k] = 0;
        indexed(j, span, g->write);
        x_op(b, XI_ST | XW, RCX, ENV_JW(JW_GROUP + n), 0);
        j->mem_key = span | (u32)g->write << 16;
    } else {
        while (SPAN_MIN << cls < (int)span)
            cls++;
        bool plain = !a.is_sp && size_class(span) < SIZE_CLASSES - 1; // as a single access of that size
        s32 slot = a.is_sp ? SLOT_GROUP + 2 * (s32)cls + g->write : deal(j, plain ? size_class(span) : SIZE_CLASSES + cls, g->write);
        forget_slot(j, slot);
        mark = (s16)(slot + 1);
        by_slot(j, slot);
        j->mem_key = (plain ? span : (u32)SPAN_MIN << cls) | (u32)g->write << 16 | (u32)mark << 17;
    }
    for (u64 left = g->members; left; left &= left - 1)
        j->grp[__builtin_ctzll(left)] = mark;
}

/// Cold: the leader's check failed. C finds the page and the check is made again; where there is none (a
/// device, a fault, an end of page within the group) the body runs and the block is left, since its
/// members rely on the check.
static void lead_cold(struct jit *j, const struct insn *i)
{
    struct xbuf *c = &j->cold;
    u32 site = j->site_next++ % SITES;
    j->patience[site] = SITE_PATIENCE;
    x_patch(j->mem_probe, c->p);
    jit_vspill(j, c, j->vdirty_cold);
    load_address(c, j->mem_addr);
    x_mov_ri(c, RCX, j->mem_key | (u64)site << 32 | (u64)j->off[j->k] << 48);
    jit_give_back(j, c);
    x_call(c, j->t_fill);
    x_rr(c, XI_TEST, RCX, RCX);
    u8 *no = x_jcc(c, CC_E, NULL);
    jit_caches_reload(j, c);
    x_jmp(c, j->mem_retry);
    if (j->mem_slow[0]) { // the other way here has registers to store; C has lost them on this one
        x_patch(j->mem_slow[0], c->p);
        jit_vspill(j, c, j->vdirty_cold);
        jit_give_back(j, c);
    }
    x_patch(no, c->p);
    j->x_late_cold = 0;
    jit_cold_body(j, i);
    jit_count(j, c, j->k + 1);
    x_mov_ri(c, RCX, j->off[j->k] + 4u);
    x_jmp(c, j->cfg.count ? j->t_dead : j->t_dispatch); // what is a group must not decide where a turn ends
}

void jit_mem_clobber(struct jit *j, const struct insn *i)
{
    if (!j->grp[j->k] || (i->rn == REG_SP && !j->sp_aligned))
        jit_clobber(j);
}

/* ---- any access ---- */

xrm jit_mem(struct jit *j, const struct insn *i, struct jit_addr a, unsigned size, bool write, unsigned align)
{
    struct xbuf *b = &j->b;
    struct group g;
    s16 mark = j->grp[j->k];
    j->mem_probe = j->mem_slow[0] = j->mem_slow[1] = NULL;
    j->mem_leads = false;
    if (i->rn == REG_SP && (j->mode & MODE_SA) && !j->sp_aligned && i->flags & NSP) {
        x_test_i(b, 0, xr(jit_xread(j, REG_SP, RAX)), 15);
        j->mem_slow[0] = x_jcc(b, CC_NE, NULL);
        j->sp_aligned = true;
    }
    j->mem_retry = b->p;
    j->mem_addr = a;
    j->mem_write = write;
    xrm m = xmi(a.base, RCX, 0, (s32)a.off);
    if (mark) {
        x_rm(b, XI_MOV | XW, RCX, mark > 0 ? slot_field(mark - 1, offsetof(struct slot_ent, addend)) : ENV_JW(JW_GROUP - 1 - mark));
        return m;
    }
    if (!align && find_group(j, i, &g)) {
        lead(j, a, &g);
        return m;
    }
    load_address(b, a);
    unsigned strict = align ? align : j->mode & MODE_ALIGN ? (i->p <= 4 ? 1u << i->p : 1) : 1;
    if (strict > 1) {
        x_test_i(b, 0, xr(RDX), (s32)strict - 1);
        j->mem_slow[1] = x_jcc(b, CC_NE, NULL);
    }
    j->mem_indexed = is_indexed(j, a);
    if (j->mem_indexed) {
        indexed(j, size, write);
    } else {
        s32 slot = slot_of(j, a.is_sp, size, write);
        forget_slot(j, slot);
        j->mem_key = (u32)slot * 8 | span_of(a.is_sp, size) << 16;
        by_slot(j, slot);
    }
    return m;
}

/// Cold: checks that failed run the body.
static void slow_checks(struct jit *j)
{
    for (unsigned k = 0; k < 2; k++)
        if (j->mem_slow[k])
            x_patch(j->mem_slow[k], j->cold.p);
    if (j->mem_probe && j->mem_indexed)
        x_patch(j->mem_probe, j->cold.p);
}

void jit_mem_done(struct jit *j, const struct insn *i)
{
    struct xbuf *c = &j->cold;
    j->mem_user = false;
    if (j->mem_leads) {
        lead_cold(j, i);
        return;
    }
    if (!j->mem_probe && !j->mem_slow[0])
        return;
    if (!j->mem_probe || j->mem_indexed) {
        slow_checks(j);
        jit_cold_exec(j, i);
        jit_caches_reload(j, c);
        x_jmp(c, j->b.p);
        return;
    }
    u32 site = j->site_next++ % SITES;
    j->patience[site] = SITE_PATIENCE;
    x_patch(j->mem_probe, c->p);
    jit_vspill(j, c, j->vdirty_cold);
    jit_say_pending(j);
    load_address(c, j->mem_addr);
    jit_give_back(j, c);
    jit_wait_cold(j, j->mem_addr.base);
    x_mov_ri(c, RCX, j->mem_key | (u64)site << 32);
    x_call(c, j->mem_write ? j->t_store : j->t_load);
    u8 *retry = x_jmp(c, j->mem_retry);
    x_u32(c, i->word);
    x_u32(c, j->off[j->k]);
    u8 *after = c->p;
    jit_caches_reload(j, c);
    x_jmp(c, j->b.p);
    if (j->lent) {
        x_patch(retry, c->p);
        jit_caches_reload(j, c);
        x_jmp(c, j->mem_retry);
    }
    if (j->mem_slow[0] || j->mem_slow[1]) {
        slow_checks(j);
        jit_cold_exec(j, i);
        x_jmp(c, after);
    }
}
