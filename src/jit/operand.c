// Guest registers as host operands: pinned registers, registers cached within a block, memory.
// Cached general registers are written through, so that cpu.x is right except for the pinned ones; in loops some
// are stored when the loop is left or C code runs (jit.x_late).
// Cached V registers are stored when the block is left or C code runs (jit.vdirty).
#include "jit/jit.h"

int jit_xread(struct jit *j, unsigned n, int scratch)
{
    if (n == REG_ZR) {
        x_mov_ri(&j->b, scratch, 0);
        return scratch;
    }
    int r = j->xmap[n];
    if (r < 0) {
        x_rm(&j->b, XI_MOV | XW, scratch, ENV_X(n));
        return scratch;
    }
    if (!j->xloaded[n]) {
        x_rm(&j->b, XI_MOV | XW, r, ENV_X(n));
        j->xloaded[n] = true;
    }
    return r;
}

bool jit_xinreg(struct jit *j, unsigned n) { return j->xmap[n] >= 0; }

xrm jit_xop(struct jit *j, unsigned n)
{
    return j->xmap[n] >= 0 ? xr(jit_xread(j, n, RAX)) : ENV_X(n);
}

int jit_xwrite(struct jit *j, unsigned n, int scratch) { return j->xmap[n] >= 0 ? j->xmap[n] : scratch; }

void jit_xdone(struct jit *j, unsigned n, int r)
{
    if (n == REG_SINK)
        return;
    int home = j->xmap[n];
    if (home >= 0 && home != r)
        x_mov(&j->b, home, r);
    if (home < 0 || (jit_is_cache(j, home) && !(j->x_late >> n & 1)))
        x_op(&j->b, XI_ST | XW, r, ENV_X(n), 0);
    j->xloaded[n] = home >= 0;
    if (n == REG_SP) {
        j->sp_aligned = false;
        if (j->in[j->k].rn != REG_SP)
            x_op(&j->b, XI_ST | XW, r, ENV(sp_set), 0);
    }
}

void jit_xset(struct jit *j, unsigned n, int r) { jit_xdone(j, n, r); }

int jit_vread(struct jit *j, unsigned n, int scratch)
{
    int x = j->vmap[n];
    if (x < 0) {
        jit_vload(j, &j->b, scratch, n);
        return scratch;
    }
    if (!j->vloaded[n]) {
        jit_vload(j, &j->b, x, n);
        j->vloaded[n] = true;
    }
    return x;
}

int jit_vwrite(struct jit *j, unsigned n, int scratch) { return j->vmap[n] >= 0 ? j->vmap[n] : scratch; }

void jit_vdone(struct jit *j, unsigned n, int x)
{
    int home = j->vmap[n];
    if (home >= 0 && home != x)
        x_v(&j->b, XV_MOVAPS, home, 0, xr(x));
    j->vloaded[n] = home >= 0;
    j->vdirty &= ~(1u << n);
    if (home >= 0 && !j->cfg.v_through)
        j->vdirty |= 1u << n;
    else
        x_v(&j->b, XV_MOVAPS_ST, x, 0, ENV_V(n));
}

void jit_vspill(struct jit *j, struct xbuf *b, u32 mask)
{
    for (; mask; mask &= mask - 1) {
        unsigned n = (unsigned)__builtin_ctz(mask);
        x_v(b, XV_MOVAPS_ST, j->vmap[n], 0, ENV_V(n));
    }
}

void jit_vflush(struct jit *j, u32 mask)
{
    jit_vspill(j, &j->b, j->vdirty & mask);
    j->vdirty &= ~mask;
}

void jit_pc(struct jit *j, struct xbuf *b, int reg, s64 off)
{
    x_rm(b, XI_MOV | XW, reg, ENV(jit_page));
    if (off)
        x_rm(b, XI_LEA | XW, reg, xm(reg, (s32)off));
}
