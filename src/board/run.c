/// The run loop: turns of vCPUs, their exits, idle waits, time, and the I/O thread.
#include "board/priv.h"

#include <stdio.h>

#define TURN_NS 500000ULL         ///< several runnable vCPUs: host time each runs before the next
#define WAKE_NS 50000ULL          ///< ... when another waits for it (WFE), or just got an interrupt
#define EVENT_STREAM_MAX_NS 100000ULL
#define DET_INPUT_WAIT_NS 1000000ULL

/* ---- time ---- */

/// Deterministic guest time: instructions executed, plus idle time that was skipped.
static u64 det_now(const struct machine *m)
{
    u64 n = 0;
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        n += m->vcpu[i].cpu->icount;
    return n * DET_NS_PER_INSN + m->det_skip_ns;
}

u64 board_now_ns(void *ctx)
{
    struct machine *m = ctx;
    if (m->cfg.deterministic)
        return det_now(m);
    return atomic_load_explicit(&m->is_running, memory_order_acquire)
               ? os_now_ns() - m->clock_offset_ns
               : m->paused_ns;
}

u64 run_to_host(const struct machine *m, u64 guest_ns)
{
    return guest_ns > ~0ULL - m->clock_offset_ns ? ~0ULL : guest_ns + m->clock_offset_ns;
}

/// Sets the host timer to fire at the earliest vCPU deadline. It is moved forward only: one that
/// fires too early costs less than a system call at every change.
static void arm_host_timer(struct machine *m, u64 host_ns)
{
    if (host_ns >= atomic_load(&m->armed_ns))
        return;
    os_mutex_lock(&m->sleep_lock);
    if (host_ns < atomic_load(&m->armed_ns)) {
        atomic_store(&m->armed_ns, host_ns);
        os_timer_set(m->cpu_timer, host_ns);
    }
    os_mutex_unlock(&m->sleep_lock);
}

void run_timer_arm(void *ctx, struct cpu *c, u64 deadline_ns)
{
    struct vcpu *v = ctx;
    atomic_store(&v->deadline_ns, deadline_ns);
    if (deadline_ns == ~0ULL)
        return;
    if (!v->m->cfg.deterministic) {
        arm_host_timer(v->m, run_to_host(v->m, deadline_ns));
        return;
    }
    u64 now = det_now(v->m);
    u64 due = c->icount + (deadline_ns > now ? (deadline_ns - now) / DET_NS_PER_INSN + 1 : 1);
    if (due < c->budget)
        c->budget = due;
}

const u8 run_timer_ppi[TIMER_COUNT] = {27, 30, 26, 28};

void run_timer_irq(void *ctx, struct cpu *c, unsigned which, bool level)
{
    struct machine *m = ((struct vcpu *)ctx)->m;
    if (m->chip)
        m->chip->ops->set_line(m->chip, run_timer_ppi[which], c->index, level);
}

/// I/O thread: a vCPU deadline may have passed.
void run_cpu_timer_fired(void *ctx)
{
    struct machine *m = ctx;
    u64 now = board_now_ns(m), next = ~0ULL;
    bool other = false;
    os_mutex_lock(&m->sleep_lock);
    atomic_store(&m->armed_ns, ~0ULL); /* before deadlines are read: see arm_host_timer */
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        u64 d = atomic_load(&m->vcpu[i].deadline_ns);
        cpu_clock_forget(m->vcpu[i].cpu);
        if (d <= now) {
            atomic_fetch_or(&m->vcpu[i].cpu->attention, ATT_TIMER);
            other |= i != atomic_load(&m->current) && !atomic_load(&m->on_threads);
        } else if (d < next) {
            next = d;
        }
    }
    if (other) /* the timer's owner waits for its turn */
        cpu_kick(m->vcpu[atomic_load(&m->current)].cpu);
    if (next != ~0ULL) {
        atomic_store(&m->armed_ns, run_to_host(m, next));
        os_timer_set(m->cpu_timer, run_to_host(m, next));
    }
    os_mutex_unlock(&m->sleep_lock);
}

