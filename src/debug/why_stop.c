/// F13 of a program that stopped itself in a function named for it, with a message. What it says
/// is the cause; the loop it waits in for ever is not.
#include "debug/priv.h"

#include <ctype.h>
#include <stdio.h>

static bool has_word(const char *text, const char *const *words, size_t n)
{
    for (const char *p = text; *p; p++)
        for (size_t i = 0; i < n; i++)
            if (strncasecmp(p, words[i], strlen(words[i])) == 0 &&
                (p == text || !isalpha((unsigned char)p[-1])))
                return true;
    return false;
}

/// A function in which programs end when all is lost.
static bool is_end(struct explain *x, u64 pc, char *name, size_t size)
{
    static const char *const ends[] = {"panic",  "kpanic", "kernel_panic", "do_panic", "abort",
                                       "assert", "fatal",  "die",          "bugcheck"};
    name_addr(x, pc, name, size);
    name[strcspn(name, "+")] = 0;
    return *name && has_word(name, ends, ARRAY_LEN(ends));
}

/// The last line of the console that says something of the kind.
static void last_words(struct explain *x, char *buf, size_t size)
{
    static const char *const words[] = {"panic", "panicked", "assert",  "assertion", "fatal",
                                        "bug:",  "abort",    "aborted", "unhandled", "halted"};
    const char *end = x->console + x->console_len;
    buf[0] = 0;
    for (unsigned lines = 0; lines < 12 && end > x->console; lines++) {
        while (end > x->console && (u8)end[-1] <= ' ')
            end--;
        const char *from = end;
        while (from > x->console && from[-1] != '\n' && from[-1] != '\r' &&
               (size_t)(end - from) + 1 < size)
            from--;
        char line[160];
        size_t n = 0;
        for (; from + n < end && n + 1 < sizeof line; n++)
            line[n] = (u8)from[n] >= ' ' && (u8)from[n] < 127 ? from[n] : '?';
        line[n] = 0;
        if (has_word(line, words, ARRAY_LEN(words))) {
            snprintf(buf, size, "%s", line);
            return;
        }
        end = from;
    }
}

bool why_stopped(struct explain *x, struct why *out)
{
    struct cpu *c = machine_cpu(x->m, x->verdict_cpu);
    char name[96], words[160], from[96] = "";
    u64 lr = c->x[30], rec[2];
    bool here = is_end(x, c->pc, name, sizeof name) || is_end(x, lr, name, sizeof name);
    last_words(x, words, sizeof words);
    if (x->is_linux || !(c->daif & DAIF_I) || x->loop.exclusive || x->polls_uart || (!here && !*words))
        return false;
    static const char *const sure[] = {"panic", "panicked", "assertion"};
    if (!here && x->verdict == V_DEADLOCK &&
        !has_word(words, sure, ARRAY_LEN(sure))) /* asleep, for another reason than what it says */
        return false;
    if (here && image_read(x, c, c->x[29], rec, sizeof rec) &&
        *name_addr(x, rec[1] - 4, from, sizeof from)) /* the call may be the last word of its function */
        name_full(x, rec[1] - 4, from, sizeof from);
    else
        from[0] = 0;
    snprintf(out->id, sizeof out->id, "F13");
    snprintf(out->title, sizeof out->title, "the program stopped itself");
    snprintf(out->cause, sizeof out->cause,
             "The program stopped itself%s%s%s%s: it waits for ever with interrupts masked.",
             here ? " in " : "", here ? name : "", *from ? ", called from " : "", from);
    if (*words)
        snprintf(out->cause + strlen(out->cause), sizeof out->cause - strlen(out->cause),
                 " The last line it printed: \"%s\".", words);
    snprintf(out->fix, sizeof out->fix,
             "Act on the message; the callers above lead to the check that failed. A test ends "
             "with an exit code by semihosting (SYS_EXIT) or PSCI "
             "SYSTEM_OFF.");
    return true;
}
