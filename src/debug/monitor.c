/// The monitor's commands and expressions; `info` is in monitor_info.c.
#include "debug/monitor.h"
#include "a64/insn.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { EXPR_DEPTH_MAX = 16, STEPS_MAX = 100000, DUMP_MAX = 65536 };

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

static void reattach(struct debugger *d)
{
    for (unsigned k = 0; machine_cpu(d->machine, k); k++)
        dbg_attach(machine_cpu(d->machine, k), d->points);
}

const char *monitor_symbol(const struct debugger *d, u64 addr, char *buf, size_t size)
{
    return symbols_name(d->symbols, addr, buf, size);
}

/* ---- expressions ---- */

static bool reg_value(struct debugger *d, const char *name, u64 *val)
{
    struct cpu *c = debugger_cpu(d);
    char *end;
    if (strcasecmp(name, "pc") == 0)
        *val = c->pc;
    else if (strcasecmp(name, "sp") == 0)
        *val = c->x[REG_SP];
    else if (strcasecmp(name, "lr") == 0)
        *val = c->x[30];
    else if (strcasecmp(name, "fp") == 0)
        *val = c->x[29];
    else if (strcasecmp(name, "pstate") == 0 || strcasecmp(name, "cpsr") == 0)
        *val = cpu_pstate(c);
    else if ((name[0] == 'x' || name[0] == 'w') && isdigit((unsigned char)name[1])) {
        unsigned long n = strtoul(name + 1, &end, 10);
        if (*end || n > 30)
            return false;
        *val = name[0] == 'x' ? c->x[n] : (u32)c->x[n];
    } else
        return sysreg_get(c, name, val);
    return true;
}

static void skip_space(const char **p)
{
    while (isspace((unsigned char)**p))
        ++*p;
}
static size_t word_len(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '.' || p[n] == '$')
        n++;
    return n;
}

static bool eval_sum(struct debugger *d, const char **p, u64 *val, struct text *out, int depth);

static bool eval_term(struct debugger *d, const char **p, u64 *val, struct text *out, int depth)
{
    char word[128];
    skip_space(p);
    if (depth > EXPR_DEPTH_MAX) {
        text_add(out, "expression: nested deeper than %d\n", EXPR_DEPTH_MAX);
        return false;
    }
    if (**p == '(') {
        ++*p;
        if (!eval_sum(d, p, val, out, depth + 1))
            return false;
        skip_space(p);
        if (**p != ')') {
            text_add(out, "expression: `)` wanted at `%s`\n", *p);
            return false;
        }
        ++*p;
        return true;
    }
    if (**p == '-' || **p == '~') {
        char op = *(*p)++;
        if (!eval_term(d, p, val, out, depth + 1))
            return false;
        *val = op == '-' ? -*val : ~*val;
        return true;
    }
    if (**p == '*') { /* a 64-bit word of memory */
        ++*p;
        u64 at;
        if (!eval_term(d, p, &at, out, depth + 1))
            return false;
        if (mmu_debug_read(debugger_cpu(d), at, val, 8))
            return true;
        text_add(out, "no memory at 0x%llx\n", (unsigned long long)at);
        return false;
    }
    if (isdigit((unsigned char)**p)) {
        char *end;
        *val = strtoull(*p, &end, 0);
        *p = end;
        return true;
    }
    size_t n = word_len(*p);
    if (n == 0 || n >= sizeof word) {
        text_add(out, "expression: a number, $register or symbol is wanted at `%s`\n", *p);
        return false;
    }
    memcpy(word, *p, n);
    word[n] = '\0';
    *p += n;
    if (word[0] == '$') {
        if (reg_value(d, word + 1, val))
            return true;
        text_add(out, "no register named `%s`\n", word + 1);
        return false;
    }
    if (symbols_find(d->symbols, word, val, NULL))
        return true;
    if (reg_value(d, word, val))
        return true;
    text_add(out, "no symbol or register named `%s`%s\n", word, d->symbols && symbols_any(d->symbols) ? "" : " (no symbols: --symbols FILE)");
    return false;
}