void run_turn_fired(void *ctx)
{
    struct machine *m = ctx;
    cpu_kick(m->vcpu[atomic_load(&m->current)].cpu); /* the others would lose their next turn */
}

void run_end_turn_soon(struct machine *m)
{
    if (m->cfg.deterministic || atomic_load(&m->on_threads)) /* those end by their budget; no turns */
        return;
    u64 at = os_now_ns() + WAKE_NS, none = ~0ULL;
    if (atomic_compare_exchange_strong(&m->turn_ends_ns, &none, at) || at < none) {
        atomic_store(&m->turn_ends_ns, at);
        os_timer_set(m->turn_timer, at);
    }
}

unsigned run_self(const struct machine *m)
{
    return atomic_load(&m->on_threads) ? os_thread_number() : m->current;
}

/* ---- code written by others (mem.late) ---- */

bool run_is_foreign(void *ctx)
{
    const struct machine *m = ctx;
    return os_thread_self() != atomic_load(&m->runner); /* of no run yet: no code is known */
}

void run_code_written(void *ctx)
{
    struct machine *m = ctx;
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        atomic_fetch_or(&m->vcpu[i].cpu->attention, ATT_CODE);
}

/* ---- ends ---- */

void machine_end(struct machine *m, const struct machine_exit *x)
{
    os_mutex_lock(&m->sleep_lock);
    if (!atomic_load(&m->is_ending)) {
        m->end = *x;
        atomic_store(&m->is_ending, true);
    }
    os_cond_broadcast(&m->wake);
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        os_cond_signal(&m->vcpu[i].wake);
    os_mutex_unlock(&m->sleep_lock);
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        cpu_kick(m->vcpu[i].cpu);
}

void machine_stop(struct machine *m, int code)
{
    atomic_store(&m->stop_code, code);
    atomic_store(&m->stop_requested, true);
    os_poll_wake(m->poll);
    if (m->cfg.deterministic)
        for (unsigned i = 0; i < m->cfg.cpus; i++)
            cpu_kick(m->vcpu[i].cpu);
}

void machine_forget_stop(struct machine *m, int code)
{
    if (atomic_load(&m->stop_code) == code)
        atomic_store(&m->stop_requested, false);
}

/// Ends that come from outside or with time. Guest time is passed in.
static void check_ends(struct machine *m, u64 now)
{
    if (atomic_exchange(&m->stop_requested, false)) {
        struct machine_exit x = {.kind = MACHINE_STOPPED, .code = atomic_load(&m->stop_code)};
        machine_end(m, &x);
    } else if (now >= m->timeout_at_ns) {
        struct machine_exit x = {.kind = MACHINE_TIMEOUT};
        machine_end(m, &x);
    }
}

/* ---- the I/O thread ---- */

static void io_main(void *arg)
{
    struct machine *m = arg;
    while (!atomic_load(&m->io_quit)) {
        u64 next = ~0ULL;
        if (atomic_load(&m->is_running)) {
            u64 now = board_now_ns(m);
            os_mutex_lock(&m->lock);
            next = dev_timers_run(&m->host, now);
            os_mutex_unlock(&m->lock);
            check_ends(m, now);
            if (m->timeout_at_ns < next && !atomic_load(&m->is_ending))
                next = m->timeout_at_ns;
            next = next == ~0ULL ? next : run_to_host(m, next);
        }
        os_poll_wait(m->poll, next);
    }
}

/* ---- exits ---- */

static void end_with(struct vcpu *v, enum machine_exit_kind kind)
{
    const struct cpu_exit *e = &v->cpu->exit;
    struct machine_exit x = {.kind = kind, .cpu = v->cpu->index, .value = e->value, .addr = e->addr,
                             .syndrome = e->syndrome};
    if (kind == MACHINE_DOOM)
        x.code = (int)e->value;
    machine_end(v->m, &x);
}

