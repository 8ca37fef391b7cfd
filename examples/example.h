/// What the examples share: stop with a message when something is not as it should be.
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <bruin.h>
#include <stdio.h>
#include <stdlib.h>

static inline void need(bool ok, const struct bruin_error *err)
{
    if (!ok) {
        fprintf(stderr, "%s\n", err->message);
        exit(1);
    }
}

static inline void expect(const char *what, unsigned long long got, unsigned long long want)
{
    printf("%s = %llu\n", what, got);
    if (got != want) {
        fprintf(stderr, "%s: wanted %llu\n", what, want);
        exit(1);
    }
}

#endif
