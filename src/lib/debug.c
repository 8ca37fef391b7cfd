/// Looking into a machine while it runs: monitor commands from the console, from a socket and from the
/// embedder, gdb, the event trace. The thread of bruin_run does the work between runs; others hand it a
/// request and stop the machine.
#include "lib/lib.h"
#include "debug/gdbstub.h"
#include "debug/monitor.h"
#include "debug/trace.h"
#include "os/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DEBUG_STOP = 0x0db6, LINE_MAX_LEN = 1024, RETRY_NS = 50000000, TRACE_LOG2 = 16 };

struct vm_debug {
    bruin_vm *vm;
    struct debugger *d;
    struct gdbstub *gdb;
    struct os_mutex lock;
    struct os_cond asked, answered;
    /* Guarded by lock. */
    const char *line;    ///< the request, or NULL
    struct text reply;
    bool is_answered, is_held, has_ended, gdb_waits, quit;
    struct machine_exit at; ///< why it is held
    /* Console. */
    bool console_on;
    char typed[LINE_MAX_LEN];
    size_t typed_len;
    struct os_thread console_thread, socket_thread, gdb_thread;
    bool console_busy;
    int listener;
    _Atomic bool closing, serves_gdb;
    struct trace *trace;
};

static void explain_now(void *ctx, struct text *out)
{
    bruin_vm *vm = ctx;
    const char *line = vm->explain ? explain_line(vm->explain) : "";
    text_add(out, "%s\n", *line ? line : "nothing is wrong that the explainer knows of");
}

static struct vm_debug *debug_of(bruin_vm *vm)
{
    if (vm->debug)
        return vm->debug;
    struct vm_debug *g = xcalloc(1, sizeof *g);
    g->vm = vm;
    g->listener = -1;
    os_mutex_init(&g->lock);
    os_cond_init(&g->asked);
    os_cond_init(&g->answered);
    vm->debug = g;
    return g;
}
static struct debugger *points_of(struct vm_debug *g)
{
    if (g->d == NULL) {
        g->d = debugger_new(g->vm->machine, g->vm->symbols);
        g->d->explain = explain_now;
        g->d->explain_ctx = g->vm;
    }
    g->d->symbols = g->vm->symbols;
    if (g->d->symbols)
        symbols_allow_search(g->d->symbols, true);
    return g->d;
}

/* ---- requests ---- */

char *bruin_monitor(bruin_vm *vm, const char *line)
{
    struct vm_debug *g = debug_of(vm);
    char *out;
    os_mutex_lock(&g->lock);
    while (g->line && !g->has_ended)
        os_cond_wait(&g->answered, &g->lock);
    g->line = line;
    g->is_answered = false;
    os_cond_broadcast(&g->asked);
    while (!g->is_answered && !g->has_ended) {
        if (!g->is_held)
            machine_stop(vm->machine, DEBUG_STOP);
        os_cond_wait_until(&g->answered, &g->lock, os_now_ns() + RETRY_NS);
    }
    g->line = NULL;
    out = xstrdup(g->is_answered ? (g->reply.s ? g->reply.s : "") : "the machine has ended\n");
    text_free(&g->reply);
    g->is_answered = false;
    os_cond_broadcast(&g->answered);
    os_mutex_unlock(&g->lock);
    return out;
}

/// Executes the request under the lock. ret  false when the machine is to go on
static bool answer(struct vm_debug *g)
{
    bool was_held = g->is_held;
    if (strcmp(g->line, "stop") == 0) {
        g->is_held = true;
        text_add(&g->reply, "stopped; c continues\n");
    } else {
        enum monitor_result r = monitor_exec(points_of(g), g->line, &g->reply);
        g->is_held = was_held && r == MONITOR_DONE;
        g->quit = r == MONITOR_QUIT;
        if (r == MONITOR_RESET)
            g->at.kind = MACHINE_RESET;
    }
    g->line = NULL;
    g->is_answered = true;
    os_cond_broadcast(&g->answered);
    return g->is_held;
}

/// A line on the console of people: stderr.
static void tell(struct vm_debug *g, const char *s)
{
    for (; *s; s++) {
        if (*s == '\n' && g->console_on)
            fputc('\r', stderr);
        fputc(*s, stderr);
    }
    fflush(stderr);
}

enum debug_next debug_stopped(bruin_vm *vm, struct machine_exit *x)
{
    struct vm_debug *g = vm->debug;
    bool ours = x->kind == MACHINE_STOPPED && x->code == DEBUG_STOP, point = x->kind == MACHINE_DEBUG;
    if (g == NULL || (!ours && !point))
        return DEBUG_ENDED;
    os_mutex_lock(&g->lock);
    g->at = *x;
    if (point) {
        struct text t = {0};
        g->is_held = true;
        monitor_stop_reason(points_of(g), x, &t);
        monitor_exec(g->d, "x/1i $pc", &t);
        os_mutex_unlock(&g->lock);
        tell(g, t.s ? t.s : "");
        text_free(&t);
        os_mutex_lock(&g->lock);
    }
    while ((g->line || g->is_held) && !g->quit && !g->gdb_waits) {
        if (g->line)
            answer(g);
        else
            os_cond_wait(&g->asked, &g->lock);
    }
    bool gdb = g->gdb_waits;
    g->gdb_waits = false;
    enum debug_next next = g->quit ? DEBUG_QUIT : g->at.kind == MACHINE_RESET ? DEBUG_RESET : DEBUG_RUN;
    os_mutex_unlock(&g->lock);
    return gdb ? debug_gdb(vm, x) : next;
}

