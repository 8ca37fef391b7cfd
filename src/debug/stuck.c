/// Samples: ten times a second each running vCPU shows its state at a loop edge. A loop that provably
/// never ends, with no interrupt that could come, ends the machine; so does a Linux panic that nobody
/// could print.
#include "debug/priv.h"

#include <stdlib.h>

enum { STUCK_SAMPLES = 2, STUCK_SAMPLES_SMP = 4, INPUT_SAMPLES = 5 };
#define MEETING_NS 150000000ULL ///< so long the others have to come
/// How long every block is written down: 3 s of a CPU's time, of Linux the first tenth of a second.
enum { TRAIL_SAMPLES = 30, TRAIL_SAMPLES_LINUX = 1 };

/// Something besides the vCPUs could write to RAM: a virtio device that was ever touched.
static bool has_dma(struct explain *x)
{
    const struct mem *mem = machine_mem(x->m);
    const struct machine_config *cfg = machine_config(x->m);
    if (cfg->disk_count == 0 && cfg->net == NULL && cfg->hvc == NULL)
        return false;
    for (unsigned i = 0; i < mem->region_count; i++)
        if (mem->region[i].kind == MEM_MMIO && mem->region[i].hits && strncmp(mem->region[i].name, "virtio", 6) == 0)
            return true;
    return false;
}

/// What goes to EL2 cannot be masked below it; what goes to EL1 is not taken at EL2.
static bool interrupts_masked(struct explain *x, struct cpu *c)
{
    u64 hcr = c->has_el2 && c->el < 2 ? c->sr[SYSREG_HCR_EL2] : 0;
    if (c->el == 2 && !(c->sr[SYSREG_HCR_EL2] & (HCR_TGE | HCR_IMO | HCR_FMO)))
        return true;
    return (c->daif & DAIF_I) && ((c->daif & DAIF_F) || !fiq_may_come(x, c)) && !(hcr & (HCR_TGE | HCR_IMO | HCR_FMO));
}

static bool is_alone(const struct explain *x, unsigned self)
{
    for (unsigned i = 0; i < x->cpus; i++)
        if (i != self && machine_cpu_is_on(x->m, i))
            return false;
    return true;
}

/// A loop that waits for another vCPU is proved endless as long as that one does nothing, and a vCPU may do
/// nothing for a while because the host runs something else: after so many samples in a row that agree, all_endless
/// looks at all at one moment.
static bool is_stuck(const struct explain *x, unsigned cpu)
{
    const struct cpu_watch *w = &x->cpu[cpu];
    return is_alone(x, cpu) ? w->stuck_samples >= STUCK_SAMPLES : w->stuck_streak >= STUCK_SAMPLES_SMP;
}

/// No other vCPU will ever do something.
static bool others_are_dead(struct explain *x, unsigned self)
{
    for (unsigned i = 0; i < x->cpus; i++)
        if (i != self && machine_cpu_can_act(x->m, i) && !is_stuck(x, i))
            return false;
    return true;
}

/// A kernel that panicked without a console waits for ever: its log in memory tells. Looked for when
/// nothing was printed and no program ran for a while, ever more rarely.
static void look_for_panic(struct explain *x, struct cpu *c)
{
    enum { QUIET = 5, SOON = 3000 };
    u64 printed = atomic_load_explicit(&x->console_bytes, memory_order_relaxed);
    bool silent = printed == x->console_sampled && c->el >= 1;
    x->console_sampled = printed;
    x->silent_samples = silent ? x->silent_samples + 1 : 0;
    bool thorough = x->silent_samples == QUIET || !(x->silent_samples & (x->silent_samples - 1));
    /* The first minutes before user space twice a second, where the ring is known to be. */
    bool soon = !x->quiet && x->silent_samples % QUIET == 0 && x->silent_samples < SOON;
    if (x->silent_samples < QUIET || (!thorough && !soon))
        return;
    if (linux_has_panic(x, thorough))
        explain_doom(x, c, V_PANIC);
}

/// A CPU that stays where it is gets ever longer proofs, up to a tenth of its time.
static bool is_endless(struct explain *x, struct cpu *c, struct cpu_watch *w)
{
    enum { STEPS = 2048, STEPS_MAX = 128 * 1024, PATIENT_SAMPLES = 100, NEIGHBOUR = 4096 };
    bool reads_ram = false, stays = c->pc - w->sample_pc + NEIGHBOUR < 2 * NEIGHBOUR;
    unsigned steps = stays && w->patience ? w->patience : STEPS;
    w->sample_pc = c->pc;
    enum proof_result r = prove_endless(x, c, steps, &reads_ram, NULL);
    w->patience = STEPS;
    if (r == PROOF_LIMIT && !x->is_linux && ++w->long_proofs < PATIENT_SAMPLES)
        w->patience = steps < STEPS_MAX ? steps * 2 : steps;
    return r == PROOF_ENDLESS && !(reads_ram && has_dma(x));
}

/* ---- several CPUs: all at one moment ---- */

static void wait_a_little(struct explain *x, struct cpu *c)
{
    explain_unlock(x);
    os_sleep_ns(100000);
    if (atomic_fetch_and(&c->attention, ~(u32)ATT_PEER) & ATT_PEER) /* one that comes may wait for an answer */
        cpu_serve_peers(c);
    explain_lock(x);
}

void stuck_meet(struct explain *x, struct cpu *c)
{
    u64 number = x->meeting.number;
    watch_of(x, c)->met = number;
    while (x->meeting.open && x->meeting.number == number && os_now_ns() < x->meeting.until_ns)
        wait_a_little(x, c);
}

