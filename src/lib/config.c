/// The table of options, its values, and the configuration file. See options.def.
#include "lib/lib.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct bruin_option options[] = {
#define OPT(key, letter, type, arg, preset, is_list, optional, group, help)                        \
    {key, letter, BRUIN_OPT_##type, arg, preset, is_list, optional, group, help},
#include "lib/options.def"
#undef OPT
};
_Static_assert(ARRAY_LEN(options) <= OPTIONS_MAX, "room for every option");

const struct bruin_option *bruin_option_at(size_t index)
{
    return index < ARRAY_LEN(options) ? &options[index] : NULL;
}

const struct bruin_option *bruin_option_find(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (strcmp(options[i].key, key) == 0)
            return &options[i];
    return NULL;
}

const struct bruin_option *bruin_option_find_letter(char letter)
{
    for (size_t i = 0; letter && i < ARRAY_LEN(options); i++)
        if (options[i].letter == letter)
            return &options[i];
    return NULL;
}

bool err_out(struct bruin_error *out, const struct err *e)
{
    if (out) {
        out->code = e->code;
        snprintf(out->message, sizeof out->message, "%s", e->msg);
    }
    return false;
}

/* ---- values ---- */

/// A number with an optional unit out of `units`, a list of {suffix, factor} in any case.
struct unit {
    const char *name;
    u64 factor;
};

static bool parse_scaled(const char *s, const struct unit *units, unsigned n, u64 plain, u64 *out)
{
    char *end;
    if (!isdigit((unsigned char)s[0]))
        return false;
    errno = 0;
    u64 v = strtoull(s, &end, s[0] == '0' && (s[1] | 32) == 'x' ? 16 : 10);
    if (errno || end == s)
        return false;
    u64 factor = plain;
    if (*end) {
        factor = 0;
        for (unsigned i = 0; i < n; i++)
            if (strcasecmp(end, units[i].name) == 0)
                factor = units[i].factor;
    }
    return factor && !__builtin_mul_overflow(v, factor, out);
}

bool parse_address(const char *s, u64 *out)
{
    static const struct unit units[] = {{"k", KIB}, {"m", MIB}, {"g", GIB}};
    return parse_scaled(s, units, ARRAY_LEN(units), 1, out);
}

bool parse_memory(const char *s, u64 *out)
{
    static const struct unit units[] = {{"b", 1},     {"k", KIB},   {"kb", KIB}, {"kib", KIB}, {"m", MIB},
                                        {"mb", MIB},  {"mib", MIB}, {"g", GIB},  {"gb", GIB},  {"gib", GIB},
                                        {"t", 1024 * GIB}};
    return parse_scaled(s, units, ARRAY_LEN(units), MIB, out) && *out;
}

bool parse_duration(const char *s, u64 *out)
{
    static const struct unit units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000ULL},
                                        {"m", 60000000000ULL}, {"h", 3600000000000ULL}};
    return parse_scaled(s, units, ARRAY_LEN(units), 1000000000ULL, out);
}

static bool is_choice(const char *choices, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = choices; n && *p;) {
        size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, value, n) == 0)
            return true;
        p += len + (p[len] == '|');
    }
    return false;
}

static int parse_flag(const char *v)
{
    if (strcmp(v, "yes") == 0 || strcmp(v, "true") == 0 || strcmp(v, "on") == 0 || strcmp(v, "1") == 0)
        return 1;
    return strcmp(v, "no") == 0 || strcmp(v, "false") == 0 || strcmp(v, "off") == 0 || strcmp(v, "0") == 0
               ? 0
               : -1;
}

static bool check_value(const struct bruin_option *o, const char *v, struct err *e)
{
    u64 n;
    switch (o->type) {
    case BRUIN_OPT_FLAG:
        return parse_flag(v) >= 0 || err_set(e, ERR_USAGE, "%s: \"%s\" is neither yes nor no", o->key, v);
    case BRUIN_OPT_TEXT: return true;
    case BRUIN_OPT_FILE:
        return *v || o->value_is_optional || err_set(e, ERR_USAGE, "%s: wanted a file name", o->key);
    case BRUIN_OPT_NUMBER:
    case BRUIN_OPT_ADDRESS:
        return parse_address(v, &n) ||
               err_set(e, ERR_USAGE, "%s: \"%s\" is no %s", o->key, v,
                       o->type == BRUIN_OPT_NUMBER ? "number" : "address (0x40080000, for example)");
    case BRUIN_OPT_MEMORY:
        return parse_memory(v, &n) ||
               err_set(e, ERR_USAGE, "%s: \"%s\" is no size; wanted 512M or 2G, for example", o->key, v);
    case BRUIN_OPT_DURATION:
        return parse_duration(v, &n) ||
               err_set(e, ERR_USAGE, "%s: \"%s\" is no time; wanted 60s or 500ms, for example", o->key, v);
    case BRUIN_OPT_CHOICE:
        return is_choice(o->arg, v) ||
               err_set(e, ERR_USAGE, "%s: \"%s\" is not one of %s", o->key, v, o->arg);
    }
    return false;
}

/* ---- suggestions ---- */

const char *bruin_nearest(const char *word, const char *(*name_at)(void *ctx, size_t i), void *ctx)
{
    return text_nearest(word, name_at, ctx);
}