/* ---- console: Ctrl-A c ---- */

static void console_prompt(struct vm_debug *g) { tell(g, "(bruin) "); }

static void console_line(void *arg)
{
    struct vm_debug *g = arg;
    char *out = bruin_monitor(g->vm, g->typed_len ? g->typed : "help");
    bool leave = strcmp(g->typed, "c") == 0 || strcmp(g->typed, "cont") == 0 || strcmp(g->typed, "continue") == 0;
    tell(g, out);
    free(out);
    g->typed_len = 0;
    if (leave) {
        g->console_on = false;
        chr_set_capture(g->vm->keys, NULL, NULL);
    } else {
        console_prompt(g);
    }
    g->console_busy = false;
}

/// Every key typed while the monitor has the console; the polling loop's thread.
static void console_key(void *ctx, u8 b)
{
    struct vm_debug *g = ctx;
    struct err e;
    char echo[2] = {(char)b, 0};
    if (g->console_busy)
        return;
    if (b == '\r' || b == '\n') {
        g->typed[g->typed_len] = '\0';
        tell(g, "\n");
        os_thread_join(&g->console_thread);
        g->console_busy = true;
        if (!os_thread_start(&g->console_thread, "monitor", console_line, g, &e))
            g->console_busy = false;
    } else if ((b == 8 || b == 127) && g->typed_len) {
        g->typed_len--;
        tell(g, "\b \b");
    } else if (b >= ' ' && b < 127 && g->typed_len + 1 < sizeof g->typed) {
        g->typed[g->typed_len++] = (char)b;
        tell(g, echo);
    }
}

static void console_hold(void *arg)
{
    struct vm_debug *g = arg;
    char *out = bruin_monitor(g->vm, "stop");
    tell(g, out);
    free(out);
    console_prompt(g);
    g->console_busy = false;
}

void bruin_monitor_console(bruin_vm *vm)
{
    struct vm_debug *g = debug_of(vm);
    struct err e;
    if (g->console_on || vm->keys == NULL)
        return;
    g->console_on = g->console_busy = true;
    g->typed_len = 0;
    tell(g, "\n");
    chr_set_capture(vm->keys, console_key, g);
    os_thread_join(&g->console_thread);
    if (!os_thread_start(&g->console_thread, "monitor", console_hold, g, &e))
        g->console_busy = false;
}

/* ---- socket ---- */

static void serve_client(struct vm_debug *g, int fd)
{
    char line[LINE_MAX_LEN];
    size_t n = 0;
    while (!atomic_load(&g->closing)) {
        char ch;
        if (!os_wait_readable(fd, 100000000))
            continue;
        if (os_read(fd, &ch, 1) <= 0)
            return;
        if (ch != '\n') {
            if (n + 1 < sizeof line)
                line[n++] = ch;
            continue;
        }
        line[n] = '\0';
        n = 0;
        char *out = bruin_monitor(g->vm, line);
        (void)os_send(fd, out, strlen(out));
        (void)os_send(fd, "\0", 1); /* ends the answer */
        free(out);
    }
}
static void socket_main(void *arg)
{
    struct vm_debug *g = arg;
    while (!atomic_load(&g->closing)) {
        if (!os_wait_readable(g->listener, 100000000))
            continue;
        int fd = os_accept(g->listener);
        if (fd < 0)
            continue;
        serve_client(g, fd);
        os_close(fd);
    }
}

/* ---- gdb ---- */

/// Without --wait: stops the machine when a debugger comes.
static void gdb_main(void *arg)
{
    struct vm_debug *g = arg;
    while (!atomic_load(&g->closing)) {
        if (!os_wait_readable(gdbstub_listener(g->gdb), 100000000))
            continue;
        os_mutex_lock(&g->lock);
        g->gdb_waits = true;
        os_cond_broadcast(&g->asked);
        os_mutex_unlock(&g->lock);
        while (!atomic_load(&g->closing) && os_wait_readable(gdbstub_listener(g->gdb), 0)) {
            if (!atomic_load(&g->serves_gdb)) /* a second one has to wait */
                machine_stop(g->vm->machine, DEBUG_STOP);
            os_sleep_ns(RETRY_NS);
        }
    }
}

/// While gdb has the machine: a monitor command, which does not keep it.
static bool serve_monitor(void *ctx, const struct machine_exit *x)
{
    struct vm_debug *g = ctx;
    if (x->kind != MACHINE_STOPPED || x->code != DEBUG_STOP)
        return false;
    os_mutex_lock(&g->lock);
    if (g->line)
        answer(g);
    bool quit = g->quit;
    g->is_held = false;
    os_mutex_unlock(&g->lock);
    return !quit;
}

