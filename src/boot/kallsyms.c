/// The symbols that a Linux kernel carries for itself (CONFIG_KALLSYMS), found in the bytes of its image: in
/// a file, or in guest memory. Layout: scripts/kallsyms.c of Linux 5.x and 6.x; names are compressed with
/// 256 tokens, addresses are 32-bit offsets. Bytes are those of a guest: every step is bounded.
#include "boot/boot.h"

#include <elf.h>
#include <stdlib.h>

enum {
    TOKENS = 256,
    TOKEN_MAX = 64,        ///< bytes of one, with its end
    SYMS_MIN = 1000,
    SYMS_MAX = 1 << 20,
    CHUNK = 256,           ///< symbols from one marker to the next
    NAME_MAX_LEN = 512,
    NAMES_REACH = 24 << 20, ///< of all names, before the tokens
    RELA_RELATIVE = 0x403, ///< R_AARCH64_RELATIVE
    USUAL_STEXT = 0x10000, ///< from the start of the image to _stext
};

struct tables {
    const u8 *p;
    u64 len;
    u64 token_table, token_index, names, markers, offsets, base; ///< positions in p
    u64 count, marker_count;
};

/* ---- finding them ---- */

static u64 up8(u64 v) { return (v + 7) & ~7ULL; }

/// 256 increasing offsets that start with 0.
static bool is_token_index(const u8 *p)
{
    if (ld16(p) != 0)
        return false;
    for (unsigned i = 1; i < TOKENS; i++) {
        unsigned step = (unsigned)ld16(p + 2 * i) - ld16(p + 2 * (i - 1));
        if (step < 2 || step > TOKEN_MAX)
            return false;
    }
    return true;
}

/// Every token ends where the next starts.
static bool is_token_table(const struct tables *t, u64 at)
{
    for (unsigned i = 0; i < TOKENS; i++) {
        u64 off = at + ld16(t->p + t->token_index + 2 * i);
        u64 next = i + 1 < TOKENS ? at + ld16(t->p + t->token_index + 2 * (i + 1)) : t->token_index;
        size_t n = strnlen((const char *)t->p + off, next - off);
        if (n == 0 || n >= TOKEN_MAX || (i + 1 < TOKENS ? off + n + 1 != next : up8(off + n + 1) != t->token_index))
            return false;
    }
    return true;
}

static bool find_tokens(struct tables *t, u64 from)
{
    for (u64 at = from; at + 2 * TOKENS <= t->len; at += 8) {
        if (!is_token_index(t->p + at))
            continue;
        t->token_index = at;
        u64 size = ld16(t->p + at + 2 * (TOKENS - 1));
        for (u64 last = 2; last <= TOKEN_MAX + 8 && up8(size + last) <= at; last += 8) {
            t->token_table = at - up8(size + last);
            if (is_token_table(t, t->token_table))
                return true;
        }
    }
    return false;
}

/// Length of a name and where its tokens start. ret  0: no name there
static unsigned name_len(const u8 *p, u64 room, unsigned *head)
{
    if (room < 2)
        return 0;
    *head = p[0] & 0x80 ? 2 : 1;
    unsigned n = p[0] & 0x80 ? (p[0] & 0x7fu) | (unsigned)p[1] << 7 : p[0];
    return n && n < NAME_MAX_LEN && *head + n <= room ? n : 0;
}

/// Steps over names. ret  the position behind them, or 0
static u64 skip_names(const struct tables *t, u64 at, u64 count)
{
    unsigned head, n;
    for (u64 i = 0; i < count; i++) {
        n = name_len(t->p + at, t->token_table - at, &head);
        if (n == 0)
            return 0;
        at += head + n;
    }
    return at;
}

/// Names that fit the markers: their number stands in front of them.
static bool find_names(struct tables *t)
{
    u64 last = ld32(t->p + t->markers + 4 * (t->marker_count - 1));
    u64 lo = t->markers > last + (u64)CHUNK * 130 ? t->markers - last - (u64)CHUNK * 130 : 16;
    for (u64 at = up8(lo < 16 ? 16 : lo); at + last < t->markers; at += 8) {
        u64 n = ld64(t->p + at - 8);
        if (n <= (t->marker_count - 1) * CHUNK || n > t->marker_count * CHUNK || n < SYMS_MIN ||
            skip_names(t, at, CHUNK) != at + ld32(t->p + t->markers + 4))
            continue;
        u64 rest = n - (t->marker_count - 1) * CHUNK, end = skip_names(t, at + last, rest);
        if (end && up8(end) == t->markers) {
            t->names = at;
            t->count = n;
            return true;
        }
    }
    return false;
}

