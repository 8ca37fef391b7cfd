/// The monitor's looks at memory: x and xp.
#include "debug/monitor.h"
#include "a64/insn.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { DUMP_MAX = 65536, STRING_MAX = 512, NAME_MAX_LEN = 160 };
static const char formats[] = "xduotcafzsi", units[] = "bhwg";

/// One look: what the command says, with what the last one left for it.
struct look {
    struct debugger *d;
    bool physical;
    char fmt;
    unsigned unit;
    u64 at;
    struct text *out;
};

static bool read_at(const struct look *l, u64 at, void *dst, u64 len)
{
    return l->physical ? mem_read(machine_mem(l->d->machine), at, dst, len) : mmu_debug_read(debugger_cpu(l->d), at, dst, len);
}

/// Why there is nothing to show: devices are not read, since that may change them.
static void no_memory(const struct look *l, u64 at)
{
    struct xlat x = {.pa = at};
    struct cpu *c = debugger_cpu(l->d);
    if (!l->physical && !mmu_walk(c, at, &x)) {
        text_add(l->out, " not mapped (pt 0x%llx shows the walk)", (unsigned long long)at);
        return;
    }
    const struct mem_region *r = mem_find(machine_mem(l->d->machine), x.pa);
    if (r)
        text_add(l->out, " device %s, not read", r->name);
    else if (x.pa == at)
        text_add(l->out, " no memory");
    else
        text_add(l->out, " no memory at physical 0x%llx", (unsigned long long)x.pa);
}

static const char *symbol(const struct look *l, u64 at, char *buf)
{
    return monitor_symbol(l->d, at, buf, NAME_MAX_LEN);
}

static u64 dump_insns(const struct look *l, u64 at, unsigned long count)
{
    char sym[NAME_MAX_LEN], dis[128];
    struct cpu *c = debugger_cpu(l->d);
    struct xlat x;
    u64 pc = c->pc;
    if (l->physical)
        pc = mmu_walk(c, pc, &x) ? x.pa : ~0ULL;
    for (; count; count--, at += 4) {
        u32 word;
        symbol(l, at, sym);
        text_add(l->out, "%s0x%016llx%s%s%s:", at == pc ? "=> " : "   ", (unsigned long long)at, *sym ? " <" : "", sym,
                 *sym ? ">" : "");
        if (!read_at(l, at, &word, 4)) {
            no_memory(l, at);
            text_add(l->out, "\n");
            break;
        }
        insn_disas(word, at, dis, sizeof dis);
        text_add(l->out, " %08x  %s\n", word, dis);
    }
    return at;
}

static void put_float(const struct look *l, u64 v)
{
    float f;
    double g;
    u32 low = (u32)v;
    memcpy(&f, &low, sizeof f);
    memcpy(&g, &v, sizeof g);
    text_add(l->out, l->unit == 4 ? " %.9g" : " %.17g", l->unit == 4 ? (double)f : g);
}

static void put_value(const struct look *l, u64 v)
{
    char sym[NAME_MAX_LEN], digits[65];
    int wide = (int)(2 * l->unit), n = (int)(8 * l->unit);
    unsigned long long u = v;
    switch (l->fmt) {
    case 'd': text_add(l->out, " %lld", (long long)sext(v, 8 * l->unit)); break;
    case 'u': text_add(l->out, " %llu", u); break;
    case 'o': text_add(l->out, " 0%llo", u); break;
    case 't':
        for (int k = 0; k < n; k++)
            digits[k] = bit(v, (unsigned)(n - 1 - k)) ? '1' : '0';
        digits[n] = '\0';
        text_add(l->out, " %s", digits);
        break;
    case 'c': text_add(l->out, isprint((u8)v) ? " %d '%c'" : " %d '\\x%02x'", (int)(s8)v, (u8)v); break;
    case 'a':
        symbol(l, v, sym);
        text_add(l->out, " 0x%llx%s%s%s", u, *sym ? " <" : "", sym, *sym ? ">" : "");
        break;
    case 'f': put_float(l, v); break;
    default: text_add(l->out, " 0x%0*llx", wide, u); break;
    }
}