static bool eval_product(struct debugger *d, const char **p, u64 *val, struct text *out, int depth)
{
    if (!eval_term(d, p, val, out, depth))
        return false;
    for (skip_space(p); **p == '*' || **p == '&' || **p == '/'; skip_space(p)) {
        char op = *(*p)++;
        u64 rhs;
        if (!eval_term(d, p, &rhs, out, depth))
            return false;
        *val = op == '*' ? *val * rhs : op == '&' ? *val & rhs : rhs ? *val / rhs : 0;
    }
    return true;
}
static bool eval_sum(struct debugger *d, const char **p, u64 *val, struct text *out, int depth)
{
    if (!eval_product(d, p, val, out, depth))
        return false;
    for (skip_space(p); **p == '+' || **p == '-' || **p == '|'; skip_space(p)) {
        char op = *(*p)++;
        u64 rhs;
        if (!eval_product(d, p, &rhs, out, depth))
            return false;
        *val = op == '+' ? *val + rhs : op == '-' ? *val - rhs : *val | rhs;
    }
    return true;
}
bool monitor_eval(struct debugger *d, const char **p, u64 *val, struct text *out)
{
    return eval_sum(d, p, val, out, 0);
}
/// The whole of args is one expression.
static bool eval_all(struct debugger *d, const char *args, u64 *val, struct text *out)
{
    if (!monitor_eval(d, &args, val, out))
        return false;
    skip_space(&args);
    if (*args == '\0')
        return true;
    text_add(out, "expression: `%s` is left over\n", args);
    return false;
}

/* ---- x and xp ---- */

static bool read_any(struct debugger *d, bool physical, u64 at, void *dst, u64 len)
{
    return physical ? mem_read(machine_mem(d->machine), at, dst, len) : mmu_debug_read(debugger_cpu(d), at, dst, len);
}

static void dump_insns(struct debugger *d, bool physical, u64 at, unsigned count, struct text *out)
{
    char sym[160], dis[128];
    for (unsigned k = 0; k < count; k++, at += 4) {
        u32 word;
        if (!read_any(d, physical, at, &word, 4)) {
            text_add(out, "0x%016llx: no memory\n", (unsigned long long)at);
            break;
        }
        insn_disas(word, at, dis, sizeof dis);
        monitor_symbol(d, at, sym, sizeof sym);
        text_add(out, "%s0x%016llx%s%s%s: %08x  %s\n", at == debugger_cpu(d)->pc ? "=> " : "   ",
                 (unsigned long long)at, *sym ? " <" : "", sym, *sym ? ">" : "", word, dis);
    }
    d->x_next = at;
}

static void dump_values(struct debugger *d, bool physical, u64 at, unsigned count, struct text *out)
{
    unsigned per_line = d->x_unit == 8 ? 2 : 16 / d->x_unit;
    char sym[160];
    for (unsigned k = 0; k < count; k++, at += d->x_unit) {
        u64 v = 0;
        if (k % per_line == 0)
            text_add(out, "%s0x%016llx%s%s:", k ? "\n" : "", (unsigned long long)at,
                     *monitor_symbol(d, at, sym, sizeof sym) ? " " : "", sym);
        if (!read_any(d, physical, at, &v, d->x_unit)) {
            text_add(out, " no memory");
            break;
        }
        if (d->x_fmt == 'd')
            text_add(out, " %lld", (long long)sext(v, 8 * d->x_unit));
        else if (d->x_fmt == 'u')
            text_add(out, " %llu", (unsigned long long)v);
        else if (d->x_fmt == 'c')
            text_add(out, " '%c'", isprint((int)(u8)v) ? (int)(u8)v : '.');
        else
            text_add(out, " 0x%0*llx", (int)(2 * d->x_unit), (unsigned long long)v);
    }
    text_add(out, "\n");
    d->x_next = at;
}