static bool is_absent(struct explain *x, unsigned self)
{
    for (unsigned i = 0; i < x->cpus; i++)
        if (i != self && machine_cpu_can_act(x->m, i) && x->cpu[i].met != x->meeting.number)
            return true;
    return false;
}

/// Brings all that run to a stand at a sample, where their state is exact. ret  false: one did not come in time
static bool call_meeting(struct explain *x, struct cpu *c)
{
    x->meeting.open = true;
    x->meeting.number++;
    x->meeting.until_ns = os_now_ns() + MEETING_NS;
    for (unsigned i = 0; i < x->cpus; i++)
        if (i != c->index)
            atomic_fetch_or(&machine_cpu(x->m, i)->attention, ATT_SAMPLE);
    while (is_absent(x, c->index) && os_now_ns() < x->meeting.until_ns)
        wait_a_little(x, c);
    return !is_absent(x, c->index);
}

/// While none of them moves: no CPU ever leaves its loop, and none changes what another one reads. What one CPU
/// alone shows at its samples is not enough: it may get on in between, and wait again when the next one comes.
static bool all_endless(struct explain *x, struct cpu *c)
{
    enum { STEPS = 128 * 1024 };
    if (is_alone(x, c->index))
        return true;
    struct touched *t = xcalloc(x->cpus, sizeof *t);
    bool reads_ram, ok = !c->on_thread || call_meeting(x, c);
    for (unsigned i = 0; i < x->cpus && ok; i++)
        if (i != c->index && (machine_cpu_can_act(x->m, i) || machine_cpu_awaits_event(x->m, i))) /* an event: also a store to what it watches */
            ok = prove_endless(x, machine_cpu(x->m, i), STEPS, &reads_ram, &t[i]) == PROOF_ENDLESS && !x->waits_input;
    /* The last: the report tells of its loop. */
    ok = ok && prove_endless(x, c, STEPS, &reads_ram, &t[c->index]) == PROOF_ENDLESS;
    for (unsigned i = 0; i < x->cpus * x->cpus && ok; i++)
        ok = i / x->cpus == i % x->cpus || !touched_meet(&t[i / x->cpus], &t[i % x->cpus]);
    x->meeting.open = false;
    free(t);
    return ok;
}

/* ---- several CPUs: one died, the others wait for it ---- */

#define MOURN_NS 500000000ULL ///< so long nothing else happens

/// It hangs with interrupts masked in the handler of a fault of its own level.
static bool died(const struct cpu_watch *w, const struct cpu *c)
{
    return w->root.valid && w->root.full && w->root.kind < 0x400 && !(w->root.kind & 0x180) && !is_call(w->root.esr) && c->erets == w->erets_seen;
}

/// Nothing was printed and no other CPU left its place since then: a loop that waits, with interrupts it serves.
static bool others_wait(struct explain *x, struct cpu *c)
{
    u64 now = os_now_ns(), printed = atomic_load_explicit(&x->console_bytes, memory_order_relaxed);
    struct cpu_watch *w = watch_of(x, c);
    bool still = w->died_ns && printed == w->died_printed;
    for (unsigned i = 0; i < x->cpus && still; i++)
        still = i == c->index || !machine_cpu_can_act(x->m, i) || x->cpu[i].stays_ns <= w->died_ns;
    if (!still) {
        w->died_ns = now;
        w->died_printed = printed;
    }
    return still && now - w->died_ns > MOURN_NS;
}

/// Since when a CPU has been in one loop, interrupts apart.
static void note_place(struct cpu_watch *w, const struct cpu *c)
{
    enum { LOOP_BYTES = 256 };
    bool serves = w->root.valid && (w->root.kind & 0x180) && c->erets == w->erets_seen;
    if (serves || (c->el && c->pc - c->sr[cpu_el_regs[c->el].vbar] < 0x800) || c->pc - w->stays_pc + LOOP_BYTES < 2 * LOOP_BYTES)
        return;
    w->stays_pc = c->pc;
    w->stays_ns = os_now_ns();
}

void stuck_sample(struct explain *x, struct cpu *c)
{
    struct cpu_watch *w = watch_of(x, c);
    if (x->cpus > 1 && !x->is_linux)
        note_place(w, c);
    if (++w->samples >= (x->is_linux ? TRAIL_SAMPLES_LINUX : TRAIL_SAMPLES) && c->full_trail == TRAIL_FULL && !is_strict(x)) {
        for (unsigned i = 0; i < x->cpus; i++) /* translations are shared: all or none; it lives: full speed from here on */
            machine_cpu(x->m, i)->full_trail = x->is_linux ? TRAIL_ENDING : TRAIL_SPARSE;
        cpu_kick(c);
    }
    unsigned streak = w->stuck_streak;
    w->stuck_streak = 0;
    if (x->doomed)
        return;
    lint_code_sample(x, c);
    if (x->is_linux)
        look_for_panic(x, c);
    if ((c->el == 0 && x->is_linux) || c->stage2)
        return;
    if (!interrupts_masked(x, c) && (cpu_irq_wire(c) || machine_cpu_can_act(x->m, c->index)))
        return;
    bool endless = is_endless(x, c, w);
    w->input_samples = endless && x->waits_input ? w->input_samples + 1 : 0;
    if (!endless)
        return;
    w->stuck_streak = streak + 1;
    w->stuck_samples++;
    if (is_stuck(x, c->index) && (!x->waits_input || w->input_samples >= INPUT_SAMPLES) &&
        others_are_dead(x, c->index) && all_endless(x, c))
        explain_doom(x, c, x->waits_input ? V_INPUT : V_STUCK);
    else if (!x->is_linux && x->cpus > 1 && !x->waits_input && interrupts_masked(x, c) && died(w, c) && others_wait(x, c))
        explain_doom(x, c, V_FAULT);
}
