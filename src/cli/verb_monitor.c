/// bruin monitor SOCKET [COMMAND]: one command, or an interactive session.
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/// Sends a line and copies the answer, which ends with a NUL byte. ret  false when the machine is gone
static bool ask(int fd, const char *line)
{
    char buf[4096];
    size_t len = strlen(line);
    if (send(fd, line, len, MSG_NOSIGNAL) != (ssize_t)len || send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
        return false;
    for (;;) {
        ssize_t n = read(fd, buf, sizeof buf);
        if (n <= 0)
            return false;
        bool done = buf[n - 1] == '\0';
        fwrite(buf, 1, (size_t)n - done, stdout);
        fflush(stdout);
        if (done)
            return true;
    }
}

/// The words of the command line as one command. ret  as ask
static bool one_command(const struct cli *cli, int fd)
{
    size_t len = 1;
    for (unsigned k = 1; k < cli->word_count; k++)
        len += strlen(cli->word[k]) + 1;
    char *line = calloc(1, len);
    for (unsigned k = 1; line && k < cli->word_count; k++)
        strcat(strcat(line, k > 1 ? " " : ""), cli->word[k]);
    bool ok = line && ask(fd, line);
    free(line);
    return ok;
}

/// Commands from stdin until it ends, or the machine does.
static bool session(int fd)
{
    char *line = NULL;
    size_t room = 0;
    bool tty = isatty(0), ok = true;
    while (ok && (!tty || fputs("(bruin) ", stdout) >= 0) && fflush(stdout) == 0 && getline(&line, &room, stdin) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        ok = ask(fd, line);
    }
    free(line);
    return ok;
}

int verb_monitor(struct cli *cli)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (cli->word_count < 1)
        return cli_usage(cli, "bruin monitor SOCKET [COMMAND...]: the machine was started with --monitor SOCKET");
    if (strlen(cli->word[0]) >= sizeof a.sun_path)
        return cli_usage(cli, "%s: the path is too long for a socket", cli->word[0]);
    memcpy(a.sun_path, cli->word[0], strlen(cli->word[0]));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        int status = cli_usage(cli, "%s: %s", cli->word[0], strerror(errno));
        if (fd >= 0)
            close(fd);
        return status;
    }
    bool ok = cli->word_count > 1 ? one_command(cli, fd) : session(fd);
    close(fd);
    if (!ok)
        cli_usage(cli, "%s: the machine is gone", cli->word[0]);
    return ok ? 0 : BRUIN_ERR_USAGE;
}
