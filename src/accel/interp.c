/// The interpreter: the oracle and the engine of hosts without a translator. Instructions are
/// decoded once per physical page; a body is one indirect call. Bytes of known code that change are
/// decoded again, so the guest sees coherent instruction memory; the missing IC IVAU is reported
/// through cpu_hooks.stale_code.
#include "accel/accel.h"
#include "accel/interp.h"
#include "a64/insn.h"
#include "cpu/dbg.h"

#include <stdlib.h>

enum { PAGE_INSNS = GUEST_PAGE / 4, CACHE_BITS = 10, CACHE_SIZE = 1 << CACHE_BITS };

struct code_page {
    gpa_t pa;
    struct insn insn[PAGE_INSNS]; ///< fn == NULL: not decoded
};
struct interp {
    struct cpu *cpu;
    bool remembers; ///< else every instruction is decoded anew
    struct code_page *page[CACHE_SIZE];
};

static unsigned slot_of(gpa_t pa)
{
    u64 n = pa >> GUEST_PAGE_SHIFT;
    return (unsigned)(n ^ n >> CACHE_BITS) & (CACHE_SIZE - 1);
}

/// Known code was written: forget the decoded words of the 64-byte lines touched.
static void code_written(void *ctx, gpa_t gpa, u64 len)
{
    struct interp *in = ctx;
    gpa_t from = align_down(gpa, 64), to = align_up(gpa + len, 64);
    if (len > MIB) {
        for (unsigned s = 0; s < CACHE_SIZE; s++)
            for (unsigned k = 0; in->page[s] && k < PAGE_INSNS; k++)
                in->page[s]->insn[k].fn = NULL;
        return;
    }
    for (gpa_t a = from; a < to; a += 64) {
        struct code_page *p = in->page[slot_of(a)];
        if (p == NULL || p->pa != align_down(a, GUEST_PAGE))
            continue;
        for (unsigned k = 0; k < 16; k++)
            p->insn[(a % GUEST_PAGE) / 4 + k].fn = NULL;
    }
}

struct interp *interp_new(struct cpu *c)
{
    struct interp *in = xcalloc(1, sizeof *in);
    in->cpu = c;
    in->remembers = true;
    mem_watch_code(c->mem, code_written, in);
    return in;
}
struct interp *interp_new_forgetful(struct cpu *c)
{
    struct interp *in = xcalloc(1, sizeof *in);
    in->cpu = c;
    return in;
}
void interp_free(struct interp *in)
{
    if (in == NULL)
        return;
    if (in->remembers)
        mem_unwatch_code(in->cpu->mem, in);
    for (unsigned k = 0; k < CACHE_SIZE; k++)
        free(in->page[k]);
    free(in);
}

static struct code_page *page_of(struct interp *in, gpa_t pa)
{
    struct code_page **slot = &in->page[slot_of(pa)];
    gpa_t page = align_down(pa, GUEST_PAGE);
    if (LIKELY(*slot && (*slot)->pa == page))
        return *slot;
    if (*slot == NULL)
        *slot = xcalloc(1, sizeof **slot);
    for (unsigned k = 0; k < PAGE_INSNS; k++)
        (*slot)->insn[k].fn = NULL;
    (*slot)->pa = page;
    return *slot;
}

static NOINLINE void decode_at(struct cpu *c, struct insn *i, const u32 *host, gpa_t pa)
{
    if (!mem_page_has_code(c->mem, pa))
        tlb_protect_page(c, pa);
    if (c->hooks.stale_code && mem_is_stale(c->mem, pa))
        c->hooks.stale_code(c->hooks.ctx, c, pa);
    mem_mark_code(c->mem, pa, 4);
    dbg_decode(c, pa, *host, i);
}

/// Takes the software step exception. Arm ARM, "Software Step exceptions".
static void step_exception(struct cpu *c)
{
    cpu_raise_debug(c, c->el < cpu_debug_el(c) ? EC_STEP_LOW : EC_STEP, 1u << 24 | 0x22, c->pc);
}

