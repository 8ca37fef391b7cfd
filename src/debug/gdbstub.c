/// The gdb remote protocol: packets, run control, memory and registers.
#include "debug/gdbstub.h"
#include "os/os.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { PACKET_MAX = 16384, STOP_CODE = 0x9db, SIG_INT = 2, SIG_TRAP = 5, SIG_ABRT = 6, GDB_PAGE = 4096 };
#define IDLE_NS 20000000ULL

struct gdbstub {
    struct debugger *d;
    int listener, fd;
    unsigned port;
    bool no_ack, quit;
    enum gdb_result result;
    char in[PACKET_MAX + 1];
    size_t in_len;
    u8 rx[4096];
    size_t rx_at, rx_len;
    struct text xml, map;
    _Atomic bool running, interrupted, hung_up;
    bool ended;  ///< the machine has
    bool doomed; ///< it has, and is held for a last look
    int status;  ///< exit code of a machine that ended
    struct machine_exit last;
    struct gdbstub_host host;
};

struct gdbstub *gdbstub_new(struct debugger *d, unsigned port, const char *path, struct err *e)
{
    int fd = os_listen(path, &port, e);
    if (fd < 0)
        return NULL;
    struct gdbstub *g = xcalloc(1, sizeof *g);
    g->d = d;
    g->listener = fd;
    g->fd = -1;
    g->port = port;
    gdb_target_xml(&g->xml);
    gdb_memory_map(machine_mem(d->machine), &g->map);
    return g;
}
void gdbstub_free(struct gdbstub *g)
{
    if (g == NULL)
        return;
    if (g->fd >= 0)
        os_close(g->fd);
    os_close(g->listener);
    text_free(&g->xml);
    text_free(&g->map);
    free(g);
}
unsigned gdbstub_port(const struct gdbstub *g) { return g->port; }
void gdbstub_set_host(struct gdbstub *g, const struct gdbstub_host *host) { g->host = *host; }
int gdbstub_listener(const struct gdbstub *g) { return g->listener; }
int gdbstub_status(const struct gdbstub *g) { return g->status; }

/* ---- packets ---- */

static const char hexdigit[] = "0123456789abcdef";
static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}
static void put_hex(struct text *t, const void *p, size_t n)
{
    const u8 *b = p;
    for (size_t k = 0; k < n; k++) {
        char two[2] = {hexdigit[b[k] >> 4], hexdigit[b[k] & 15]};
        text_bytes(t, two, 2);
    }
}
static size_t get_hex(const char *s, u8 *out, size_t max)
{
    size_t n = 0;
    while (n < max && hex_value(s[0]) >= 0 && hex_value(s[1]) >= 0) {
        out[n++] = (u8)(hex_value(s[0]) << 4 | hex_value(s[1]));
        s += 2;
    }
    return n;
}

/// Waits until fd has something; meanwhile others may use the machine, which stands still. ret  false when it is to end
static bool wait_for(struct gdbstub *g, int fd)
{
    while (!os_wait_readable(fd, IDLE_NS)) {
        enum gdbstub_wish wish = g->host.serve ? g->host.serve(g->host.ctx, NULL) : GDBSTUB_GO_ON;
        if (wish == GDBSTUB_END) {
            g->result = GDB_KILLED;
            return false;
        }
        if (wish == GDBSTUB_RESET && !g->host.reset(g->host.ctx))
            return false;
    }
    return true;
}

static int get_byte(struct gdbstub *g)
{
    if (g->rx_at == g->rx_len) {
        long n;
        do {
            if (!wait_for(g, g->fd))
                return -1;
            n = os_read(g->fd, g->rx, sizeof g->rx);
        } while (n == -1);
        if (n <= 0)
            return -1;
        g->rx_at = 0;
        g->rx_len = (size_t)n;
    }
    return g->rx[g->rx_at++];
}
static void put_bytes(struct gdbstub *g, const char *p, size_t n)
{
    while (n) {
        long w = os_send(g->fd, p, n);
        if (w <= 0)
            return;
        p += w;
        n -= (size_t)w;
    }
}
static void reply(struct gdbstub *g, const char *body, size_t len)
{
    struct text t = {0};
    u8 sum = 0;
    for (size_t k = 0; k < len; k++)
        sum = (u8)(sum + (u8)body[k]);
    text_add(&t, "$");
    text_bytes(&t, body, len);
    text_add(&t, "#%02x", sum);
    put_bytes(g, t.s, t.len);
    text_free(&t);
}
static void reply_str(struct gdbstub *g, const char *s) { reply(g, s, strlen(s)); }
static void reply_text(struct gdbstub *g, struct text *t)
{
    reply(g, t->s ? t->s : "", t->len);
    text_free(t);
}

