/// The explainer's centre: findings, what is remembered of a run, and its end: verdict, cause, report.
#include "debug/copies.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLE_NS 100000000ULL
enum { FINE = 5 }; ///< with a timeout, whose report shows where the time went, samples come so much more often

/* ---- findings ---- */

u64 said_bit(const char *id)
{
    unsigned n = 0;
    for (const char *d = id + (id[0] != 0); *d >= '0' && *d <= '9'; d++)
        n = 10 * n + (unsigned)(*d - '0');
    return 1ULL << (id[0] == 'L' ? 32 + n % 24 : id[0] == 'U' ? 56 + n % 8 : n % 32);
}

void explain_note(struct explain *x, const char *id, const char *text)
{
    if (x->note_count == NOTES_MAX)
        return;
    struct note *n = &x->note[x->note_count++];
    snprintf(n->id, sizeof n->id, "%s", id);
    snprintf(n->text, sizeof n->text, "%s", text);
}

void explain_say(struct explain *x, struct cpu *c, const char *id, bool once, const char *fmt, ...)
{
    char text[640];
    va_list ap;
    u64 seen = said_bit(id);
    explain_lock(x);
    if (x->cfg.lint == MACHINE_LINT_OFF || (once && (x->said & seen)) || x->note_count == NOTES_MAX) {
        explain_unlock(x);
        return;
    }
    x->said |= seen;
    size_t n = c && c->index && strncmp(fmt, "cpu", 3) ? (size_t)snprintf(text, sizeof text, "cpu%u: ", c->index) : 0;
    va_start(ap, fmt);
    vsnprintf(text + n, sizeof text - n, fmt, ap);
    va_end(ap);
    explain_note(x, id, text);
    if (x->cfg.say)
        x->cfg.say(x->cfg.say_ctx, id, text);
    if (x->cfg.lint == MACHINE_LINT_ERROR && c)
        explain_doom(x, c, V_LINT);
    explain_unlock(x);
}

void explain_doom(struct explain *x, struct cpu *c, enum verdict v)
{
    explain_lock(x);
    if (!x->doomed) {
        x->doomed = true;
        x->verdict = v;
        x->verdict_cpu = c->index;
        c->exit.value = v == V_LINT    ? 116
                        : v == V_INPUT ? 124
                        : v == V_STUCK ? 114
                        : v == V_PANIC ? 112
                                       : 115;
        atomic_fetch_or(&c->attention, ATT_DOOM);
    }
    explain_unlock(x);
}

void explain_firmware(struct explain *x, const char *id, const char *text, bool fatal)
{
    struct cpu *c = machine_cpu(x->m, 0);
    explain_say(x, c, id, true, "%s", text);
    if (!fatal)
        return;
    snprintf(x->firmware_id, sizeof x->firmware_id, "%s", id);
    snprintf(x->firmware_text, sizeof x->firmware_text, "%s", text);
    explain_doom(x, c, V_FAULT);
}

bool explain_is_fine(const struct explain *x) { return machine_config(x->m)->timeout_ns != 0; }

/* ---- life ---- */

struct explain *explain_new(struct machine *m, const struct explain_config *cfg)
{
    struct explain *x = xcalloc(1, sizeof *x);
    struct cpu *c;
    x->m = m;
    x->cfg = *cfg;
    x->cpus = machine_config(m)->cpus;
    x->cpu = xcalloc(x->cpus, sizeof *x->cpu);
    os_mutex_init(&x->lock);
    os_mutex_init_recursive(&x->busy);
    os_cond_init(&x->wake);
    for (unsigned i = 0; (c = machine_cpu(m, i)) != NULL; i++)
        hooks_install(x, c);
    return x;
}

static void forget(struct explain *x)
{
    copies_free(x);
    lint_tables_free(x);
    lint_alias_free(x);
    handoff_free(x);
    free(x->text);
    free(x->json);
    free(x->log_tail);
    free(x->hot);
    x->hot = NULL;
    x->text = x->json = x->log_tail = NULL;
    x->line[0] = 0;
}

