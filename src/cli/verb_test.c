/// bruin test: runs a guest for CI. No terminal; the console goes to stdout, the verdict to stderr and,
/// with --junit, to a file. Ends as soon as every --expect was seen, or one --fail was.
#include "cli.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATTERNS_MAX = 32, LINE_MAX_BYTES = 4096, LOG_MAX = 256 * 1024, STATUS_EXPECT = 117 };

struct pattern {
    const char *text;
    regex_t re;
    bool seen;
};
struct watch {
    bruin_vm *vm;
    struct pattern expect[PATTERNS_MAX], fail[PATTERNS_MAX];
    unsigned expect_count, fail_count;
    const char *failed_on; ///< the --fail pattern that was seen
    bool passed;           ///< every --expect was seen
    char line[LINE_MAX_BYTES];
    size_t line_len;
    char *log;
    size_t log_len;
};

static bool all_seen(const struct watch *w)
{
    for (unsigned i = 0; i < w->expect_count; i++)
        if (!w->expect[i].seen)
            return false;
    return w->expect_count != 0;
}

static void look(struct watch *w)
{
    w->line[w->line_len] = 0;
    for (unsigned i = 0; i < w->fail_count; i++)
        if (!w->failed_on && !w->passed && regexec(&w->fail[i].re, w->line, 0, NULL, 0) == 0) {
            w->failed_on = w->fail[i].text;
            bruin_stop(w->vm, STATUS_EXPECT);
        }
    for (unsigned i = 0; i < w->expect_count; i++)
        w->expect[i].seen |= regexec(&w->expect[i].re, w->line, 0, NULL, 0) == 0;
    if (!w->passed && !w->failed_on && all_seen(w)) {
        w->passed = true;
        bruin_stop(w->vm, 0);
    }
}

/// Looks at whole lines, and at prompts: what ends in punctuation.
static void on_console(void *ctx, const char *data, size_t len)
{
    struct watch *w = ctx;
    fwrite(data, 1, len, stdout);
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (w->log_len < LOG_MAX - 1)
            w->log[w->log_len++] = c;
        if (c == '\n' || c == '\r' || w->line_len == LINE_MAX_BYTES - 1) {
            look(w);
            w->line_len = 0;
        } else {
            w->line[w->line_len++] = c ? c : ' ';
            if (!isalnum((unsigned char)c) && c != ' ')
                look(w);
        }
    }
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

static void put_xml(FILE *f, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '<' || c == '>' || c == '&' || c == '"')
            fprintf(f, "&#%u;", c);
        else if (c >= 32 || c == '\n' || c == '\t')
            fputc(c < 127 ? c : '?', f);
    }
}

static bool write_junit(struct cli *cli, const char *name, const struct watch *w, int status, const char *line,
                        const char *report, double seconds)
{
    const char *path = bruin_config_get(cli->config, "junit");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (path && f == NULL)
        fprintf(stderr, "bruin: %s: cannot be written\n", path);
    if (f == NULL)
        return path == NULL;
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"bruin\" tests=\"1\" failures=\"%d\" "
               "time=\"%.3f\">\n<testcase classname=\"bruin\" time=\"%.3f\" name=\"", status != 0, seconds, seconds);
    put_xml(f, name, strlen(name));
    fprintf(f, "\">\n");
    if (status) {
        fprintf(f, "<failure type=\"exit-%d\" message=\"", status);
        put_xml(f, line, strlen(line));
        fprintf(f, "\">");
        put_xml(f, report ? report : line, strlen(report ? report : line));
        fprintf(f, "</failure>\n");
    }
    fprintf(f, "<system-out>");
    put_xml(f, w->log, w->log_len);
    fprintf(f, "</system-out>\n</testcase>\n</testsuite>\n");
    return fclose(f) == 0;
}

/// What the whole run amounts to, and why in one line.
static int judge(const struct watch *w, const struct bruin_exit *x, char *line, size_t size)
{
    if (w->failed_on) {
        snprintf(line, size, "the console matched --fail \"%s\"", w->failed_on);
        return STATUS_EXPECT;
    }
    if (w->passed) {
        snprintf(line, size, "everything expected was seen");
        return 0;
    }
    snprintf(line, size, "%s", x->text);
    for (unsigned i = 0; i < w->expect_count && x->status == 0; i++)
        if (!w->expect[i].seen) {
            snprintf(line, size, "%s, and --expect \"%s\" was not seen", x->text, w->expect[i].text);
            return STATUS_EXPECT;
        }
    return x->status;
}