/// Receives a packet into g->in. ret  false when the connection ended.
static bool get_packet(struct gdbstub *g)
{
    for (;;) {
        int ch = get_byte(g);
        if (ch < 0)
            return false;
        if (ch != '$')
            continue; /* acknowledgements, a late Ctrl-C */
        size_t n = 0;
        while ((ch = get_byte(g)) >= 0 && ch != '#') {
            if (ch == '}' && (ch = get_byte(g)) >= 0)
                ch ^= 0x20;
            if (n < PACKET_MAX)
                g->in[n++] = (char)ch;
        }
        g->in[n] = '\0';
        g->in_len = n;
        if (get_byte(g) < 0 || get_byte(g) < 0)
            return false;
        if (!g->no_ack)
            put_bytes(g, "+", 1);
        return true;
    }
}

/* ---- run control ---- */

/// While the machine runs, watches the connection for Ctrl-C and for its end.
static void watch_connection(void *arg)
{
    struct gdbstub *g = arg;
    while (atomic_load(&g->running)) {
        u8 b;
        if (!os_wait_readable(g->fd, 4000000))
            continue;
        long n = os_read(g->fd, &b, 1);
        if (n == 1 && b != 3)
            continue;
        if (n == -1)
            continue;
        atomic_store(n == 1 ? &g->interrupted : &g->hung_up, true);
        machine_stop(g->d->machine, STOP_CODE);
        return;
    }
}

/// Text for gdb's user, who sees it before the stop.
static void console_text(struct gdbstub *g, struct text *words)
{
    struct text t = {0};
    if (words->len == 0)
        return;
    text_add(&t, "O");
    put_hex(&t, words->s, words->len);
    reply_text(g, &t);
    text_free(words);
}

static void stop_reply(struct gdbstub *g)
{
    const struct machine_exit *x = &g->last;
    struct cpu *c = machine_cpu(g->d->machine, x->cpu);
    const struct dbg_hit *h = c && c->dbg_hit.id && x->kind == MACHINE_DEBUG ? &c->dbg_hit : NULL;
    const struct dbg_watch *w = h && h->is_watch ? dbg_find_watch(g->d->points, h->id) : NULL;
    const struct dbg_break *b = h && !h->is_watch ? dbg_find_break(g->d->points, h->id) : NULL;
    struct text t = {0};
    if (g->ended) {
        text_add(&t, "W%02x", (unsigned)g->status & 0xff);
        return reply_text(g, &t);
    }
    text_add(&t, "T%02xthread:%x;", g->doomed ? SIG_ABRT : atomic_load(&g->interrupted) ? SIG_INT : SIG_TRAP, g->d->cpu + 1);
    if (w && w->owner == DBG_GDB)
        text_add(&t, "%s:%llx;", w->read ? w->write ? "awatch" : "rwatch" : "watch", (unsigned long long)h->at);
    else if (b && b->owner == DBG_GDB)
        text_add(&t, "swbreak:;");
    reply_text(g, &t);
}

/// A point of the monitor stops the machine, too: gdb knows nothing of it, so its user is told.
static void tell_of_others(struct gdbstub *g)
{
    const struct machine_exit *x = &g->last;
    struct cpu *c = machine_cpu(g->d->machine, x->cpu);
    struct text words = {0};
    if (x->kind != MACHINE_DEBUG || c == NULL || c->dbg_hit.id == 0)
        return;
    const struct dbg_watch *w = dbg_find_watch(g->d->points, c->dbg_hit.id);
    const struct dbg_break *b = dbg_find_break(g->d->points, c->dbg_hit.id);
    if ((w && w->owner == DBG_MONITOR) || (b && b->owner == DBG_MONITOR))
        monitor_stop_reason(g->d, x, &words);
    console_text(g, &words);
}

