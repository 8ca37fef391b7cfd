// Which guest registers a block keeps in the host's, and bringing those up to date.
#include "jit/translate.h"

static int pinned(unsigned n)
{
    switch (n) {
#define P_CASE(g, h) case g: return h;
        JIT_PINNED(P_CASE)
    default: return -1;
    }
}

enum { LOOP_WEIGHT = 8 };

/// The general registers that i names in operands with one of these flags.
static u64 names(const struct insn *i, u32 flags)
{
    u32 f = i->flags & flags, v = i->flags;
    return (u64)(f & (DR | DW) && !(v & VD)) << i->rd | (u64)(f & (NR | NW) && !(v & VN)) << i->rn |
           (u64)(f & (MR | MW) && !(v & VM)) << i->rm | (u64)(f & (AR | AW) && !(v & VA)) << i->ra;
}
static u64 writes(const struct insn *i) { return names(i, DW | NW | MW | AW); }

/// borrow: host registers that a loop may have, too.
static void assign_x(struct jit *j, u16 use[REG_COUNT], u16 borrow)
{
    j->lent = 0;
    for (unsigned c = 0; c < 2 || borrow; c++) {
        unsigned best = 0;
        for (unsigned n = 1; n < 31; n++)
            if (use[n] > use[best])
                best = n;
        if (use[best] < (c < 2 ? 2 : 2 * LOOP_WEIGHT))
            break;
        use[best] = 0;
        if (c < 2) {
            j->xmap[best] = c ? XCACHE_B : XCACHE_A;
            continue;
        }
        j->xmap[best] = (s8)__builtin_ctz(borrow);
        j->lent |= borrow & -borrow;
        borrow &= borrow - 1;
    }
    j->x_late = 0;
    for (unsigned k = 0; j->is_loop && !j->cfg.no_link && !j->cfg.v_through && k < j->loop_end; k++) {
        u64 w = writes(&j->in[k]);
        for (unsigned n = 0; n < 31; n++)
            if (w >> n & 1 && pinned(n) < 0 && jit_is_cache(j, j->xmap[n]))
                j->x_late |= 1u << n;
    }
}

void jit_assign(struct jit *j)
{
    u16 use[REG_COUNT] = {0}, vuse[32] = {0};
    u64 named = 0; // by the loop
    for (unsigned k = 0; k < j->n; k++) {
        const struct insn *i = &j->in[k];
        u32 f = i->flags;
        u16 w = j->is_loop && k < j->loop_end ? LOOP_WEIGHT : 1;
        if (k < j->loop_end)
            named |= names(i, ~0u);
        *(f & VD ? &vuse[i->rd] : &use[i->rd]) += f & (VD | DR | DW) ? w : 0;
        *(f & VN ? &vuse[i->rn] : &use[i->rn]) += f & (VN | NR | NW) ? w : 0;
        *(f & VM ? &vuse[i->rm] : &use[i->rm]) += f & (VM | MR | MW) ? w : 0;
        *(f & VA ? &vuse[i->ra] : &use[i->ra]) += f & (VA | AR | AW) ? w : 0;
    }
    u16 borrow = 0;
    for (unsigned n = 0; n < REG_COUNT; n++) {
        j->xmap[n] = (s8)pinned(n);
        j->xloaded[n] = j->xmap[n] >= 0;
        if (j->is_loop && j->xmap[n] >= 0 && !(named >> n & 1) && !j->cfg.no_link)
            borrow |= (u16)(1u << j->xmap[n]);
        if (j->xmap[n] >= 0 || n >= 31)
            use[n] = 0;
    }
    assign_x(j, use, borrow);
    jit_vclasses(j);
    memset(j->vmap, -1, sizeof j->vmap);
    memset(j->vloaded, 0, sizeof j->vloaded);
    for (unsigned c = 0; c < (j->cpu.avx2 ? XV_COUNT : XV_COUNT_SSE) && j->cpu.sse42; c++) {
        unsigned best = 0;
        for (unsigned n = 1; n < 32; n++)
            if (vuse[n] > vuse[best])
                best = n;
        if (vuse[best] == 0)
            break;
        j->vmap[best] = (s8)(XV_FIRST + c);
        vuse[best] = 0;
    }
}

#define P_LEND(g, h) if (j->lent >> h & 1) x_op(b, XI_ST | XW, h, ENV_X(g), 0);
#define P_BACK(g, h) if (j->lent >> h & 1) x_rm(b, XI_MOV | XW, h, ENV_X(g));
void jit_lend(struct jit *j)
{
    struct xbuf *b = &j->b;
    JIT_PINNED(P_LEND)
}

