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

enum { DEBUG_STOP = 0x0db6, LINE_MAX_LEN = 1024, RETRY_NS = 50000000, CLIENTS_MAX = 16, TRACE_LOG2 = 16 };
#define SEND_PAUSE_NS 5000000ULL

/// Somebody at the monitor socket.
struct client {
    struct vm_debug *g;
    struct os_thread thread;
    int fd;
    _Atomic bool is_done;
};

struct vm_debug {
    bruin_vm *vm;
    struct debugger *d;
    struct gdbstub *gdb;
    struct os_mutex lock;
    struct os_cond asked, answered;
    /* Guarded by lock. */
    const char *line; ///< the request, or NULL
    struct text reply;
    enum monitor_result result;
    bool is_busy; ///< somebody's request is under way
    bool is_answered, is_held, has_ended, gdb_waits, quit;
    char why_held[400];
    struct machine_exit at; ///< why it is held
    /* Console. */
    bool console_on, console_used;
    struct os_mutex keys_lock; ///< guards what is typed; taken before lock
    char typed[LINE_MAX_LEN], pending[LINE_MAX_LEN]; ///< pending: keys that came while a command ran
    size_t typed_len, pending_len;
    struct os_thread console_thread, socket_thread, gdb_thread;
    bool console_busy;
    int listener;
    struct client client[CLIENTS_MAX];
    _Atomic bool closing, serves_gdb;
    struct trace *trace;
};

static void explain_now(void *ctx, struct text *out)
{
    bruin_vm *vm = ctx;
    if (vm->explain)
        explain_view(vm->explain, out);
    else
        text_add(out, "no explainer is attached (--bare)\n");
}

