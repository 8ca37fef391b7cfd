/// What `bruin test` sees of the console: lines as a person would read them, matched against patterns, and a log.
#ifndef BRUIN_WATCH_H
#define BRUIN_WATCH_H

#include "cli.h"

#include <pthread.h>
#include <regex.h>

enum { PATTERNS_MAX = 32, LINE_MAX_BYTES = 4096, LOG_HEAD = 64 * 1024, LOG_TAIL = 192 * 1024, STATUS_EXPECT = 117 };

struct pattern {
    const char *text;
    regex_t re;
    bool seen;
};
/// How far into a control sequence of a terminal the console is. ECMA-48, "Control Sequences".
enum escape { ESC_NONE, ESC_START, ESC_CSI, ESC_STRING, ESC_STRING_END, ESC_CHARSET };

struct watch {
    bruin_vm *vm;
    struct pattern expect[PATTERNS_MAX], fail[PATTERNS_MAX];
    unsigned expect_count, fail_count;
    pthread_mutex_t lock;  ///< guards what follows
    const char *failed_on; ///< the --fail pattern that was seen
    bool passed;           ///< every --expect was seen
    char line[LINE_MAX_BYTES];
    size_t line_len;
    bool after_cr, looked; ///< looked: the line as it stands was looked at when nothing came any more
    enum escape escape;
    char *log;             ///< the first LOG_HEAD bytes, then the last ones, up to LOG_TAIL
    size_t log_len, log_dropped;
    pthread_t idler;
    bool idler_runs, stop;
};

/// Compiles --expect and --fail. ret  false: a message was printed
bool watch_init(struct cli *cli, struct watch *w);
/// Starts to look at the console of w->vm.
void watch_start(struct watch *w);
/// The run is over: looks at what is left.
void watch_stop(struct watch *w);
void watch_free(struct watch *w);

/// Writes the log, or any text, for XML: what XML cannot say becomes a question mark.
void watch_put_xml(FILE *f, const char *s, size_t len);
void watch_put_log(FILE *f, const struct watch *w);

#endif
