/// bruin explain: the catalogue of diagnoses, one page each.
#include "cli.h"

#include <string.h>

/// An id with a typo, or words of a title.
static int unknown(struct cli *cli, const char *word)
{
    const char *id, *title, *near[4] = {NULL};
    unsigned n = 0;
    for (unsigned i = 0; bruin_explain_entry(i, &id, &title) && n < 4; i++)
        if (strlen(word) > 2 && strcasestr(title, word))
            near[n++] = id;
    if (n)
        return cli_usage(cli, "no diagnosis \"%s\"; it is in the title of %s%s%s%s%s%s%s", word, near[0], n > 1 ? ", " : "",
                         n > 1 ? near[1] : "", n > 2 ? ", " : "", n > 2 ? near[2] : "", n > 3 ? ", " : "", n > 3 ? near[3] : "");
    return cli_usage(cli, "no diagnosis \"%s\"; there are F01 to F21, L01 to L15 and U1 to U4; `bruin explain` lists them", word);
}

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
            return unknown(cli, cli->word[i]);
        fputs(page, stdout);
    }
    return 0;
}