void explain_free(struct explain *x)
{
    struct cpu *c;
    if (x == NULL)
        return;
    explain_stop(x);
    for (unsigned i = 0; (c = machine_cpu(x->m, i)) != NULL; i++)
        c->hooks = (struct cpu_hooks){0}, c->delays_sysregs = c->tells_uncached = c->watches_eret = false;
    forget(x);
    cpu_free(x->sim);
    os_cond_destroy(&x->wake);
    os_mutex_destroy(&x->lock);
    os_mutex_destroy(&x->busy);
    free(x->cpu);
    free(x);
}

/// Bounds of the boot stack by the names people give them.
static void find_stack(struct explain *x)
{
    static const char *const lo[] = {"__stack_bottom", "_stack_bottom", "stack_bottom", "__stack_start",
                                     "_stack_start", "stack_start", "__stack_lo", "__stack_limit", "_stack_limit",
                                     "__StackLimit", "boot_stack_bottom", "__boot_stack_bottom",
                                     "boot_stack_start", "_estack_bottom", "stack_low", "stack_base_low"};
    static const char *const hi[] = {"__stack_top", "_stack_top", "stack_top", "__stack_end", "_stack_end",
                                     "stack_end", "__stack_hi", "__stack", "__StackTop", "boot_stack_top",
                                     "__boot_stack_top", "boot_stack_end", "_estack", "stack_high"};
    x->stack_used = x->cfg.stack_hi != 0;
    x->stack_lo = x->cfg.stack_lo;
    x->stack_hi = x->cfg.stack_hi;
    if (x->stack_hi)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(lo) && !x->stack_lo; i++)
        name_find(x, lo[i], &x->stack_lo);
    for (unsigned i = 0; i < ARRAY_LEN(hi) && !x->stack_hi; i++)
        name_find(x, hi[i], &x->stack_hi);
    if (x->stack_hi <= x->stack_lo || x->stack_hi - x->stack_lo > 64 * MIB)
        x->stack_lo = x->stack_hi = 0;
}

void explain_loaded(struct explain *x, const struct boot_plan *plan, const char *cmdline)
{
    forget(x);
    memset(x->cpu, 0, x->cpus * sizeof *x->cpu);
    x->note_count = 0;
    x->said = 0;
    x->firmware_id[0] = 0;
    x->ring = 0;
    x->barriers.count = x->barriers.looks = 0;
    x->quiet = x->doomed = false;
    x->verdict = V_NONE;
    x->has_plan = plan != NULL;
    if (plan)
        x->plan = *plan;
    memset(x->dtb_head, 0, sizeof x->dtb_head);
    if (plan)
        (void)!mem_read(machine_mem(x->m), plan->dtb, x->dtb_head, sizeof x->dtb_head);
    u8 head[64] = {0}; /* of an Image that was placed by hand */
    bool image = plan && (plan->kind == BOOT_KIND_IMAGE ||
                          (plan->kind == BOOT_KIND_FLAT && mem_read(machine_mem(x->m), plan->entry, head, sizeof head) && ld32(head + 56) == 0x644d5241));
    x->is_linux = image && boot_is_linux_sized(plan);
    snprintf(x->cmdline, sizeof x->cmdline, "%s", cmdline ? cmdline : "");
    x->console_len = 0;
    x->console[0] = 0;
    find_stack(x);
    for (unsigned i = 0; i < x->cpus; i++)
        machine_cpu(x->m, i)->full_trail = TRAIL_FULL; /* until stuck_sample says otherwise */
}