/// A debugger's step ends with its instruction, whatever that asks of the board. WFI may always end at once.
static void end_step(struct vcpu *v)
{
    if (v->state == VCPU_WFI || v->state == VCPU_WFE)
        v->state = VCPU_RUN;
    v->cpu->exit.addr = v->cpu->pc;
    end_with(v, MACHINE_DEBUG); /* unless it ended the machine */
}

static void serve_exit(struct vcpu *v)
{
    struct cpu *c = v->cpu;
    switch (c->exit.kind) {
    case EXIT_WFI: v->state = c->exit.value ? VCPU_WFE : VCPU_WFI; break;
    case EXIT_HVC: psci_call(v, false); break;
    case EXIT_SMC:
        if (c->has_el2) { /* what EL3 would do */
            psci_call(v, true);
            break;
        }
        TRACE(c, TRACE_PSCI, c->exit.addr, c->x[0], c->x[1], 1);
        if (c->hooks.psci)
            c->hooks.psci(c->hooks.ctx, c, c->x[0], true);
        c->pc -= 4;
        cpu_undef(c);
        break;
    case EXIT_HLT: semihost_call(v); break;
    case EXIT_BRK: end_with(v, MACHINE_BRK); break;
    case EXIT_DEBUG: end_with(v, MACHINE_DEBUG); break;
    case EXIT_DOOM: end_with(v, MACHINE_DOOM); break;
    case EXIT_FAIL: {
        const char *text = v->m->accel->report ? v->m->accel->report(c) : NULL;
        snprintf(v->m->error, sizeof v->m->error, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
        end_with(v, MACHINE_FAIL);
        break;
    }
    case EXIT_NONE:
    case EXIT_KICK: break;
    }
}

void run_serve_exit(struct vcpu *v)
{
    enum cpu_exit_kind kind = v->cpu->exit.kind;
    serve_exit(v);
    if (UNLIKELY(v->cpu->single) && (kind == EXIT_WFI || kind == EXIT_HVC || kind == EXIT_SMC || kind == EXIT_HLT))
        end_step(v);
}

/* ---- turns ---- */

/// Timers of waiting vCPUs whose deadline passed while another ran.
static void serve_timers(struct machine *m)
{
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        struct vcpu *v = &m->vcpu[i];
        if (v->state != VCPU_WFI && v->state != VCPU_WFE)
            continue;
        if (atomic_load_explicit(&v->cpu->attention, memory_order_relaxed) & ATT_TIMER) {
            atomic_fetch_and(&v->cpu->attention, ~(u32)ATT_TIMER);
            cpu_timer_update(v->cpu);
        }
    }
}

/// After a turn: what it did may be the event that others wait for in WFE (waking early is allowed).
/// vCPUs that only wake each other are left to sleep after a while.
static void pass_events(struct machine *m, const struct vcpu *ran)
{
    m->wfe_streak = ran->state == VCPU_WFE ? m->wfe_streak + 1 : 0;
    m->vcpu[ran->cpu->index].was_wfe = ran->state == VCPU_WFE;
    for (unsigned i = 0; i < m->cfg.cpus && m->wfe_streak < 8 * m->cfg.cpus; i++)
        if (&m->vcpu[i] != ran && m->vcpu[i].state == VCPU_WFE)
            m->vcpu[i].state = VCPU_RUN;
}

/// The next vCPU in turn that can run, or NULL.
static struct vcpu *next_vcpu(struct machine *m)
{
    unsigned n = m->cfg.cpus;
    for (unsigned i = 1; i <= n; i++) {
        struct vcpu *v = &m->vcpu[(m->current + i) % n];
        if (run_can_go(v))
            return v;
    }
    return NULL;
}

/// Another vCPU was in WFE before this turn: most likely for a lock or an answer of this one.
static bool others_wait(const struct machine *m, const struct vcpu *v)
{
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        if (&m->vcpu[i] != v && m->vcpu[i].was_wfe)
            return true;
    return false;
}

