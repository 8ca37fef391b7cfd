/// vCPUs on host threads of their own. vCPU 0 runs on the caller's thread; the others' threads live as long as
/// machine_run. A vCPU that has nothing to do sleeps on its own condition until its timer's deadline. What
/// must not happen twice at a time has locks: devices the machine lock, power states the power lock, the
/// interrupt controller and the TLBs their own.
#include "board/priv.h"
#include "cpu/dbg.h"

#include <stdio.h>

#define SPIN_NS                                                                                    \
    20000ULL ///< most waits are for a lock that is held a short time, or an answer that comes soon
#define WFE_NAP_NS 200000ULL ///< longer ones in WFE look at what they wait for so often

bool threads_wanted(const struct machine *m)
{
    const struct machine_config *cfg = &m->cfg;
    if (!cfg->threads || cfg->cpus < 2 || !m->accel->has_threads || cfg->deterministic ||
        cfg->check || cfg->lint == MACHINE_LINT_STRICT || cfg->perf_map)
        return false;
    for (unsigned i = 0; i < cfg->cpus; i++) {
        const struct cpu *c = m->vcpu[i].cpu;
        if (c->single || c->trace || dbg_has_points(c->dbg) || c->budget != ~0ULL)
            return false;
    }
    return true;
}

static bool would_run(struct vcpu *v)
{
    enum vcpu_state state = v->state;
    switch (state) {
    case VCPU_OFF: return false;
    case VCPU_RUN: return true;
    case VCPU_WFE: return cpu_irq_wire(v->cpu) || atomic_load(&v->cpu->event);
    default: return cpu_irq_wire(v->cpu);
    }
}

void threads_wake(struct vcpu *v)
{
    struct machine *m = v->m;
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in sleep_on */
    if (!atomic_load_explicit(&v->is_asleep, memory_order_relaxed))
        return;
    os_mutex_lock(&m->sleep_lock);
    os_cond_signal(&v->wake);
    os_mutex_unlock(&m->sleep_lock);
}

void threads_send_event(void *ctx)
{
    const struct vcpu *from = ctx;
    struct machine *m = from->m;
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        if (&m->vcpu[i] == from)
            continue;
        atomic_store(&m->vcpu[i].cpu->event, 1);
        threads_wake(&m->vcpu[i]);
    }
}

/* ---- short waits ---- */

/// Where the exclusive monitor of a vCPU looks, or NULL. RAM stays mapped, so the address may be old.
static const void *monitored(const struct cpu *c)
{
    const struct tlb_ent *e = &c->ctx->r[c->excl_va >> GUEST_PAGE_SHIFT & (TLB_SIZE - 1)];
    if (c->excl_va == EXCL_NONE || c->excl_size > 3 || e->tag != (c->excl_va & ~0xfffULL))
        return NULL;
    return (const void *)(uintptr_t)(c->excl_va + e->addend);
}

/// Somebody wrote there since LDXR: that is an event.
static bool has_changed(const struct cpu *c, const void *p)
{
    switch (c->excl_size) {
    case 0: return __atomic_load_n((const u8 *)p, __ATOMIC_RELAXED) != (u8)c->excl_val[0];
    case 1: return __atomic_load_n((const u16 *)p, __ATOMIC_RELAXED) != (u16)c->excl_val[0];
    case 2: return __atomic_load_n((const u32 *)p, __ATOMIC_RELAXED) != (u32)c->excl_val[0];
    default: return __atomic_load_n((const u64 *)p, __ATOMIC_RELAXED) != c->excl_val[0];
    }
}

bool threads_will_notice(const struct vcpu *v)
{
    if (v->state != VCPU_WFE || v->cpu->excl_va == EXCL_NONE)
        return false;
    const void *p = monitored(v->cpu);
    return !p || has_changed(v->cpu, p);
}

/// In WFE or WFI: waits a little without going to sleep. ret  what it waits for came
static bool spin(struct vcpu *v)
{
    const void *p = v->state == VCPU_WFE ? monitored(v->cpu) : NULL;
    u64 end = os_now_ns() + SPIN_NS;
    for (unsigned round = 0; !atomic_load(&v->m->is_ending); round++) {
        if (would_run(v))
            return true;
        if (p && has_changed(v->cpu, p)) {
            v->cpu->excl_va = EXCL_NONE; /* an event, and only one: this WFE may be alone in a loop */
            return true;
        }
        if (round % 16 == 15 && os_now_ns() >= end)
            return false;
        os_thread_relax(round);
    }
    return false;
}

/* ---- sleep ---- */

static bool all_asleep(struct machine *m)
{
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        struct vcpu *v = &m->vcpu[i];
        if (!atomic_load(&v->is_asleep) || would_run(v) || threads_will_notice(v))
            return false;
    }
    return true;
}

