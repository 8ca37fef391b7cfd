/// The monitor's commands. Expressions are in monitor_expr.c, x in monitor_mem.c, info in monitor_info.c.
#include "debug/monitor.h"
#include "a64/insn.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS_MAX = 100000, NAME_LEN = 160 };

struct debugger *debugger_new(struct machine *m, struct symbols *symbols)
{
    struct debugger *d = xcalloc(1, sizeof *d);
    d->machine = m;
    d->symbols = symbols;
    d->points = dbg_new(machine_mem(m));
    d->x_fmt = 'x';
    d->x_unit = 4;
    for (unsigned k = 0; machine_cpu(m, k); k++)
        dbg_attach(machine_cpu(m, k), d->points);
    return d;
}
void debugger_free(struct debugger *d)
{
    if (d == NULL)
        return;
    for (unsigned k = 0; machine_cpu(d->machine, k); k++)
        dbg_attach(machine_cpu(d->machine, k), NULL);
    dbg_free(d->points);
    free(d);
}
struct cpu *debugger_cpu(struct debugger *d) { return machine_cpu(d->machine, d->cpu); }

const char *monitor_symbol(const struct debugger *d, u64 addr, char *buf, size_t size)
{
    return symbols_name(d->symbols, addr, buf, size);
}

/* ---- running and stopping ---- */

void debugger_step(struct debugger *d, struct machine_exit *x)
{
    struct cpu *c = debugger_cpu(d);
    if (!machine_cpu_is_on(d->machine, c->index)) { /* the others would run for ever */
        *x = (struct machine_exit){.kind = MACHINE_DEBUG, .cpu = c->index};
        return;
    }
    machine_cpu_nudge(d->machine, c->index);
    dbg_resume(c);
    c->single = true;
    machine_run(d->machine, x);
    c->single = false;
}

/// "0x1", or two words when the second of them changed, too.
static void put_bytes(const u8 *v, const u8 *other, unsigned n, unsigned size, struct text *out)
{
    unsigned first = n < 8 ? n : 8;
    u64 word = 0;
    if (size < first)
        first = size;
    memcpy(&word, v, first);
    text_add(out, "0x%llx", (unsigned long long)word);
    if (n == DBG_SHOWN_MAX && (size > 8 || ld64(v + 8) != ld64(other + 8)))
        text_add(out, " 0x%llx", (unsigned long long)ld64(v + 8));
}

void monitor_stop_reason(struct debugger *d, const struct machine_exit *x, struct text *out)
{
    struct cpu *c = machine_cpu(d->machine, x->cpu);
    char sym[NAME_LEN], dis[128];
    u8 now[DBG_SHOWN_MAX];
    u32 word = 0;
    if (x->kind != MACHINE_DEBUG || c == NULL || c->dbg_hit.id == 0)
        return;
    const struct dbg_hit *h = &c->dbg_hit;
    monitor_symbol(d, h->pc, sym, sizeof sym);
    if (!h->is_watch) {
        text_add(out, "breakpoint %u at 0x%llx %s, cpu %u\n", h->id, (unsigned long long)h->pc, sym, c->index);
        return;
    }
    if (mmu_debug_read(c, h->pc, &word, 4))
        insn_disas(word, h->pc, dis, sizeof dis);
    else
        snprintf(dis, sizeof dis, "(not readable)");
    text_add(out, "watchpoint %u: %s of %u bytes at 0x%llx by 0x%llx %s: %s, cpu %u\n", h->id, h->write ? "write" : "read", h->size,
             (unsigned long long)h->va, (unsigned long long)h->pc, sym, dis, c->index);
    if (!dbg_watched_now(c, h, now))
        return;
    text_add(out, "  %s0x%llx: old ", h->physical ? "physical " : "", (unsigned long long)h->at);
    put_bytes(h->old, now, h->shown, h->size, out);
    text_add(out, ", new ");
    put_bytes(now, h->old, h->shown, h->size, out);
    text_add(out, "\n");
}

static void cmd_step(struct debugger *d, const char *args, struct text *out)
{
    u64 n = 1;
    struct machine_exit x;
    if (*args && !monitor_eval_all(d, args, &n, out))
        return;
    if (!machine_cpu_is_on(d->machine, d->cpu)) {
        text_add(out, "cpu %u is off\n", d->cpu);
        return;
    }
    for (u64 k = 0; k < n && k < STEPS_MAX; k++) {
        debugger_step(d, &x);
        if (x.kind != MACHINE_DEBUG) {
            text_add(out, "%s\n", machine_exit_name(x.kind));
            return;
        }
        monitor_stop_reason(d, &x, out);
        if (debugger_cpu(d)->dbg_hit.id)
            break;
        if (k + 1 < n && dbg_meets_break(debugger_cpu(d))) {
            monitor_stop_reason(d, &x, out);
            break;
        }
        if (k + 1 == STEPS_MAX && n > STEPS_MAX)
            text_add(out, "%u of %llu steps: no more at once\n", STEPS_MAX, (unsigned long long)n);
    }
    monitor_examine(d, "/1i $pc", false, out);
}