void explain_console(struct explain *x, const u8 *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (x->console_len == CONSOLE_TAIL - 1) {
            x->console_len = CONSOLE_TAIL / 2;
            memmove(x->console, x->console + CONSOLE_TAIL / 2 - 1, CONSOLE_TAIL / 2);
        }
        x->console[x->console_len++] = data[i] ? (char)data[i] : ' ';
        x->console[x->console_len] = 0;
    }
    atomic_fetch_add_explicit(&x->console_bytes, len, memory_order_relaxed);
}

/* ---- the sampler ---- */

static void sampler_main(void *arg)
{
    struct explain *x = arg;
    os_mutex_lock(&x->lock);
    while (!x->stop) {
        os_cond_wait_until(&x->wake, &x->lock, os_now_ns() + SAMPLE_NS / (explain_is_fine(x) ? FINE : 1));
        for (unsigned i = 0; i < x->cpus && !x->stop; i++)
            atomic_fetch_or(&machine_cpu(x->m, i)->attention, ATT_SAMPLE);
    }
    os_mutex_unlock(&x->lock);
}

bool explain_start(struct explain *x)
{
    struct err e;
    if (x->cfg.lint == MACHINE_LINT_ERROR && x->note_count) {
        x->doomed = true;
        x->verdict = V_LINT;
        return false;
    }
    x->doomed = false;
    x->stop = false;
    if (!os_thread_start(&x->sampler, "bruin-explain", sampler_main, x, &e))
        x->sampler.is_running = false; /* no sampler: loops without exceptions go unnoticed */
    return true;
}

void explain_stop(struct explain *x)
{
    os_mutex_lock(&x->lock);
    x->stop = true;
    os_cond_broadcast(&x->wake);
    os_mutex_unlock(&x->lock);
    os_thread_join(&x->sampler);
    x->sampler.is_running = false;
}

/* ---- the end ---- */

const char *verdict_name(enum verdict v)
{
    static const char *const name[] = {
        [V_NONE] = "none", [V_OFF] = "off", [V_RESET] = "reset", [V_PANIC] = "panic",
        [V_DEADLOCK] = "deadlock", [V_STUCK] = "stuck", [V_LOOP] = "exception-loop",
        [V_FAULT] = "fatal-fault", [V_LINT] = "lint", [V_TIMEOUT] = "timeout", [V_STOPPED] = "stopped",
        [V_OTHER] = "other", [V_STORM] = "interrupt-storm", [V_INPUT] = "input-end",
    };
    return name[v];
}

static enum verdict verdict_of(const struct explain *x, const struct machine_exit *e)
{
    switch (e->kind) {
    case MACHINE_OFF: return x->doomed && x->verdict == V_LINT ? V_LINT : V_OFF; /* off before it stopped */
    case MACHINE_RESET: return x->doomed && x->verdict == V_LINT ? V_LINT : V_RESET;
    case MACHINE_PANIC: return V_PANIC;
    case MACHINE_DEADLOCK: return V_DEADLOCK;
    case MACHINE_DOOM: return x->verdict;
    case MACHINE_TIMEOUT: return V_TIMEOUT;
    case MACHINE_STOPPED: return V_STOPPED;
    default: return V_OTHER;
    }
}

/// A call that is a mistake by itself: of firmware by the wrong instruction, or with vectors that are elsewhere.
static bool is_wrong_call(const struct cpu_watch *w)
{
    bool psci = (w->root.x[0] & ~0x4000001fULL) == 0x84000000;
    return w->vbar_written /* misplaced vectors: no call is served */ || (psci && w->root.kind < 0x400 && bits(w->root.esr, 31, 26) == EC_HVC64);
}

/// An exception that was taken on this CPU and never returned from, of a kind that means a mistake.
static const struct fault *outstanding(struct explain *x, unsigned cpu)
{
    const struct cpu_watch *w = &x->cpu[cpu];
    const struct cpu *c = machine_cpu(x->m, cpu);
    bool call = (w->root.kind & 0x180) == 0 && is_call(w->root.esr);
    if (!w->root.valid || c->erets != w->erets_seen)
        return NULL;
    if (!w->root.full) /* a system call, whose vector itself may have faulted */
        return !x->is_linux && w->loop.nested && w->last.pc == w->root.vector ? &w->last : NULL;
    return call && !w->loop.nested && !is_wrong_call(w) ? NULL : &w->root;
}