/// The run ended before its budget, by a kick at a moment of the host's: no turn may end so.
static bool was_disturbed(struct machine *m, const struct vcpu *v)
{
    return v->cpu->exit.kind == EXIT_KICK && v->cpu->icount < v->cpu->budget && !atomic_load(&m->stop_requested) &&
           !atomic_load(&m->is_ending);
}

static void take_turn(struct machine *m, struct vcpu *v)
{
    m->current = v->cpu->index;
    if (m->cfg.deterministic) {
        u64 now = det_now(m), d = atomic_load(&v->deadline_ns), left = DET_SLICE;
        if (d != ~0ULL && d <= now)
            atomic_fetch_or(&v->cpu->attention, ATT_TIMER);
        else if (d != ~0ULL && (d - now) / DET_NS_PER_INSN < left)
            left = (d - now) / DET_NS_PER_INSN + 1;
        v->cpu->budget = v->cpu->icount + left;
    } else if (m->cfg.cpus > 1 && (run_count_runnable(m) > 1 || others_wait(m, v))) {
        u64 at = os_now_ns() + (others_wait(m, v) ? WAKE_NS : TURN_NS);
        atomic_store(&m->turn_ends_ns, at);
        os_timer_set(m->turn_timer, at);
    } else if (m->cfg.cpus > 1) {
        atomic_store(&m->turn_ends_ns, ~0ULL);
    }
    if (UNLIKELY(m->first_run_ns == 0))
        m->first_run_ns = os_now_ns();
    do {
        v->cpu->exit = (struct cpu_exit){0};
        m->accel->run(v->cpu);
    } while (m->cfg.deterministic && was_disturbed(m, v));
    run_serve_exit(v);
    if (m->cfg.cpus > 1)
        pass_events(m, v);
}

/* ---- idle ---- */

/// The earliest vCPU deadline or event, guest time.
static u64 idle_deadline(struct machine *m, u64 now)
{
    u64 d = ~0ULL;
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        const struct vcpu *v = &m->vcpu[i];
        u64 mine = v->state == VCPU_OFF ? ~0ULL : atomic_load(&m->vcpu[i].deadline_ns);
        if (v->state == VCPU_WFE && run_has_event_stream(v) && now + EVENT_STREAM_MAX_NS < mine)
            mine = now + EVENT_STREAM_MAX_NS;
        d = mine < d ? mine : d;
    }
    return d;
}

static void sleep_until(struct machine *m, u64 host_ns)
{
    os_mutex_lock(&m->sleep_lock);
    atomic_store_explicit(&m->sleepers, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in machine_wake */
    if (!run_count_runnable(m) && !atomic_load(&m->is_ending))
        os_cond_wait_until(&m->wake, &m->sleep_lock, host_ns);
    atomic_store_explicit(&m->sleepers, 0, memory_order_relaxed);
    os_mutex_unlock(&m->sleep_lock);
}

/// After time passed without a vCPU running: timers whose deadline came raise their wires.
static void wake_due(struct machine *m)
{
    u64 now = board_now_ns(m);
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        struct vcpu *v = &m->vcpu[i];
        if (v->state == VCPU_OFF)
            continue;
        if (atomic_load(&v->deadline_ns) <= now)
            cpu_timer_update(v->cpu);
        if (v->state == VCPU_WFE && run_has_event_stream(v))
            v->state = VCPU_RUN;
    }
}

static void idle_deterministic(struct machine *m)
{
    u64 now = det_now(m), d = idle_deadline(m, now);
    if (m->host.timers && m->host.timers->deadline_ns < d)
        d = m->host.timers->deadline_ns;
    if (m->timeout_at_ns < d)
        d = m->timeout_at_ns;
    if (d == ~0ULL)
        os_sleep_ns(DET_INPUT_WAIT_NS); /* only input can help: guest time stands still */
    else if (d > now)
        m->det_skip_ns += d - now;
}

/// Those in WFE whose exclusive monitor saw a store, which pass_events may have kept asleep. ret  there is one
static bool wake_noticing(struct machine *m)
{
    bool any = false;
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        struct vcpu *v = &m->vcpu[i];
        if (!threads_will_notice(v))
            continue;
        v->cpu->excl_va = EXCL_NONE; /* one event, not one for ever */
        v->state = VCPU_RUN;
        any = true;
    }
    return any;
}