static enum monitor_result cmd_continue(struct debugger *d, const char *args, struct text *out)
{
    (void)args, (void)out;
    for (unsigned k = 0; machine_cpu(d->machine, k); k++)
        dbg_resume(machine_cpu(d->machine, k));
    return MONITOR_CONTINUE;
}
static enum monitor_result cmd_quit(struct debugger *d, const char *args, struct text *out)
{
    (void)d, (void)args, (void)out;
    return MONITOR_QUIT;
}
static enum monitor_result cmd_reset(struct debugger *d, const char *args, struct text *out)
{
    (void)d, (void)args, (void)out;
    return MONITOR_RESET;
}

/* ---- points ---- */

/// What a point's words mean: [phys|virt] EXPRESSION, and whether the address is a physical one. Said to be: so it is.
/// A symbol: as it is known now. A number: where no virtual address is mapped there but memory or a device lies there,
/// which is always so before the MMU is on.
static bool parse_place(struct debugger *d, const char **args, u64 *at, bool *physical, struct text *out)
{
    char word[128];
    struct xlat x;
    struct cpu *c = debugger_cpu(d);
    const char *p = *args;
    u64 unused;
    bool said_phys = strncmp(p, "phys", 4) == 0 && isspace((unsigned char)p[4]);
    bool said_virt = strncmp(p, "virt", 4) == 0 && isspace((unsigned char)p[4]);
    if (said_phys || said_virt)
        p += 4;
    while (isspace((unsigned char)*p))
        p++;
    size_t n = 0;
    while (n + 1 < sizeof word && (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '.' || p[n] == '$'))
        n++;
    memcpy(word, p, n);
    word[n] = '\0';
    if (!monitor_eval(d, &p, at, out))
        return false;
    *args = p;
    bool only_physical = false, is_symbol = !isdigit((unsigned char)word[0]) && symbols_find(d->symbols, word, &unused, &only_physical);
    bool virtual_too = (c->mode & MODE_MMU) && mmu_walk(c, *at, &x);
    *physical = said_phys || (!said_virt && (is_symbol ? only_physical : !virtual_too && mem_find(machine_mem(d->machine), *at) != NULL));
    return true;
}

static bool nothing_left(const char *args, struct text *out)
{
    while (isspace((unsigned char)*args))
        args++;
    if (*args)
        text_add(out, "expression: `%.40s` is left over\n", args);
    return *args == '\0';
}

static void list_points(struct debugger *d, struct text *out)
{
    char sym[NAME_LEN];
    for (unsigned k = 0; k < d->points->brk_count; k++) {
        const struct dbg_break *b = &d->points->brk[k];
        text_add(out, "%u: %s 0x%llx %s, hit %llu times%s\n", b->id, b->physical ? "physical" : "virtual", (unsigned long long)b->addr,
                 monitor_symbol(d, b->addr, sym, sizeof sym), (unsigned long long)b->hits, b->owner == DBG_GDB ? ", gdb's" : "");
    }
    for (unsigned k = 0; k < d->points->watch_count; k++) {
        const struct dbg_watch *w = &d->points->watch[k];
        text_add(out, "%u: %s %s0x%llx %s, %llu bytes, hit %llu times%s\n", w->id,
                 w->read ? w->write ? "awatch" : "rwatch" : "watch", w->physical ? "physical " : "", (unsigned long long)w->addr,
                 monitor_symbol(d, w->addr, sym, sizeof sym), (unsigned long long)w->len, (unsigned long long)w->hits,
                 w->owner == DBG_GDB ? ", gdb's" : "");
    }
    if (d->points->brk_count + d->points->watch_count == 0)
        text_add(out, "no breakpoints, no watchpoints\n");
}

