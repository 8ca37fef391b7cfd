/// Help, manual page and completions, all from the tables of verbs and options.
#include "cli.h"

#include <string.h>

enum { HELP_COLUMN = 37, HELP_WIDTH = 100 };

/// Prints words, breaking lines before HELP_WIDTH; column is where the cursor stands.
static void wrapped(FILE *out, const char *text, int column)
{
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column + 1 + n > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN - 1, "");
            column = HELP_COLUMN - 1;
        }
        fprintf(out, " %.*s", n, text);
        column += 1 + n;
        text += n + (text[n] == ' ');
    }
}

static void option_line(FILE *out, const struct bruin_option *o)
{
    char left[96], letter[8] = "    ", help[400];
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    if (o->arg == NULL)
        snprintf(left, sizeof left, "  %s--%s", letter, o->key);
    else if (o->value_is_optional)
        snprintf(left, sizeof left, "  %s--%s[=%s]", letter, o->key, o->arg);
    else
        snprintf(left, sizeof left, "  %s--%s %s", letter, o->key, o->arg);
    int n = fprintf(out, "%-*s", HELP_COLUMN - 1, left);
    if (n >= HELP_COLUMN) {
        fprintf(out, "\n%*s", HELP_COLUMN - 1, "");
        n = HELP_COLUMN - 1;
    }
    snprintf(help, sizeof help, o->preset ? "%s [%s]" : "%s", o->help, o->preset);
    wrapped(out, help, n);
    fputc('\n', out);
}

static void options(FILE *out)
{
    const char *group = "";
    const struct bruin_option *o;
    for (size_t i = 0; (o = bruin_option_at(i)) != NULL; i++) {
        if (strcmp(group, o->group) != 0)
            fprintf(out, "\n%s:\n", o->group);
        group = o->group;
        option_line(out, o);
    }
}

void help_general(FILE *out)
{
    fprintf(out, "bruin %s: boots AArch64 kernels and explains them\n\nusage: bruin VERB [options] ...\n\n",
            bruin_version());
    for (const struct verb *v = verbs; v->name; v++)
        fprintf(out, "  %-11s %s\n", v->name, v->summary);
    fprintf(out, "\n`bruin help VERB` lists a verb's options. Try `bruin demo`.\n");
}

void help_verb(FILE *out, const struct verb *v)
{
    fprintf(out, "bruin %s: %s\n\nusage: bruin %s %s%s\n", v->name, v->summary, v->name,
            v->takes_options ? "[options] " : "", v->operands);
    bool boots = strstr(v->operands, "BOOT") || strcmp(v->name, "demo") == 0;
    if (strcmp(v->name, "run") == 0)
        fprintf(out, "\nBOOT is an arm64 Image, plain or packed (gzip, bzip2, lzma, xz, lz4, zstd, EFI zboot),\n"
                     "an ELF file such as vmlinux, a flat binary, or a disk. Its content decides, not its name.\n"
                     "Ctrl-A x leaves, Ctrl-A h lists the other keys.\n");
    if (v->takes_options)
        options(out);
    if (boots)
        fprintf(out, "\nexit codes: 0-111 the guest's own, 112 guest panic, 113 reset with --no-reboot,\n"
                     "114 deadlock, 115 fatal fault, 116 lint, 117 not as expected (test), 124 timeout or out of input,\n"
                     "125 usage, 126 not bootable, 127 file not found\n");
}

int verb_help(struct cli *cli)
{
    if (cli->word_count == 0) {
        help_general(stdout);
        return 0;
    }
    const struct verb *v = verb_find(cli->word[0]);
    if (v == NULL)
        return cli_unknown_verb(cli, cli->word[0]);
    help_verb(stdout, v);
    return 0;
}

/* ---- manual page ---- */

/// Escapes what roff takes for itself.
static void roff(const char *s)
{
    for (; *s; s++) {
        if (*s == '-' || *s == '\\')
            putchar('\\');
        putchar(*s);
    }
}

