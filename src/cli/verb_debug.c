/// bruin debug and bruin trace: run, with the options that looking inside needs.
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/// A stripped Linux image: its own symbols in a file for gdb, and no random addresses, which gdb cannot know.
/// ret  the file's name, to be freed; NULL when the kernel has symbols of its own, or none
static char *make_symbols(struct cli *cli)
{
    const char *kernel = bruin_config_get(cli->config, "kernel"), *wanted = bruin_config_get(cli->config, "symbols-elf");
    char temporary[] = "/tmp/bruin-symbols-XXXXXX";
    struct bruin_error err;
    int fd = wanted ? -1 : mkstemp(temporary);
    char *path = strdup(wanted ? wanted : temporary);
    if (fd >= 0)
        close(fd);
    if (path && bruin_symbols_elf(kernel, path, &err) > 0) {
        bruin_config_set(cli->config, "append", "nokaslr", NULL);
        return path;
    }
    if (fd >= 0)
        unlink(temporary);
    free(path);
    return NULL;
}

int verb_debug(struct cli *cli)
{
    struct bruin_error err;
    const char *symbols;
    if (cli->word_count == 1 && !bruin_config_set(cli->config, "kernel", cli->word[0], &err))
        return cli_fail(cli, &err);
    if (!bruin_config_get(cli->config, "kernel"))
        return cli_usage(cli, "nothing to debug: bruin debug [options] KERNEL [-- CMDLINE]");
    if (!bruin_config_get(cli->config, "gdb"))
        bruin_config_set(cli->config, "gdb", "1234", NULL);
    bruin_config_set(cli->config, "wait", "yes", NULL);
    symbols = bruin_config_get(cli->config, "symbols");
    char *made = symbols ? NULL : make_symbols(cli);
    const char *where = bruin_config_get(cli->config, "gdb");
    fprintf(stderr, "bruin: in another terminal: gdb-multiarch -ex 'set architecture aarch64' -ex 'target remote %s%s' %s\n",
            strchr(where, '/') ? "" : ":", where, made ? made : symbols ? symbols : bruin_config_get(cli->config, "kernel"));
    int status = run_config(cli);
    if (made && !bruin_config_get(cli->config, "symbols-elf"))
        unlink(made);
    free(made);
    return status;
}

int verb_trace(struct cli *cli)
{
    struct bruin_error err;
    unsigned first = cli->word_count && strcmp(cli->word[0], "run") == 0;
    if (cli->word_count != first + 1)
        return cli_usage(cli, "bruin trace [--events LIST] [-o FILE] KERNEL: one kernel is wanted");
    if (!bruin_config_set(cli->config, "kernel", cli->word[first], &err))
        return cli_fail(cli, &err);
    if (!bruin_config_get(cli->config, "events"))
        bruin_config_set(cli->config, "events", "exc,mmio,sysreg,psci,irq", NULL);
    return run_config(cli);
}