static u64 dump_values(const struct look *l, u64 at, unsigned long count)
{
    unsigned per_line = l->fmt == 'a' ? 1 : l->fmt == 't' ? (l->unit > 2 ? 1 : 4 / l->unit) : l->unit == 8 ? 2 : l->fmt == 'c' ? 8 : 16 / l->unit;
    char sym[NAME_MAX_LEN];
    for (unsigned long k = 0; k < count; k++, at += l->unit) {
        u64 v = 0;
        if (k % per_line == 0) {
            symbol(l, at, sym);
            text_add(l->out, "%s0x%016llx%s%s%s:", k ? "\n" : "", (unsigned long long)at, *sym ? " <" : "", sym, *sym ? ">" : "");
        }
        if (!read_at(l, at, &v, l->unit)) {
            no_memory(l, at);
            break;
        }
        put_value(l, v);
    }
    text_add(l->out, "\n");
    return at;
}

static u64 dump_strings(const struct look *l, u64 at, unsigned long count)
{
    for (; count; count--) {
        u8 b = 1;
        text_add(l->out, "0x%016llx:", (unsigned long long)at);
        if (!read_at(l, at, &b, 1)) {
            no_memory(l, at);
            text_add(l->out, "\n");
            break;
        }
        text_add(l->out, " \"");
        unsigned k = 0;
        for (; k < STRING_MAX && read_at(l, at, &b, 1) && b; k++, at++) {
            if (b == '"' || b == '\\')
                text_add(l->out, "\\%c", b);
            else
                text_add(l->out, b == '\n' ? "\\n" : isprint(b) ? "%c" : "\\x%02x", b);
        }
        text_add(l->out, "\"%s\n", k == STRING_MAX ? "..." : "");
        at += k < STRING_MAX;
    }
    return at;
}

/// "/NFU" of the command. ret  false: the reason is in out
static bool parse_look(const char **args, struct look *l, unsigned long *count)
{
    struct debugger *d = l->d;
    bool has_fmt = false, has_unit = false;
    const char *p = *args + 1;
    char *end;
    if (isdigit((unsigned char)*p)) {
        *count = strtoul(p, &end, 10);
        p = end;
    }
    for (; *p && !isspace((unsigned char)*p); p++) {
        const char *unit = strchr(units, *p);
        if (unit) {
            l->unit = 1u << (unit - units);
            has_unit = true;
        } else if (strchr(formats, *p)) {
            l->fmt = *p;
            has_fmt = true;
        } else {
            text_add(l->out, "x: `%c` is neither a format (x d u o t c a f z s i) nor a unit (b h w g)\n", isprint((unsigned char)*p) ? *p : '?');
            return false;
        }
    }
    if (*count == 0) {
        text_add(l->out, "x: the count is 0\n");
        return false;
    }
    if (has_fmt && !has_unit) /* what the format is about; numbers keep the last unit */
        l->unit = l->fmt == 'c' ? 1 : l->fmt == 'a' ? 8 : l->fmt == 'f' ? (d->x_unit == 4 ? 4 : 8) : d->x_unit;
    if (l->fmt == 'f' && l->unit < 4) {
        text_add(l->out, "x: format f wants unit w or g\n");
        return false;
    }
    *args = p;
    return true;
}

void monitor_examine(struct debugger *d, const char *args, bool physical, struct text *out)
{
    struct look l = {.d = d, .physical = physical, .fmt = d->x_fmt, .unit = d->x_unit, .at = d->x_next, .out = out};
    unsigned long count = 1;
    if (*args == '/' && !parse_look(&args, &l, &count))
        return;
    while (isspace((unsigned char)*args))
        args++;
    if (*args && !monitor_eval_all(d, args, &l.at, out))
        return;
    if (l.fmt == 'i' && (l.at & 3)) {
        text_add(out, "x: instructions lie at multiples of 4, 0x%llx is none\n", (unsigned long long)l.at);
        return;
    }
    unsigned long n = count < DUMP_MAX ? count : DUMP_MAX;
    d->x_next = l.fmt == 'i' ? dump_insns(&l, l.at, n) : l.fmt == 's' ? dump_strings(&l, l.at, n) : dump_values(&l, l.at, n);
    d->x_fmt = l.fmt;
    d->x_unit = l.unit;
    if (count > n)
        text_add(out, "(%lu were asked for; at most %d at once: `%s` goes on)\n", count, DUMP_MAX, physical ? "xp" : "x");
}
