/// Trace filters and formats.
#include "debug/trace.h"
#include "cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    u32 mask;
} kinds[] = {
    {"exc", TRACE_EXC | TRACE_ERET}, {"mmio", TRACE_MMIO}, {"sysreg", TRACE_SYSREG}, {"psci", TRACE_PSCI},
    {"irq", TRACE_IRQ}, {"exec", TRACE_EXEC}, {"tlb", TRACE_TLB},
    {"all", TRACE_EXC | TRACE_ERET | TRACE_MMIO | TRACE_SYSREG | TRACE_PSCI | TRACE_IRQ | TRACE_EXEC | TRACE_TLB},
};

static bool parse_bound(const char *s, size_t len, struct symbols *symbols, u64 *val, struct err *e)
{
    char word[128], *end;
    if (len == 0 || len >= sizeof word)
        return err_set(e, ERR_USAGE, "--events: an address or symbol is wanted after `:`");
    memcpy(word, s, len);
    word[len] = '\0';
    *val = strtoull(word, &end, 0);
    if (*end == '\0')
        return true;
    if (!symbols_find(symbols, word, val, NULL)) {
        const char *near = symbols ? symbols_nearest(symbols, word) : NULL;
        return err_set(e, ERR_USAGE, near ? "--events: `%s` is neither an address nor a known symbol; did you mean `%s`?" : "--events: `%s` is neither an address nor a known symbol", word, near);
    }
    return true;
}

bool trace_filter_parse(const char *text, struct symbols *symbols, struct trace_filter *f, struct err *e)
{
    const char *range = strchr(text, ':');
    size_t len = range ? (size_t)(range - text) : strlen(text);
    *f = (struct trace_filter){.pc_hi = ~0ULL};
    if (len == 0 || text[len - 1] == ',')
        return err_set(e, ERR_USAGE, "--events: an event is wanted %s: exc mmio sysreg psci irq exec tlb all", len ? "after the comma" : "before all else");
    for (size_t at = 0; at < len;) {
        size_t n = strcspn(text + at, ",:"), k;
        for (k = 0; k < ARRAY_LEN(kinds); k++)
            if (strlen(kinds[k].name) == n && memcmp(kinds[k].name, text + at, n) == 0)
                break;
        if (k == ARRAY_LEN(kinds))
            return err_set(e, ERR_USAGE, "--events: `%.*s` is none of exc mmio sysreg psci irq exec tlb all", (int)n, text + at);
        f->mask |= kinds[k].mask;
        at += n + (text[at + n] == ',');
    }
    if (range == NULL)
        return true;
    const char *dash = strchr(++range, '-');
    size_t first = dash ? (size_t)(dash - range) : strlen(range);
    if (!parse_bound(range, first, symbols, &f->pc_lo, e))
        return false;
    f->pc_hi = f->pc_lo;
    if (dash && !parse_bound(dash + 1, strlen(dash + 1), symbols, &f->pc_hi, e))
        return false;
    return f->pc_lo <= f->pc_hi || err_set(e, ERR_USAGE, "--events: 0x%llx-0x%llx is no range", (unsigned long long)f->pc_lo, (unsigned long long)f->pc_hi);
}

static const char *symbolise(struct symbols *symbols, u64 addr, char *buf, size_t size)
{
    char name[96];
    if (*symbols_name(symbols, addr, name, sizeof name))
        snprintf(buf, size, "0x%llx <%s>", (unsigned long long)addr, name);
    else
        snprintf(buf, size, "0x%llx", (unsigned long long)addr);
    return buf;
}

static const char *const vector_kind[4] = {"sync", "irq", "fiq", "serror"};
static const char *sysreg_text(u32 enc, char *buf, size_t size)
{
    const char *n = sysreg_any_name(enc);
    if (n)
        return n;
    snprintf(buf, size, "S%u_%u_C%u_C%u_%u", (unsigned)bits(enc, 15, 14), (unsigned)bits(enc, 13, 11),
             (unsigned)bits(enc, 10, 7), (unsigned)bits(enc, 6, 3), (unsigned)bits(enc, 2, 0));
    return buf;
}

