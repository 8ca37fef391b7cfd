/// The console of `bruin test`; see watch.h.
#include "watch.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_NS 100000000L ///< a line that stands for so long is a prompt

/* ---- patterns ---- */

static bool all_seen(const struct watch *w)
{
    for (unsigned i = 0; i < w->expect_count; i++)
        if (!w->expect[i].seen)
            return false;
    return w->expect_count != 0;
}

/// flags: REG_NOTEOL while the line may go on, so that `$` waits for its end.
static void look(struct watch *w, int flags)
{
    if (w->passed || w->failed_on)
        return;
    w->line[w->line_len] = 0;
    for (unsigned i = 0; i < w->fail_count && !w->failed_on; i++)
        if (regexec(&w->fail[i].re, w->line, 0, NULL, flags) == 0)
            w->failed_on = w->fail[i].text;
    for (unsigned i = 0; i < w->expect_count; i++)
        w->expect[i].seen |= regexec(&w->expect[i].re, w->line, 0, NULL, flags) == 0;
    w->passed = !w->failed_on && all_seen(w);
    if (w->passed || w->failed_on)
        bruin_stop(w->vm, w->passed ? 0 : STATUS_EXPECT);
}

static bool compile(struct cli *cli, const char *key, struct pattern *p, unsigned *count)
{
    const char *text;
    char why[160];
    for (unsigned i = 0; (text = bruin_config_get_at(cli->config, key, i)) != NULL; i++) {
        if (i == PATTERNS_MAX) {
            cli_usage(cli, "%s: more than %d patterns", key, PATTERNS_MAX);
            return false;
        }
        int e = regcomp(&p[i].re, text, REG_EXTENDED | REG_NOSUB);
        if (e) {
            regerror(e, &p[i].re, why, sizeof why);
            cli_usage(cli, "%s: \"%s\": %s (extended regular expressions, as grep -E)", key, text, why);
            return false;
        }
        p[i].text = text;
        (*count)++;
    }
    return true;
}

/* ---- the console ---- */

static void keep(struct watch *w, char c)
{
    if (w->log_len == LOG_HEAD + LOG_TAIL) { /* half of the tail goes at once */
        memmove(w->log + LOG_HEAD, w->log + LOG_HEAD + LOG_TAIL / 2, LOG_TAIL / 2);
        w->log_len -= LOG_TAIL / 2;
        w->log_dropped += LOG_TAIL / 2;
    }
    w->log[w->log_len++] = c;
}

/// ret  true when c belongs to a control sequence: colours, cursor, titles
static bool is_escape(struct watch *w, unsigned char c)
{
    switch (w->escape) {
    case ESC_NONE:
        if (c == 0x1b)
            w->escape = ESC_START;
        return c == 0x1b;
    case ESC_START:
        w->escape = c == '[' ? ESC_CSI : c == ']' || c == 'P' || c == '_' || c == '^' ? ESC_STRING : strchr("()*+#%", c) && c ? ESC_CHARSET : ESC_NONE;
        return true;
    case ESC_CSI:
        if (c == '\n' || c == '\r') { /* cut off */
            w->escape = ESC_NONE;
            return false;
        }
        if (c >= 0x40 && c <= 0x7e)
            w->escape = ESC_NONE;
        return true;
    case ESC_STRING:
        if (c == '\n' || c == '\r') {
            w->escape = ESC_NONE;
            return false;
        }
        w->escape = c == 7 ? ESC_NONE : c == 0x1b ? ESC_STRING_END : ESC_STRING;
        return true;
    default: w->escape = ESC_NONE; return true;
    }
}

static void end_line(struct watch *w)
{
    look(w, 0);
    w->line_len = 0;
}

static void one_char(struct watch *w, char c)
{
    bool cr = w->after_cr;
    keep(w, c);
    if (is_escape(w, (unsigned char)c))
        return;
    w->after_cr = c == '\r';
    w->looked = false;
    if (c == '\n' && cr)
        return;
    if (c == '\n' || c == '\r')
        return end_line(w);
    if (c == '\b') {
        w->line_len -= w->line_len != 0;
        return;
    }
    if (w->line_len == LINE_MAX_BYTES - 1)
        end_line(w);
    w->line[w->line_len++] = c ? c : ' ';
    if (!isalnum((unsigned char)c) && c != ' ')
        look(w, REG_NOTEOL);
}

static void on_console(void *ctx, const char *data, size_t len)
{
    struct watch *w = ctx;
    fwrite(data, 1, len, stdout);
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < len; i++)
        one_char(w, data[i]);
    pthread_mutex_unlock(&w->lock);
}

/// Prompts have no end of line: a line that has not grown for a while is looked at as a whole.
static void *idle(void *arg)
{
    struct watch *w = arg;
    size_t before = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        if (w->line_len && w->line_len == before && !w->looked) {
            look(w, 0);
            w->looked = true;
        }
        before = w->line_len;
        pthread_mutex_unlock(&w->lock);
        nanosleep(&(struct timespec){0, IDLE_NS}, NULL);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- life ---- */

bool watch_init(struct cli *cli, struct watch *w)
{
    pthread_mutex_init(&w->lock, NULL);
    w->log = malloc(LOG_HEAD + LOG_TAIL);
    if (w->log == NULL) {
        cli_usage(cli, "out of memory");
        return false;
    }
    return compile(cli, "expect", w->expect, &w->expect_count) && compile(cli, "fail", w->fail, &w->fail_count);
}

void watch_start(struct watch *w)
{
    bruin_on_console(w->vm, on_console, w);
    w->idler_runs = pthread_create(&w->idler, NULL, idle, w) == 0;
}

void watch_stop(struct watch *w)
{
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    if (w->line_len)
        look(w, 0); /* the last line may lack its end */
    pthread_mutex_unlock(&w->lock);
    if (w->idler_runs)
        pthread_join(w->idler, NULL);
    w->idler_runs = false;
    fflush(stdout);
}

void watch_free(struct watch *w)
{
    for (unsigned i = 0; i < w->expect_count; i++)
        regfree(&w->expect[i].re);
    for (unsigned i = 0; i < w->fail_count; i++)
        regfree(&w->fail[i].re);
    free(w->log);
    pthread_mutex_destroy(&w->lock);
}

/* ---- XML ---- */

size_t cli_char(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    unsigned long code = n == 1 ? s[0] : n == 2 ? s[0] & 31u : n == 3 ? s[0] & 15u : s[0] & 7u;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 63u);
    }
    bool overlong = (n == 3 && code < 0x800) || (n == 4 && code < 0x10000);
    bool good = code == '\n' || code == '\t' || (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code < 0xd800) ||
                (code >= 0xe000 && code < 0xfffe) || (code >= 0x10000 && code < 0x110000);
    return good && !overlong ? n : 0;
}

void watch_put_xml(FILE *f, const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    for (size_t i = 0; i < len;) {
        size_t n = cli_char(s + i, len - i);
        if (n == 1 && strchr("<>&\"", p[i]))
            fprintf(f, "&#%u;", p[i]);
        else if (n)
            fwrite(p + i, 1, n, f);
        else if (p[i] != '\r')
            fputc('?', f);
        i += n ? n : 1;
    }
}

void watch_put_log(FILE *f, const struct watch *w)
{
    size_t head = w->log_len < LOG_HEAD ? w->log_len : LOG_HEAD;
    watch_put_xml(f, w->log, head);
    if (w->log_dropped)
        fprintf(f, "\n[... %zu bytes are left out ...]\n", w->log_dropped);
    watch_put_xml(f, w->log + head, w->log_len - head);
}