static void on_message(void *ctx, const char *id, const char *text) { cli_warn(ctx, id, text); }

static void write_json(struct cli *cli, const struct watch *w, int status, double seconds)
{
    const char *path = bruin_config_get(cli->config, "json"), *verdict = bruin_verdict(w->vm);
    FILE *f = path == NULL ? NULL : *path ? fopen(path, "w") : stderr;
    if (f == NULL)
        return;
    if (w->failed_on || status == STATUS_EXPECT)
        verdict = "expectation";
    else if (w->passed)
        verdict = "pass";
    char *stats = bruin_stats(w->vm, true);
    fprintf(f, "{\"verdict\": \"%s\", \"exit\": %d, \"seconds\": %.3f", verdict ? verdict : "", status, seconds);
    if (stats)
        fprintf(f, ", \"stats\": %s", stats);
    fprintf(f, ", \"report\": %s}\n", bruin_report(w->vm, true) ? bruin_report(w->vm, true) : "null");
    bruin_free(stats);
    if (f != stderr)
        fclose(f);
}

static int run_test(struct cli *cli, struct watch *w, const char *name)
{
    struct bruin_error err = {0};
    struct bruin_exit x = {0};
    struct timespec a, b;
    char line[400];
    clock_gettime(CLOCK_MONOTONIC, &a);
    w->vm = bruin_vm_new(cli->config, &err);
    if (w->vm == NULL)
        return cli_fail(cli, &err);
    bruin_on_message(w->vm, on_message, cli);
    bruin_on_console(w->vm, on_console, w);
    if (!bruin_boot(w->vm, &err) || !bruin_run(w->vm, &x, &err)) {
        if (bruin_report(w->vm, false))
            fputs(bruin_report(w->vm, false), stderr);
        bruin_vm_free(w->vm);
        return cli_fail(cli, &err);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    double seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    if (w->line_len)
        look(w); /* the last line may lack its end */
    fflush(stdout);
    int status = judge(w, &x, line, sizeof line);
    const char *report = status ? bruin_report(w->vm, false) : NULL;
    if (report)
        fputs(report, stderr);
    fprintf(stderr, "bruin: %s: %s: %s after %.2f s (exit %d)\n", status ? "FAIL" : "PASS", name, line, seconds, status);
    write_junit(cli, name, w, status, line, report, seconds);
    write_json(cli, w, status, seconds);
    char *stats = bruin_stats(w->vm, false);
    if (stats)
        fputs(stats, stderr);
    bruin_free(stats);
    bruin_vm_free(w->vm);
    return status;
}

int verb_test(struct cli *cli)
{
    struct bruin_error err;
    struct watch *w;
    int status = BRUIN_ERR_USAGE;
    if (cli->word_count > 1)
        return cli_usage(cli, "one kernel, please: \"%s\" and \"%s\" were given", cli->word[0], cli->word[1]);
    if (cli->word_count == 1 && !bruin_config_set(cli->config, "kernel", cli->word[0], &err))
        return cli_fail(cli, &err);
    const char *name = bruin_config_get(cli->config, "kernel");
    if (name == NULL && !bruin_config_get(cli->config, "load"))
        return cli_usage(cli, "nothing to test: bruin test [options] KERNEL [-- CMDLINE]");
    if (!bruin_config_get(cli->config, "timeout"))
        bruin_config_set(cli->config, "timeout", "60s", NULL);
    bruin_config_set(cli->config, "semihosting", "yes", NULL);
    bruin_config_set(cli->config, "no-reboot", "yes", NULL);
    w = calloc(1, sizeof *w);
    if (w == NULL || (w->log = malloc(LOG_MAX)) == NULL) {
        free(w);
        return cli_usage(cli, "out of memory");
    }
    if (compile(cli, "expect", w->expect, &w->expect_count) && compile(cli, "fail", w->fail, &w->fail_count))
        status = run_test(cli, w, name ? name : bruin_config_get(cli->config, "load"));
    for (unsigned i = 0; i < w->expect_count; i++)
        regfree(&w->expect[i].re);
    for (unsigned i = 0; i < w->fail_count; i++)
        regfree(&w->fail[i].re);
    free(w->log);
    free(w);
    return status;
}