static const char *option_name_at(void *ctx, size_t i)
{
    return i < ARRAY_LEN(options) ? options[i].key : NULL;
}

static const struct bruin_option *find_or_suggest(const char *key, struct err *e)
{
    const struct bruin_option *o = bruin_option_find(key);
    if (o == NULL) {
        const char *near = bruin_nearest(key, option_name_at, NULL);
        err_set(e, ERR_USAGE, near ? "no option \"%s\"; did you mean \"%s\"?" : "no option \"%s\"", key,
                near);
    }
    return o;
}

/* ---- configurations ---- */

bruin_config *bruin_config_new(void) { return xcalloc(1, sizeof(struct bruin_config)); }

static void list_free(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void bruin_config_free(bruin_config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < OPTIONS_MAX; i++)
        list_free(c->value[i]);
    free(c);
}

static size_t list_len(char **list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static void list_add(char ***list, const char *v)
{
    size_t n = list_len(*list);
    *list = xrealloc(*list, (n + 2) * sizeof **list);
    (*list)[n] = xstrdup(v);
    (*list)[n + 1] = NULL;
}

bruin_config *bruin_config_copy(const bruin_config *c)
{
    bruin_config *n = bruin_config_new();
    for (size_t i = 0; c && i < OPTIONS_MAX; i++)
        for (size_t k = 0; c->value[i] && c->value[i][k]; k++)
            list_add(&n->value[i], c->value[i][k]);
    return n;
}

bool bruin_config_set(bruin_config *c, const char *key, const char *value, struct bruin_error *err)
{
    struct err e = {0};
    const struct bruin_option *o = find_or_suggest(key, &e);
    if (o == NULL || !check_value(o, value, &e))
        return err_out(err, &e);
    char ***slot = &c->value[o - options];
    if (!o->is_list) {
        list_free(*slot);
        *slot = NULL;
    }
    list_add(slot, o->type == BRUIN_OPT_FLAG ? (parse_flag(value) ? "yes" : "no") : value);
    return true;
}

const char *bruin_config_get_at(const bruin_config *c, const char *key, size_t index)
{
    const struct bruin_option *o = bruin_option_find(key);
    char **list = c && o ? c->value[o - options] : NULL;
    return index < list_len(list) ? list[index] : NULL;
}

const char *bruin_config_get(const bruin_config *c, const char *key)
{
    return bruin_config_get_at(c, key, 0);
}

u64 config_number(const bruin_config *c, const char *key, u64 def)
{
    const char *v = bruin_config_get(c, key);
    const struct bruin_option *o = bruin_option_find(key);
    u64 n = def;
    if (v == NULL)
        return def;
    bool ok = o->type == BRUIN_OPT_MEMORY     ? parse_memory(v, &n)
              : o->type == BRUIN_OPT_DURATION ? parse_duration(v, &n)
                                              : parse_address(v, &n);
    return ok ? n : def;
}

bool config_flag(const bruin_config *c, const char *key)
{
    const char *v = bruin_config_get(c, key);
    return v && strcmp(v, "yes") == 0;
}

bool config_choice_is(const bruin_config *c, const char *key, const char *choice)
{
    const char *v = bruin_config_get(c, key);
    return v && strcmp(v, choice) == 0;
}

/// One line of a configuration file, in place. ret  false with a message that lacks the line number
static bool load_line(bruin_config *c, char *line, struct err *e)
{
    struct bruin_error be;
    char *key = line + strspn(line, " \t"), *value, *end;
    if (*key == 0 || *key == '#' || *key == '\r')
        return true;
    value = strchr(key, '=');
    if (value == NULL)
        return err_set(e, ERR_USAGE, "wanted `key = value`");
    end = value++;
    while (end > key && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = 0;
    value += strspn(value, " \t");
    end = value + strlen(value);
    while (end > value && isspace((unsigned char)end[-1]))
        end--;
    *end = 0;
    if (strcmp(key, "config") == 0)
        return err_set(e, ERR_USAGE, "a configuration file does not include another");
    if (!bruin_config_set(c, key, value, &be))
        return err_set(e, (enum err_code)be.code, "%s", be.message);
    return true;
}

bool bruin_config_load(bruin_config *c, const char *path, struct bruin_error *err)
{
    struct err e = {0};
    struct os_file f;
    bool ok = true;
    if (!os_file_open(&f, path, MIB, &e))
        return err_out(err, &e);
    if (memchr(f.data, 0, f.size)) {
        err_set(&e, ERR_USAGE, "%s: not a text: it has a NUL character", path);
        os_file_close(&f);
        return err_out(err, &e);
    }
    char *text = xcalloc(1, f.size + 1);
    memcpy(text, f.data, f.size);
    os_file_close(&f);
    unsigned line_no = 0;
    for (char *line = text, *next; ok && line; line = next) {
        struct err le = {0};
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        line_no++;
        ok = load_line(c, line, &le);
        if (!ok)
            err_set(&e, le.code, "%s:%u: %.400s", path, line_no, le.msg);
    }
    free(text);
    return ok || err_out(err, &e);
}

const char *bruin_version(void) { return BRUIN_VERSION; }
void bruin_free(void *p) { free(p); }