int verb_man(struct cli *cli)
{
    const struct bruin_option *o;
    const char *group = "";
    printf(".TH BRUIN 1 \"\" \"bruin %s\"\n.SH NAME\nbruin \\- boots AArch64 kernels and explains them\n",
           bruin_version());
    printf(".SH SYNOPSIS\n.B bruin\n.I VERB\n[\\fIoptions\\fR] ...\n.SH VERBS\n");
    for (const struct verb *v = verbs; v->name; v++) {
        printf(".TP\n\\fB%s\\fR ", v->name);
        roff(v->operands);
        putchar('\n');
        roff(v->summary);
        putchar('\n');
    }
    printf(".SH OPTIONS\n");
    for (size_t i = 0; (o = bruin_option_at(i)) != NULL; i++) {
        if (strcmp(group, o->group) != 0)
            printf(".SS %s\n", o->group);
        group = o->group;
        printf(".TP\n");
        if (o->letter)
            printf("\\fB\\-%c\\fR, ", o->letter);
        printf("\\fB\\-\\-");
        roff(o->key);
        printf("\\fR%s\\fI", o->value_is_optional ? "[=" : o->arg ? " " : "");
        roff(o->arg ? o->arg : "");
        printf("\\fR%s\n", o->value_is_optional ? "]" : "");
        roff(o->help);
        if (o->preset) {
            printf(" (");
            roff(o->preset);
            printf(")");
        }
        putchar('\n');
    }
    printf(".SH EXIT STATUS\n0\\-111 the guest's own; 112 guest panic; 113 reset with \\-\\-no\\-reboot; 114 "
           "deadlock; 115 fatal fault; 116 lint at error level; 117 expectation failed; 124 timeout, or waiting for input that has ended; 125 usage "
           "or failure of the host; 126 not bootable; 127 file not found.\n");
    return 0;
}

/* ---- completions ---- */

static void print_words(const char *prefix, const char *separator)
{
    const struct bruin_option *o;
    for (size_t i = 0; (o = bruin_option_at(i)) != NULL; i++)
        printf("%s%s%s", i ? separator : "", prefix, o->key);
}

static void print_verbs(void)
{
    for (const struct verb *v = verbs; v->name; v++)
        printf("%s%s", v == verbs ? "" : " ", v->name);
}

/// Drops what a shell would take for itself.
static void print_without(const char *dropped, const char *s)
{
    for (; *s; s++)
        if (!strchr(dropped, *s))
            putchar(*s);
}

static void print_choices(const char *choices)
{
    for (; *choices; choices++)
        putchar(*choices == '|' ? ' ' : *choices);
}

static void complete_bash(void)
{
    const struct bruin_option *o;
    printf("_bruin() {\n  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "  COMPREPLY=()\n  case $prev in\n");
    for (size_t i = 0; (o = bruin_option_at(i)) != NULL; i++) {
        if (o->type == BRUIN_OPT_CHOICE) {
            printf("  --%s) COMPREPLY=($(compgen -W '", o->key);
            print_choices(o->arg);
            printf("' -- \"$cur\")); return;;\n");
        }
    }
    printf("  esac\n  if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '");
    print_words("--", " ");
    printf("' -- \"$cur\"))\n  elif [[ $COMP_CWORD == 1 ]]; then COMPREPLY=($(compgen -W '");
    print_verbs();
    printf("' -- \"$cur\") $(compgen -f -- \"$cur\"))\n  else COMPREPLY=($(compgen -f -- \"$cur\")); fi\n}\n"
           "complete -o filenames -F _bruin bruin\n");
}

static void complete_zsh(void)
{
    const struct bruin_option *o;
    printf("#compdef bruin\n_arguments \\\n  '1:verb:(");
    print_verbs();
    printf(")' \\\n");
    for (size_t i = 0; (o = bruin_option_at(i)) != NULL; i++) {
        printf("  '%s--%s[", o->is_list ? "*" : "", o->key);
        print_without("[]':", o->help);
        printf("]");
        if (o->type == BRUIN_OPT_CHOICE) {
            printf(":value:(");
            print_choices(o->arg);
            printf(")");
        } else if (o->arg && !o->value_is_optional) {
            printf(":%s:%s", o->type == BRUIN_OPT_FILE ? "file" : "value", o->type == BRUIN_OPT_FILE ? "_files" : "");
        }
        printf("' \\\n");
    }
    printf("  '*:file:_files'\n");
}

static void complete_fish(void)
{
    const struct bruin_option *o;
    for (const struct verb *v = verbs; v->name; v++)
        printf("complete -c bruin -n __fish_use_subcommand -a %s -d \"%s\"\n", v->name, v->summary);
    for (size_t i = 0; (o = bruin_option_at(i)) != NULL; i++) {
        printf("complete -c bruin -l %s", o->key);
        if (o->letter)
            printf(" -s %c", o->letter);
        if (o->arg && !o->value_is_optional)
            printf(" -r");
        if (o->type == BRUIN_OPT_CHOICE) {
            printf(" -f -a \"");
            print_choices(o->arg);
            printf("\"");
        }
        printf(" -d \"");
        print_without("\"`$\\", o->help);
        printf("\"\n");
    }
}

int verb_completion(struct cli *cli)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    if (cli->word_count != 1)
        return cli_usage(cli, "completion wants a shell: bash, zsh or fish");
    for (unsigned i = 0; i < sizeof shells / sizeof shells[0]; i++)
        if (strcmp(cli->word[0], shells[i].shell) == 0) {
            shells[i].print();
            return 0;
        }
    return cli_usage(cli, "no completion for \"%s\"; bash, zsh and fish are known", cli->word[0]);
}
