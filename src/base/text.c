/// A growing text buffer.
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct text *t, size_t n)
{
    if (n > TEXT_MAX || t->len > TEXT_MAX - n)
        return false;
    if (t->len + n + 1 > t->cap) {
        t->cap = (t->len + n + 1) * 2;
        t->s = xrealloc(t->s, t->cap);
    }
    return true;
}
void text_bytes(struct text *t, const void *p, size_t n)
{
    if (!reserve(t, n))
        return;
    memcpy(t->s + t->len, p, n);
    t->len += n;
    t->s[t->len] = '\0';
}
void text_add(struct text *t, const char *fmt, ...)
{
    char small[512], *big = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof small) {
        big = xcalloc(1, (size_t)n + 1);
        va_start(ap, fmt);
        vsnprintf(big, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    text_bytes(t, big ? big : small, (size_t)n);
    free(big);
}
void text_free(struct text *t)
{
    free(t->s);
    *t = (struct text){0};
}

/* ---- suggestions ---- */

/// Edit distance with a bound: a and b of at most 31 characters.
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32], n = (unsigned)strlen(b);
    if (n > 31 || strlen(a) > 31)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diag = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned sub = diag + (a[i - 1] != b[j - 1]);
            diag = row[j];
            unsigned best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            row[j] = sub < best ? sub : best;
        }
    }
    return row[n];
}

const char *text_nearest(const char *word, const char *(*name_at)(void *ctx, size_t i), void *ctx)
{
    const char *best = NULL, *name;
    unsigned best_d = (unsigned)strlen(word) / 3 + 1;
    for (size_t i = 0; (name = name_at(ctx, i)) != NULL; i++) {
        size_t n = strlen(name), len = strlen(word);
        unsigned d = (n > len ? n - len : len - n) > best_d ? 99 : distance(word, name);
        bool prefix = strlen(word) >= 3 && strncmp(word, name, strlen(word)) == 0;
        if (prefix)
            d = 1;
        if (d <= best_d && (best == NULL || d < best_d)) {
            best_d = d;
            best = name;
        }
    }
    return best;
}

/* ---- names out of files and guests ---- */

/// Bytes of the UTF-8 sequence at s, 1 to 4; 0 when there is none.
static unsigned utf8_len(const char *s)
{
    const u8 *p = (const u8 *)s;
    unsigned n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
    for (unsigned k = 1; k < n; k++)
        if ((p[k] & 0xc0) != 0x80)
            return 0;
    bool bad = n == 3 ? (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)
                      : n == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f));
    return bad || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) ? 0 : n; /* U+0080 to U+009f control terminals, too */
}
void text_clean(char *s)
{
    for (unsigned n; *s; s += n ? n : 1) {
        n = utf8_len(s);
        if (n == 0 || (u8)*s < 0x20 || *s == 0x7f)
            *s = '?', n = 1;
    }
}