static void dump_string(struct debugger *d, bool physical, u64 at, struct text *out)
{
    text_add(out, "0x%016llx: \"", (unsigned long long)at);
    for (unsigned k = 0; k < 512; k++) {
        u8 b;
        if (!read_any(d, physical, at + k, &b, 1) || b == 0)
            break;
        text_add(out, isprint(b) ? "%c" : "\\x%02x", b);
    }
    text_add(out, "\"\n");
}

/// x/NFU ADDR: N count, F one of x d u c s i, U one of b h w g.
static void cmd_examine(struct debugger *d, const char *args, bool physical, struct text *out)
{
    unsigned long count = 1;
    u64 at = d->x_next;
    if (*args == '/') {
        char *end;
        args++;
        if (isdigit((unsigned char)*args)) {
            count = strtoul(args, &end, 10);
            args = end;
        }
        for (; *args && !isspace((unsigned char)*args); args++) {
            const char *unit = strchr("bhwg", *args);
            if (unit)
                d->x_unit = *args == 'b' ? 1 : *args == 'h' ? 2 : *args == 'w' ? 4 : 8;
            else if (strchr("xducsi", *args))
                d->x_fmt = *args;
            else {
                text_add(out, "x: `%c` is neither a format (x d u c s i) nor a unit (b h w g)\n", *args);
                return;
            }
        }
    }
    if (count > DUMP_MAX)
        count = DUMP_MAX;
    skip_space(&args);
    if (*args && !eval_all(d, args, &at, out))
        return;
    if (d->x_fmt == 'i')
        dump_insns(d, physical, at & ~3ULL, (unsigned)count, out);
    else if (d->x_fmt == 's')
        dump_string(d, physical, at, out);
    else
        dump_values(d, physical, at, (unsigned)count, out);
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

void monitor_stop_reason(struct debugger *d, const struct machine_exit *x, struct text *out)
{
    struct cpu *c = machine_cpu(d->machine, x->cpu);
    char sym[160];
    if (x->kind != MACHINE_DEBUG || c == NULL || c->dbg_hit.id == 0)
        return;
    if (!c->dbg_hit.is_watch) {
        text_add(out, "breakpoint %u at 0x%llx %s\n", c->dbg_hit.id, (unsigned long long)c->dbg_hit.pc,
                 monitor_symbol(d, c->dbg_hit.pc, sym, sizeof sym));
        return;
    }
    u64 now = 0;
    const struct dbg_watch *w = NULL;
    for (unsigned k = 0; k < d->points->watch_count; k++)
        if (d->points->watch[k].id == c->dbg_hit.id)
            w = &d->points->watch[k];
    if (w)
        mmu_debug_read(c, w->addr, &now, w->len < 8 ? w->len : 8);
    u32 word = 0;
    char dis[128];
    mmu_debug_read(c, c->dbg_hit.pc, &word, 4);
    insn_disas(word, c->dbg_hit.pc, dis, sizeof dis);
    text_add(out, "watchpoint %u: %s of %u bytes at 0x%llx by 0x%llx %s: %s\n  old 0x%llx, new 0x%llx\n", c->dbg_hit.id,
             c->dbg_hit.write ? "write" : "read", c->dbg_hit.size, (unsigned long long)c->dbg_hit.va,
             (unsigned long long)c->dbg_hit.pc, monitor_symbol(d, c->dbg_hit.pc, sym, sizeof sym), dis,
             (unsigned long long)c->dbg_hit.old, (unsigned long long)now);
}

static void cmd_step(struct debugger *d, const char *args, struct text *out)
{
    u64 n = 1;
    struct machine_exit x;
    if (*args && !eval_all(d, args, &n, out))
        return;
    for (u64 k = 0; k < n && k < STEPS_MAX; k++) {
        debugger_step(d, &x);
        if (x.kind != MACHINE_DEBUG) {
            text_add(out, "%s\n", machine_exit_name(x.kind));
            return;
        }
        monitor_stop_reason(d, &x, out);
        if (debugger_cpu(d)->dbg_hit.id)
            break;
        if (k + 1 == STEPS_MAX && n > STEPS_MAX)
            text_add(out, "%u of %llu steps: no more at once\n", STEPS_MAX, (unsigned long long)n);
    }
    dump_insns(d, false, debugger_cpu(d)->pc, 1, out);
}

/// b ADDR|SYMBOL, b *PHYS: a `phys` word or an address within RAM while it is no mapped address makes it
/// physical.
static void cmd_break(struct debugger *d, const char *args, struct text *out)
{
    u64 at;
    char sym[160];
    bool physical = strncmp(args, "phys", 4) == 0;
    if (physical)
        args += 4;
    if (*args == '\0') {
        for (unsigned k = 0; k < d->points->brk_count; k++) {
            const struct dbg_break *b = &d->points->brk[k];
            text_add(out, "%u: %s 0x%llx %s, hit %llu times\n", b->id, b->physical ? "physical" : "virtual",
                     (unsigned long long)b->addr, monitor_symbol(d, b->addr, sym, sizeof sym),
                     (unsigned long long)b->hits);
        }
        for (unsigned k = 0; k < d->points->watch_count; k++) {
            const struct dbg_watch *w = &d->points->watch[k];
            text_add(out, "%u: watch 0x%llx %llu bytes, hit %llu times\n", w->id, (unsigned long long)w->addr,
                     (unsigned long long)w->len, (unsigned long long)w->hits);
        }
        if (d->points->brk_count + d->points->watch_count == 0)
            text_add(out, "no breakpoints, no watchpoints\n");
        return;
    }
    bool only_physical; /* a kernel's function while the MMU is off: wherever it will be mapped */
    if (!physical && symbols_find(d->symbols, args, &at, &only_physical))
        physical = only_physical;
    else if (!eval_all(d, args, &at, out))
        return;
    u32 id = dbg_add_break(d->points, at, physical);
    if (id)
        text_add(out, "breakpoint %u at %s0x%llx %s\n", id, physical ? "physical " : "", (unsigned long long)at,
                 monitor_symbol(d, at, sym, sizeof sym));
    else
        text_add(out, "break: 0x%llx is not a multiple of 4, or all %d breakpoints are in use\n",
                 (unsigned long long)at, DBG_BREAKS_MAX);
}

static void cmd_watch(struct debugger *d, const char *args, struct text *out, bool read, bool write)
{
    u64 at, len = 8;
    if (!monitor_eval(d, &args, &at, out))
        return;
    skip_space(&args);
    if (*args && !eval_all(d, args, &len, out))
        return;
    u32 id = dbg_add_watch(d->points, at, len, read, write);
    reattach(d);
    if (id)
        text_add(out, "watchpoint %u: 0x%llx, %llu bytes\n", id, (unsigned long long)at, (unsigned long long)len);
    else
        text_add(out, "watch: 1 to %d bytes, at most %d watchpoints\n", DBG_WATCH_LEN_MAX, DBG_WATCHES_MAX);
}

static void cmd_delete(struct debugger *d, const char *args, struct text *out)
{
    u64 id;
    if (*args == '\0') {
        while (d->points->brk_count)
            dbg_delete(d->points, d->points->brk[0].id);
        while (d->points->watch_count)
            dbg_delete(d->points, d->points->watch[0].id);
    } else if (!eval_all(d, args, &id, out)) {
        return;
    } else if (!dbg_delete(d->points, (u32)id)) {
        text_add(out, "no breakpoint or watchpoint %llu\n", (unsigned long long)id);
    }
    reattach(d);
}

static void cmd_print(struct debugger *d, const char *args, struct text *out)
{
    u64 v;
    char sym[160];
    if (eval_all(d, args, &v, out))
        text_add(out, "0x%llx = %lld%s%s\n", (unsigned long long)v, (long long)v,
                 *monitor_symbol(d, v, sym, sizeof sym) ? " = " : "", sym);
}

static const char help_text[] =
    "info registers [all] | cpus | mem | tlb | mtree | irq | sysreg | break\n"
    "x/NFU ADDR       examine memory (N count; F x d u c s i; U b h w g)    xp/NFU: physical\n"
    "p EXPR           print; EXPR: $pc $x0 $SCTLR_EL1 symbol 0x40 *ADDR + - * / & | ( )\n"
    "pt VA            the translation walk of VA, level by level\n"
    "b [phys] ADDR    breakpoint; without argument: list        watch|rwatch|awatch ADDR [SIZE]\n"
    "delete [N]       remove a break- or watchpoint, or all      cpu N: the CPU that commands mean\n"
    "c  s [N]         continue, step                              explain: what is wrong now\n"
    "screendump FILE  what the framebuffer shows, as PPM (--display ramfb)\n"
    "system_reset  quit  help\n";

enum monitor_result monitor_exec(struct debugger *d, const char *line, struct text *out)
{
    char cmd[32];
    const char *args;
    skip_space(&line);
    size_t n = 0;
    while (isalnum((unsigned char)line[n]) || line[n] == '_' || line[n] == '?')
        n++;
    if (n == 0 || n >= sizeof cmd) {
        if (*line)
            text_add(out, "`%s`: not a command; try help\n", line);
        return MONITOR_DONE;
    }
    memcpy(cmd, line, n);
    cmd[n] = '\0';
    args = line + n;
    if (*args != '/')
        skip_space(&args);
#define IS(a, b) (strcmp(cmd, a) == 0 || strcmp(cmd, b) == 0)
    if (IS("c", "cont") || IS("continue", "g")) {
        for (unsigned k = 0; machine_cpu(d->machine, k); k++)
            dbg_resume(machine_cpu(d->machine, k));
        return MONITOR_CONTINUE;
    }
    if (IS("q", "quit"))
        return MONITOR_QUIT;
    if (IS("system_reset", "reset"))
        return MONITOR_RESET;
    if (IS("s", "step") || IS("si", "stepi"))
        cmd_step(d, args, out);
    else if (IS("x", "x"))
        cmd_examine(d, args, false, out);
    else if (IS("xp", "xp"))
        cmd_examine(d, args, true, out);
    else if (IS("p", "print"))
        cmd_print(d, args, out);
    else if (IS("b", "break"))
        cmd_break(d, args, out);
    else if (IS("watch", "w"))
        cmd_watch(d, args, out, false, true);
    else if (IS("rwatch", "rw"))
        cmd_watch(d, args, out, true, false);
    else if (IS("awatch", "aw"))
        cmd_watch(d, args, out, true, true);
    else if (IS("delete", "d"))
        cmd_delete(d, args, out);
    else if (IS("pt", "walk")) {
        u64 va;
        if (eval_all(d, args, &va, out))
            monitor_walk(d, va, out);
    } else if (IS("cpu", "thread")) {
        u64 v;
        if (eval_all(d, args, &v, out) && machine_cpu(d->machine, (unsigned)v))
            d->cpu = (unsigned)v;
        else
            text_add(out, "cpu: no such CPU\n");
    } else if (IS("phys", "phys")) {
        d->physical = strcmp(args, "off") != 0;
        text_add(out, "gdb reads %s memory\n", d->physical ? "physical" : "virtual");
    } else if (IS("screendump", "screendump")) {
        struct err e = {0};
        if (*args == '\0')
            text_add(out, "screendump: a file is wanted\n");
        else if (!machine_screendump(d->machine, args, &e))
            text_add(out, "%s\n", e.msg);
    } else if (IS("explain", "why")) {
        if (d->explain)
            d->explain(d->explain_ctx, out);
        else
            text_add(out, "explain: no explainer is attached (--lint off)\n");
    } else if (IS("info", "i")) {
        if (strncmp(args, "b", 1) == 0)
            cmd_break(d, "", out);
        else if (!monitor_info(d, args, out))
            text_add(out, "info: registers [all] cpus mem tlb mtree irq sysreg break\n");
    } else if (IS("help", "h") || IS("?", "?"))
        text_add(out, "%s", help_text);
    else
        text_add(out, "`%s`: not a command; try help\n", cmd);
#undef IS
    return MONITOR_DONE;
}
