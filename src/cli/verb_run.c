/// bruin run: boots on this terminal. stdout belongs to the guest; one line before, one after.
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct session {
    struct cli *cli;
    bruin_vm *vm;
    bool left_by_key;
};

static void on_message(void *ctx, const char *id, const char *text)
{
    struct session *s = ctx;
    if (!cli_flag(s->cli, "quiet"))
        cli_warn(s->cli, id, text);
}

static void key_help(void)
{
    fprintf(stderr, "\nbruin: Ctrl-A x leave   Ctrl-A c monitor   Ctrl-A p power button   Ctrl-A h this help   Ctrl-A Ctrl-A sends Ctrl-A\n");
}

static bool on_key(void *ctx, char key)
{
    struct session *s = ctx;
    switch (key) {
    case 'x':
    case 'X':
        s->left_by_key = true;
        bruin_stop(s->vm, 0);
        return true;
    case 'c': bruin_monitor_console(s->vm); return true;
    case 'p': bruin_power_button(s->vm); return true;
    case 'h':
    case '?': key_help(); return true;
    }
    return false;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/// "bruin: Image 6.1.0 (gzip 9.2 -> 33.4 MB), jit, 1 cpu, 512 MiB. Ctrl-A h: help"
static void line_before(const struct session *s)
{
    unsigned cpus = bruin_cpu_count(s->vm);
    fprintf(stderr, "bruin: %s, %s, %u cpu%s, %llu MiB%s\n", bruin_loaded(s->vm), bruin_accel_name(s->vm), cpus,
            cpus == 1 ? "" : "s", (unsigned long long)(bruin_ram_size(s->vm) >> 20),
            isatty(0) && isatty(1) ? ". Ctrl-A h: help, Ctrl-A x: leave" : "");
}

static void line_after(const struct session *s, const struct bruin_exit *x, double seconds)
{
    const char *who = s->left_by_key || x->reason == BRUIN_FAILED ? "" : "guest ";
    fprintf(stderr, "bruin: %s%s after %.2f s (exit %d)\n", who, s->left_by_key ? "left by Ctrl-A x" : x->text,
            seconds, x->status);
}

static const char *const verdicts[] = {
    [BRUIN_OFF] = "off",         [BRUIN_RESET] = "reset",     [BRUIN_PANIC] = "panic",
    [BRUIN_DEADLOCK] = "deadlock", [BRUIN_DOOMED] = "doomed", [BRUIN_TIMEOUT] = "timeout",
    [BRUIN_STOPPED] = "stopped", [BRUIN_BREAKPOINT] = "breakpoint", [BRUIN_DEBUG] = "debug",
    [BRUIN_FAILED] = "failed",
};

void cli_json_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (size_t n, left = strlen(s); left; s += n, left -= n) {
        n = cli_char(s, left);
        if (*s == '"' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else if (n && *s != '\n' && *s != '\t')
            fwrite(s, 1, n, f);
        else if ((unsigned char)*s < 0x80)
            fprintf(f, "\\u%04x", (unsigned)*s);
        else
            fputc('?', f);
        n += n == 0;
    }
    fputc('"', f);
}

/// One document about the run; err tells of a run that did not happen.
static void write_json(struct cli *cli, const bruin_vm *vm, const struct bruin_exit *x,
                       const struct bruin_error *err, double seconds)
{
    const char *path = bruin_config_get(cli->config, "json");
    if (path == NULL)
        return;
    FILE *f = *path ? fopen(path, "w") : stderr;
    if (f == NULL) {
        fprintf(stderr, "bruin: %s: cannot be written\n", path);
        return;
    }
    fprintf(f, "{\"verdict\": \"%s\", \"exit\": %d", err ? "refused" : bruin_verdict(vm) ? bruin_verdict(vm) : verdicts[x->reason],
            err ? err->code : x->status);
    if (err) {
        fprintf(f, ", \"error\": ");
        cli_json_string(f, err->message);
        if (vm && bruin_report(vm, false)) {
            fprintf(f, ", \"report\": {\"text\": ");
            cli_json_string(f, bruin_report(vm, false));
            fprintf(f, "}");
        }
    } else {
        fprintf(f, ", \"text\": ");
        cli_json_string(f, x->text);
        fprintf(f, ", \"seconds\": %.3f, \"cpu\": %u, \"pc\": \"0x%llx\", \"loaded\": ", seconds, x->cpu,
                (unsigned long long)x->pc);
        cli_json_string(f, bruin_loaded(vm));
        fprintf(f, ", \"accel\": \"%s\"", bruin_accel_name(vm));
        char *stats = bruin_stats((bruin_vm *)vm, true);
        if (stats)
            fprintf(f, ", \"stats\": %s", stats);
        bruin_free(stats);
        if (bruin_report(vm, true))
            fprintf(f, ", \"report\": %s", bruin_report(vm, true));
    }
    fprintf(f, "}\n");
    if (f != stderr)
        fclose(f);
}

void cli_write_trace(struct cli *cli, bruin_vm *vm)
{
    const char *path = bruin_config_get(cli->config, "output");
    if (!bruin_config_get(cli->config, "events"))
        return;
    size_t n = path ? strlen(path) : 0;
    char *text = bruin_trace(vm, n > 5 && strcmp(path + n - 5, ".json") == 0);
    FILE *f = path ? fopen(path, "w") : stderr;
    if (f == NULL)
        fprintf(stderr, "bruin: %s: cannot be written\n", path);
    else
        fputs(text, f);
    if (f && f != stderr)
        fclose(f);
    bruin_free(text);
}

static int refuse(struct cli *cli, bruin_vm *vm, const struct bruin_error *err)
{
    write_json(cli, vm, NULL, err, 0);
    if (vm && bruin_report(vm, false))
        fputs(bruin_report(vm, false), stderr);
    bruin_vm_free(vm);
    return cli_fail(cli, err);
}

static int dry_run(struct cli *cli)
{
    struct bruin_error err;
    char *plan = bruin_plan(cli->config, &err);
    if (plan == NULL)
        return cli_fail(cli, &err);
    fputs(plan, stdout);
    bruin_free(plan);
    return 0;
}

bool cli_can_write(const struct cli *cli, const char *key, struct bruin_error *err)
{
    const char *path = bruin_config_get(cli->config, key);
    FILE *f = path && *path ? fopen(path, "a") : NULL;
    if (f)
        fclose(f);
    else if (path && *path) {
        err->code = BRUIN_ERR_USAGE;
        snprintf(err->message, sizeof err->message, "%s %s: %s", key, path, strerror(errno));
        return false;
    }
    return true;
}

int run_config(struct cli *cli) { return run_bytes(cli, NULL, 0, NULL); }

int run_bytes(struct cli *cli, const void *bytes, size_t len, const char *name)
{
    struct bruin_error err = {0};
    struct bruin_exit x = {0};
    struct session s = {.cli = cli};
    bool quiet = cli_flag(cli, "quiet");
    double start = now_s();
    if (bytes == NULL && cli_flag(cli, "dry-run"))
        return dry_run(cli);
    /* The bare machine has no UART to connect. */
    const char *hvc = bruin_config_get(cli->config, "virtio-console");
    if (bruin_config_get(cli->config, "serial") == NULL && !cli_flag(cli, "bare"))
        bruin_config_set(cli->config, "serial", hvc && strcmp(hvc, "stdio") == 0 ? "null" : "stdio", NULL);
    if (!cli_can_write(cli, "json", &err) || !cli_can_write(cli, "output", &err))
        return cli_fail(cli, &err);
    s.vm = bruin_vm_new(cli->config, &err);
    if (s.vm == NULL)
        return refuse(cli, NULL, &err);
    bruin_on_message(s.vm, on_message, &s);
    bruin_on_key(s.vm, on_key, &s);
    if (!(bytes ? bruin_load_kernel_bytes(s.vm, bytes, len, name, BRUIN_AUTO, &err) : bruin_boot(s.vm, &err)))
        return refuse(cli, s.vm, &err);
    if (!quiet)
        line_before(&s);
    bool ok = bruin_run(s.vm, &x, &err);
    double seconds = now_s() - start;
    if (!ok)
        return refuse(cli, s.vm, &err);
    write_json(cli, s.vm, &x, NULL, seconds);
    cli_write_trace(cli, s.vm);
    char *stats = bruin_stats(s.vm, false);
    char *report = bruin_report(s.vm, false) ? strdup(bruin_report(s.vm, false)) : NULL;
    bruin_vm_free(s.vm); /* flushes the console and restores the terminal */
    if (report)
        fputs(report, stderr);
    else if (!quiet)
        line_after(&s, &x, seconds);
    if (stats)
        fputs(stats, stderr);
    bruin_free(stats);
    free(report);
    return x.status;
}

int verb_run(struct cli *cli)
{
    struct bruin_error err;
    if (cli->word_count > 1)
        return cli_usage(cli, "one kernel, please: \"%s\" and \"%s\" were given (the kernel's command line goes "
                              "after --)", cli->word[0], cli->word[1]);
    if (cli->word_count == 1 && !bruin_config_set(cli->config, "kernel", cli->word[0], &err))
        return cli_fail(cli, &err);
    if (!bruin_config_get(cli->config, "kernel") && !bruin_config_get(cli->config, "load") &&
        !bruin_config_get(cli->config, "firmware") && !bruin_config_get(cli->config, "esp") &&
        !bruin_config_get(cli->config, "flash") && !bruin_config_get(cli->config, "disk"))
        return cli_usage(cli, "nothing to boot: bruin run [options] KERNEL [-- CMDLINE]");
    return run_config(cli);
}