/// Until the machine stops for gdb, or ends.
static void run_machine(struct gdbstub *g, bool step)
{
    const struct machine_exit *x = &g->last;
    for (;;) {
        if (step)
            debugger_step(g->d, &g->last);
        else
            machine_run(g->d->machine, &g->last);
        if (x->kind != MACHINE_STOPPED || x->code == STOP_CODE || g->host.serve == NULL)
            return;
        enum gdbstub_wish wish = g->host.serve(g->host.ctx, x);
        if (wish == GDBSTUB_END || wish == GDBSTUB_NOT_MINE || (wish == GDBSTUB_RESET && !g->host.reset(g->host.ctx)))
            return;
    }
}

/// The machine has ended. Who died may be looked at before it is gone.
static void take_end(struct gdbstub *g)
{
    const struct machine_exit *x = &g->last;
    struct text words = {0};
    g->status = g->host.verdict ? g->host.verdict(g->host.ctx, &g->last, &words) : machine_exit_status(x);
    if (x->kind == MACHINE_RESET && g->host.reset && g->host.may_reboot && g->host.reset(g->host.ctx)) {
        text_add(&words, "the guest reset itself\n");
        console_text(g, &words);
        return;
    }
    g->doomed = x->kind == MACHINE_DOOM || x->kind == MACHINE_PANIC || x->kind == MACHINE_DEADLOCK;
    console_text(g, &words);
    g->ended = !g->doomed;
    g->quit = g->ended;
    g->result = GDB_ENDED;
}

static void run_watched(struct gdbstub *g)
{
    struct os_thread th = {0};
    struct err e = {0};
    atomic_store(&g->running, true);
    if (!os_thread_start(&th, "gdb-watch", watch_connection, g, &e))
        log_line("gdb: %s", e.msg);
    run_machine(g, false);
    atomic_store(&g->running, false);
    os_thread_join(&th);
    machine_forget_stop(g->d->machine, STOP_CODE); /* it may have come together with a breakpoint */
}

static void resume(struct gdbstub *g, bool step)
{
    if (g->doomed) { /* it was looked at */
        g->doomed = false;
        g->ended = g->quit = true;
        return stop_reply(g);
    }
    atomic_store(&g->interrupted, false);
    for (unsigned k = 0; machine_cpu(g->d->machine, k); k++)
        dbg_resume(machine_cpu(g->d->machine, k));
    if (step)
        run_machine(g, true);
    else
        run_watched(g);
    g->d->cpu = g->last.cpu;
    bool stopped = g->last.kind == MACHINE_DEBUG || g->last.kind == MACHINE_BRK ||
                   (g->last.kind == MACHINE_STOPPED && g->last.code == STOP_CODE);
    if (!stopped)
        take_end(g);
    if (atomic_load(&g->hung_up)) {
        g->quit = true;
        if (!g->ended && !g->doomed)
            g->result = GDB_DETACHED;
        return;
    }
    tell_of_others(g);
    stop_reply(g);
}

/* ---- memory, registers, points ---- */

static bool guest_read(struct gdbstub *g, u64 at, u8 *buf, u64 len)
{
    return g->d->physical ? mem_read(machine_mem(g->d->machine), at, buf, len)
                          : mmu_debug_read(debugger_cpu(g->d), at, buf, len);
}
/// Reads as much as there is from `at` on. ret  bytes read
static u64 read_some(struct gdbstub *g, u64 at, u8 *buf, u64 len)
{
    u64 got = 0;
    while (got < len) {
        u64 n = GDB_PAGE - (at + got) % GDB_PAGE;
        n = n < len - got ? n : len - got;
        if (!guest_read(g, at + got, buf + got, n))
            break;
        got += n;
    }
    return got;
}
static void cmd_read_memory(struct gdbstub *g)
{
    char *end;
    u64 at = strtoull(g->in + 1, &end, 16), len = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    u8 buf[PACKET_MAX / 2 - 16];
    struct text t = {0};
    if (*end != ',')
        return reply_str(g, "E22");
    len = read_some(g, at, buf, len < sizeof buf ? len : sizeof buf);
    if (len == 0)
        return reply_str(g, "E14");
    put_hex(&t, buf, len);
    reply_text(g, &t);
}
static void cmd_write_memory(struct gdbstub *g)
{
    char *end;
    u64 at = strtoull(g->in + 1, &end, 16), len = *end == ',' ? strtoull(end + 1, &end, 16) : 0;
    u8 buf[PACKET_MAX];
    bool binary = g->in[0] == 'X'; /* its bytes were unescaped as they came */
    size_t left = *end == ':' ? g->in_len - (size_t)(end + 1 - g->in) : 0;
    if (*end != ':' || len > sizeof buf || (binary ? left != len : get_hex(end + 1, buf, len) != len))
        return reply_str(g, "E22");
    if (binary)
        memcpy(buf, end + 1, len);
    if (len == 0)
        return reply_str(g, "OK");
    bool ok = g->d->physical ? mem_load(machine_mem(g->d->machine), at, buf, len)
                             : mmu_debug_write(debugger_cpu(g->d), at, buf, len);
    reply_str(g, ok ? "OK" : "E14");
}

