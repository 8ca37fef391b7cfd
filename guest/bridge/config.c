/// Parser of the configuration. Text in, a table of pairs out; no allocation, every table bounded.
#include "config.h"

struct line {
    const char *s;
    u32 len, number;
};

/// Known keys and the name they are kept under. Scope: g global, l of an entry, b both.
static const struct {
    char key[24], name[24];
    char scope;
} keys[] = {
    {"timeout", "timeout", 'g'},
    {"serial", "serial", 'g'},
    {"default_entry", "default_entry", 'g'},
    {"quiet", "quiet", 'g'},
    {"verbose", "verbose", 'g'},
    {"hash_mismatch_panic", "hash_mismatch_panic", 'g'},
    {"protocol", "protocol", 'l'},
    {"path", "path", 'l'},
    {"kernel_path", "path", 'l'},
    {"image_path", "path", 'l'},
    {"cmdline", "cmdline", 'l'},
    {"kernel_cmdline", "cmdline", 'l'},
    {"module_path", "module_path", 'l'},
    {"module_string", "module_string", 'l'},
    {"module_cmdline", "module_string", 'l'},
    {"dtb_path", "dtb_path", 'l'},
    {"kaslr", "kaslr", 'l'},
    {"resolution", "resolution", 'l'},
    {"comment", "comment", 'l'},
    {"if_arch", "if_arch", 'l'},
};

/// Keys of the syntax this one extends that change looks only: accepted, without effect.
static const char ignored[][28] = {
    "term_", "interface_", "graphics", "editor_", "serial_baudrate", "remember_last_entry",
    "randomise_memory", "randomize_memory", "textmode", "max_paging_mode", "wallpaper", "backdrop",
};

static void warn(struct conf *c, u32 line, const char *f, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, f);
    br_vfmt(text, sizeof text, f, ap);
    va_end(ap);
    c->warnings++;
    if (c->warn)
        c->warn(c->context, line, text);
}

static bool is_space(char ch) { return ch == ' ' || ch == '\t' || ch == '\r'; }

static struct line trim(struct line l)
{
    while (l.len && is_space(l.s[0])) {
        l.s++;
        l.len--;
    }
    while (l.len && is_space(l.s[l.len - 1]))
        l.len--;
    return l;
}

static bool keep_char(struct conf *c, char ch)
{
    if (c->used >= CONF_TEXT_MAX)
        return false;
    c->text[c->used++] = ch;
    return true;
}

/// The value of a macro: a pair whose key is "${name}".
static const char *macro(const struct conf *c, const char *s, u32 len)
{
    for (u32 i = 0; i < c->pairs; i++)
        if (br_strlen(c->pair[i].key) == len && !memcmp(c->pair[i].key, s, len))
            return c->pair[i].value;
    return NULL;
}

/// Stores text with macros expanded. ret  NULL if the table of text is full
static const char *keep(struct conf *c, struct line l, bool expand)
{
    u32 start = c->used;
    for (u32 i = 0; i < l.len; i++) {
        u32 end = i;
        if (expand && l.s[i] == '$' && i + 1 < l.len && l.s[i + 1] == '{')
            while (end < l.len && l.s[end] != '}')
                end++;
        if (end > i && end < l.len) {
            const char *v = macro(c, l.s + i, end - i + 1);
            if (!v)
                warn(c, l.number, "macro %.*s is not defined; left as it is", (int)(end - i + 1),
                     l.s + i);
            for (; v && *v; v++)
                if (!keep_char(c, *v))
                    return NULL;
            if (v) {
                i = end;
                continue;
            }
        }
        if (!keep_char(c, l.s[i]))
            return NULL;
    }
    return keep_char(c, 0) ? c->text + start : NULL;
}

static bool add_pair(struct conf *c, const char *key, const char *value, u32 line,
                     struct br_why *why)
{
    if (c->pairs == CONF_PAIRS_MAX || !key || !value)
        return br_fail(why, "line %u: more than %d keys or %d bytes of text", line, CONF_PAIRS_MAX,
                       CONF_TEXT_MAX);
    c->pair[c->pairs++] = (struct conf_pair){key, value, line};
    if (c->entries)
        c->entry[c->entries - 1].count++;
    else
        c->globals++;
    return true;
}

static bool take_entry(struct conf *c, struct line l, struct br_why *why)
{
    u8 depth = 0;
    char mark = l.s[0];
    while (l.len && l.s[0] == mark && depth < 8) {
        l.s++;
        l.len--;
        depth++;
    }
    if (l.len && l.s[0] == '+') {
        l.s++;
        l.len--;
    }
    if (c->entries == CONF_ENTRIES_MAX)
        return br_fail(why, "line %u: more than %d entries", l.number, CONF_ENTRIES_MAX);
    if (c->entries && depth > c->entry[c->entries - 1].depth)
        c->entry[c->entries - 1].is_dir = true;
    const char *title = keep(c, trim(l), true);
    if (!title)
        return br_fail(why, "line %u: more than %d bytes of text", l.number, CONF_TEXT_MAX);
    c->entry[c->entries++] = (struct conf_entry){title, c->pairs, 0, l.number, depth, false};
    return true;
}

static bool is_ignored(struct line key)
{
    for (u32 i = 0; i < ARRAY_LEN(ignored); i++) {
        u32 n = (u32)br_strlen(ignored[i]);
        if (key.len >= n && br_caseeq(key.s, ignored[i], n))
            return true;
    }
    return false;
}