/// This vCPU is about to sleep, perhaps as the last. Under the sleep lock, which is given back for the question
/// whether anything can wake one: the answer counts if none woke meanwhile.
static void look_for_deadlock(struct machine *m, unsigned self)
{
    u64 naps = m->naps;
    if (!m->cfg.detect_deadlock || !all_asleep(m))
        return;
    os_mutex_unlock(&m->sleep_lock);
    bool dead = run_is_deadlocked(m);
    os_mutex_lock(&m->sleep_lock);
    if (!dead || naps != m->naps || !all_asleep(m) || atomic_load(&m->is_ending))
        return;
    struct machine_exit x = {.kind = m->saw_panic ? MACHINE_PANIC : MACHINE_DEADLOCK, .cpu = self};
    os_mutex_unlock(&m->sleep_lock);
    machine_end(m, &x);
    os_mutex_lock(&m->sleep_lock);
}

/// Sleeps until woken or until a moment of guest time, ~0: none.
static void sleep_on(struct vcpu *v, u64 until_ns)
{
    struct machine *m = v->m;
    os_mutex_lock(&m->sleep_lock);
    atomic_store_explicit(&v->is_asleep, true, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in threads_wake */
    if (!would_run(v) && !atomic_load(&m->is_ending))
        look_for_deadlock(m, v->cpu->index);
    if (!would_run(v) && !atomic_load(&m->is_ending))
        os_cond_wait_until(&v->wake, &m->sleep_lock,
                           until_ns == ~0ULL ? until_ns : run_to_host(m, until_ns));
    atomic_store_explicit(&v->is_asleep, false, memory_order_relaxed);
    m->naps++;
    os_mutex_unlock(&m->sleep_lock);
}

static void idle(struct vcpu *v)
{
    struct machine *m = v->m;
    u64 now = board_now_ns(m), d = v->state == VCPU_OFF ? ~0ULL : atomic_load(&v->deadline_ns);
    bool is_armed = v->state == VCPU_WFE && v->cpu->excl_va != EXCL_NONE;
    bool stream = v->state == VCPU_WFE && run_has_event_stream(v);
    if ((stream || is_armed) && now + WFE_NAP_NS < d)
        d = now + WFE_NAP_NS;
    if (m->cfg.serial)
        chr_flush(m->cfg.serial);
    if (d > now)
        sleep_on(v, d);
    if (v->state == VCPU_OFF)
        return;
    if (atomic_load(&v->deadline_ns) <= board_now_ns(m))
        cpu_timer_update(v->cpu);
    if (threads_will_notice(v))
        v->cpu->excl_va = EXCL_NONE; /* as in spin */
    else if (!stream)
        return;
    v->state = VCPU_RUN;
}

/* ---- a run ---- */

static void vcpu_main(void *arg)
{
    struct vcpu *v = arg;
    struct machine *m = v->m;
    bool has_room = os_cpu_count() >= m->cfg.cpus; /* nobody else's work waits for this one's host CPU */
    os_thread_set_number(v->cpu->index);
    while (!atomic_load(&m->is_ending)) {
        if (!would_run(v)) {
            idle(v);
            continue;
        }
        v->state = VCPU_RUN;
        v->cpu->exit = (struct cpu_exit){0};
        m->accel->run(v->cpu);
        run_serve_exit(v);
        bool waits = v->state == VCPU_WFE || (v->state == VCPU_WFI && has_room);
        if (waits && spin(v))
            v->state = VCPU_RUN;
    }
    os_thread_set_number(0);
}

void threads_run(struct machine *m)
{
    struct err e = {0};
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        m->vcpu[i].cpu->on_thread = true;
    m->on_threads = true;
    m->first_run_ns = m->first_run_ns ? m->first_run_ns : os_now_ns();
    for (unsigned i = 1; i < m->cfg.cpus; i++) {
        struct vcpu *v = &m->vcpu[i];
        char name[24];
        snprintf(name, sizeof name, "bruin-cpu%u", i);
        if (os_thread_start(&v->thread, name, vcpu_main, v, &e))
            continue;
        snprintf(m->error, sizeof m->error, "%s", e.msg);
        machine_end(m, &(struct machine_exit){.kind = MACHINE_FAIL, .cpu = i});
        break;
    }
    vcpu_main(&m->vcpu[0]);
    for (unsigned i = 1; i < m->cfg.cpus; i++)
        os_thread_join(&m->vcpu[i].thread);
    m->on_threads = false;
    for (unsigned i = 0; i < m->cfg.cpus; i++) { /* by turns from here on: nothing lies in inboxes */
        struct cpu *c = m->vcpu[i].cpu;
        c->on_thread = false;
        cpu_serve_peers(c);
    }
}
