/// bruin dtb: the board's device tree as source or as a blob, and a check of the user's.
#include "cli.h"

#include <string.h>
#include <unistd.h>

static int dump(struct cli *cli)
{
    struct bruin_error err;
    void *dtb;
    size_t len;
    const char *path = bruin_config_get(cli->config, "output");
    FILE *out = stdout;
    if (cli->word_count > 1)
        return cli_usage(cli, "dtb dump: \"%s\" is one word too many; -o FILE says where it goes", cli->word[1]);
    if (path == NULL && isatty(1))
        return cli_usage(cli, "a device tree is binary: bruin dtb dump -o board.dtb, or pipe it into "
                              "dtc -I dtb -O dts");
    bruin_vm *vm = bruin_vm_new(cli->config, &err);
    if (vm == NULL)
        return cli_fail(cli, &err);
    bool ok = bruin_dtb_dump(vm, &dtb, &len, &err);
    bruin_vm_free(vm);
    if (!ok)
        return cli_fail(cli, &err);
    if (path && (out = fopen(path, "wb")) == NULL) {
        bruin_free(dtb);
        return cli_usage(cli, "%s: cannot be written", path);
    }
    ok = fwrite(dtb, 1, len, out) == len;
    if (out != stdout)
        ok = fclose(out) == 0 && ok;
    bruin_free(dtb);
    return ok ? 0 : cli_usage(cli, "%s: not all of the %zu bytes could be written", path ? path : "stdout", len);
}

static int check(struct cli *cli)
{
    struct bruin_error err;
    char *findings;
    if (cli->word_count != 2)
        return cli_usage(cli, "dtb check wants one file");
    if (!bruin_dtb_check(cli->word[1], &findings, &err))
        return cli_fail(cli, &err);
    bool clean = *findings == 0;
    fputs(clean ? "no findings\n" : findings, stdout);
    bruin_free(findings);
    return clean ? 0 : BRUIN_ERR_FORMAT;
}

int verb_dtb(struct cli *cli)
{
    if (cli->word_count >= 1 && strcmp(cli->word[0], "dump") == 0)
        return dump(cli);
    if (cli->word_count >= 1 && strcmp(cli->word[0], "check") == 0)
        return check(cli);
    return cli_usage(cli, "dtb wants `dump` or `check FILE`");
}
