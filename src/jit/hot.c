/// Hot loops. A branch back within its page counts down; when it is hot, a few rounds of its loop run
/// in the bodies while every conditional branch on the way says where it goes. Translations made
/// after that follow forward branches that are mostly taken, so that the usual way round becomes one
/// block, and a loop keeps its registers in the host's.
#include "cpu/dbg.h"
#include "cpu/sysreg_id.h"
#include "jit/translate.h"

#include <stdlib.h>

enum { WAYS = 1 << 13, WAY_MIN = 2, STEPS_MAX = 1500, ROUNDS_MAX = 4, BRANCHES_MAX = 64 };
enum { WAY_TAKEN = 1, WAY_KNOWN = 2 };

/// Which way a conditional branch goes: pa + WAY_*; 0 is empty.
static u64 *way_slot(const struct jit *j, gpa_t pa)
{
    unsigned k = (unsigned)((pa >> 2) * 0x9e3779b97f4a7c15ULL >> 40) & (WAYS - 1);
    while (j->ways[k] && (j->ways[k] & ~3ULL) != pa)
        k = (k + 1) & (WAYS - 1);
    return &j->ways[k];
}

void jit_hot_init(struct jit *j)
{
    enum { HOT_ROUNDS = 1000 };
    j->ways = xcalloc(WAYS, sizeof *j->ways);
    if (!j->cfg.hot)
        j->cfg.hot = HOT_ROUNDS;
    if (j->cfg.hot == ~0u)
        j->cfg.hot = 0;
}

bool jit_is_decided(const struct jit *j, gpa_t pa) { return *way_slot(j, pa) != 0; }
bool jit_is_taken(const struct jit *j, gpa_t pa) { return *way_slot(j, pa) & WAY_TAKEN; }

/// The first decision stays: code whose habits change is not translated again and again.
static bool decide(struct jit *j, gpa_t pa, bool taken)
{
    if (j->way_count > WAYS * 3 / 4) {
        memset(j->ways, 0, WAYS * sizeof *j->ways);
        j->way_count = 0;
    }
    u64 *s = way_slot(j, pa);
    if (*s)
        return false;
    *s = pa | WAY_KNOWN | (taken ? WAY_TAKEN : 0);
    j->way_count++;
    return taken;
}

struct branch {
    gpa_t pa;
    int taken, passed;
};

struct record {
    struct branch b[BRANCHES_MAX];
    unsigned n;
    bool at_check; ///< translated code would look at attention and budget here
};

static void note(struct record *r, gpa_t pa, bool taken)
{
    unsigned k = 0;
    while (k < r->n && r->b[k].pa != pa)
        k++;
    if (k == BRANCHES_MAX)
        return;
    if (k == r->n)
        r->b[r->n++] = (struct branch){.pa = pa};
    r->b[k].taken += taken;
    r->b[k].passed += !taken;
}

/// While instructions are counted a turn ends where translated code would end it: after a branch back. What it
/// looks at itself is left to it.
static bool is_exact(const struct jit *j) { return j->cfg.count && !j->cfg.check; }

/// Runs one instruction. ret  false when recording has to end; *status is what the body returned.
static bool step(struct jit *j, struct cpu *c, struct record *r, int *status)
{
    struct insn i;
    gpa_t pa;
    if ((r->at_check || !is_exact(j)) && (atomic_load_explicit(&c->attention, memory_order_relaxed) || c->icount >= c->budget))
        return false;
    const u32 *host = mmu_fetch(c, c->pc, &pa);
    if (!host) {
        r->at_check = true;
        return false;
    }
    if (LIKELY(c->dbg == NULL))
        i = *jit_insn(c, *host);
    else
        dbg_decode(c, pa, *host, &i);
    if (jit_touches_fpsr(&i) || (j->cfg.check && jit_stops_here(c, host)))
        return false;
    if (is_exact(j) && i.flags & (END | BR) && !jit_is_cond_branch(&i) && i.op != OP_B) {
        r->at_check = false;
        return false;
    }
    u64 pc = c->pc, taken = c->exceptions;
    c->icount++;
    *status = i.fn(c, &i);
    if (*status == EXEC_NEXT)
        c->pc += 4;
    r->at_check = c->pc <= pc || c->exceptions != taken;
    if (c->exceptions != taken || *status == EXEC_EXIT || (c->twice && c->twice->blocked))
        return false;
    if (jit_is_cond_branch(&i) && (s64)i.imm > 0)
        note(r, pa, c->pc != pc + 4);
    return !(i.flags & END);
}

/// Runs some rounds of the loop at c->pc and remembers the ways of its branches. ret  for jit_c_after
static int record(struct jit *j, struct cpu *c)
{
    struct record *r = xcalloc(1, sizeof *r);
    u64 head = c->pc;
    r->at_check = true;
    int status = EXEC_NEXT;
    for (unsigned steps = 0, rounds = 0; steps < STEPS_MAX && rounds < ROUNDS_MAX; steps++) {
        if (!step(j, c, r, &status))
            break;
        rounds += c->pc == head;
    }
    mem_code_lock(j->mem);
    for (unsigned k = 0; k < r->n; k++) {
        const struct branch *b = &r->b[k];
        if (b->taken + b->passed >= WAY_MIN && decide(j, b->pa, b->taken > b->passed))
            jit_invalidate(j, b->pa, 4);
    }
    mem_code_unlock(j->mem);
    if (status != EXEC_EXIT)
        status = r->at_check ? EXEC_BRANCH : EXEC_NEXT;
    free(r);
    return status;
}

const u8 *jit_c_hot(struct cpu *c, u32 number)
{
    struct jit *j = jit_of(c);
    struct jit_link *l = jit_link_at(j, number);
    c->pc = c->jit_page + l->off;
    mem_code_lock(j->mem);
    l->is_hot = true;
    if (l->to)
        x_patch(l->site, l->to->entry);
    jit_site_set_hot(j, l->from->page + l->off + SITE_HEAD);
    if (l->to && l->to->is_cut)
        jit_invalidate(j, l->from->page + l->off, 4);
    mem_code_unlock(j->mem);
    jit_cpu_of(c)->st_hot++;
    int status = EXEC_BRANCH;
    if (!(c->mode & MODE_SS) && !c->single && !c->trace)
        status = record(j, c);
    return jit_c_after(c, status);
}
