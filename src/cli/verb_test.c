/// bruin test: runs a guest for CI. No terminal; the console goes to stdout, the verdict to stderr and,
/// with --junit, to a file. Ends as soon as every --expect was seen, or one --fail was.
#include "watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/// What the whole run amounts to.
struct outcome {
    int status;
    char line[600];         ///< why, in one line
    const char *report;     ///< of a guest that died, or NULL
    const char *verdict;    ///< as in the JSON document
    bool refused;           ///< nothing ran
    double seconds;
};

static bool write_junit(struct cli *cli, const char *name, const struct watch *w, const struct outcome *r)
{
    const char *path = bruin_config_get(cli->config, "junit"), *kind = r->refused ? "error" : "failure";
    FILE *f = path ? fopen(path, "w") : NULL;
    if (path && f == NULL)
        fprintf(stderr, "bruin: %s: cannot be written\n", path);
    if (f == NULL)
        return path == NULL;
    fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"bruin\" tests=\"1\" failures=\"%d\" errors=\"%d\" "
               "skipped=\"0\" time=\"%.3f\">\n<testcase classname=\"bruin\" time=\"%.3f\" name=\"",
            r->status != 0 && !r->refused, r->refused, r->seconds, r->seconds);
    watch_put_xml(f, name, strlen(name));
    fprintf(f, "\">\n");
    if (r->status) {
        const char *text = r->report ? r->report : r->line;
        fprintf(f, "<%s type=\"exit-%d\" message=\"", kind, r->status);
        watch_put_xml(f, r->line, strlen(r->line));
        fprintf(f, "\">");
        watch_put_xml(f, text, strlen(text));
        fprintf(f, "</%s>\n", kind);
    }
    fprintf(f, "<system-out>");
    watch_put_log(f, w);
    fprintf(f, "</system-out>\n</testcase>\n</testsuite>\n");
    return fclose(f) == 0;
}

static void write_json(struct cli *cli, const struct watch *w, const struct outcome *r)
{
    const char *path = bruin_config_get(cli->config, "json");
    FILE *f = path == NULL ? NULL : *path ? fopen(path, "w") : stderr;
    if (f == NULL)
        return;
    fprintf(f, "{\"verdict\": \"%s\", \"exit\": %d, \"%s\": ", r->verdict, r->status, r->refused ? "error" : "text");
    cli_json_string(f, r->line);
    fprintf(f, ", \"seconds\": %.3f", r->seconds);
    char *stats = w->vm && !r->refused ? bruin_stats(w->vm, true) : NULL;
    if (stats)
        fprintf(f, ", \"stats\": %s", stats);
    fprintf(f, ", \"report\": %s}\n", w->vm && bruin_report(w->vm, true) ? bruin_report(w->vm, true) : "null");
    bruin_free(stats);
    if (f != stderr)
        fclose(f);
}

static void judge(const struct watch *w, const struct bruin_exit *x, struct outcome *r)
{
    r->status = x->status;
    r->verdict = bruin_verdict(w->vm) ? bruin_verdict(w->vm) : "";
    snprintf(r->line, sizeof r->line, "%s", x->text);
    if (w->failed_on) {
        snprintf(r->line, sizeof r->line, "the console matched --fail \"%s\"", w->failed_on);
        r->status = STATUS_EXPECT;
    } else if (w->passed) {
        snprintf(r->line, sizeof r->line, "everything expected was seen");
        r->status = 0;
        r->verdict = "pass";
    }
    for (unsigned i = 0; i < w->expect_count && r->status == 0 && !w->passed; i++)
        if (!w->expect[i].seen) {
            snprintf(r->line, sizeof r->line, "%s, and --expect \"%s\" was not seen", x->text, w->expect[i].text);
            r->status = STATUS_EXPECT;
        }
    if (r->status == STATUS_EXPECT)
        r->verdict = "expectation";
    r->report = r->status ? bruin_report(w->vm, false) : NULL;
}

static void on_message(void *ctx, const char *id, const char *text) { cli_warn(ctx, id, text); }

static int finish(struct cli *cli, struct watch *w, const char *name, const struct outcome *r)
{
    if (r->report)
        fputs(r->report, stderr);
    if (r->status || !cli_flag(cli, "quiet"))
        fprintf(stderr, "bruin: %s: %s: %s after %.2f s (exit %d)\n", r->status ? "FAIL" : "PASS", name, r->line, r->seconds, r->status);
    write_junit(cli, name, w, r);
    write_json(cli, w, r);
    if (w->vm && !r->refused) {
        cli_write_trace(cli, w->vm);
        char *stats = bruin_stats(w->vm, false);
        if (stats)
            fputs(stats, stderr);
        bruin_free(stats);
    }
    bruin_vm_free(w->vm);
    return r->status;
}

static int refused(struct cli *cli, struct watch *w, const char *name, const struct bruin_error *err)
{
    struct outcome r = {.status = err->code ? err->code : BRUIN_ERR_USAGE, .verdict = "refused", .refused = true};
    snprintf(r.line, sizeof r.line, "%s", err->message);
    if (w->vm && bruin_report(w->vm, false))
        fputs(bruin_report(w->vm, false), stderr);
    write_junit(cli, name, w, &r);
    write_json(cli, w, &r);
    bruin_vm_free(w->vm);
    return cli_fail(cli, err);
}

static int run_test(struct cli *cli, struct watch *w, const char *name)
{
    struct bruin_error err = {0};
    struct bruin_exit x = {0};
    struct outcome r = {0};
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    if (!cli_can_write(cli, "junit", &err) || !cli_can_write(cli, "json", &err) || !cli_can_write(cli, "output", &err))
        return cli_fail(cli, &err);
    w->vm = bruin_vm_new(cli->config, &err);
    if (w->vm == NULL)
        return refused(cli, w, name, &err);
    bruin_on_message(w->vm, on_message, cli);
    watch_start(w);
    bool ok = bruin_boot(w->vm, &err) && bruin_run(w->vm, &x, &err);
    watch_stop(w);
    if (!ok)
        return refused(cli, w, name, &err);
    clock_gettime(CLOCK_MONOTONIC, &b);
    r.seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    judge(w, &x, &r);
    return finish(cli, w, name, &r);
}

int verb_test(struct cli *cli)
{
    static const char *const boots[] = {"kernel", "load", "firmware", "esp", "flash", "disk"};
    struct bruin_error err;
    const char *name = NULL;
    int status = BRUIN_ERR_USAGE;
    if (cli->word_count > 1)
        return cli_usage(cli, "one kernel, please: \"%s\" and \"%s\" were given", cli->word[0], cli->word[1]);
    if (cli->word_count == 1 && !bruin_config_set(cli->config, "kernel", cli->word[0], &err))
        return cli_fail(cli, &err);
    for (unsigned i = 0; i < sizeof boots / sizeof boots[0] && name == NULL; i++)
        name = bruin_config_get(cli->config, boots[i]);
    if (name == NULL)
        return cli_usage(cli, "nothing to test: bruin test [options] KERNEL [-- CMDLINE]");
    if (cli_flag(cli, "dry-run"))
        return run_config(cli);
    if (!bruin_config_get(cli->config, "timeout"))
        bruin_config_set(cli->config, "timeout", "60s", NULL);
    bruin_config_set(cli->config, "semihosting", "yes", NULL);
    bruin_config_set(cli->config, "no-reboot", "yes", NULL);
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return cli_usage(cli, "out of memory");
    if (watch_init(cli, w))
        status = run_test(cli, w, name);
    watch_free(w);
    free(w);
    return status;
}
