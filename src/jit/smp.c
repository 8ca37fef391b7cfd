/// Several CPUs on threads of their own in one code cache. Look-ups take no lock. mem.code_lock guards
/// translation, links and invalidation, which are safe while others run: what is patched in code that may run
/// is one displacement or one instruction within eight bytes. Only giving up memory (a segment, everything)
/// is not: who wants that waits until all others are outside translated code or have come to a look-up,
/// where they hold no pointer to a block (parked).
#include "jit/jit.h"

static void serve(struct cpu *c)
{
    if (atomic_load_explicit(&c->attention, memory_order_relaxed) & ATT_PEER) {
        atomic_fetch_and(&c->attention, ~(u32)ATT_PEER);
        cpu_serve_peers(c);
    }
}

void jit_park(struct cpu *c)
{
    struct jit_cpu *v = jit_cpu_of(c);
    while (UNLIKELY(atomic_load_explicit(&v->j->exclusive, memory_order_acquire))) {
        c->jit[JW_RESET] = 1;
        atomic_store_explicit(&v->in_code, false, memory_order_release);
        for (unsigned round = 0; atomic_load_explicit(&v->j->exclusive, memory_order_acquire); round++) {
            serve(c);
            os_thread_relax(round);
        }
        atomic_store_explicit(&v->in_code, true, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); // pairs with the one in jit_begin_exclusive
    }
}

void jit_enter(struct cpu *c)
{
    if (!c->on_thread)
        return;
    atomic_store_explicit(&jit_cpu_of(c)->in_code, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); // pairs with the one in jit_begin_exclusive
    jit_park(c);
}

void jit_leave(struct cpu *c)
{
    atomic_store_explicit(&jit_cpu_of(c)->in_code, false, memory_order_release);
}

bool jit_begin_exclusive(struct cpu *c)
{
    struct jit_cpu *self = jit_cpu_of(c);
    struct jit *j = self->j;
    bool none = false;
    c->jit[JW_RESET] = 1;
    if (c->on_thread) {
        if (!atomic_compare_exchange_strong(&j->exclusive, &none, true)) {
            jit_park(c);
            return false;
        }
        atomic_thread_fence(memory_order_seq_cst); // pairs with those of jit_park and jit_enter
        for (struct jit_cpu *v = j->cpus; v; v = v->next)
            if (v != self)
                atomic_fetch_or(&v->c->attention, ATT_CODE);
        for (struct jit_cpu *v = j->cpus; v; v = v->next)
            for (unsigned round = 0;
                 v != self && atomic_load_explicit(&v->in_code, memory_order_acquire); round++) {
                serve(c);
                os_thread_relax(round);
            }
    }
    mem_code_lock(j->mem);
    return true;
}

void jit_end_exclusive(struct cpu *c)
{
    struct jit *j = jit_of(c);
    mem_code_unlock(j->mem);
    atomic_store_explicit(&j->exclusive, false, memory_order_release);
}

void jit_flush_exclusive(struct cpu *c)
{
    while (!jit_begin_exclusive(c))
        ;
    jit_flush(jit_of(c));
    jit_end_exclusive(c);
}

/// Marks the line of pa as code and drops the write entries of its page, everywhere. ret  it had to wait
static bool claim_page(struct cpu *c, gpa_t pa)
{
    mem_mark_code(c->mem, pa, 4);
    return tlb_protect_page(c, pa);
}

struct jit_block *jit_make(struct cpu *c, gpa_t pa, const u32 *host, u32 mode)
{
    struct jit *j = jit_of(c);
    if (c->hooks.stale_code && mem_is_stale(c->mem, pa))
        c->hooks.stale_code(c->hooks.ctx, c, pa);
    if (!j->cfg.smp) {
        jit_make_room(j, c);
        return jit_translate(j, c, pa, host, mode);
    }
    if (claim_page(c, pa)) {
        c->jit[JW_RESET] = 1;
        return NULL; // what was served meanwhile may be a TLBI of this page
    }
    mem_code_lock(j->mem);
    struct jit_block *b = jit_find(j, pa, mode);
    bool is_mine = mem_line_is_code(c->mem, pa) && !mem_tlb_writable(c->mem, pa),
         has_room = b || !jit_wants_room(j);
    if (!b && is_mine && has_room)
        b = jit_translate(j, c, pa, host, mode);
    mem_code_unlock(j->mem);
    if (!has_room && jit_begin_exclusive(c)) {
        if (jit_wants_room(j))
            jit_make_room(j, c);
        jit_end_exclusive(c);
    }
    return b;
}
