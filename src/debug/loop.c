/// Exceptions in a row: which of them never end. Handlers probe memory, map pages on demand, emulate what
/// traps and jump out of faults without returning, thousands of times; so what counts is that nothing gets on:
/// the stack only goes down, or the same state comes back for a while, or the instruction that is tried again
/// is sure to fault again when the handler returns to it.
#include "debug/priv.h"

enum {
    SAME_MAX = 64,     ///< from one pc, each deeper in the stack, without a return
    DEEPER_MAX = 4096, ///< ... from anywhere
    RETRY_MAX = 1000,
    FAR_OFF = 1 << 30,
};
/// How long it has to go on, since another CPU might end it, or the time: on a host that is fast, slow, or where
/// the guest's time is counted in instructions.
static bool is_long(struct explain *x, u64 since_ns, unsigned count)
{
    const unsigned often = 200000, forever = 400000;
    const u64 for_a_while = 300000000, long_enough = 600000000;
    u64 ns = machine_now_ns(x->m) - since_ns;
    return count >= forever || (count >= often && ns >= for_a_while) || ns >= long_enough;
}

bool is_call(u64 esr)
{
    u32 ec = (u32)bits(esr, 31, 26);
    return ec == EC_SVC64 || ec == EC_HVC64 || ec == EC_SMC64;
}

/* ---- without a return ---- */

void loop_begin(struct cpu_watch *w, u64 from_pc)
{
    struct exc_loop *l = &w->loop;
    l->nested = l->same_count = l->deeper = l->repeats = 0;
    l->same_pc = from_pc;
    l->sp = l->lowest_sp = w->root.full ? w->root.sp : 0;
}

/// FNV-1a over what the interrupted program had.
static u64 state_of(const struct fault *f)
{
    u64 h = 0xcbf29ce484222325ULL;
    const u64 more[] = {f->pc, f->esr, f->far, f->sp, f->spsr};
    for (unsigned k = 0; k < ARRAY_LEN(f->x); k++)
        h = (h ^ f->x[k]) * 0x100000001b3ULL;
    for (unsigned k = 0; k < ARRAY_LEN(more); k++)
        h = (h ^ more[k]) * 0x100000001b3ULL;
    return h;
}

/// The same state as one of the last, for long: nothing gets on.
static bool comes_back(struct explain *x, struct exc_loop *l, const struct fault *f)
{
    u64 h = state_of(f);
    bool known = false;
    for (unsigned k = 0; k < ARRAY_LEN(l->seen); k++)
        known |= l->seen[k] == h;
    l->seen[l->nested % ARRAY_LEN(l->seen)] = h;
    if (!known || l->repeats == 0)
        l->repeats_since_ns = machine_now_ns(x->m);
    l->repeats = known ? l->repeats + 1 : 0;
    return l->repeats >= SAME_MAX && is_long(x, l->repeats_since_ns, l->repeats);
}

void loop_nested(struct explain *x, struct cpu *c, u64 from_pc)
{
    struct cpu_watch *w = watch_of(x, c);
    struct exc_loop *l = &w->loop;
    fault_fill(x, c, &w->last, 0x200, from_pc);
    u64 sp = w->last.sp;
    bool down = sp < l->sp && l->sp - sp < FAR_OFF, up = sp > l->sp;
    l->nested++;
    l->same_count = from_pc == l->same_pc && down ? l->same_count + 1 : 0;
    l->deeper = up ? 0 : l->deeper + (sp < l->lowest_sp); /* up again: it unwinds */
    l->lowest_sp = up || sp < l->lowest_sp ? sp : l->lowest_sp;
    l->same_pc = from_pc;
    l->sp = sp;
    bool vector_fetch = from_pc == c->pc; /* the vector itself cannot be fetched */
    bool recursion = l->same_count >= SAME_MAX && !is_call(w->last.esr);
    if (vector_fetch || recursion || l->deeper >= DEEPER_MAX || comes_back(x, l, &w->last))
        explain_doom(x, c, V_LOOP);
}

/* ---- with a return to what faults ---- */

static u32 word_at(struct cpu *c, u64 pc)
{
    u32 word = 0;
    return mmu_debug_read(c, pc, &word, sizeof word) ? word : 0;
}

void loop_not_retried(struct cpu *c, struct cpu_watch *w)
{
    w->loop.retry_count = 0;
    c->watches_eret = false;
}

/// The instruction that the handler returned to faults at once: the same again, or the next when it skips.
void loop_retried(struct explain *x, struct cpu *c, u64 from_pc, u64 far)
{
    struct cpu_watch *w = watch_of(x, c);
    struct exc_loop *l = &w->loop;
    if (c->eret_pc != from_pc) {
        loop_not_retried(c, w);
        return;
    }
    if (l->retry_count == 0) {
        l->retry_since_ns = machine_now_ns(x->m);
        l->retry_moves = false;
    } else {
        l->retry_moves |= from_pc != l->retry_pc;
    }
    if (l->retry_count == 0 || from_pc != l->retry_pc)
        l->retry_word = word_at(c, from_pc);
    l->retry_count++;
    l->retry_pc = from_pc;
    l->retry_far = far;
    l->retry_esr = w->root.esr;
    c->watches_eret = true;
    bool known = w->again_count && from_pc == w->again.pc && far == w->again.far;
    if (!known && l->retry_count == SAME_MAX)
        w->again = w->root;
    if (known || l->retry_count == SAME_MAX)
        w->again_count = known ? w->again_count + 1 : 1;
    if (l->retry_count < RETRY_MAX || !is_long(x, l->retry_since_ns, l->retry_count))
        return;
    if (l->retry_moves && w->retried.valid)
        w->root = w->retried;
    explain_doom(x, c, V_LOOP);
}

/// The access that aborted would pass now.
static bool is_mapped_now(struct cpu *c, const struct exc_loop *l, bool fetch)
{
    enum { EXTERNAL = 0x10, ALIGNMENT = 0x21 };
    u32 fsc = (u32)bits(l->retry_esr, 5, 0);
    enum access acc = fetch ? ACC_FETCH : bit(l->retry_esr, 6) ? ACC_STORE : ACC_LOAD;
    struct xlat t;
    u8 status;
    return fsc != EXTERNAL && fsc != ALIGNMENT && mmu_translate(c, l->retry_far, acc, 0, &t, &status);
}

/// A handler returns: where the cause is gone the program gets on, however often the same follows.
void loop_eret(void *ctx, struct cpu *c)
{
    struct cpu_watch *w = watch_of(ctx, c);
    const struct exc_loop *l = &w->loop;
    if (l->retry_count == 0 || c->pc != l->retry_pc)
        return;
    u32 ec = (u32)bits(l->retry_esr, 31, 26);
    bool fetch = ec == EC_IABT || ec == EC_IABT_LOW;
    bool removed = fetch || ec == EC_DABT || ec == EC_DABT_LOW ? is_mapped_now(c, l, fetch)
                   : ec == EC_FP          ? cpu_fp_enabled(c)
                                          : word_at(c, c->pc) != l->retry_word;
    if (removed) {
        loop_not_retried(c, w);
        w->again_count = 0;
    }
}
