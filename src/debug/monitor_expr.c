/// Expressions of the monitor: numbers, registers, symbols, memory, and C's operators with C's precedence.
#include "debug/monitor.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

enum { EXPR_DEPTH_MAX = 16, WORD_MAX = 128 };

bool monitor_register(struct debugger *d, const char *name, u64 *val)
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
    else if (strcasecmp(name, "xzr") == 0 || strcasecmp(name, "wzr") == 0)
        *val = 0;
    else if (strcasecmp(name, "pstate") == 0 || strcasecmp(name, "cpsr") == 0)
        *val = cpu_pstate(c);
    else if (name[0] && strchr("xwdshb", tolower((unsigned char)name[0])) && isdigit((unsigned char)name[1])) {
        unsigned long n = strtoul(name + 1, &end, 10);
        int kind = tolower((unsigned char)name[0]);
        bool integer = kind == 'x' || kind == 'w';
        if (*end || n > (integer ? 30 : 31))
            return false;
        u64 v = integer ? c->x[n] : c->v[n].d[0];
        *val = kind == 'x' || kind == 'd' ? v : v & (kind == 'h' ? 0xffff : kind == 'b' ? 0xff : 0xffffffff);
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

/* ---- terms ---- */

static const char *sysreg_name_at(void *ctx, size_t i)
{
    (void)ctx;
    return i < SYSREG_COUNT ? sysreg_id_name((enum sysreg_id)i) : NULL;
}

static bool no_such(struct debugger *d, const char *word, struct text *out)
{
    char upper[WORD_MAX];
    const char *near;
    if (word[0] == '$') {
        size_t n = 0;
        for (; word[n + 1]; n++)
            upper[n] = (char)toupper((unsigned char)word[n + 1]);
        upper[n] = '\0';
        near = text_nearest(upper, sysreg_name_at, NULL);
        text_add(out, near ? "no register named `%s`; did you mean $%s?\n" : "no register named `%s`\n", word + 1, near);
        return false;
    }
    near = d->symbols ? symbols_nearest(d->symbols, word) : NULL;
    if (near)
        text_add(out, "no symbol or register named `%s`; did you mean `%s`?\n", word, near);
    else
        text_add(out, "no symbol or register named `%s`%s\n", word,
                 d->symbols && symbols_any(d->symbols) ? "" : " (no symbols: --symbols FILE)");
    return false;
}

/// Decimal, or hexadecimal after 0x, or binary after 0b. A leading zero does not make it octal.
static bool eval_number(const char **p, u64 *val, struct text *out)
{
    char word[WORD_MAX], *end;
    size_t n = word_len(*p);
    bool hex = (*p)[0] == '0' && tolower((unsigned char)(*p)[1]) == 'x', binary = (*p)[0] == '0' && tolower((unsigned char)(*p)[1]) == 'b';
    memcpy(word, *p, n < sizeof word ? n : sizeof word - 1);
    word[n < sizeof word ? n : sizeof word - 1] = '\0';
    errno = 0;
    *val = strtoull(word + (hex || binary ? 2 : 0), &end, hex ? 16 : binary ? 2 : 10);
    if (*end || end == word + 2 * (hex || binary) || n >= sizeof word) {
        text_add(out, "expression: `%.40s` is no number\n", word);
        return false;
    }
    if (errno == ERANGE) {
        text_add(out, "expression: `%.40s` has more than 64 bits\n", word);
        return false;
    }
    *p += n;
    return true;
}

static bool eval_level(struct debugger *d, const char **p, u64 *val, struct text *out, int depth, unsigned level);

static bool eval_term(struct debugger *d, const char **p, u64 *val, struct text *out, int depth)
{
    char word[WORD_MAX];
    skip_space(p);
    if (depth > EXPR_DEPTH_MAX) {
        text_add(out, "expression: nested deeper than %d\n", EXPR_DEPTH_MAX);
        return false;
    }
    if (**p == '(') {
        ++*p;
        if (!eval_level(d, p, val, out, depth + 1, 0))
            return false;
        skip_space(p);
        if (**p != ')') {
            text_add(out, "expression: `)` wanted at `%.40s`\n", *p);
            return false;
        }
        ++*p;
        return true;
    }
    if (**p == '-' || **p == '~' || **p == '+') {
        char op = *(*p)++;
        if (!eval_term(d, p, val, out, depth + 1))
            return false;
        *val = op == '-' ? -*val : op == '~' ? ~*val : *val;
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
    if (isdigit((unsigned char)**p))
        return eval_number(p, val, out);
    size_t n = word_len(*p);
    if (n == 0 || n >= sizeof word) {
        text_add(out, "expression: a number, $register or symbol is wanted at `%.40s`\n", *p);
        return false;
    }
    memcpy(word, *p, n);
    word[n] = '\0';
    *p += n;
    bool found = word[0] == '$' ? monitor_register(d, word + 1, val)
                                : symbols_find(d->symbols, word, val, NULL) || monitor_register(d, word, val);
    return found || no_such(d, word, out);
}

/* ---- operators, the loosest first ---- */

static const char *const levels[][3] = {{"|"}, {"^"}, {"&"}, {"==", "!="}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}};

static const char *operator_at(const char *p, unsigned level)
{
    for (unsigned k = 0; k < 3 && levels[level][k]; k++)
        if (strncmp(p, levels[level][k], strlen(levels[level][k])) == 0)
            return levels[level][k];
    return NULL;
}

static u64 apply(const char *op, u64 a, u64 b)
{
    switch (op[0]) {
    case '|': return a | b;
    case '^': return a ^ b;
    case '&': return a & b;
    case '=': return a == b;
    case '!': return a != b;
    case '<': return b < 64 ? a << b : 0;
    case '>': return b < 64 ? a >> b : 0;
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    case '/': return a / b;
    default: return a % b;
    }
}

static bool eval_level(struct debugger *d, const char **p, u64 *val, struct text *out, int depth, unsigned level)
{
    const char *op;
    u64 rhs;
    if (level == ARRAY_LEN(levels))
        return eval_term(d, p, val, out, depth);
    if (!eval_level(d, p, val, out, depth, level + 1))
        return false;
    for (skip_space(p); (op = operator_at(*p, level)) != NULL; skip_space(p)) {
        *p += strlen(op);
        if (!eval_level(d, p, &rhs, out, depth, level + 1))
            return false;
        if ((op[0] == '/' || op[0] == '%') && rhs == 0) {
            text_add(out, "expression: division by zero\n");
            return false;
        }
        *val = apply(op, *val, rhs);
    }
    return true;
}

bool monitor_eval(struct debugger *d, const char **p, u64 *val, struct text *out)
{
    return eval_level(d, p, val, out, 0, 0);
}

bool monitor_eval_all(struct debugger *d, const char *args, u64 *val, struct text *out)
{
    if (!monitor_eval(d, &args, val, out))
        return false;
    skip_space(&args);
    if (*args == '\0')
        return true;
    text_add(out, "expression: `%.40s` is left over\n", args);
    return false;
}
