// The ways out of a block: links, guards of links to other pages, checks for attention, calls and returns.
#include "jit/translate.h"

static struct jit_link *new_link(struct jit *j, s64 target)
{
    struct jit_link *l = &j->pending[j->pending_n++];
    memset(l, 0, sizeof *l);
    l->delta = (s32)(target & ~0xfffLL);
    l->off = (u16)(target & 0xfff);
    l->src = (u16)(j->off[j->k] & 0xfff);
    l->number = jit_link_number(j);
    l->is_cross = l->delta != 0;
    return l;
}

/// A displacement that comes after so many bytes may be patched while other CPUs run it: it must not lie
/// across eight bytes.
static void align_site(const struct jit *j, struct xbuf *b, unsigned lead)
{
    while (j->cfg.smp && ((uintptr_t)(b->p + lead) & 7) > 4)
        x_u8(b, 0x90);
}

/// jmp or call through a link. The stub in cold code asks C to resolve it.
static void link_jump(struct jit *j, struct xbuf *b, struct jit_link *l, bool call)
{
    l->is_call = call;
    align_site(j, b, 1);
    l->site = call ? x_call(b, NULL) : x_jmp(b, NULL);
}

/// A branch back: counts down on its way until the loop is hot.
static void heat(struct jit *j, struct jit_link *l, u32 number)
{
    struct xbuf *c = &j->cold;
    u32 n = j->heat_next++ % SITES;
    j->heat[n] = (s32)j->cfg.hot;
    l->heat = c->p;
    x_rm(c, XI_MOV | XW, RCX, ENV_JW(JW_HEAT));
    x_alu_i(c, ALU_SUB, 0, xm(RCX, (s32)(4 * n)), 1);
    u8 *warm = x_jcc8(c, CC_NS);
    x_mov_ri(c, RAX, number);
    x_jmp(c, j->t_hot);
    x_patch8(warm, c->p);
    align_site(j, c, 1);
    l->heat_jump = x_jmp(c, NULL);
}

static void link_stub(struct jit *j, struct jit_link *l)
{
    u32 number = l->number;
    l->stub = j->cold.p;
    if (l->is_cross && !l->guard) // a CPU whose guard holds comes here when the link was taken back
        x_alu_i(&j->cold, ALU_SUB, XW, ENV(jit_page), l->delta);
    l->miss = j->cold.p;
    if (l->is_cross) {
        jit_pc(j, &j->cold, RAX, l->delta + l->off);
        x_mov_ri(&j->cold, RDX, number);
        x_jmp(&j->cold, j->t_cross);
    } else {
        x_mov_ri(&j->cold, RAX, number);
        x_jmp(&j->cold, j->t_link);
        if (l->off <= l->src && j->cfg.hot && !l->is_call)
            heat(j, l, number);
    }
    x_patch(l->site, l->stub);
}

/// A check whether to leave: its jumps.
struct check {
    u8 *attention, *spent, *forced;
};

/// Attention is set, or the budget of instructions is used up. Counting clobbers rcx.
static struct check check(struct jit *j, struct xbuf *b)
{
    struct check k = {0};
    if (j->cfg.count) {
        x_rm(b, XI_MOV | XW, RCX, ENV(icount));
        x_rm(b, XI_CMP | XW, RCX, ENV(budget));
        k.spent = x_jcc(b, CC_AE, NULL);
    }
    x_alu_i(b, ALU_CMP, 0, ENV(attention), 0);
    k.attention = x_jcc(b, CC_NE, NULL);
    if (UNLIKELY(j->cfg.attend_every)) {
        x_alu_i(b, ALU_SUB, 0, ENV_JW(JW_ATTEND), 1);
        k.forced = x_jcc(b, CC_S, NULL);
    }
    return k;
}

/// Cold: where a check goes.
static void checked(struct jit *j, struct check k, s64 target)
{
    struct xbuf *c = &j->cold;
    x_patch(k.attention, c->p);
    if (k.spent)
        x_patch(k.spent, c->p);
    if (k.forced)
        x_patch(k.forced, c->p);
    jit_vspill(j, c, j->vdirty);
    jit_give_back(j, c);
    jit_pc(j, c, RAX, target);
    x_jmp(c, j->t_attention);
}

/// cmp attention; when set, or the budget of instructions is used up, leave for `target`. In cold code
/// the path is inline. Counting clobbers rcx.
void jit_attention_check(struct jit *j, struct xbuf *b, s64 target)
{
    struct check k = check(j, b);
    u8 *skip = b == &j->cold ? x_jmp(b, NULL) : NULL;
    checked(j, k, target);
    if (skip)
        x_patch(skip, b->p);
}