enum { AGAIN_MIN = 1000 }; ///< faults at one instruction until it is what a run that timed out died of

static const struct fault *decide_fault(struct explain *x)
{
    const struct fault *f = outstanding(x, x->verdict_cpu);
    if (x->verdict == V_LOOP || x->verdict == V_FAULT)
        return x->cpu[x->verdict_cpu].root.valid ? &x->cpu[x->verdict_cpu].root : NULL;
    if (x->verdict != V_DEADLOCK && x->verdict != V_STUCK && x->verdict != V_TIMEOUT)
        return NULL;
    for (unsigned i = 0; i < x->cpus && (f == NULL || (f->kind & 0x180)); i++)
        if (outstanding(x, i) && !(outstanding(x, i)->kind & 0x180))
            f = outstanding(x, i);
    const struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    bool parked = x->verdict == V_STUCK || (x->verdict == V_DEADLOCK && f && c->pc - 4 - f->sr_vbar < 0x800);
    bool waits_lock = x->verdict == V_STUCK && x->loop.exclusive;
    if (f && (f->kind & 0x180) && (!parked || waits_lock)) /* sleeping or waiting for a lock in an interrupt handler is no fault */
        return NULL;
    for (unsigned i = 0; i < x->cpus && x->verdict == V_TIMEOUT && (f == NULL || (f->kind & 0x180)); i++)
        if (x->cpu[i].again_count >= AGAIN_MIN && x->cpu[i].again.full)
            f = &x->cpu[i].again;
    if (f && x->verdict != V_TIMEOUT)
        x->verdict = V_FAULT;
    if (f)
        x->verdict_cpu = f->cpu;
    return f;
}

void explain_view(struct explain *x, struct text *out)
{
    char at[120], far[120];
    unsigned said = x->note_count;
    for (unsigned i = 0; i < x->note_count; i++)
        text_add(out, "%s: %s\n", x->note[i].id, x->note[i].text);
    for (unsigned i = 0; i < x->cpus; i++) {
        const struct fault *f = outstanding(x, i);
        if (f == NULL || (f->kind & 0x180) || (is_call(f->esr) && x->is_linux))
            continue;
        said++;
        text_add(out, "cpu%u took an exception at %s and has not returned from it: ESR 0x%llx, %s; FAR %s\n", i, name_full(x, f->pc, at, sizeof at),
                 (unsigned long long)f->esr, ec_name((u32)bits(f->esr, 31, 26)), name_full(x, f->far, far, sizeof far));
    }
    if (said == 0)
        text_add(out, "nothing is wrong that the explainer knows of\n");
}

static int status_of(const struct explain *x, const struct machine_exit *e)
{
    switch (x->verdict) {
    case V_PANIC: return 112;
    case V_DEADLOCK:
    case V_STUCK: return 114;
    case V_LOOP:
    case V_STORM:
    case V_FAULT: return 115;
    case V_LINT: return 116;
    case V_INPUT: return 124;
    case V_OFF:
        if (handoff_returned(x))
            return handoff_returned(x);
        /* fall through */
    default: return machine_exit_status(e);
    }
}

bool explain_has_panic(struct explain *x)
{
    return x->is_linux && !strstr(x->console, "reboot: Restarting system") && linux_has_panic(x, true);
}