enum debug_next debug_gdb(bruin_vm *vm, struct machine_exit *x)
{
    struct vm_debug *g = vm->debug;
    points_of(g);
    atomic_store(&g->serves_gdb, true);
    enum gdb_result r = gdbstub_serve(g->gdb, x);
    atomic_store(&g->serves_gdb, false);
    switch (r) {
    case GDB_DETACHED: return DEBUG_RUN;
    case GDB_KILLED: return DEBUG_QUIT;
    case GDB_RESET: return DEBUG_RESET;
    default: return DEBUG_ENDED;
    }
}

static bool start_gdb(struct vm_debug *g, struct err *e)
{
    const char *where = bruin_config_get(g->vm->config, "gdb");
    bool is_path = where && strchr(where, '/');
    unsigned port = where && *where && !is_path ? (unsigned)strtoul(where, NULL, 10) : 1234;
    g->gdb = gdbstub_new(points_of(g), port, is_path ? where : NULL, e);
    if (g->gdb == NULL)
        return false;
    gdbstub_set_others(g->gdb, serve_monitor, g);
    if (config_flag(g->vm->config, "wait")) {
        char text[160];
        snprintf(text, sizeof text, "waiting for gdb: target remote %s%.100s", is_path ? "" : ":", is_path ? where : "");
        if (!is_path)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%u", gdbstub_port(g->gdb));
        if (g->vm->message)
            g->vm->message(g->vm->message_ctx, "", text);
        return true;
    }
    return os_thread_start(&g->gdb_thread, "gdb-listen", gdb_main, g, e);
}

/* ---- trace ---- */

static bool start_trace(struct vm_debug *g, const char *events, struct err *e)
{
    struct trace_filter f;
    struct cpu *c;
    if (!trace_filter_parse(events, g->vm->symbols, &f, e))
        return false;
    trace_free(g->trace);
    g->trace = trace_new(TRACE_LOG2, f.mask);
    g->trace->pc_lo = f.pc_lo;
    g->trace->pc_hi = f.pc_hi;
    for (unsigned k = 0; (c = machine_cpu(g->vm->machine, k)) != NULL; k++)
        c->trace = g->trace;
    return true;
}
char *bruin_trace(bruin_vm *vm, bool json)
{
    struct text t = {0};
    if (vm->debug == NULL || vm->debug->trace == NULL)
        return xstrdup("");
    if (vm->symbols)
        symbols_allow_search(vm->symbols, true);
    trace_dump(vm->debug->trace, vm->symbols, json, &t);
    return t.s ? t.s : xstrdup("");
}

/* ---- life ---- */

bool debug_start(bruin_vm *vm, struct err *e)
{
    const char *monitor = bruin_config_get(vm->config, "monitor"), *events = bruin_config_get(vm->config, "events");
    bool gdb = bruin_config_get(vm->config, "gdb") || config_flag(vm->config, "wait");
    if (vm->debug && vm->debug->vm && (vm->debug->gdb || vm->debug->listener >= 0 || vm->debug->trace))
        return true;
    if (events && !start_trace(debug_of(vm), events, e))
        return false;
    if (monitor) {
        struct vm_debug *g = debug_of(vm);
        unsigned port = 0;
        g->listener = os_listen(monitor, &port, e);
        if (g->listener < 0 || !os_thread_start(&g->socket_thread, "monitor-sock", socket_main, g, e))
            return false;
    }
    return !gdb || start_gdb(debug_of(vm), e);
}
bool debug_waits(const bruin_vm *vm) { return vm->debug && vm->debug->gdb && config_flag(vm->config, "wait"); }

void debug_ended(bruin_vm *vm)
{
    struct vm_debug *g = vm->debug;
    if (g == NULL)
        return;
    os_mutex_lock(&g->lock);
    g->has_ended = true;
    os_cond_broadcast(&g->answered);
    os_mutex_unlock(&g->lock);
}

void debug_free(bruin_vm *vm)
{
    struct vm_debug *g = vm->debug;
    const char *monitor = bruin_config_get(vm->config, "monitor");
    if (g == NULL)
        return;
    debug_ended(vm);
    atomic_store(&g->closing, true);
    os_thread_join(&g->console_thread);
    os_thread_join(&g->socket_thread);
    os_thread_join(&g->gdb_thread);
    if (g->listener >= 0) {
        os_close(g->listener);
        unlink(monitor);
    }
    gdbstub_free(g->gdb);
    debugger_free(g->d);
    struct cpu *c;
    for (unsigned k = 0; vm->machine && (c = machine_cpu(vm->machine, k)) != NULL; k++)
        c->trace = NULL;
    trace_free(g->trace);
    os_cond_destroy(&g->asked);
    os_cond_destroy(&g->answered);
    os_mutex_destroy(&g->lock);
    free(g);
    vm->debug = NULL;
}