/// The guard of a cross-page transfer: leaves through *miss (patched to the stub) unless the
/// source page and the context are those the link was made for; then moves jit_page.
static void cross_guard(struct jit *j, struct xbuf *b, struct jit_link *l, u8 *miss[2])
{
    if (j->cfg.smp) {
        const s32 at = (s32)(l->number % GUARDS_MAX * sizeof(struct jit_guard));
        x_rm(b, XI_MOV | XW, RCX, ENV_JW(JW_GUARDS));
        x_rm(b, XI_MOV | XW, RAX, ENV(jit_page));
        x_rm(b, XI_CMP | XW, RAX, xm(RCX, at));
        miss[0] = x_jcc(b, CC_NE, NULL);
        x_rm(b, XI_MOV | XW, RCX, xm(RCX, at + (s32)offsetof(struct jit_guard, gen)));
        x_rm(b, XI_CMP | XW, RCX, ENV_JW(JW_GEN));
        miss[1] = x_jcc(b, CC_NE, NULL);
    } else {
        if (b == &j->cold) { // data in line, jumped over by nobody: put it before
            u8 *over = x_jmp8(b);
            l->guard = b->p;
            x_u64(b, ~0ULL), x_u64(b, 0);
            x_patch8(over, b->p);
        } else {
            l->guard = j->cold.p;
            x_u64(&j->cold, ~0ULL), x_u64(&j->cold, 0);
        }
        x_rm(b, XI_MOV | XW, RAX, ENV(jit_page));
        x_rm(b, XI_CMP | XW, RAX, xrip(l->guard));
        miss[0] = x_jcc(b, CC_NE, NULL);
        x_rm(b, XI_MOV | XW, RCX, ENV_JW(JW_GEN));
        x_rm(b, XI_CMP | XW, RCX, xrip(l->guard + 8));
        miss[1] = x_jcc(b, CC_NE, NULL);
    }
    x_alu_i(b, ALU_ADD, XW, xr(RAX), l->delta);
    x_op(b, XI_ST | XW, RAX, ENV(jit_page), 0);
}

/// The jump of an exit.
static void leave_to(struct jit *j, struct xbuf *b, s64 target)
{
    jit_vspill(j, b, j->vdirty);
    jit_give_back(j, b);
    struct jit_link *l = new_link(j, target);
    if (l->delta == 0) {
        link_jump(j, b, l, false);
        link_stub(j, l);
        return;
    }
    u8 *miss[2];
    cross_guard(j, b, l, miss);
    link_jump(j, b, l, false);
    link_stub(j, l);
    x_patch(miss[0], l->miss);
    x_patch(miss[1], l->miss);
}

bool jit_tests_at_top(const struct jit *j) { return !j->cfg.count; }

void jit_exit_to(struct jit *j, struct xbuf *b, s64 target)
{
    s64 here = j->off[j->k];
    bool is_back = j->loop_top && target == j->blk->off;
    struct check k = {0};
    jit_count(j, b, j->k + 1);
    if ((target <= here && !(is_back && jit_tests_at_top(j))) || j->cfg.attention_always)
        k = check(j, b);
    if (is_back) {
        jit_vspill(j, b, j->vdirty & ~j->vdirty_top);
        jit_caches_fill(j, b);
        x_jmp(b, j->loop_top);
    } else {
        leave_to(j, b, target);
    }
    if (k.attention)
        checked(j, k, target);
}

/// True when every cached register of the loop holds its value, as its top wants it.
static bool all_loaded(const struct jit *j)
{
    for (unsigned n = 0; n < 32; n++)
        if ((n < 31 && j->xmap[n] >= 0 && !j->xloaded[n] && j->loop_x >> n & 1) ||
            (j->vmap[n] >= 0 && !j->vloaded[n] && j->loop_v >> n & 1))
            return false;
    return true;
}

/// jcc to target out of the block, saving live flags on that path only.
void jit_exit_cc(struct jit *j, unsigned cc, s64 target)
{
    s64 here = j->off[j->k];
    bool save = j->live_taken[j->k] && !j->fl_env && (j->fl != FL_NONE || j->waiting);
    if (j->follows[j->k]) { // the other way out
        cc ^= 1;
        target = here + 4;
    }
    if (j->loop_top && target == j->blk->off && jit_tests_at_top(j) && !save && !j->cfg.attention_always &&
        !(j->vdirty & ~j->vdirty_top) && all_loaded(j)) {
        x_jcc(&j->b, cc, j->loop_top);
        return;
    }
    bool plain = target > here && target < GUEST_PAGE && !save && !j->vdirty && !j->lent && !j->x_late_cold && !j->cfg.attention_always && !j->cfg.count;
    if (plain) { // straight to the link
        struct jit_link *l = new_link(j, target);
        align_site(j, &j->b, 2);
        l->site = x_jcc(&j->b, cc, NULL);
        link_stub(j, l);
        return;
    }
    x_jcc(&j->b, cc, j->cold.p);
    if (save) {
        jit_xspill(j, &j->cold, j->x_late_cold); // of which the comparison may be
        jit_flags_save_in(j, &j->cold);
    }
    jit_exit_to(j, &j->cold, target);
}

