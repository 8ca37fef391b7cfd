/// bruin monitor SOCKET [COMMAND]: one command, or an interactive session.
#include "cli.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/// Sends a line and copies the answer, which ends with a NUL byte. ret  false when the machine is gone
static bool ask(int fd, const char *line)
{
    char buf[4096];
    size_t len = strlen(line);
    if (write(fd, line, len) != (ssize_t)len || write(fd, "\n", 1) != 1)
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

int verb_monitor(struct cli *cli)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char line[1024] = "";
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
    bool ok = true;
    if (cli->word_count > 1) {
        for (unsigned k = 1; k < cli->word_count; k++)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", k > 1 ? " " : "", cli->word[k]);
        ok = ask(fd, line);
    } else {
        bool tty = isatty(0);
        while (ok && (!tty || fputs("(bruin) ", stdout) >= 0) && fflush(stdout) == 0 && fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = '\0';
            ok = ask(fd, line);
        }
    }
    close(fd);
    return ok ? 0 : 1;
}