/// The device tree that was loaded is gone: what young kernels clear or write without looking.
static bool note_lost_dtb(struct explain *x)
{
    static const u8 magic[] = {0xd0, 0x0d, 0xfe, 0xed};
    u8 now[8];
    char text[240];
    if (!x->has_plan || memcmp(x->dtb_head, magic, sizeof magic) || !mem_read(machine_mem(x->m), x->plan.dtb, now, sizeof now) ||
        memcmp(now, x->dtb_head, sizeof now) == 0)
        return false;
    snprintf(text, sizeof text,
             "The device tree at 0x%llx was overwritten (it now begins with %02x %02x %02x %02x): a cleared .bss, tables, a stack or a copy lies "
             "over it.", (unsigned long long)x->plan.dtb, now[0], now[1], now[2], now[3]);
    explain_note(x, "F07", text);
    return true;
}

int explain_finish(struct explain *x, const struct machine_exit *e)
{
    struct why w = {0};
    const struct fault *f;
    x->verdict = verdict_of(x, e);
    if (!x->doomed)
        x->verdict_cpu = e->cpu < x->cpus ? e->cpu : 0;
    bool explains = x->verdict != V_OFF && x->verdict != V_STOPPED && x->verdict != V_OTHER && x->verdict != V_INPUT;
    if (x->cfg.symbols)
        symbols_allow_search(x->cfg.symbols, explains);
    f = decide_fault(x);
    for (unsigned i = 0; i < x->cpus; i++) {
        x->cpu[i].trail = machine_cpu(x->m, i)->trail;
        trail_resolve(machine_cpu(x->m, i), &x->cpu[i].trail, machine_cpu(x->m, i)->pc);
        trail_resolve(machine_cpu(x->m, i), &x->cpu[i].root.trail, 0);
        trail_resolve(machine_cpu(x->m, i), &x->cpu[i].again.trail, 0);
    }
    bool lost_dtb = explains && x->verdict != V_TIMEOUT && !x->quiet && note_lost_dtb(x);
    if (x->verdict == V_PANIC)
        why_panic(x, &w);
    else if (x->verdict == V_STORM)
        why_storm(x, &w);
    else if (f)
        why_fault(x, &x->cpu[f->cpu], f, &w);
    else if (x->verdict == V_DEADLOCK || x->verdict == V_STUCK || x->verdict == V_TIMEOUT)
        why_idle(x, &w);
    if (lost_dtb && !f && w.cause[0])
        snprintf(w.cause + strlen(w.cause), sizeof w.cause - strlen(w.cause), " %s", x->note[x->note_count - 1].text);
    if (x->firmware_id[0] && f) { /* the firmware knows the image, the entry knows the fault */
        char why[sizeof w.cause];
        snprintf(why, sizeof why, "%s", w.cause);
        snprintf(w.cause, sizeof w.cause, "%.300s. %.480s", x->firmware_text, why);
        snprintf(w.id, sizeof w.id, "%s", x->firmware_id);
        snprintf(why, sizeof why, "exception in an EFI application: %.80s", w.title);
        snprintf(w.title, sizeof w.title, "%.119s", why);
        if (strcmp(x->firmware_id, "U2") == 0)
            snprintf(w.fix, sizeof w.fix, "Print before ExitBootServices, or write to the UART itself (PL011 at 0x09000000) afterwards.");
        else if (bits(f->esr, 31, 26) == EC_IABT && is_said(x, "L9") && strstr(w.title, "allow"))
            snprintf(w.fix, sizeof w.fix, "Before the jump either map the entry executable in tables of the loader's own, or turn the MMU off (SCTLR_EL%u.M) in a "
                                          "page of the loader's own text; pages of LoaderData are execute-never.", f->el);
    }
    int status = status_of(x, e);
    report_write(x, e, status, &w, f);
    if (x->cfg.symbols)
        symbols_allow_search(x->cfg.symbols, false);
    return status;
}

const char *explain_line(const struct explain *x) { return x->line; }
const char *explain_verdict(const struct explain *x) { return verdict_name(x->verdict); }
const char *explain_text(const struct explain *x) { return x->text; }
const char *explain_json(const struct explain *x) { return x->json; }
