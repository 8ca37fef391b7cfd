/// The command line: a client of include/bruin.h and of nothing else.
#ifndef BRUIN_CLI_H
#define BRUIN_CLI_H

#include "bruin.h"

#include <stdio.h>

/// A parsed command line.
struct cli {
    bruin_config *config;
    const char **word; ///< operands, without the verb
    unsigned word_count;
    bool colour;       ///< stderr is a terminal and NO_COLOR is not set
    bool wants_help;
    int status;        ///< exit code when cli_parse refused
};

struct verb {
    const char *name, *operands, *summary;
    int (*run)(struct cli *cli);
    bool takes_options;
    int words_max; ///< more are refused here; -1: the verb itself looks
};
#define VERB(name, operands, summary, takes_options, words_max) int verb_##name(struct cli *cli);
#include "verbs.def"
#undef VERB

extern const struct verb verbs[];
const struct verb *verb_find(const char *name);

/// Parses what follows the verb. Words after `--` are added to `append`.
/// ret  false: a message was printed; exit with cli->status
bool cli_parse(struct cli *cli, int argc, char **argv);
void cli_free(struct cli *cli);

/// One line to stderr: "bruin: error: ...". ret  err->code
int cli_fail(const struct cli *cli, const struct bruin_error *err);
/// With a suggestion. ret  125
int cli_unknown_verb(const struct cli *cli, const char *name);
/// As printf; always exits with 125. ret  125
int cli_usage(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cli_warn(const struct cli *cli, const char *id, const char *text);
/// Value of a FLAG.
bool cli_flag(const struct cli *cli, const char *key);

/// Bytes of the UTF-8 character at text that XML 1.0 ("Characters") allows as it is, and JSON, too. ret  0: none
size_t cli_char(const char *text, size_t left);
/// A JSON string: the texts come from messages and file names.
void cli_json_string(FILE *f, const char *s);
/// The recorded events, to --output or stderr; JSON lines when the file's name ends in .json.
void cli_write_trace(struct cli *cli, bruin_vm *vm);
/// Whether the file that an option names can be written: better known now than after hours. ret  false: err says why
bool cli_can_write(const struct cli *cli, const char *key, struct bruin_error *err);

void help_general(FILE *out);
void help_verb(FILE *out, const struct verb *v);

/// Boots what cli->config says on this terminal and reports; what run and demo share.
/// ret  the exit code
int run_config(struct cli *cli);
/// The same for a kernel in memory.
int run_bytes(struct cli *cli, const void *bytes, size_t len, const char *name);

#endif
