/// Monitor commands, one a line. Only `c` lets the machine run on, and that is the caller's to do.
#include "target.h"

#include <time.h>

enum { LINE_LEN_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct debugger *d = debugger_new(target_machine(), NULL);
    char line[LINE_LEN_MAX + 1];
    clock_t until = clock() + CLOCKS_PER_SEC; /* many lines of many steps are slow, not wrong */
    for (size_t at = 0; at < size && clock() < until;) {
        const u8 *end = memchr(data + at, '\n', size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at;
        size_t kept = len < LINE_LEN_MAX ? len : LINE_LEN_MAX;
        struct text out = {0};
        memcpy(line, data + at, kept);
        line[kept] = 0;
        monitor_exec(d, line, &out);
        text_free(&out);
        at += len + 1;
    }
    debugger_free(d);
    return 0;
}
