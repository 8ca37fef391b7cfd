/// The gdb remote protocol: packets, run control, memory and registers.
#include "debug/gdbstub.h"
#include "os/os.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { PACKET_MAX = 16384, STOP_CODE = 0x9db, SIG_INT = 2, SIG_TRAP = 5 };

struct gdbstub {
    struct debugger *d;
    int listener, fd;
    unsigned port;
    bool no_ack, quit;
    enum gdb_result result;
    char in[PACKET_MAX + 1];
    u8 rx[4096];
    size_t rx_at, rx_len;
    struct text xml, map;
    _Atomic bool running, interrupted, hung_up;
    bool ended;
    struct machine_exit last;
    gdbstub_serve_fn *others;
    void *others_ctx;
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
void gdbstub_set_others(struct gdbstub *g, gdbstub_serve_fn *serve, void *ctx)
{
    g->others = serve;
    g->others_ctx = ctx;
}
int gdbstub_listener(const struct gdbstub *g) { return g->listener; }

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

static int get_byte(struct gdbstub *g)
{
    if (g->rx_at == g->rx_len) {
        long n;
        do
            n = os_read(g->fd, g->rx, sizeof g->rx);
        while (n == -1 && os_wait_readable(g->fd, 1000000000ULL));
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

static void stop_reply(struct gdbstub *g)
{
    const struct machine_exit *x = &g->last;
    struct cpu *c = machine_cpu(g->d->machine, x->cpu);
    struct text t = {0};
    if (g->ended) {
        text_add(&t, "W%02x", (unsigned)machine_exit_status(x) & 0xff);
        return reply_text(g, &t);
    }
    text_add(&t, "T%02xthread:%x;", atomic_load(&g->interrupted) ? SIG_INT : SIG_TRAP, g->d->cpu + 1);
    if (c && c->dbg_hit.id && c->dbg_hit.is_watch)
        text_add(&t, "%s:%llx;", c->dbg_hit.write ? "watch" : "rwatch", (unsigned long long)c->dbg_hit.va);
    else if (c && c->dbg_hit.id)
        text_add(&t, "swbreak:;");
    reply_text(g, &t);
}

/// Until the machine stops for gdb, or ends.
static void run_machine(struct gdbstub *g, bool step)
{
    const struct machine_exit *x = &g->last;
    do {
        if (step)
            debugger_step(g->d, &g->last);
        else
            machine_run(g->d->machine, &g->last);
    } while (x->kind == MACHINE_STOPPED && x->code != STOP_CODE && g->others && g->others(g->others_ctx, x));
}

static void resume(struct gdbstub *g, bool step)
{
    struct os_thread th = {0};
    struct err e = {0};
    atomic_store(&g->interrupted, false);
    for (unsigned k = 0; machine_cpu(g->d->machine, k); k++)
        dbg_resume(machine_cpu(g->d->machine, k));
    if (step) {
        run_machine(g, true);
    } else {
        atomic_store(&g->running, true);
        if (!os_thread_start(&th, "gdb-watch", watch_connection, g, &e))
            log_line("gdb: %s", e.msg);
        run_machine(g, false);
        atomic_store(&g->running, false);
        os_thread_join(&th);
        machine_forget_stop(g->d->machine, STOP_CODE); /* it may have come together with a breakpoint */
    }
    g->d->cpu = g->last.cpu;
    switch (g->last.kind) {
    case MACHINE_DEBUG:
    case MACHINE_BRK: break;
    case MACHINE_STOPPED:
        if (g->last.code == STOP_CODE)
            break;
        /* fall through */
    default:
        g->ended = true;
        g->quit = true;
        g->result = GDB_ENDED;
        break;
    }
    if (atomic_load(&g->hung_up)) {
        g->quit = true;
        if (!g->ended)
            g->result = GDB_DETACHED;
        return;
    }
    stop_reply(g);
}

/* ---- memory, registers, points ---- */

static bool guest_read(struct gdbstub *g, u64 at, u8 *buf, u64 len)
{
    return g->d->physical ? mem_read(machine_mem(g->d->machine), at, buf, len)
                          : mmu_debug_read(debugger_cpu(g->d), at, buf, len);
}
static void cmd_read_memory(struct gdbstub *g)
{
    char *end;
    u64 at = strtoull(g->in + 1, &end, 16), len = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    u8 buf[PACKET_MAX / 2 - 16];
    struct text t = {0};
    if (len > sizeof buf)
        len = sizeof buf;
    while (len && !guest_read(g, at, buf, len)) /* as much as there is */
        len = len > 1 ? len / 2 : 0;
    if (len == 0)
        return reply_str(g, "E14");
    put_hex(&t, buf, len);
    reply_text(g, &t);
}
static void cmd_write_memory(struct gdbstub *g)
{
    char *end;
    u64 at = strtoull(g->in + 1, &end, 16), len = *end == ',' ? strtoull(end + 1, &end, 16) : 0;
    u8 buf[PACKET_MAX / 2];
    if (*end != ':' || len > sizeof buf || get_hex(end + 1, buf, len) != len)
        return reply_str(g, "E22");
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
    if (insert && kind <= '1') {
        ok = dbg_add_break(p, at, g->d->physical) != 0;
    } else if (insert) {
        ok = dbg_add_watch(p, at, len, kind != '2', kind != '3') != 0;
    } else if (kind <= '1') {
        for (unsigned k = 0; k < p->brk_count && !ok; k++)
            ok = p->brk[k].addr == at && dbg_delete(p, p->brk[k].id);
    } else {
        for (unsigned k = 0; k < p->watch_count && !ok; k++)
            ok = p->watch[k].addr == at && dbg_delete(p, p->watch[k].id);
    }
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
    enum monitor_result r = monitor_exec(g->d, line, &out);
    if (r == MONITOR_CONTINUE)
        text_add(&out, "use gdb's own continue\n");
    if (r == MONITOR_RESET || r == MONITOR_QUIT) {
        g->quit = true;
        g->result = r == MONITOR_RESET ? GDB_RESET : GDB_KILLED;
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

static void cmd_vcont(struct gdbstub *g)
{
    if (strcmp(g->in, "vCont?") == 0)
        return reply_str(g, "vCont;c;C;s;S");
    if (g->in[5] != ';')
        return reply_str(g, "");
    bool step = g->in[6] == 's' || g->in[6] == 'S';
    const char *thread = strchr(g->in + 6, ':');
    if (step && thread) {
        unsigned k = (unsigned)strtoul(thread + 1, NULL, 16);
        if (k && machine_cpu(g->d->machine, k - 1))
            g->d->cpu = k - 1;
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
    case 'M': cmd_write_memory(g); break;
    case 'Z':
    case 'z': cmd_point(g); break;
    case 'c':
    case 'C': cmd_resume_at(g, false); break;
    case 's':
    case 'S': cmd_resume_at(g, true); break;
    case 'q':
    case 'Q': cmd_query(g); break;
    case 'H': {
        unsigned k = (unsigned)strtoul(g->in + 2, NULL, 16);
        if (k && k != ~0u && machine_cpu(g->d->machine, k - 1))
            g->d->cpu = k - 1;
        reply_str(g, "OK");
        break;
    }
    case 'T': reply_str(g, machine_cpu(g->d->machine, (unsigned)strtoul(g->in + 1, NULL, 16) - 1) ? "OK" : "E22"); break;
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
    struct text none = {0};
    monitor_exec(g->d, "delete", &none);
    text_free(&none);
    for (unsigned k = 0; machine_cpu(g->d->machine, k); k++)
        dbg_resume(machine_cpu(g->d->machine, k));
}

enum gdb_result gdbstub_serve(struct gdbstub *g, struct machine_exit *x)
{
    if (g->fd >= 0)
        os_close(g->fd);
    g->fd = os_accept(g->listener);
    g->no_ack = g->quit = g->ended = false;
    g->rx_at = g->rx_len = 0;
    g->result = GDB_DETACHED;
    g->last = (struct machine_exit){.kind = MACHINE_DEBUG};
    atomic_store(&g->hung_up, false);
    atomic_store(&g->interrupted, false);
    while (g->fd >= 0 && !g->quit && get_packet(g))
        dispatch(g);
    if (g->result == GDB_DETACHED)
        drop_points(g);
    *x = g->last;
    return g->result;
}
