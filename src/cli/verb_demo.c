/// bruin demo: guests that are built in.
#include "cli.h"
#include "demos.h"

#include <string.h>

static const struct {
    const char *name, *text;
} demos[] = {
    {"hello", "says where it runs and powers off"},
    {"crash", "calls through a null pointer, and is explained"},
};

static const struct demo_bytes *find(const char *name)
{
    for (const struct demo_bytes *d = demo_bytes; d->name; d++)
        if (strcmp(d->name, name) == 0)
            return d;
    return NULL;
}

static const char *demo_name_at(void *ctx, size_t i)
{
    (void)ctx;
    return i < sizeof demos / sizeof demos[0] ? demos[i].name : NULL;
}

int verb_demo(struct cli *cli)
{
    const char *name = cli->word_count ? cli->word[0] : "hello";
    const struct demo_bytes *d = find(name);
    if (d)
        return run_bytes(cli, d->bytes, d->len, name);
    if (demo_bytes[0].name == NULL)
        return cli_usage(cli, "this build has no demos: the host that built it had no AArch64 compiler "
                              "(gcc-aarch64-linux-gnu, or clang and lld)");
    const char *near = bruin_nearest(name, demo_name_at, NULL);
    if (strcmp(name, "list") != 0)
        return cli_usage(cli, near ? "no demo \"%s\"; did you mean \"%s\"?" : "no demo \"%s\"; `bruin demo list` "
                                                                              "lists them", name, near);
    for (size_t i = 0; i < sizeof demos / sizeof demos[0]; i++)
        printf("%-8s %s\n", demos[i].name, demos[i].text);
    return 0;
}
