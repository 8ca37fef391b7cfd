/// The last control transfers, made whole. Translated code only writes down which blocks it ran: how one was
/// reached from the one before is found by following the code between them.
#include "debug/priv.h"

enum { STEPS_MAX = 512, PATH_MAX_LEN = 16, FORKS_MAX = 24 };

struct hop {
    u64 from, to;
};
struct path {
    struct hop hop[PATH_MAX_LEN];
    unsigned n;
    u64 pc;
};

static bool fetch(struct cpu *c, u64 pc, struct insn *i)
{
    u32 word;
    if ((pc & 3) || (!mmu_debug_read(c, pc, &word, 4) && !mem_read(c->mem, pc, &word, 4))) /* unmapped since */
        return false;
    insn_decode(word, i);
    return true;
}

static bool is_direct(const struct insn *i)
{
    return i->op == OP_B || i->op == OP_BL || i->op == OP_Bcond || i->op == OP_CBZ || i->op == OP_CBNZ || i->op == OP_TBZ ||
           i->op == OP_TBNZ;
}

/// Depth first from one block's start to the next: straight on where possible, else along taken branches.
/// ret  false when only an indirect branch can lead there; out.pc is then the first one met, or 0
static bool find_path(struct cpu *c, u64 start, u64 end, struct path *out)
{
    struct path fork[FORKS_MAX];
    unsigned forks = 1, steps = 0;
    u64 indirect = 0;
    fork[0] = (struct path){.pc = start};
    while (forks) {
        struct path p = fork[--forks];
        struct insn i;
        for (bool first = true; steps++ < STEPS_MAX && fetch(c, p.pc, &i); first = false) {
            if (p.pc == end && !first) {
                *out = p;
                return true;
            }
            if (!(i.flags & BR)) {
                if (i.op == OP_ERET)
                    indirect = indirect ? indirect : p.pc;
                p.pc += 4;
                continue;
            }
            if (!is_direct(&i)) {
                indirect = indirect ? indirect : p.pc;
                break;
            }
            u64 to = p.pc + i.imm;
            struct path taken = p;
            if (taken.n < PATH_MAX_LEN)
                taken.hop[taken.n++] = (struct hop){p.pc, to};
            taken.pc = to;
            if (to == end) {
                *out = taken;
                return true;
            }
            if (i.op == OP_BL) /* goes on elsewhere */
                break;
            if (i.op == OP_B) {
                p = taken;
                continue;
            }
            if (forks < FORKS_MAX)
                fork[forks++] = taken;
            p.pc += 4;
        }
    }
    out->pc = indirect;
    return false;
}

/// Straight on and along branches that are always taken, as a block does by itself, up to an instruction.
/// ret  false when it is not met
static bool walk_block(struct cpu *c, u64 start, u64 end, struct path *out)
{
    struct insn i;
    *out = (struct path){.pc = start};
    for (unsigned steps = 0; out->pc != end && steps < STEPS_MAX && fetch(c, out->pc, &i); steps++) {
        if ((i.flags & BR && !is_direct(&i)) || i.op == OP_BL || i.op == OP_ERET || out->n == PATH_MAX_LEN)
            return false;
        u64 to = i.op == OP_B ? out->pc + i.imm : out->pc + 4;
        if (i.op == OP_B)
            out->hop[out->n++] = (struct hop){out->pc, to};
        out->pc = to;
    }
    return out->pc == end;
}

bool trail_is_complete(struct explain *x, const struct cpu *c)
{
    return c->full_trail == TRAIL_FULL || strcmp(machine_accel(x->m)->name, "interp") == 0;
}

bool trail_is_straight(struct explain *x, struct cpu *c, u64 from, u64 to)
{
    enum { BYTES_MAX = 16384 };
    bool complete = trail_is_complete(x, c);
    struct insn i;
    u32 word;
    if (to - from > BYTES_MAX)
        return false;
    for (u64 pc = from; pc < to; pc += 4) {
        if (!image_read(x, c, pc, &word, sizeof word))
            return true;
        insn_decode(word, &i);
        bool conditional = i.op == OP_Bcond || i.op == OP_CBZ || i.op == OP_CBNZ || i.op == OP_TBZ || i.op == OP_TBNZ;
        if (((i.flags & BR) && !(conditional && complete)) || i.op == OP_ERET)
            return false;
    }
    return true;
}

static void put(struct trail *t, u64 from, u64 to)
{
    unsigned h = t->head++ & (TRAIL_LEN - 1);
    t->e[h].from = from;
    t->e[h].to = to;
}

static void put_hops(struct trail *t, const struct path *p)
{
    for (unsigned hop = 0; hop < p->n; hop++)
        put(t, p->hop[hop].from, p->hop[hop].to);
}

void trail_resolve(struct cpu *c, struct trail *t, u64 end)
{
    struct trail out = {0};
    struct path p;
    unsigned n = t->head < TRAIL_LEN ? t->head : TRAIL_LEN;
    u64 at = 0; /* the block that ran before */
    bool marked = false;
    for (unsigned k = n; k > 0; k--) {
        unsigned h = (t->head - k) & (TRAIL_LEN - 1);
        u64 from = t->e[h].from, to = t->e[h].to;
        struct insn last;
        if (marked && from != TRAIL_MARK && walk_block(c, at, from, &p))
            put_hops(&out, &p);
        marked = from == TRAIL_MARK;
        if (from != TRAIL_MARK && to == from + 4 && fetch(c, from, &last) && !(last.flags & BR) && last.op != OP_ERET) {
            ; /* a block that went on into the next */
        } else if (from != TRAIL_MARK) {
            put(&out, from, to);
        } else if (at == to && k < n && t->e[(t->head - k - 1) & (TRAIL_LEN - 1)].from != TRAIL_MARK) {
            continue; /* the block that the transfer before led to */
        } else if (at && find_path(c, at, to, &p)) {
            put_hops(&out, &p);
        } else if (at && p.pc) {
            put(&out, p.pc, to);
        }
        at = to;
    }
    if (marked && end && walk_block(c, at, end, &p))
        put_hops(&out, &p);
    *t = out;
}