static void cmd_read_all_registers(struct gdbstub *g)
{
    struct text t = {0};
    u8 buf[16];
    for (unsigned n = 0; n < GDB_REG_SYS; n++)
        put_hex(&t, buf, gdb_reg_get(debugger_cpu(g->d), n, buf));
    reply_text(g, &t);
}
static void cmd_write_all_registers(struct gdbstub *g)
{
    const char *p = g->in + 1;
    u8 buf[16], now[16];
    for (unsigned n = 0; n < GDB_REG_SYS; n++) {
        unsigned size = gdb_reg_get(debugger_cpu(g->d), n, now);
        if (get_hex(p, buf, size) != size)
            break;
        gdb_reg_set(debugger_cpu(g->d), n, buf, size);
        p += 2 * size;
    }
    reply_str(g, "OK");
}
static void cmd_one_register(struct gdbstub *g, bool write)
{
    char *end;
    unsigned n = (unsigned)strtoul(g->in + 1, &end, 16);
    u8 buf[16];
    struct text t = {0};
    if (write) {
        size_t size = *end == '=' ? get_hex(end + 1, buf, sizeof buf) : 0;
        return reply_str(g, gdb_reg_set(debugger_cpu(g->d), n, buf, (unsigned)size) ? "OK" : "E22");
    }
    unsigned size = gdb_reg_get(debugger_cpu(g->d), n, buf);
    if (size == 0)
        return reply_str(g, "E22");
    put_hex(&t, buf, size);
    reply_text(g, &t);
}

static const struct dbg_break *find_gdb_break(const struct dbg *p, u64 at)
{
    for (unsigned k = 0; k < p->brk_count; k++)
        if (p->brk[k].owner == DBG_GDB && p->brk[k].addr == at)
            return &p->brk[k];
    return NULL;
}
static const struct dbg_watch *find_gdb_watch(const struct dbg *p, const struct dbg_watch *like)
{
    for (unsigned k = 0; k < p->watch_count; k++) {
        const struct dbg_watch *w = &p->watch[k];
        if (w->owner == DBG_GDB && w->addr == like->addr && w->len == like->len && w->read == like->read && w->write == like->write)
            return w;
    }
    return NULL;
}

/// Z and z: 0 software and 1 hardware breakpoint, 2 write, 3 read, 4 access watchpoint.
static void cmd_point(struct gdbstub *g)
{
    bool insert = g->in[0] == 'Z';
    char kind = g->in[1], *end;
    struct dbg *p = g->d->points;
    if (g->in[2] != ',' || kind < '0' || kind > '4')
        return reply_str(g, "");
    u64 at = strtoull(g->in + 3, &end, 16), len = *end == ',' ? strtoull(end + 1, NULL, 16) : 4;
    bool ok = false;
    struct dbg_watch w = {.addr = at, .len = len, .read = kind != '2', .write = kind != '3', .physical = g->d->physical, .owner = DBG_GDB};
    const struct dbg_break *b = kind <= '1' ? find_gdb_break(p, at) : NULL;
    const struct dbg_watch *have = kind > '1' ? find_gdb_watch(p, &w) : NULL;
    if (insert && (b || have))
        ok = true; /* packets may come twice */
    else if (insert)
        ok = kind <= '1' ? dbg_add_break(p, at, g->d->physical, DBG_GDB) != 0 : dbg_add_watch(p, &w) != 0;
    else
        ok = (b && dbg_delete(p, b->id)) || (have && dbg_delete(p, have->id));
    if (kind >= '2')
        for (unsigned k = 0; machine_cpu(g->d->machine, k); k++)
            dbg_attach(machine_cpu(g->d->machine, k), p);
    reply_str(g, ok ? "OK" : "E22");
}

