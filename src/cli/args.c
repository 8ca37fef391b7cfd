/// The parser: --key value, --key=value, -k value, -kvalue. What exists is in the table of options.
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/// Walks over argv.
struct cursor {
    int argc;
    char **argv;
    int at;
};

static void add_word(struct cli *cli, const char *word)
{
    cli->word = realloc(cli->word, (cli->word_count + 1) * sizeof *cli->word);
    if (cli->word == NULL)
        abort();
    cli->word[cli->word_count++] = word;
}

/// Stores value, or takes the next word when there is none attached.
static bool store(struct cli *cli, struct cursor *c, const struct bruin_option *o, const char *shown,
                  const char *value)
{
    struct bruin_error err;
    if (value == NULL && o->type == BRUIN_OPT_FLAG)
        value = "yes";
    if (value == NULL && o->value_is_optional)
        value = "";
    if (value == NULL) {
        if (c->at >= c->argc) {
            cli_usage(cli, "%s wants a value: %s", shown, o->arg);
            return false;
        }
        value = c->argv[c->at++];
    }
    if (bruin_config_set(cli->config, o->key, value, &err) &&
        (strcmp(o->key, "config") != 0 || bruin_config_load(cli->config, value, &err)))
        return true;
    cli->status = cli_fail(cli, &err);
    return false;
}

static const char *option_name_at(void *ctx, size_t i)
{
    const struct bruin_option *o = i ? bruin_option_at(i - 1) : NULL;
    (void)ctx;
    return i == 0 ? "help" : o ? o->key : NULL;
}

static bool parse_long(struct cli *cli, struct cursor *c, const char *arg)
{
    char key[64];
    const char *eq = strchr(arg, '=');
    size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
    if (n == 4 && memcmp(arg, "help", 4) == 0) {
        cli->wants_help = true;
        return true;
    }
    if (n < sizeof key) {
        memcpy(key, arg, n);
        key[n] = 0;
        const struct bruin_option *o = bruin_option_find(key);
        if (o) {
            char shown[80];
            snprintf(shown, sizeof shown, "--%s", key);
            return store(cli, c, o, shown, eq ? eq + 1 : NULL);
        }
        const char *near = bruin_nearest(key, option_name_at, NULL);
        if (near) {
            cli_usage(cli, "no option --%s; did you mean --%s?", key, near);
            return false;
        }
    }
    cli_usage(cli, "no option --%.*s; `bruin help run` lists them", (int)(n > 60 ? 60 : n), arg);
    return false;
}

static bool parse_short(struct cli *cli, struct cursor *c, const char *arg)
{
    for (; *arg; arg++) {
        if (*arg == 'h') {
            cli->wants_help = true;
            continue;
        }
        const struct bruin_option *o = bruin_option_find_letter(*arg);
        char shown[3] = {'-', *arg, 0};
        if (o == NULL) {
            cli_usage(cli, "no option -%c; `bruin help run` lists them", *arg);
            return false;
        }
        if (o->type != BRUIN_OPT_FLAG)
            return store(cli, c, o, shown, arg[1] ? arg + 1 : NULL);
        if (!store(cli, c, o, shown, NULL))
            return false;
    }
    return true;
}

bool cli_parse(struct cli *cli, int argc, char **argv)
{
    struct cursor c = {argc, argv, 0};
    struct bruin_error err;
    cli->status = BRUIN_ERR_USAGE;
    while (c.at < c.argc) {
        const char *arg = c.argv[c.at++];
        bool ok = true;
        if (strcmp(arg, "--") == 0) {
            for (; ok && c.at < c.argc; c.at++)
                ok = bruin_config_set(cli->config, "append", c.argv[c.at], &err);
        } else if (arg[0] == '-' && arg[1] == '-') {
            ok = parse_long(cli, &c, arg + 2);
        } else if (arg[0] == '-' && arg[1]) {
            ok = parse_short(cli, &c, arg + 1);
        } else {
            add_word(cli, arg);
        }
        if (!ok)
            return false;
    }
    return true;
}

void cli_free(struct cli *cli)
{
    bruin_config_free(cli->config);
    free(cli->word);
}