static void cmd_break(struct debugger *d, const char *args, struct text *out)
{
    u64 at;
    char sym[NAME_LEN];
    bool physical;
    if (*args == '\0')
        return list_points(d, out);
    if (!parse_place(d, &args, &at, &physical, out) || !nothing_left(args, out))
        return;
    u32 id = dbg_add_break(d->points, at, physical, DBG_MONITOR);
    for (unsigned k = 0; machine_cpu(d->machine, k); k++)
        machine_cpu(d->machine, k)->dbg_resume_pc = ~0ULL; /* what was passed over before has nothing to do with it */
    if (id)
        text_add(out, "breakpoint %u at %s0x%llx %s\n", id, physical ? "physical " : "", (unsigned long long)at,
                 monitor_symbol(d, at, sym, sizeof sym));
    else if (at & 3)
        text_add(out, "break: 0x%llx is not a multiple of 4\n", (unsigned long long)at);
    else
        text_add(out, "break: all %d breakpoints are in use\n", DBG_BREAKS_MAX);
}

static void reattach(struct debugger *d)
{
    for (unsigned k = 0; machine_cpu(d->machine, k); k++)
        dbg_attach(machine_cpu(d->machine, k), d->points);
}

static void add_watch(struct debugger *d, const char *args, struct text *out, bool read, bool write)
{
    struct dbg_watch w = {.len = 8, .read = read, .write = write};
    char sym[NAME_LEN];
    if (!parse_place(d, &args, &w.addr, &w.physical, out))
        return;
    while (isspace((unsigned char)*args) || *args == ',')
        args++;
    if (*args && !monitor_eval_all(d, args, &w.len, out))
        return;
    u32 id = dbg_add_watch(d->points, &w);
    reattach(d);
    if (id)
        text_add(out, "watchpoint %u: %s0x%llx %s, %llu bytes\n", id, w.physical ? "physical " : "", (unsigned long long)w.addr,
                 monitor_symbol(d, w.addr, sym, sizeof sym), (unsigned long long)w.len);
    else if (d->points->watch_count == DBG_WATCHES_MAX)
        text_add(out, "watch: all %d watchpoints are in use\n", DBG_WATCHES_MAX);
    else
        text_add(out, "watch: 1 to %d bytes, not %llu\n", DBG_WATCH_LEN_MAX, (unsigned long long)w.len);
}
static void cmd_watch(struct debugger *d, const char *args, struct text *out) { add_watch(d, args, out, false, true); }
static void cmd_rwatch(struct debugger *d, const char *args, struct text *out) { add_watch(d, args, out, true, false); }
static void cmd_awatch(struct debugger *d, const char *args, struct text *out) { add_watch(d, args, out, true, true); }

void debugger_drop_points(struct debugger *d, enum dbg_owner owner)
{
    for (unsigned k = d->points->brk_count; k-- > 0;)
        if (d->points->brk[k].owner == owner)
            dbg_delete(d->points, d->points->brk[k].id);
    for (unsigned k = d->points->watch_count; k-- > 0;)
        if (d->points->watch[k].owner == owner)
            dbg_delete(d->points, d->points->watch[k].id);
    reattach(d);
}

static void cmd_delete(struct debugger *d, const char *args, struct text *out)
{
    u64 id;
    if (*args == '\0')
        return debugger_drop_points(d, DBG_MONITOR);
    if (!monitor_eval_all(d, args, &id, out))
        return;
    if (!dbg_delete(d->points, id))
        text_add(out, "no breakpoint or watchpoint %llu; `info break` lists them\n", (unsigned long long)id);
    reattach(d);
}

/* ---- looking ---- */

static void cmd_print(struct debugger *d, const char *args, struct text *out)
{
    u64 v;
    char sym[NAME_LEN], fmt = 0;
    if (*args == '/') {
        fmt = args[1];
        if (fmt == '\0' || !strchr("xduotc", fmt) || (args[2] && !isspace((unsigned char)args[2]))) {
            text_add(out, "p: a format is one of x d u o t c\n");
            return;
        }
        args += 2;
    }
    if (!monitor_eval_all(d, args, &v, out))
        return;
    unsigned long long u = v;
    char digits[65] = "";
    int high = v ? 63 - __builtin_clzll(v) : 0;
    for (int k = high; k >= 0; k--)
        digits[high - k] = bit(v, (unsigned)k) ? '1' : '0';
    switch (fmt) {
    case 'x': text_add(out, "0x%llx\n", u); break;
    case 'd': text_add(out, "%lld\n", (long long)v); break;
    case 'u': text_add(out, "%llu\n", u); break;
    case 'o': text_add(out, "0%llo\n", u); break;
    case 't': text_add(out, "0b%s\n", digits); break;
    case 'c': text_add(out, isprint((u8)v) ? "'%c'\n" : "'\\x%02x'\n", (u8)v); break;
    default:
        text_add(out, "0x%llx = %lld%s%s\n", u, (long long)v, *monitor_symbol(d, v, sym, sizeof sym) ? " = " : "", sym);
    }
}
static void cmd_x(struct debugger *d, const char *args, struct text *out) { monitor_examine(d, args, false, out); }
static void cmd_xp(struct debugger *d, const char *args, struct text *out) { monitor_examine(d, args, true, out); }

