/// Entry of the program: finds the verb and hands it the parsed rest.
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct verb verbs[] = {
#define VERB(name, operands, summary, takes_options, words_max) {#name, operands, summary, verb_##name, takes_options, words_max},
#include "verbs.def"
#undef VERB
    {0},
};

const struct verb *verb_find(const char *name)
{
    for (const struct verb *v = verbs; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}

static const char *paint(const struct cli *cli, const char *code) { return cli->colour ? code : ""; }

int cli_fail(const struct cli *cli, const struct bruin_error *err)
{
    fprintf(stderr, "bruin: %serror:%s %s\n", paint(cli, "\033[1;31m"), paint(cli, "\033[0m"), err->message);
    return err->code ? err->code : BRUIN_ERR_USAGE;
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
    struct bruin_error err = {.code = BRUIN_ERR_USAGE};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err.message, sizeof err.message, fmt, ap);
    va_end(ap);
    return cli_fail(cli, &err);
}

void cli_warn(const struct cli *cli, const char *id, const char *text)
{
    const char *open = *id ? " [" : "", *close = *id ? "]" : "";
    fprintf(stderr, "bruin: %swarning:%s %s%s%s%s\n", paint(cli, "\033[1;33m"), paint(cli, "\033[0m"), text,
            open, id, close);
}

bool cli_flag(const struct cli *cli, const char *key)
{
    const char *v = bruin_config_get(cli->config, key);
    return v && strcmp(v, "yes") == 0;
}

static const char *verb_name_at(void *ctx, size_t i)
{
    (void)ctx;
    return verbs[i].name;
}

/// `bruin Image` means `bruin run Image`.
static bool is_file(const char *path) { return access(path, F_OK) == 0; }

int cli_unknown_verb(const struct cli *cli, const char *name)
{
    const char *near = bruin_nearest(name, verb_name_at, NULL);
    if (near)
        return cli_usage(cli, "no verb \"%s\"; did you mean \"bruin %s\"?", name, near);
    return cli_usage(cli, "no verb and no file \"%s\"; `bruin --help` lists the verbs", name);
}

int main(int argc, char **argv)
{
    struct cli cli = {.config = bruin_config_new()};
    const struct verb *v = NULL;
    int skip = 2, status;
    cli.colour = isatty(2) && !(getenv("NO_COLOR") && *getenv("NO_COLOR"));
    if (argc < 2) {
        help_general(stderr);
        status = BRUIN_ERR_USAGE;
        goto out;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        help_general(stdout);
        status = 0;
        goto out;
    }
    if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
        printf("bruin %s\n", bruin_version());
        status = 0;
        goto out;
    }
    v = verb_find(argv[1]);
    if (v == NULL && (argv[1][0] == '-' || is_file(argv[1]))) {
        v = verb_find("run");
        skip = 1;
    }
    if (v == NULL)
        status = cli_unknown_verb(&cli, argv[1]);
    else if (!cli_parse(&cli, argc - skip, argv + skip))
        status = cli.status;
    else if (cli.wants_help)
        help_verb(stdout, v), status = 0;
    else if (v->words_max >= 0 && cli.word_count > (unsigned)v->words_max)
        status = cli_usage(&cli, "%s: \"%s\" is one word too many; usage: bruin %s%s%s", v->name, cli.word[v->words_max], v->name,
                           *v->operands ? " " : "", v->operands);
    else
        status = v->run(&cli);
out:
    cli_free(&cli);
    if (fflush(stdout) != 0 && status == 0)
        status = BRUIN_ERR_USAGE;
    return status;
}
