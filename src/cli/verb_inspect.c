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
    const char *file = bruin_config_get(cli->config, "json");
    FILE *f = json && *file ? fopen(file, "w") : stdout;
    if (f)
        fputs(text, f);
    bruin_free(text);
    if (f == NULL || (f != stdout && fclose(f) != 0))
        return cli_usage(cli, "json %s: cannot be written", file);
    const char *out = bruin_config_get(cli->config, "symbols-elf");
    if (out && err.code == 0) {
        long count = bruin_symbols_elf(cli->word[0], out, &err);
        if (count < 0)
            return cli_fail(cli, &err);
        fprintf(stderr, "bruin: %s: %ld symbols; gdb: symbol-file %s (start the guest with -a nokaslr)\n", out, count, out);
    }
    return err.code;
}