/// Event name and its details as text; both formats use it.
static const char *describe(const struct trace_rec *r, struct symbols *symbols, char *buf, size_t size)
{
    char sym[224], reg[32];
    unsigned long long a = r->a, b = r->b, c = r->c;
    switch (r->kind) {
    case TRACE_EXC:
        snprintf(buf, size, "%s vector 0x%llx ESR 0x%llx FAR 0x%llx", vector_kind[a >> 7 & 3], a, b, c);
        return "exc";
    case TRACE_ERET: snprintf(buf, size, "to %s SPSR 0x%llx", symbolise(symbols, r->a, sym, sizeof sym), b); return "eret";
    case TRACE_MMIO:
        snprintf(buf, size, "%s %llu B at 0x%llx: 0x%llx", c & 0x100 ? "write" : "read", c & 0xff, a, b);
        return "mmio";
    case TRACE_SYSREG:
        snprintf(buf, size, "%s %s 0x%llx", c ? "msr" : "mrs", sysreg_text((u32)a, reg, sizeof reg), b);
        return "sysreg";
    case TRACE_PSCI: snprintf(buf, size, "%s 0x%llx (0x%llx)", c ? "smc" : "hvc", a, b); return "psci";
    case TRACE_IRQ: snprintf(buf, size, "%s wire %s", a ? "FIQ" : "IRQ", b ? "up" : "down"); return "irq";
    case TRACE_EXEC: snprintf(buf, size, "to %s", symbolise(symbols, r->a, sym, sizeof sym)); return "exec";
    case TRACE_TLB:
        snprintf(buf, size, "%s page 0x%llx -> 0x%llx", c == ACC_LOAD ? "load" : c == ACC_STORE ? "store" : "fetch", a, b);
        return "tlb";
    default: snprintf(buf, size, "?"); return "?";
    }
}

/// A name may hold a quote; control characters it does not (symbols_name).
static void json_escape(char *s, size_t size)
{
    size_t n = strlen(s);
    for (size_t k = 0; k < n; k++)
        if ((s[k] == '"' || s[k] == '\\') && n + 1 < size) {
            memmove(s + k + 1, s + k, n + 1 - k);
            s[k++] = '\\';
            n++;
        }
}

void trace_format(const struct trace_rec *r, struct symbols *symbols, bool json, struct text *out)
{
    char what[480], pc[320];
    const char *name = describe(r, symbols, what, sizeof what);
    symbolise(symbols, r->pc, pc, sizeof pc);
    if (json) {
        json_escape(what, sizeof what);
        json_escape(pc, sizeof pc);
    }
    if (json)
        text_add(out, "{\"t_ns\":%llu,\"cpu\":%u,\"el\":%u,\"event\":\"%s\",\"pc\":\"%s\",\"a\":\"0x%llx\",\"b\":\"0x%llx\",\"c\":\"0x%llx\",\"text\":\"%s\"}\n",
                 (unsigned long long)r->time_ns, r->cpu, r->el, name, pc, (unsigned long long)r->a, (unsigned long long)r->b,
                 (unsigned long long)r->c, what);
    else
        text_add(out, "%5llu.%09llu cpu%u EL%u %-6s %s  %s\n", (unsigned long long)(r->time_ns / 1000000000),
                 (unsigned long long)(r->time_ns % 1000000000), r->cpu, r->el, name, pc, what);
}

void trace_dump(const struct trace *t, struct symbols *symbols, bool json, struct text *out)
{
    u64 from = t->head > t->cap ? t->head - t->cap : 0;
    if (from && json)
        text_add(out, "{\"lost\":%llu}\n", (unsigned long long)from);
    else if (from)
        text_add(out, "(%llu earlier events were overwritten)\n", (unsigned long long)from);
    for (u64 k = from; k < t->head; k++)
        trace_format(&t->rec[k & (t->cap - 1)], symbols, json, out);
}
