/// Just enough of the Test Anything Protocol: CHECK(condition) inside a named test.
#ifndef TAP_H
#define TAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_number, tap_bad;

#define CHECK(c)                                                                                   \
    do {                                                                                           \
        if (!(c)) {                                                                                \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #c);                                       \
            tap_bad = 1;                                                                           \
        }                                                                                          \
    } while (0)

/// Runs one test function and prints its line.
#define RUN(f)                                                                                     \
    do {                                                                                           \
        tap_bad = 0;                                                                               \
        f();                                                                                       \
        printf("%sok %d - %s\n", tap_bad ? "not " : "", ++tap_number, #f);                         \
        tap_failed += tap_bad;                                                                     \
    } while (0)
static int tap_failed;
#define DONE() (printf("1..%d\n", tap_number), tap_failed != 0)

#endif
