/// A growing text buffer for reports and replies.
#ifndef BRUIN_TEXT_H
#define BRUIN_TEXT_H

#include "base/base.h"

/// Zero-initialise; s is NULL or terminated. Past TEXT_MAX bytes further text is dropped.
struct text {
    char *s;
    size_t len, cap;
};
#define TEXT_MAX (64 * MIB)
void text_add(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_bytes(struct text *t, const void *p, size_t n);
void text_free(struct text *t);

/// The name most like a mistyped word. name_at: NULL past the last. ret  NULL when none is near
const char *text_nearest(const char *word, const char *(*name_at)(void *ctx, size_t i), void *ctx);
/// Puts ? for every control character and every byte that is no UTF-8: names come from files and from guests.
void text_clean(char *s);

#endif