static void idle(struct machine *m)
{
    m->wfe_streak = 0;
    if (m->cfg.cpus > 1 && wake_noticing(m))
        return;
    if (m->cfg.serial)
        chr_flush(m->cfg.serial);
    if (m->cfg.detect_deadlock && run_is_deadlocked(m)) {
        struct machine_exit x = {.kind = m->saw_panic ? MACHINE_PANIC : MACHINE_DEADLOCK,
                                 .cpu = m->current};
        machine_end(m, &x);
        return;
    }
    if (m->cfg.deterministic) {
        idle_deterministic(m);
    } else {
        u64 d = idle_deadline(m, board_now_ns(m));
        sleep_until(m, d == ~0ULL ? d : run_to_host(m, d));
    }
    wake_due(m);
}

/// What the I/O thread does for other machines.
static void det_poll(struct machine *m)
{
    if (m->cfg.serial)
        chr_poll(m->cfg.serial);
    u64 now = det_now(m);
    os_mutex_lock(&m->lock);
    dev_timers_run(&m->host, now);
    os_mutex_unlock(&m->lock);
    for (unsigned i = 0; i < m->cfg.cpus; i++)
        if (atomic_load(&m->vcpu[i].deadline_ns) <= now)
            atomic_fetch_or(&m->vcpu[i].cpu->attention, ATT_TIMER);
    check_ends(m, now);
}

/* ---- a run ---- */

static bool open_vcpus(struct machine *m)
{
    struct err e = {0};
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        struct vcpu *v = &m->vcpu[i];
        if (!v->is_open && m->accel->vcpu_open && !m->accel->vcpu_open(v->cpu, &e)) {
            snprintf(m->error, sizeof m->error, "%s", e.msg);
            return false;
        }
        v->is_open = true;
    }
    if (m->cfg.deterministic || m->io_thread.is_running)
        return true;
    if (!os_thread_start(&m->io_thread, "bruin-io", io_main, m, &e)) {
        snprintf(m->error, sizeof m->error, "%s", e.msg);
        return false;
    }
    return true;
}

static void resume_clock(struct machine *m)
{
    u64 now = m->cfg.deterministic ? det_now(m) : m->paused_ns;
    m->clock_offset_ns = os_now_ns() - m->paused_ns;
    m->timeout_at_ns = m->cfg.timeout_ns ? now + m->cfg.timeout_ns : ~0ULL;
    atomic_store(&m->armed_ns, ~0ULL);
    atomic_store(&m->is_running, true);
    os_poll_wake(m->poll);
    for (unsigned i = 0; i < m->cfg.cpus; i++) {
        u64 d = atomic_load(&m->vcpu[i].deadline_ns);
        if (d != ~0ULL && !m->cfg.deterministic)
            arm_host_timer(m, run_to_host(m, d));
    }
}

static void pause_clock(struct machine *m)
{
    m->paused_ns = board_now_ns(m);
    atomic_store(&m->is_running, false);
}

void machine_run(struct machine *m, struct machine_exit *x)
{
    *x = (struct machine_exit){.kind = MACHINE_FAIL};
    if (!open_vcpus(m))
        return;
    atomic_store(&m->is_ending, false);
    atomic_store(&m->runner, os_thread_self());
    resume_clock(m);
    if (threads_wanted(m))
        threads_run(m);
    while (!atomic_load(&m->is_ending)) {
        if (m->cfg.cpus > 1)
            serve_timers(m);
        struct vcpu *v = next_vcpu(m);
        if (v)
            take_turn(m, v);
        else
            idle(m);
        if (m->cfg.deterministic)
            det_poll(m);
    }
    pause_clock(m);
    if (m->cfg.serial)
        chr_flush(m->cfg.serial);
    os_mutex_lock(&m->sleep_lock);
    *x = m->end;
    os_mutex_unlock(&m->sleep_lock);
}