/* ---- queries ---- */

/// qXfer: object read in pieces, "offset,length".
static void transfer(struct gdbstub *g, const struct text *obj, const char *range)
{
    char *end;
    u64 off = strtoull(range, &end, 16), len = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    struct text t = {0};
    if (off > obj->len)
        return reply_str(g, "E00");
    if (len > PACKET_MAX - 64)
        len = PACKET_MAX - 64;
    if (len > obj->len - off)
        len = obj->len - off;
    text_add(&t, off + len < obj->len ? "m" : "l");
    for (u64 k = 0; k < len; k++) {
        char ch = obj->s[off + k];
        if (ch == '$' || ch == '#' || ch == '}' || ch == '*') {
            char esc[2] = {'}', (char)(ch ^ 0x20)};
            text_bytes(&t, esc, 2);
        } else {
            text_bytes(&t, &ch, 1);
        }
    }
    reply_text(g, &t);
}

static void cmd_monitor(struct gdbstub *g, const char *hex)
{
    char line[1024];
    struct text out = {0}, t = {0};
    size_t n = get_hex(hex, (u8 *)line, sizeof line - 1);
    line[n] = '\0';
    enum monitor_result r = MONITOR_DONE;
    if (n == sizeof line - 1)
        text_add(&out, "the line is longer than %zu characters\n", sizeof line - 2);
    else
        r = monitor_exec(g->d, line, &out);
    if (r == MONITOR_CONTINUE)
        text_add(&out, "use gdb's own continue\n");
    if (r == MONITOR_RESET) {
        bool ok = g->host.reset && g->host.reset(g->host.ctx);
        text_add(&out, ok ? "reset: at its first instruction (maintenance flush register-cache)\n" : "this machine cannot be reset\n");
    }
    if (r == MONITOR_QUIT) {
        g->quit = true;
        g->result = GDB_KILLED;
    }
    if (out.len == 0)
        reply_str(g, "OK");
    else {
        put_hex(&t, out.s, out.len);
        reply_text(g, &t);
    }
    text_free(&out);
}

static bool starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

static void cmd_query(struct gdbstub *g)
{
    const char *q = g->in;
    struct text t = {0};
    if (starts(q, "qSupported"))
        return reply_str(g, "PacketSize=4000;qXfer:features:read+;qXfer:memory-map:read+;QStartNoAckMode+;swbreak+;"
                            "hwbreak+;vContSupported+");
    if (starts(q, "qXfer:features:read:target.xml:"))
        return transfer(g, &g->xml, q + strlen("qXfer:features:read:target.xml:"));
    if (starts(q, "qXfer:memory-map:read::"))
        return transfer(g, &g->map, q + strlen("qXfer:memory-map:read::"));
    if (starts(q, "qRcmd,"))
        return cmd_monitor(g, q + 6);
    if (strcmp(q, "qAttached") == 0)
        return reply_str(g, "1");
    if (strcmp(q, "qC") == 0) {
        text_add(&t, "QC%x", g->d->cpu + 1);
        return reply_text(g, &t);
    }
    if (strcmp(q, "qfThreadInfo") == 0) {
        for (unsigned k = 0; machine_cpu(g->d->machine, k); k++)
            text_add(&t, "%c%x", k ? ',' : 'm', k + 1);
        return reply_text(g, &t);
    }
    if (strcmp(q, "qsThreadInfo") == 0)
        return reply_str(g, "l");
    if (starts(q, "qThreadExtraInfo,")) {
        unsigned k = (unsigned)strtoul(q + 17, NULL, 16) - 1;
        struct cpu *c = machine_cpu(g->d->machine, k);
        char line[64];
        if (c == NULL)
            return reply_str(g, "E22");
        int n = snprintf(line, sizeof line, "CPU %u EL%u%s", k, c->el, machine_cpu_is_on(g->d->machine, k) ? "" : " off");
        put_hex(&t, line, (size_t)n);
        return reply_text(g, &t);
    }
    if (strcmp(q, "qqemu.PhyMemMode") == 0)
        return reply_str(g, g->d->physical ? "1" : "0");
    if (starts(q, "Qqemu.PhyMemMode:")) {
        g->d->physical = q[17] == '1';
        return reply_str(g, "OK");
    }
    if (strcmp(q, "QStartNoAckMode") == 0) {
        reply_str(g, "OK");
        g->no_ack = true;
        return;
    }
    reply_str(g, "");
}

