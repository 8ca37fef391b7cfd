/// bruin inspect: what a file is, without running it.
#include "cli.h"

int verb_inspect(struct cli *cli)
{
    struct bruin_error err = {0};
    if (cli->word_count != 1)
        return cli_usage(cli, "inspect wants one file");
    bool json = bruin_config_get(cli->config, "json") != NULL;
    char *text = bruin_inspect(cli->config, cli->word[0], json, &err);
    if (text == NULL)
        return cli_fail(cli, &err);
    fputs(text, stdout);
    bruin_free(text);
    return err.code;
}