static struct vm_debug *debug_of(bruin_vm *vm)
{
    if (vm->debug)
        return vm->debug;
    struct vm_debug *g = xcalloc(1, sizeof *g);
    g->vm = vm;
    g->listener = -1;
    os_mutex_init(&g->lock);
    os_mutex_init(&g->keys_lock);
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

/// Hands a request to the thread of bruin_run and waits. ret  the answer, to be freed
static char *request(bruin_vm *vm, const char *line, enum monitor_result *result)
{
    struct vm_debug *g = debug_of(vm);
    char *out;
    os_mutex_lock(&g->lock);
    while (g->is_busy && !g->has_ended)
        os_cond_wait(&g->answered, &g->lock);
    g->is_busy = true;
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
    *result = g->result;
    text_free(&g->reply);
    g->is_busy = g->is_answered = false;
    os_cond_broadcast(&g->answered);
    os_mutex_unlock(&g->lock);
    return out;
}

/// `wait [SECONDS]`: until the machine is held.
static char *wait_held(struct vm_debug *g, const char *arg)
{
    char out[480], *end;
    u64 seconds = strtoull(arg, &end, 10), until = ~0ULL;
    if (*end)
        return xstrdup("wait: a number of seconds, or none\n");
    if (end != arg && seconds < 1000000000)
        until = os_now_ns() + seconds * 1000000000;
    os_mutex_lock(&g->lock);
    bool in_time = true;
    while (in_time && !g->is_held && !g->has_ended)
        in_time = os_cond_wait_until(&g->answered, &g->lock, until) || g->is_held;
    snprintf(out, sizeof out, "%s", g->is_held ? g->why_held : g->has_ended ? "the machine has ended\n" : "still running\n");
    os_mutex_unlock(&g->lock);
    return xstrdup(out);
}

static char *monitor_line(bruin_vm *vm, const char *line, enum monitor_result *result)
{
    char word[LINE_MAX_LEN];
    line += strspn(line, " \t");
    snprintf(word, sizeof word, "%s", line);
    for (size_t n = strlen(word); n && strchr(" \t\r", word[n - 1]); n--)
        word[n - 1] = '\0';
    *result = MONITOR_DONE;
    if (strncmp(word, "wait", 4) == 0 && strchr(" ", word[4]))
        return wait_held(debug_of(vm), word + 4 + strspn(word + 4, " "));
    return request(vm, word, result);
}

char *bruin_monitor(bruin_vm *vm, const char *line)
{
    enum monitor_result result;
    return monitor_line(vm, line, &result);
}

static void hold(struct vm_debug *g, const char *why)
{
    g->is_held = true;
    snprintf(g->why_held, sizeof g->why_held, "%s", why);
    os_cond_broadcast(&g->answered);
}

/// Executes the request under the lock.
static void answer(struct vm_debug *g, bool gdb_has_it)
{
    bool was_held = g->is_held;
    const char *line = g->line;
    g->result = MONITOR_DONE;
    if (strcmp(line, "stop") == 0 && !gdb_has_it) {
        if (!was_held)
            hold(g, "stopped by `stop`\n");
        text_add(&g->reply, "stopped; c continues\n");
    } else if (strcmp(line, "info status") == 0 && !gdb_has_it) {
        text_add(&g->reply, "%s", was_held ? g->why_held : "running\n");
    } else {
        g->result = monitor_exec(points_of(g), line, &g->reply);
        bool stepped = line[0] == 's' && (line[1] == '\0' || line[1] == ' ' || strncmp(line, "si", 2) == 0 || strncmp(line, "step", 4) == 0);
        if (!was_held && stepped && g->result == MONITOR_DONE && !gdb_has_it)
            hold(g, "stopped after a step\n");
    }
    if (gdb_has_it && g->result == MONITOR_CONTINUE)
        text_add(&g->reply, "gdb has the machine: it continues there\n");
    g->is_held = g->is_held && g->result == MONITOR_DONE && !gdb_has_it;
    g->quit = g->result == MONITOR_QUIT;
    if (g->result == MONITOR_RESET)
        g->at.kind = MACHINE_RESET;
    g->line = NULL;
    g->is_answered = true;
    os_cond_broadcast(&g->answered);
}

/// A line on the console of people: stderr.
static void tell(struct vm_debug *g, const char *s)
{
    bool raw = g->console_on || os_is_tty(2);
    for (; *s; s++) {
        if (*s == '\n' && raw)
            fputc('\r', stderr);
        fputc(*s, stderr);
    }
    fflush(stderr);
}

static void console_key(void *ctx, u8 b);

/// A break- or watchpoint: says so, and gives the console's user the prompt back.
static void point_met(struct vm_debug *g, const struct machine_exit *x)
{
    struct text t = {0};
    monitor_stop_reason(points_of(g), x, &t);
    monitor_exec(g->d, "x/1i $pc", &t);
    hold(g, t.s ? t.s : "");
    os_mutex_unlock(&g->lock);
    tell(g, t.s ? t.s : "");
    text_free(&t);
    os_mutex_lock(&g->keys_lock);
    if (g->console_used && !g->console_on) {
        g->console_on = true;
        g->typed_len = 0;
        chr_set_capture(g->vm->keys, console_key, g);
    }
    if (g->console_on && !g->console_busy)
        tell(g, "(bruin) ");
    os_mutex_unlock(&g->keys_lock);
    os_mutex_lock(&g->lock);
}

static enum debug_next serve_gdb(bruin_vm *vm, struct machine_exit *x, int *status);

enum debug_next debug_stopped(bruin_vm *vm, struct machine_exit *x, int *status)
{
    struct vm_debug *g = vm->debug;
    bool ours = x->kind == MACHINE_STOPPED && x->code == DEBUG_STOP, point = x->kind == MACHINE_DEBUG;
    if (g == NULL || (!ours && !point))
        return DEBUG_ENDED;
    os_mutex_lock(&g->lock);
    g->at = *x;
    if (point)
        point_met(g, x);
    while ((g->line || g->is_held) && !g->quit && !g->gdb_waits) {
        if (g->line)
            answer(g, false);
        else
            os_cond_wait(&g->asked, &g->lock);
    }
    bool gdb = g->gdb_waits;
    g->gdb_waits = false;
    atomic_store(&g->serves_gdb, gdb);
    enum debug_next next = g->quit ? DEBUG_QUIT : g->at.kind == MACHINE_RESET ? DEBUG_RESET : DEBUG_RUN;
    os_mutex_unlock(&g->lock);
    return gdb ? serve_gdb(vm, x, status) : next;
}

enum debug_next debug_first(bruin_vm *vm, struct machine_exit *x, int *status)
{
    struct vm_debug *g = vm->debug;
    if (g->gdb)
        return serve_gdb(vm, x, status);
    os_mutex_lock(&g->lock);
    hold(g, "waits at the first instruction\n");
    os_mutex_unlock(&g->lock);
    *x = (struct machine_exit){.kind = MACHINE_STOPPED, .code = DEBUG_STOP};
    return debug_stopped(vm, x, status);
}

/* ---- console: Ctrl-A c ---- */

static void console_prompt(struct vm_debug *g) { tell(g, "(bruin) "); }

/// Edits the line. ret  true when b ended it. Under keys_lock
static bool console_edit(struct vm_debug *g, u8 b)
{
    char echo[2] = {(char)b, 0};
    if (b == '\r' || b == '\n') {
        g->typed[g->typed_len] = '\0';
        tell(g, "\n");
        return true;
    }
    if ((b == 8 || b == 127) && g->typed_len) {
        g->typed_len--;
        tell(g, "\b \b");
    } else if (b == 21) { /* Ctrl-U */
        for (; g->typed_len; g->typed_len--)
            tell(g, "\b \b");
    } else if (b >= ' ' && b < 127 && g->typed_len + 1 < sizeof g->typed) {
        g->typed[g->typed_len++] = (char)b;
        tell(g, echo);
    }
    return false;
}

/// The next line, out of what was typed meanwhile. ret  false: nothing more to do for now
static bool console_next(struct vm_debug *g, bool leave)
{
    bool line = false;
    size_t at = 0;
    os_mutex_lock(&g->keys_lock);
    g->typed_len = 0;
    os_mutex_lock(&g->lock);
    leave = leave && !g->is_held; /* a breakpoint may have been met already */
    os_mutex_unlock(&g->lock);
    if (leave) {
        g->console_on = false;
        g->pending_len = 0;
        chr_set_capture(g->vm->keys, NULL, NULL);
    } else {
        console_prompt(g);
        while (at < g->pending_len && !line)
            line = console_edit(g, (u8)g->pending[at++]);
        memmove(g->pending, g->pending + at, g->pending_len - at);
        g->pending_len -= at;
    }
    g->console_busy = line;
    os_mutex_unlock(&g->keys_lock);
    return line;
}

/// Executes the line that was typed, and those that are typed meanwhile.
static void console_lines(void *arg)
{
    struct vm_debug *g = arg;
    enum monitor_result result;
    do {
        char *out = monitor_line(g->vm, g->typed_len ? g->typed : "help", &result);
        tell(g, out);
        free(out);
    } while (console_next(g, result != MONITOR_DONE));
}

/// Every key typed while the monitor has the console; the polling loop's thread.
static void console_key(void *ctx, u8 b)
{
    struct vm_debug *g = ctx;
    struct err e;
    os_mutex_lock(&g->keys_lock);
    bool line = false;
    if (!g->console_busy)
        line = g->console_busy = console_edit(g, b);
    else if (g->pending_len < sizeof g->pending)
        g->pending[g->pending_len++] = (char)b;
    os_mutex_unlock(&g->keys_lock);
    if (!line)
        return;
    os_thread_join(&g->console_thread);
    if (!os_thread_start(&g->console_thread, "monitor", console_lines, g, &e))
        g->console_busy = false;
}

static void console_hold(void *arg)
{
    struct vm_debug *g = arg;
    char *out = bruin_monitor(g->vm, "stop");
    tell(g, out);
    free(out);
    if (console_next(g, false))
        console_lines(g);
}

void bruin_monitor_console(bruin_vm *vm)
{
    struct vm_debug *g = debug_of(vm);
    struct err e;
    if (g->console_on || vm->keys == NULL)
        return;
    g->console_on = g->console_busy = g->console_used = true;
    g->typed_len = g->pending_len = 0;
    tell(g, "\n");
    chr_set_capture(vm->keys, console_key, g);
    os_thread_join(&g->console_thread);
    if (!os_thread_start(&g->console_thread, "monitor", console_hold, g, &e))
        g->console_busy = false;
}

/* ---- socket ---- */

/// As long as the client takes it, and the machine lives. ret  false when either ended
static bool send_all(struct vm_debug *g, int fd, const char *p, size_t len)
{
    while (len) {
        long n = os_send(fd, p, len);
        if (n == -1 && !atomic_load(&g->closing)) {
            os_sleep_ns(SEND_PAUSE_NS);
            continue;
        }
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void serve_client(void *arg)
{
    struct client *c = arg;
    struct vm_debug *g = c->g;
    char line[LINE_MAX_LEN], ch;
    size_t n = 0; /* characters of the line, kept or not */
    while (!atomic_load(&g->closing)) {
        if (!os_wait_readable(c->fd, 100000000))
            continue;
        long got = os_read(c->fd, &ch, 1);
        if (got == -1)
            continue;
        if (got <= 0)
            break;
        if (ch != '\n') {
            if (n + 1 < sizeof line)
                line[n] = ch;
            n++;
            continue;
        }
        line[n < sizeof line ? n : sizeof line - 1] = '\0';
        char *out = n < sizeof line ? bruin_monitor(g->vm, line) : xstrdup("the line is longer than 1023 characters\n");
        n = 0;
        bool ok = send_all(g, c->fd, out, strlen(out) + 1); /* its NUL ends the answer */
        free(out);
        if (!ok)
            break;
    }
    os_close(c->fd);
    atomic_store(&c->is_done, true);
}
static void take_client(struct vm_debug *g, int fd)
{
    static const char full[] = "16 clients are connected already\n";
    struct err e;
    for (unsigned k = 0; k < CLIENTS_MAX; k++) {
        struct client *c = &g->client[k];
        if (c->g && !atomic_load(&c->is_done))
            continue;
        os_thread_join(&c->thread);
        c->g = g;
        c->fd = fd;
        atomic_store(&c->is_done, false);
        os_set_nonblock(fd, true);
        if (os_thread_start(&c->thread, "monitor-client", serve_client, c, &e))
            return;
        atomic_store(&c->is_done, true);
        break;
    }
    (void)os_send(fd, full, sizeof full);
    os_close(fd);
}
static void socket_main(void *arg)
{
    struct vm_debug *g = arg;
    while (!atomic_load(&g->closing)) {
        if (!os_wait_readable(g->listener, 100000000))
            continue;
        int fd = os_accept(g->listener);
        if (fd >= 0)
            take_client(g, fd);
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
        while (!atomic_load(&g->closing) && os_wait_readable(gdbstub_listener(g->gdb), 0)) {
            os_mutex_lock(&g->lock);
            bool free = !atomic_load(&g->serves_gdb); /* a second one has to wait */
            g->gdb_waits |= free;
            os_cond_broadcast(&g->asked);
            os_mutex_unlock(&g->lock);
            if (free)
                machine_stop(g->vm->machine, DEBUG_STOP);
            os_sleep_ns(RETRY_NS);
        }
    }
}

/// While gdb has the machine: a monitor command, which does not keep it.
static enum gdbstub_wish serve_monitor(void *ctx, const struct machine_exit *x)
{
    struct vm_debug *g = ctx;
    if (x && (x->kind != MACHINE_STOPPED || x->code != DEBUG_STOP))
        return GDBSTUB_NOT_MINE;
    os_mutex_lock(&g->lock);
    if (g->line)
        answer(g, true);
    bool reset = g->at.kind == MACHINE_RESET;
    g->at.kind = MACHINE_STOPPED;
    enum gdbstub_wish wish = g->quit ? GDBSTUB_END : reset ? GDBSTUB_RESET : GDBSTUB_GO_ON;
    os_mutex_unlock(&g->lock);
    return wish;
}
static bool reset_for_gdb(void *ctx)
{
    struct vm_debug *g = ctx;
    struct bruin_error err;
    bool ok = g->vm->is_booted && vm_boot_again(g->vm, &err);
    points_of(g); /* the symbols are new */
    return ok;
}
static int verdict_for_gdb(void *ctx, struct machine_exit *x, struct text *words)
{
    struct vm_debug *g = ctx;
    int status = diagnose_end(g->vm, x);
    const char *report = bruin_report(g->vm, false);
    if (report)
        text_add(words, "%s", report);
    return status;
}

static enum debug_next serve_gdb(bruin_vm *vm, struct machine_exit *x, int *status)
{
    struct vm_debug *g = vm->debug;
    points_of(g);
    os_mutex_lock(&g->lock);
    g->is_held = false;
    g->at = (struct machine_exit){.kind = MACHINE_STOPPED};
    os_mutex_unlock(&g->lock);
    atomic_store(&g->serves_gdb, true);
    enum gdb_result r = gdbstub_serve(g->gdb, x);
    atomic_store(&g->serves_gdb, false);
    struct err e;
    if (r == GDB_DETACHED && !g->gdb_thread.is_running && !os_thread_start(&g->gdb_thread, "gdb-listen", gdb_main, g, &e)) /* it may come again */
        log_line("gdb: %s", e.msg);
    if (r == GDB_DETACHED)
        return DEBUG_RUN;
    if (r == GDB_KILLED)
        return DEBUG_QUIT;
    *status = gdbstub_status(g->gdb);
    return DEBUG_ENDED;
}

static bool start_gdb(struct vm_debug *g, struct err *e)
{
    const char *where = bruin_config_get(g->vm->config, "gdb");
    bool is_path = where && strchr(where, '/');
    char *end = NULL;
    unsigned long number = where && *where && !is_path ? strtoul(where, &end, 10) : 1234;
    unsigned port = number > 65536 ? 65536 : (unsigned)number; /* which os_listen refuses */
    if (end && *end)
        return err_set(e, ERR_USAGE, "gdb: \"%s\" is neither a port nor the path of a socket (with a / in it)", where);
    g->gdb = gdbstub_new(points_of(g), port, is_path ? where : NULL, e);
    if (g->gdb == NULL)
        return false;
    gdbstub_set_host(g->gdb, &(struct gdbstub_host){.serve = serve_monitor, .reset = reset_for_gdb, .verdict = verdict_for_gdb,
                                                    .may_reboot = !config_flag(g->vm->config, "no-reboot"), .ctx = g});
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
    bool gdb = bruin_config_get(vm->config, "gdb") || (config_flag(vm->config, "wait") && !monitor);
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
bool debug_waits(const bruin_vm *vm) { return vm->debug && config_flag(vm->config, "wait"); }

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
    for (unsigned k = 0; k < CLIENTS_MAX; k++)
        os_thread_join(&g->client[k].thread);
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
    os_mutex_destroy(&g->keys_lock);
    free(g);
    vm->debug = NULL;
}