static void cmd_pt(struct debugger *d, const char *args, struct text *out)
{
    u64 va;
    if (monitor_eval_all(d, args, &va, out))
        monitor_walk(d, va, out);
}
static void cmd_cpu(struct debugger *d, const char *args, struct text *out)
{
    u64 v;
    if (*args == '\0')
        text_add(out, "cpu %u\n", d->cpu);
    else if (!monitor_eval_all(d, args, &v, out))
        return;
    else if (v < machine_config(d->machine)->cpus)
        d->cpu = (unsigned)v;
    else
        text_add(out, "no cpu %llu: there are %u, from 0\n", (unsigned long long)v, machine_config(d->machine)->cpus);
}
static void cmd_phys(struct debugger *d, const char *args, struct text *out)
{
    if (*args && strcmp(args, "on") != 0 && strcmp(args, "off") != 0) {
        text_add(out, "phys: on or off\n");
        return;
    }
    if (*args)
        d->physical = strcmp(args, "on") == 0;
    text_add(out, "gdb reads %s memory\n", d->physical ? "physical" : "virtual");
}
static void cmd_screendump(struct debugger *d, const char *args, struct text *out)
{
    struct err e = {0};
    if (*args == '\0')
        text_add(out, "screendump: a file is wanted\n");
    else if (!machine_screendump(d->machine, args, &e))
        text_add(out, "%s\n", e.msg);
}
static void cmd_explain(struct debugger *d, const char *args, struct text *out)
{
    (void)args;
    if (d->explain)
        d->explain(d->explain_ctx, out);
    else
        text_add(out, "explain: no explainer is attached (--bare)\n");
}
static void cmd_info(struct debugger *d, const char *args, struct text *out)
{
    size_t n = strcspn(args, " \t");
    if (n && n <= strlen("breakpoints") && strncmp(args, "breakpoints", n) == 0)
        list_points(d, out);
    else
        monitor_info(d, args, out);
}
static void cmd_held(struct debugger *d, const char *args, struct text *out)
{
    (void)d, (void)args;
    text_add(out, "the machine is stopped\n");
}

/* ---- the table ---- */

static void cmd_help(struct debugger *d, const char *args, struct text *out);

static const struct command {
    const char *name, *also; ///< also: other names, with a blank around each
    const char *args;        ///< NULL: takes none
    const char *help;
    void (*run)(struct debugger *d, const char *args, struct text *out);
    enum monitor_result (*leave)(struct debugger *d, const char *args, struct text *out);
} commands[] = {
    {"info", " i ", "WHAT", "registers [all|NAME...] | cpus | mem | tlb | mtree | irq | sysreg [NAME] | break | status", cmd_info, NULL},
    {"x", " ", "/NFU [ADDR]", "shows memory: count N; format F of x d u o t c (char) a (address) f (float) z s (string) i (instruction); "
     "unit U of b h w g (1 2 4 8 bytes). Without ADDR goes on where it was", cmd_x, NULL},
    {"xp", " ", "/NFU [ADDR]", "the same of physical memory; devices are not read", cmd_xp, NULL},
    {"p", " print ", "[/F] EXPR", "prints a value: $pc $x0 $w0 $d0 $SCTLR_EL1, symbols, 10 0x10 0b10, *ADDR (64 bits of memory), ( ), "
     "- ~ * / % + - << >> == != & ^ | as in C; F of x d u o t c", cmd_print, NULL},
    {"pt", " walk ", "VA", "the translation of VA, level by level", cmd_pt, NULL},
    {"b", " break ", "[phys|virt] ADDR", "breakpoint at an address, symbol or expression; without one lists them. Before the MMU is on, "
     "a kernel's symbol means its physical place, wherever it will be mapped", cmd_break, NULL},
    {"watch", " w ", "[phys|virt] ADDR [SIZE]", "stops after a write to SIZE bytes (8), with old and new value and the instruction", cmd_watch, NULL},
    {"rwatch", " rw ", "[phys|virt] ADDR [SIZE]", "stops after a read", cmd_rwatch, NULL},
    {"awatch", " aw ", "[phys|virt] ADDR [SIZE]", "stops after either", cmd_awatch, NULL},
    {"delete", " d del ", "[N]", "removes break- or watchpoint N, or all of the monitor's", cmd_delete, NULL},
    {"c", " cont continue g ", NULL, "lets the machine run", NULL, cmd_continue},
    {"s", " step si stepi ", "[N]", "executes N instructions of the current CPU, without interrupts; stops at breakpoints", cmd_step, NULL},
    {"stop", " ", NULL, "stops the machine and holds it (socket and console)", cmd_held, NULL},
    {"wait", " ", "[SECONDS]", "returns when the machine is stopped, by a point or by others, and says why (socket)", cmd_held, NULL},
    {"cpu", " thread ", "[N]", "the CPU that commands mean", cmd_cpu, NULL},
    {"explain", " why ", NULL, "what is wrong now", cmd_explain, NULL},
    {"phys", " ", "[on|off]", "makes gdb read physical memory", cmd_phys, NULL},
    {"screendump", " ", "FILE", "what the framebuffer shows, as PPM (--display ramfb)", cmd_screendump, NULL},
    {"system_reset", " reset ", NULL, "resets the machine and boots it again", NULL, cmd_reset},
    {"quit", " q ", NULL, "ends the machine", NULL, cmd_quit},
    {"help", " h ? ", "[COMMAND]", "explains a command, or lists all", cmd_help, NULL},
};