/* ---- dispatch ---- */

/// A thread is a CPU, from 1; 0 and -1 are any. ret  false when there is none such
static bool select_thread(struct gdbstub *g, const char *id)
{
    char *end;
    u64 n = strtoull(id, &end, 16);
    if (strncmp(id, "-1", 2) == 0 || (n == 0 && end != id))
        return true;
    if (end == id || n > machine_config(g->d->machine)->cpus)
        return false;
    g->d->cpu = (unsigned)n - 1;
    return true;
}

/// The first action that steps decides: one CPU steps, the others stand still. Without one all run.
static void cmd_vcont(struct gdbstub *g)
{
    if (strcmp(g->in, "vCont?") == 0)
        return reply_str(g, "vCont;c;C;s;S");
    if (g->in[5] != ';')
        return reply_str(g, "");
    bool step = false;
    for (const char *a = g->in + 5; a && a[0] == ';' && !step; a = strchr(a + 1, ';')) {
        if (!a[1] || !strchr("cCsS", a[1]))
            return reply_str(g, "E22");
        step = a[1] == 's' || a[1] == 'S';
        const char *thread = a + 1 + strcspn(a + 1, ":;");
        if (step && *thread == ':' && !select_thread(g, thread + 1))
            return reply_str(g, "E22");
    }
    resume(g, step);
}
static void cmd_resume_at(struct gdbstub *g, bool step)
{
    const char *at = strchr("CS", g->in[0]) ? strchr(g->in, ';') : g->in;
    if (at && at[1])
        debugger_cpu(g->d)->pc = strtoull(at + 1, NULL, 16);
    resume(g, step);
}

static void dispatch(struct gdbstub *g)
{
    switch (g->in[0]) {
    case '?': stop_reply(g); break;
    case 'g': cmd_read_all_registers(g); break;
    case 'G': cmd_write_all_registers(g); break;
    case 'p': cmd_one_register(g, false); break;
    case 'P': cmd_one_register(g, true); break;
    case 'm': cmd_read_memory(g); break;
    case 'M':
    case 'X': cmd_write_memory(g); break;
    case 'Z':
    case 'z': cmd_point(g); break;
    case 'c':
    case 'C': cmd_resume_at(g, false); break;
    case 's':
    case 'S': cmd_resume_at(g, true); break;
    case 'q':
    case 'Q': cmd_query(g); break;
    case 'H': reply_str(g, select_thread(g, g->in + 2) ? "OK" : "E22"); break;
    case 'T': {
        u64 n = strtoull(g->in + 1, NULL, 16);
        reply_str(g, n && n <= machine_config(g->d->machine)->cpus ? "OK" : "E22");
        break;
    }
    case 'D':
        reply_str(g, "OK");
        g->quit = true;
        g->result = GDB_DETACHED;
        break;
    case 'k':
        g->quit = true;
        g->result = GDB_KILLED;
        break;
    case 'v':
        if (starts(g->in, "vCont"))
            cmd_vcont(g);
        else if (starts(g->in, "vKill")) {
            reply_str(g, "OK");
            g->quit = true;
            g->result = GDB_KILLED;
        } else
            reply_str(g, "");
        break;
    default: reply_str(g, ""); break;
    }
}

static void drop_points(struct gdbstub *g)
{
    debugger_drop_points(g->d, DBG_GDB);
    for (unsigned k = 0; machine_cpu(g->d->machine, k); k++)
        dbg_resume(machine_cpu(g->d->machine, k));
}

enum gdb_result gdbstub_serve(struct gdbstub *g, struct machine_exit *x)
{
    if (g->fd >= 0)
        os_close(g->fd);
    g->fd = -1;
    g->result = GDB_DETACHED;
    if (wait_for(g, g->listener))
        g->fd = os_accept(g->listener);
    g->no_ack = g->quit = g->ended = g->doomed = false;
    g->rx_at = g->rx_len = 0;
    g->d->physical = false;
    g->last = (struct machine_exit){.kind = MACHINE_DEBUG};
    atomic_store(&g->hung_up, false);
    atomic_store(&g->interrupted, false);
    while (g->fd >= 0 && !g->quit && get_packet(g))
        dispatch(g);
    drop_points(g);
    *x = g->last;
    return g->result;
}
