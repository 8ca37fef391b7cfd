/// bruin debug and bruin trace: run, with the options that looking inside needs.
#include "cli.h"

#include <string.h>

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
    fprintf(stderr, "bruin: in another terminal: gdb-multiarch -ex 'set architecture aarch64' -ex 'target remote :%s' %s\n",
            bruin_config_get(cli->config, "gdb"), symbols ? symbols : bruin_config_get(cli->config, "kernel"));
    return run_config(cli);
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
