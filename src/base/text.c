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
