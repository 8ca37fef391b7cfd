/// bruin explain: the catalogue of diagnoses, one page each.
#include "cli.h"

#include <string.h>

int verb_explain(struct cli *cli)
{
    const char *id, *title, *page;
    if (cli->word_count == 0) {
        for (unsigned i = 0; bruin_explain_entry(i, &id, &title); i++)
            printf("%s  %s\n", id, title);
        return 0;
    }
    for (unsigned i = 0; i < cli->word_count; i++) {
        page = bruin_explain_page(cli->word[i]);
        if (page == NULL)
            return cli_usage(cli, "no diagnosis \"%s\"; `bruin explain` lists them", cli->word[i]);
        fputs(page, stdout);
    }
    return 0;
}