static bool take_pair(struct conf *c, struct line key, struct line value, struct br_why *why)
{
    if (key.len > 3 && key.s[0] == '$')
        return add_pair(c, keep(c, key, false), keep(c, value, true), key.number, why);
    for (u32 i = 0; i < ARRAY_LEN(keys); i++) {
        if (br_strlen(keys[i].key) != key.len || !br_caseeq(keys[i].key, key.s, key.len))
            continue;
        if (keys[i].scope == 'l' && !c->entries) {
            warn(c, key.number, "%s belongs into an entry; start one with /Name before it",
                 keys[i].key);
            return true;
        }
        // Global keys may stand anywhere: they move to the front of the search by name only.
        return add_pair(c, keys[i].name, keep(c, value, true), key.number, why);
    }
    if (!is_ignored(key))
        warn(c, key.number, "unknown key \"%.*s\"", (int)(key.len < 40 ? key.len : 40), key.s);
    return true;
}

static bool take_line(struct conf *c, struct line l, struct br_why *why)
{
    l = trim(l);
    if (!l.len || l.s[0] == '#')
        return true;
    if (l.s[0] == '/' || l.s[0] == ':')
        return take_entry(c, l, why);
    u32 at = 0;
    while (at < l.len && l.s[at] != ':' && l.s[at] != '=')
        at++;
    if (at == l.len || at == 0) {
        warn(c, l.number, "neither \"key: value\" nor \"/Entry\": %.*s",
             (int)(l.len < 60 ? l.len : 60), l.s);
        return true;
    }
    struct line key = {l.s, at, l.number};
    struct line value = {l.s + at + 1, l.len - at - 1, l.number};
    return take_pair(c, trim(key), trim(value), why);
}

bool conf_parse(struct conf *c, const char *file, u64 len, const char *arch, struct br_why *why)
{
    c->pairs = c->entries = c->used = c->globals = c->warnings = 0;
    if (len > CONF_FILE_MAX)
        return br_fail(why, "%llu bytes; at most %d", (unsigned long long)len, CONF_FILE_MAX);
    if (!add_pair(c, "${ARCH}", arch, 0, why))
        return false;
    u32 number = 1;
    for (u64 i = 0; i < len;) {
        u64 end = i;
        while (end < len && file[end] != '\n') {
            if (!file[end])
                return br_fail(why, "line %u holds a NUL byte: is this a text file?", number);
            end++;
        }
        if (!take_line(c, (struct line){file + i, (u32)(end - i), number}, why))
            return false;
        i = end + 1;
        number++;
    }
    return true;
}

static bool is_global(const char *key)
{
    for (u32 i = 0; i < ARRAY_LEN(keys); i++)
        if (br_streq(keys[i].name, key))
            return keys[i].scope == 'g';
    return false;
}

const char *conf_get(const struct conf *c, int entry, const char *key, u32 n)
{
    u32 first = 0, count = c->globals;
    if (entry >= 0 && (u32)entry < c->entries) {
        first = c->entry[entry].first;
        count = c->entry[entry].count;
    } else if (is_global(key)) {
        count = c->pairs;
    }
    for (u32 i = first; i < first + count; i++)
        if (br_streq(c->pair[i].key, key) && n-- == 0)
            return c->pair[i].value;
    return NULL;
}

bool conf_yes(const struct conf *c, int entry, const char *key, bool fallback)
{
    const char *v = conf_get(c, entry, key, 0);
    if (v && br_strlen(v) == 3 && br_caseeq(v, "yes", 3))
        return true;
    if (v && br_strlen(v) == 2 && br_caseeq(v, "no", 2))
        return false;
    return fallback;
}

const char *conf_module_string(const struct conf *c, int entry, u32 n)
{
    const struct conf_entry *e = &c->entry[entry];
    bool found = false;
    for (u32 i = e->first; i < e->first + e->count; i++) {
        if (br_streq(c->pair[i].key, "module_path")) {
            if (found)
                return "";
            found = n-- == 0;
        } else if (found && br_streq(c->pair[i].key, "module_string")) {
            return c->pair[i].value;
        }
    }
    return "";
}

static int hex(char ch)
{
    return ch >= '0' && ch <= '9'   ? ch - '0'
           : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
           : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                    : -1;
}

static bool parse_hash(const char *s, struct conf_path *out, struct br_why *why)
{
    u64 n = br_strlen(s);
    if (n != 64 && n != 128)
        return br_fail(why, "the hash has %u digits; wanted 64 (SHA-256) or 128 (BLAKE2b)", (u32)n);
    for (u64 i = 0; i < n / 2; i++) {
        int hi = hex(s[2 * i]), lo = hex(s[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return br_fail(why, "the hash holds a character that is no hexadecimal digit");
        out->hash[i] = (u8)(hi << 4 | lo);
    }
    out->hash_len = (u32)n / 2;
    return true;
}

bool conf_path_parse(const char *value, struct conf_path *out, struct br_why *why)
{
    static const char prefixes[][8] = {"boot():", "boot://"};
    const char *s = value;
    memset(out, 0, sizeof *out);
    for (u32 i = 0; i < ARRAY_LEN(prefixes); i++)
        if (br_strlen(s) > 7 && br_caseeq(s, prefixes[i], 7)) {
            s += 7;
            break;
        }
    if (*s != '/')
        return br_fail(why, "path \"%s\": wanted /file or boot():/file; other volumes are not "
                       "supported", value);
    u32 n = 0;
    while (s[n] && s[n] != '#') {
        if (n + 1 >= sizeof out->path)
            return br_fail(why, "a path is longer than %u characters", (u32)sizeof out->path - 1);
        out->path[n] = s[n];
        n++;
    }
    return s[n] != '#' || parse_hash(s + n + 1, out, why);
}
