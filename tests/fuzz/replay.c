/// Runs a fuzz target without a fuzzer: every file of the directories as it is, then changed in seeded
/// ways. Used by `make check`; usage: TARGET ROUNDS DIRECTORY...
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FILE_MAX = 1 << 16, SLOW_S = 10 /* CPU time for changes of one file */ };

static size_t mutate(u64 *rng, u8 *data, size_t len)
{
    u64 changes = 1 + rng_next(rng) % 8;
    for (u64 k = 0; k < changes && len; k++) {
        u64 r = rng_next(rng), at = (r >> 16) % len;
        switch (r % 5) {
        case 0: data[at] ^= (u8)(1u << (r >> 8 & 7)); break;
        case 1: data[at] = (u8)(r >> 8); break;
        case 2: data[at] = r >> 8 & 1 ? 0xff : 0; break;
        case 3: len = at + 1; break;
        default:
            if (len + 8 <= FILE_MAX) {
                u64 v = rng_next(rng);
                memmove(data + at + 8, data + at, len - at);
                memcpy(data + at, &v, 8);
                len += 8;
            }
        }
    }
    return len;
}

/// One run on a copy of exactly this size, so that the sanitizers see a byte too far.
static void run(const u8 *data, size_t len)
{
    u8 *exact = malloc(len ? len : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static unsigned long replay_directory(const char *name, unsigned long rounds)
{
    static u8 file[FILE_MAX], data[FILE_MAX];
    char path[512];
    unsigned long files = 0;
    u64 rng = 0x5eed;
    DIR *dir = opendir(name);
    if (dir == NULL)
        return 0;
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", name, d->d_name);
        FILE *f = fopen(path, "rb");
        if (f == NULL)
            continue;
        size_t len = fread(file, 1, sizeof file, f);
        fclose(f);
        files++;
        clock_t started = clock();
        run(file, len);
        for (unsigned long k = 0; k < rounds && clock() - started < SLOW_S * CLOCKS_PER_SEC; k++) {
            memcpy(data, file, len);
            run(data, mutate(&rng, data, len));
        }
    }
    closedir(dir);
    return files;
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 0, files = 0;
    for (int k = 2; k < argc; k++)
        files += replay_directory(argv[k], rounds);
    printf("%lu files, %lu changes of each\n", files, rounds);
    return files == 0;
}