u32 jit_late_now(const struct jit *j)
{
    u32 now = 0;
    for (u32 left = j->x_late; left; left &= left - 1)
        now |= j->xloaded[__builtin_ctz(left)] ? left & -left : 0;
    return now;
}

void jit_xspill(struct jit *j, struct xbuf *b, u32 mask)
{
    for (; mask; mask &= mask - 1) {
        unsigned n = (unsigned)__builtin_ctz(mask);
        x_op(b, XI_ST | XW, j->xmap[n], ENV_X(n), 0);
    }
}

void jit_give_back(struct jit *j, struct xbuf *b)
{
    jit_xspill(j, b, b == &j->b ? jit_late_now(j) : j->x_late_cold);
    JIT_PINNED(P_BACK)
}

void jit_end_loop(struct jit *j)
{
    jit_give_back(j, &j->b);
    j->x_late = j->x_late_cold = 0;
    for (unsigned n = 0; n < 31; n++)
        if (j->xmap[n] >= 0 && j->lent >> j->xmap[n] & 1 && pinned(n) < 0) {
            j->xmap[n] = -1;
            j->xloaded[n] = false;
        }
    j->lent = 0;
}

void jit_caches_drop(struct jit *j)
{
    for (unsigned n = 0; n < 31; n++)
        if (jit_is_cache(j, j->xmap[n]) && pinned(n) < 0)
            j->xloaded[n] = false;
    memset(j->vloaded, 0, sizeof j->vloaded);
    j->vdirty = 0;
    j->sp_aligned = false;
}

/// Loads the cached registers of the loop that are not loaded, for its top. Those it writes in full: they may
/// be stored before they are written.
void jit_caches_fill(struct jit *j, struct xbuf *b)
{
    for (unsigned n = 0; n < 31; n++)
        if (j->xmap[n] >= 0 && !j->xloaded[n] && j->loop_x >> n & 1)
            x_rm(b, XI_MOV | XW, j->xmap[n], ENV_X(n));
    for (unsigned n = 0; n < 32; n++) {
        if (j->vmap[n] < 0 || j->vloaded[n] || !(j->loop_v >> n & 1))
            continue;
        if (j->vdirty_top >> n & 1)
            x_v(b, XV_MOVAPS, j->vmap[n], 0, ENV_V(n));
        else
            jit_vload(j, b, j->vmap[n], n);
    }
}

/// Reloads what is marked as loaded: after C code ran in a slow path.
void jit_caches_reload(struct jit *j, struct xbuf *b)
{
    for (unsigned n = 0; n < 31; n++)
        if (jit_is_cache(j, j->xmap[n]) && pinned(n) < 0 && j->xloaded[n])
            x_rm(b, XI_MOV | XW, j->xmap[n], ENV_X(n));
    for (unsigned n = 0; n < 32; n++) {
        if (j->vmap[n] < 0 || !j->vloaded[n])
            continue;
        if ((j->vdirty | j->vdirty_top) >> n & 1) // it may be stored before the loop writes it
            x_v(b, XV_MOVAPS, j->vmap[n], 0, ENV_V(n));
        else
            jit_vload(j, b, j->vmap[n], n);
    }
}

u32 jit_loop_registers(struct jit *j)
{
    u32 inputs = 0, written = 0;
    j->loop_x = 0;
    j->loop_v = j->vdirty_top = 0;
    for (unsigned k = 0; k < j->loop_end; k++) {
        const struct insn *i = &j->in[k];
        const u8 reg[4] = {i->rd, i->rn, i->rm, i->ra};
        static const u32 is_v[4] = {VD, VN, VM, VA}, reads[4] = {DR, VN, VM, AR}, writes[4] = {DW, NW, MW, AW};
        u32 wrote = 0;
        for (unsigned o = 0; o < 4; o++) {
            if (!(i->flags & is_v[o])) {
                j->loop_x |= 1ULL << reg[o];
                continue;
            }
            u32 v = 1u << reg[o];
            j->loop_v |= v;
            if (i->flags & (reads[o] | ST))
                inputs |= v & ~written;
            if (i->flags & writes[o])
                wrote |= v;
        }
        written |= wrote;
    }
    for (unsigned n = 0; n < 32; n++)
        if (j->vmap[n] >= 0 && !j->cfg.v_through)
            j->vdirty_top |= written & 1u << n;
    return inputs & j->vdirty_top;
}