int interp_step(struct interp *in)
{
    struct cpu *c = in->cpu;
    gpa_t pa;
    bool stepping = (c->mode & MODE_SS) && cpu_step_enabled(c);
    if (stepping && !c->ss) {
        step_exception(c);
        return EXEC_BRANCH;
    }
    if (UNLIKELY(cpu_breakpoint_hit(c, c->pc))) {
        cpu_raise_debug(c, c->el < cpu_debug_el(c) ? EC_BKPT_LOW : EC_BKPT, 0x22, c->pc);
        return EXEC_BRANCH;
    }
    const u32 *host = mmu_fetch(c, c->pc, &pa);
    if (host == NULL)
        return EXEC_BRANCH;
    struct insn own, *i = &own;
    if (LIKELY(in->remembers)) {
        i = &page_of(in, pa)->insn[pa % GUEST_PAGE / 4];
        if (i->fn == NULL)
            decode_at(c, i, host, pa);
    } else {
        dbg_decode(c, pa, *host, i);
    }
    c->ss = 0;
    u64 taken = c->exceptions;
    c->icount++;
    int st = i->fn(c, i);
    if (st == EXEC_NEXT)
        c->pc += 4;
    if (stepping && st != EXEC_EXIT && c->exceptions == taken && cpu_step_enabled(c) && !c->ss)
        step_exception(c);
    return st;
}

/// Runs decoded instructions until control leaves the page or something needs attention.
/// ret  EXEC_EXIT when c->exit is set.
static int run_page(struct interp *in)
{
    struct cpu *c = in->cpu;
    gpa_t pa;
    const u32 *host = mmu_fetch(c, c->pc, &pa);
    if (host == NULL)
        return EXEC_BRANCH;
    struct code_page *pg = page_of(in, pa);
    gva_t page_va = c->pc & ~0xfffULL;
    const u32 *page_host = host - pa % GUEST_PAGE / 4;
    struct insn *i = &pg->insn[pa % GUEST_PAGE / 4];
    struct insn *end = &pg->insn[PAGE_INSNS];
    struct mmuctx *ctx = c->ctx;
    u64 gen = ctx->code_gen;
    for (;;) {
        if (UNLIKELY(i->fn == NULL))
            decode_at(c, i, page_host + (i - pg->insn), pg->pa + (gpa_t)(i - pg->insn) * 4);
        c->icount++;
        int st = i->fn(c, i);
        if (LIKELY(st == EXEC_NEXT)) {
            c->pc += 4;
            if (UNLIKELY(i->flags & END) && (c->ctx != ctx || ctx->code_gen != gen || (c->mode & MODE_SS) ||
                                             atomic_load_explicit(&c->attention, memory_order_relaxed)))
                return EXEC_BRANCH;
            if (UNLIKELY(++i == end))
                return EXEC_BRANCH;
            continue;
        }
        if (st == EXEC_EXIT)
            return st;
        if (UNLIKELY(atomic_load_explicit(&c->attention, memory_order_relaxed)) || c->icount >= c->budget)
            return EXEC_BRANCH;
        if ((c->pc & ~0xffcULL) != page_va || c->ctx != ctx || ctx->code_gen != gen || (c->mode & MODE_SS))
            return EXEC_BRANCH;
        i = &pg->insn[c->pc % GUEST_PAGE / 4];
    }
}

bool accel_attention(struct cpu *c) { return cpu_serve_attention(c); }

static void run(struct cpu *c)
{
    struct interp *in = c->engine;
    c->exit.kind = EXIT_NONE;
    for (;;) {
        if (UNLIKELY(atomic_load_explicit(&c->attention, memory_order_relaxed)) && !accel_attention(c))
            return;
        if (UNLIKELY(c->icount >= c->budget)) {
            c->exit.kind = EXIT_KICK;
            return;
        }
        if (UNLIKELY(c->single) || UNLIKELY(c->mode & MODE_SS)) {
            if (interp_step(in) == EXEC_EXIT)
                return;
            if (UNLIKELY(c->dbg_watching))
                c->dbg_pass_pc = ~0ULL;
            if (c->single || (c->dbg_watching && c->dbg_hit.id)) {
                c->exit.kind = EXIT_DEBUG;
                c->exit.addr = c->pc;
                return;
            }
        } else if (run_page(in) == EXEC_EXIT) {
            return;
        }
    }
}

static bool probe(struct err *why) { return true; }
static bool vcpu_open(struct cpu *c, struct err *e)
{
    c->engine = interp_new(c);
    return true;
}
static void vcpu_close(struct cpu *c)
{
    interp_free(c->engine);
    c->engine = NULL;
}

const struct accel_ops accel_interp = {
    .name = "interp", .probe = probe, .vcpu_open = vcpu_open, .vcpu_close = vcpu_close, .run = run,
};
