/// bruin img: disk images.
#include "cli.h"

#include <string.h>

/// A disk with an EFI system partition filled from a directory.
static int create_esp(struct cli *cli, const char *dir)
{
    struct bruin_error err;
    uint64_t bytes = 0;
    if (cli->word_count != 2 && cli->word_count != 3)
        return cli_usage(cli, "img create --esp wants a file, and a size if it is to be larger: bruin img create --esp DIR disk.img");
    if (cli->word_count == 3 && !bruin_parse_size(cli->word[2], &bytes))
        return cli_usage(cli, "\"%s\" is no size; wanted 512M or 2G, for example", cli->word[2]);
    return bruin_image_create_esp(cli->word[1], dir, bytes, &err) ? 0 : cli_fail(cli, &err);
}

static int create(struct cli *cli)
{
    struct bruin_error err;
    uint64_t bytes;
    const char *esp = bruin_config_get(cli->config, "esp");
    if (esp)
        return create_esp(cli, esp);
    if (cli->word_count != 3)
        return cli_usage(cli, "img create wants a file and a size: bruin img create disk.img 2G");
    if (!bruin_parse_size(cli->word[2], &bytes))
        return cli_usage(cli, "\"%s\" is no size; wanted 512M or 2G, for example", cli->word[2]);
    return bruin_image_create(cli->word[1], bytes, &err) ? 0 : cli_fail(cli, &err);
}

static int info(struct cli *cli)
{
    struct bruin_error err = {0};
    if (cli->word_count != 2)
        return cli_usage(cli, "img info wants one file");
    char *text = bruin_inspect(NULL, cli->word[1], bruin_config_get(cli->config, "json") != NULL, &err);
    if (text == NULL)
        return cli_fail(cli, &err);
    fputs(text, stdout);
    bruin_free(text);
    return 0;
}

int verb_img(struct cli *cli)
{
    if (cli->word_count >= 1 && strcmp(cli->word[0], "create") == 0)
        return create(cli);
    if (cli->word_count >= 1 && strcmp(cli->word[0], "info") == 0)
        return info(cli);
    return cli_usage(cli, "img wants `create FILE SIZE`, `create --esp DIR FILE` or `info FILE`");
}