/// Markers: every 256th name's offset. They end before the tokens, with 3 bytes a symbol between (6.2, 6.3) or
/// nothing.
static bool find_markers(struct tables *t)
{
    u64 lo = t->token_table > NAMES_REACH ? t->token_table - NAMES_REACH : 0;
    for (u64 at = up8(lo); at + 64 < t->token_table; at += 8) {
        if (ld32(t->p + at) != 0 || ld32(t->p + at + 4) - 2 * CHUNK > 64 * CHUNK)
            continue;
        u64 m = 1;
        while (at + 4 * m + 4 <= t->token_table && m < SYMS_MAX / CHUNK &&
               ld32(t->p + at + 4 * m) - ld32(t->p + at + 4 * (m - 1)) - 2 * CHUNK <= 64 * CHUNK)
            m++;
        /* What follows may look like more markers: try a few less. */
        for (u64 less = 0; less < 3 && m - less >= SYMS_MIN / CHUNK; less++) {
            t->markers = at;
            t->marker_count = m - less;
            u64 gap = t->token_table - up8(at + 4 * t->marker_count);
            bool seqs = gap > 3 * CHUNK * (t->marker_count - 1) && gap <= 3 * CHUNK * t->marker_count + 8;
            if ((gap < 8 || seqs) && find_names(t))
                return true;
        }
    }
    return false;
}

static bool are_offsets(const struct tables *t, u64 at)
{
    unsigned wrong = 0;
    u32 last = 0;
    if (at > t->len || t->count * 4 > t->len - at || ld32(t->p + at) > 1 << 20)
        return false;
    for (u64 i = 0; i < t->count; i++) {
        u32 v = ld32(t->p + at + 4 * i);
        wrong += v < last;
        last = v;
    }
    return wrong < 16 && last > 1 << 20;
}

static bool find_offsets(struct tables *t)
{
    u64 before = 16 + up8(4 * t->count), after = t->token_index + 2 * TOKENS;
    if (t->names >= before && are_offsets(t, t->names - before)) {
        t->offsets = t->names - before;
        t->base = t->names - 16;
        return true;
    }
    if (are_offsets(t, after) && after + up8(4 * t->count) + 8 <= t->len) { /* 6.4 and later */
        t->offsets = after;
        t->base = after + up8(4 * t->count);
        return true;
    }
    return false;
}

static bool find_tables(struct tables *t)
{
    u64 from = 0;
    for (unsigned tries = 0; tries < 16 && find_tokens(t, from); tries++) {
        if (find_markers(t) && find_offsets(t))
            return true;
        from = t->token_index + 8;
    }
    return false;
}

/* ---- addresses ---- */

/// Images start at multiples of 2 MiB; the first symbol of the tables, which addresses count from, is _text or
/// _stext, less than that above.
static u64 image_of(u64 first) { return first >> 48 == 0xffff && (first & 0xfff) == 0 ? align_down(first, 2 * MIB) : 0; }

/// In a file the word is filled in by a relocation, whose addend is the link address. ret  0: none
static u64 base_by_relocation(const struct tables *t)
{
    for (u64 at = 0; at + sizeof(Elf64_Rela) <= t->len; at += 8)
        if (ld64(t->p + at + 8) == RELA_RELATIVE) {
            u64 addend = ld64(t->p + at + 16);
            if (image_of(addend) && ld64(t->p + at) - image_of(addend) == t->base)
                return addend;
        }
    return 0;
}

/* ---- names ---- */

/// Expands one name, without its type, into out (NULL: counts). ret  bytes with the end
static size_t expand(const struct tables *t, u64 at, unsigned n, char *out, char *type)
{
    size_t k = 0;
    bool first = true;
    for (unsigned i = 0; i < n; i++) {
        const char *tok = (const char *)t->p + t->token_table + ld16(t->p + t->token_index + 2 * t->p[at + i]);
        for (; *tok && k < NAME_MAX_LEN; tok++) {
            if (first)
                *type = *tok;
            else if (out)
                out[k++] = *tok;
            else
                k++;
            first = false;
        }
    }
    if (out)
        out[k] = 0;
    return k + 1;
}

struct symtab *kallsyms_find(const void *image, u64 len, u64 *base)
{
    struct tables t = {.p = image, .len = len};
    unsigned head, n;
    char type = '?';
    if (len < 64 * KIB || !find_tables(&t))
        return NULL;
    u64 room = 0, at = t.names;
    for (u64 i = 0; i < t.count; i++, at += head + n) {
        n = name_len(t.p + at, t.token_table - at, &head);
        if (n == 0)
            return NULL;
        room += expand(&t, at + head, n, NULL, &type);
    }
    u64 first = ld64(t.p + t.base);
    if (!image_of(first))
        first = base_by_relocation(&t);
    u64 skew = first ? first - image_of(first) : USUAL_STEXT;
    *base = image_of(first);
    struct symtab *s = symtab_new(room);
    at = t.names;
    for (u64 i = 0; i < t.count; i++, at += head + n) {
        char name[NAME_MAX_LEN + 1];
        n = name_len(t.p + at, t.token_table - at, &head);
        expand(&t, at + head, n, name, &type);
        bool text = type == 't' || type == 'T' || type == 'w' || type == 'W';
        if (name[0] != '$')
            symtab_add(s, skew + ld32(t.p + t.offsets + 4 * i), 0, name, text ? 'T' : 'D');
    }
    symtab_finish(s);
    return s;
}
