/// What CPUs on threads of their own ask of each other's soft TLBs: TLBI to the Inner Shareable domain, and
/// pages that turn out to hold code. A request lies in the other's inbox until that reaches a place where
/// nothing relies on its TLB (between blocks of translated code, or outside); who asked waits for that,
/// unless the other cannot be using what is dropped. CPUs that take turns on one thread ask directly.
#include "cpu/priv.h"

static void obey(struct cpu *c, const struct cpu_request *r)
{
    switch (r->what) {
    case ASK_TLBI: tlb_invalidate(c, r->cls, r->op, r->val, r->flag); break;
    case ASK_PROTECT: tlb_protect_own(c, r->val); break;
    }
}

static bool is_pending(const struct cpu_inbox *in)
{
    return atomic_load_explicit(&in->posted, memory_order_relaxed) !=
           atomic_load_explicit(&in->served, memory_order_relaxed);
}

void cpu_serve_peers(struct cpu *c)
{
    struct cpu_inbox *in = &c->inbox;
    struct cpu_request r[CPU_INBOX_MAX];
    os_mutex_lock(&in->lock);
    u32 n = in->count;
    bool all = in->is_full;
    u64 posted = atomic_load_explicit(&in->posted, memory_order_relaxed);
    memcpy(r, in->r, n * sizeof *r);
    in->count = 0;
    in->is_full = false;
    os_mutex_unlock(&in->lock);
    if (all) {
        tlb_flush_all(c);
        tlb_forget_writes(c);
    }
    for (u32 k = 0; k < n && !all; k++)
        obey(c, &r[k]);
    atomic_store_explicit(&in->served, posted, memory_order_release);
}

/// ret  its number in the inbox
static u64 post(struct cpu *to, const struct cpu_request *r)
{
    struct cpu_inbox *in = &to->inbox;
    os_mutex_lock(&in->lock);
    if (in->count < CPU_INBOX_MAX)
        in->r[in->count++] = *r;
    else
        in->is_full = true;
    u64 n = atomic_fetch_add_explicit(&in->posted, 1, memory_order_relaxed) + 1;
    os_mutex_unlock(&in->lock);
    return n;
}

/// Entries that the request drops may be in use by that CPU now. Otherwise it will look into its inbox before
/// it uses them: when it enters translated code, or goes to that address space.
static bool concerns(struct cpu *peer, const struct cpu_request *r)
{
    atomic_thread_fence(
        memory_order_seq_cst); /* posted, then looked; pairs with those of cpu_enter and cpu_set_space */
    if (!atomic_load_explicit(&peer->in_run, memory_order_relaxed))
        return false;
    return !r->has_asid || atomic_load_explicit(&peer->asid, memory_order_relaxed) == r->asid;
}

static void wait_for(struct cpu *c, struct cpu *peer, u64 number)
{
    for (unsigned round = 0; atomic_load_explicit(&peer->inbox.served, memory_order_acquire) < number &&
                             atomic_load_explicit(&peer->in_run, memory_order_acquire);
         round++) {
        if (atomic_load_explicit(&c->attention, memory_order_relaxed) & ATT_PEER) {
            atomic_fetch_and(&c->attention, ~(u32)ATT_PEER);
            cpu_serve_peers(c);
        }
        os_thread_relax(round);
    }
}

bool cpu_ask_peers(struct cpu *c, const struct cpu_request *r)
{
    u64 number[CPU_PEERS_MAX];
    bool waited = false;
    for (u32 k = 0; k < c->peer_count; k++) {
        struct cpu *p = c->peers[k];
        number[k] = 0;
        if (p == c)
            continue;
        if (!c->on_thread) {
            obey(p, r);
            continue;
        }
        u64 n = post(p, r);
        if (!concerns(p, r))
            continue;
        number[k] = n;
        waited = true;
        atomic_fetch_or(&p->attention, ATT_PEER);
    }
    for (u32 k = 0; k < c->peer_count && waited; k++)
        if (number[k])
            wait_for(c, c->peers[k], number[k]);
    return waited;
}

void cpu_ask_flush(struct cpu *c)
{
    os_mutex_lock(&c->inbox.lock);
    c->inbox.is_full = true;
    atomic_fetch_add_explicit(&c->inbox.posted, 1, memory_order_relaxed);
    os_mutex_unlock(&c->inbox.lock);
    atomic_fetch_or(&c->attention, ATT_PEER);
}

void cpu_enter(struct cpu *c)
{
    if (!c->on_thread)
        return;
    atomic_store_explicit(&c->in_run, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in concerns */
    if (is_pending(&c->inbox))
        cpu_serve_peers(c);
}

void cpu_leave(struct cpu *c) { atomic_store_explicit(&c->in_run, false, memory_order_release); }

void cpu_set_space(struct cpu *c, u16 asid)
{
    atomic_store_explicit(&c->asid, asid, memory_order_relaxed);
    if (!c->on_thread)
        return;
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in concerns */
    if (is_pending(&c->inbox))
        cpu_serve_peers(c);
}