static const char *command_name_at(void *ctx, size_t i)
{
    (void)ctx;
    return i < ARRAY_LEN(commands) ? commands[i].name : NULL;
}

static const struct command *find_command(const char *word)
{
    char padded[40];
    snprintf(padded, sizeof padded, " %s ", word);
    for (unsigned k = 0; k < ARRAY_LEN(commands); k++)
        if (strcmp(commands[k].name, word) == 0 || strstr(commands[k].also, padded))
            return &commands[k];
    return NULL;
}

static void no_command(const char *word, struct text *out)
{
    const char *near = text_nearest(word, command_name_at, NULL);
    text_add(out, near ? "`%.40s`: not a command; did you mean `%s`?\n" : "`%.40s`: not a command; try help\n", word, near);
}

/// Words of at most 100 columns a line, from a column on.
static void wrapped(const char *text, int left, struct text *out)
{
    int column = left;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column + 1 + n > 100) {
            text_add(out, "\n%*s", left, "");
            column = left;
        }
        text_add(out, " %.*s", n, text);
        column += 1 + n;
        text += n + (text[n] == ' ');
    }
    text_add(out, "\n");
}

static void cmd_help(struct debugger *d, const char *args, struct text *out)
{
    (void)d;
    const struct command *one = *args ? find_command(args) : NULL;
    if (*args && one == NULL)
        return no_command(args, out);
    for (unsigned k = 0; k < ARRAY_LEN(commands); k++) {
        const struct command *c = &commands[k];
        char left[64];
        if (one && one != c)
            continue;
        snprintf(left, sizeof left, "%s%s%s", c->name, c->args && c->args[0] != '/' ? " " : "", c->args ? c->args : "");
        text_add(out, "%-30s", left);
        wrapped(c->help, 30, out);
        if (one && c->also[1])
            text_add(out, "%-30s also:%.*s\n", "", (int)strlen(c->also) - 1, c->also);
    }
}

enum monitor_result monitor_exec(struct debugger *d, const char *line, struct text *out)
{
    char cmd[32], args[1024];
    while (isspace((unsigned char)*line))
        line++;
    size_t n = 0;
    while (isalnum((unsigned char)line[n]) || line[n] == '_' || line[n] == '?')
        n++;
    if (n == 0 || n >= sizeof cmd) {
        snprintf(args, 41, "%s", line);
        text_clean(args);
        if (*line)
            text_add(out, "`%s`: not a command; try help\n", args);
        return MONITOR_DONE;
    }
    memcpy(cmd, line, n);
    cmd[n] = '\0';
    line += n;
    while (isspace((unsigned char)*line))
        line++;
    size_t len = strlen(line);
    if (len >= sizeof args) {
        text_add(out, "%s: the line is longer than %zu characters\n", cmd, sizeof args);
        return MONITOR_DONE;
    }
    memcpy(args, line, len + 1);
    while (len && isspace((unsigned char)args[len - 1]))
        args[--len] = '\0';
    text_clean(args);
    const struct command *c = find_command(cmd);
    if (c == NULL) {
        no_command(cmd, out);
        return MONITOR_DONE;
    }
    if (c->args == NULL && *args) {
        text_add(out, "%s takes no argument; `%.40s` is left over\n", cmd, args);
        return MONITOR_DONE;
    }
    if (c->leave)
        return c->leave(d, args, out);
    c->run(d, args, out);
    return MONITOR_DONE;
}