/// BL: pushes the return address and calls; the code after it runs when the callee returns.
void jit_call_to(struct jit *j, s64 target)
{
    s64 here = j->off[j->k];
    struct xbuf *b = &j->b;
    jit_pc(j, b, RAX, here + 4);
    jit_xset(j, 30, RAX);
    jit_count(j, b, j->k + 1);
    if (j->cfg.count || j->cfg.attention_always)
        jit_attention_check(j, b, target);
    jit_push_return(j, target);
    struct jit_link *l = new_link(j, target);
    if (l->delta == 0) {
        link_jump(j, b, l, true);
        link_stub(j, l);
    } else {
        u8 *miss[2];
        cross_guard(j, b, l, miss);
        link_jump(j, b, l, true);
        link_stub(j, l);
        // missed before the call was made: call the stub, then go on as after the call
        x_patch(miss[0], j->cold.p);
        x_patch(miss[1], j->cold.p);
        x_call(&j->cold, l->miss);
        x_jmp(&j->cold, b->p);
    }
    jit_landing(j);
}

/// rax = return address: onto the prediction stack. When that is full it is emptied, and attention
/// tested: calls that are never returned from end up here, so no other call need test it.
/// target: where the call goes, or CALL_RDX.
void jit_push_return(struct jit *j, s64 target)
{
    struct xbuf *b = &j->b;
    x_rm(b, XI_CMP | XW, RSP, ENV_JW(JW_RSP_LIMIT));
    struct xbuf *c = jit_cold_begin(j, CC_B);
    x_rm(c, XI_MOV | XW, RSP, ENV_JW(JW_RSP));
    if (j->cfg.count) { // every call has tested it, where the budget is looked at too
        jit_cold_end(j);
        x_push(b, RAX);
        return;
    }
    x_alu_i(c, ALU_CMP, 0, ENV(attention), 0);
    u8 *leaves = x_jcc8(c, CC_NE);
    jit_cold_end(j);
    x_patch8(leaves, c->p);
    if (target == CALL_RDX) {
        x_mov(c, RAX, RDX);
        x_jmp(c, j->t_indirect);
    } else {
        jit_vspill(j, c, j->vdirty);
        jit_pc(j, c, RAX, target);
        x_jmp(c, j->t_attention);
    }
    x_push(b, RAX);
}

void jit_mark_trail(struct jit *j, unsigned off)
{
    const s32 e = (s32)offsetof(struct cpu, trail.e) - CPU_BIAS;
    struct xbuf *b = &j->b;
    if (!j->cfg.trail)
        return;
    x_rm(b, XI_MOV, RCX, ENV(trail.head));
    x_alu_i(b, ALU_ADD, 0, ENV(trail.head), 1);
    x_alu_i(b, ALU_AND, 0, xr(RCX), TRAIL_LEN - 1);
    x_shift_i(b, SH_SHL, 0, xr(RCX), 4);
    x_rm(b, XI_MOV | XW, RAX, ENV(jit_page));
    x_alu_i(b, ALU_ADD, XW, xr(RAX), (s32)off);
    x_op(b, XI_ST | XW, RAX, xmi(RENV, RCX, 0, e + 8), 0);
    x_store_i(b, XW, xmi(RENV, RCX, 0, e), TRAIL_MARK);
}

/// Where a predicted return arrives, rax = its address.
void jit_landing(struct jit *j)
{
    if (j->off[j->k] + 4 == GUEST_PAGE) // the block stays in the page of the call
        x_rm(&j->b, XI_LEA | XW, RAX, xm(RAX, -4));
    x_alu_i(&j->b, ALU_AND, XW, xr(RAX), -GUEST_PAGE);
    x_op(&j->b, XI_ST | XW, RAX, ENV(jit_page), 0);
    jit_mark_trail(j, j->off[j->k] + 4u);
    jit_caches_drop(j);
    j->waiting = j->origin = NULL;
    j->fl = FL_NONE;
    j->fl_env = true;
}
