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

#endif
