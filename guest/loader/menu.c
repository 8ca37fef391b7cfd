/// The menu: on whatever the firmware's console is, screen and serial alike.
#include "loader.h"

enum { TICK_MS = 50, SCAN_UP = 1, SCAN_DOWN = 2, SCAN_ESC = 23 };

static bool is_bootable(const struct conf *c, u32 i)
{
    const char *arch = conf_get(c, (int)i, "if_arch", 0);
    if (c->entry[i].is_dir)
        return false;
    return !arch || (br_strlen(arch) == br_strlen(LOADER_ARCH_NAME) &&
                     br_caseeq(arch, LOADER_ARCH_NAME, br_strlen(arch))) ||
           (LOADER_ARCH == BR_ARCH_X86_64 && br_streq(arch, "x86_64"));
}

/// The n-th bootable entry, from 0. ret  -1 if there is none
static int nth(const struct conf *c, u32 n)
{
    for (u32 i = 0; i < c->entries; i++)
        if (is_bootable(c, i) && n-- == 0)
            return (int)i;
    return -1;
}

static void show(const struct conf *c, u32 chosen)
{
    say("choose with 1-9 or the arrow keys, Enter boots, Esc leaves:");
    for (u32 n = 0; nth(c, n) >= 0; n++) {
        const char *comment = conf_get(c, nth(c, n), "comment", 0);
        say("%s %u  %s%s%s", n == chosen ? ">" : " ", n + 1, c->entry[nth(c, n)].title,
            comment ? " - " : "", comment ? comment : "");
    }
}

static bool read_key(struct efi_input_key *k)
{
    return ld.st->con_in && !ld.st->con_in->read_key(ld.st->con_in, k);
}

/// Waits for a key, or for the time to pass. in  ms  0 = no limit
static bool wait_key(struct efi_input_key *k, u64 ms)
{
    for (u64 t = 0; !ms || t < ms; t += TICK_MS) {
        if (read_key(k))
            return true;
        ld.bs->stall(TICK_MS * 1000);
    }
    return false;
}

/// One key's effect. ret  true when the choice is made: *result is an entry or -1
static bool apply_key(const struct conf *c, struct efi_input_key k, u32 count, u32 *chosen,
                      int *result)
{
    if (k.unicode >= '1' && k.unicode <= '9' && k.unicode < '1' + count) {
        *result = nth(c, k.unicode - '1');
        return true;
    }
    if (k.unicode == '\r' || k.unicode == '\n') {
        *result = nth(c, *chosen);
        return true;
    }
    if (k.scan == SCAN_ESC || k.unicode == 27) {
        *result = -1;
        return true;
    }
    if (k.scan == SCAN_UP)
        *chosen = (*chosen + count - 1) % count;
    if (k.scan == SCAN_DOWN)
        *chosen = (*chosen + 1) % count;
    return false;
}

/// in   first  the key that stopped the countdown; NULL = none yet
static int interact(const struct conf *c, u32 count, u32 chosen, const struct efi_input_key *first)
{
    int result = -1;
    if (first && apply_key(c, *first, count, &chosen, &result))
        return result;
    for (;;) {
        struct efi_input_key k;
        show(c, chosen);
        wait_key(&k, 0);
        if (apply_key(c, k, count, &chosen, &result))
            return result;
    }
}

int menu_choose(const struct conf *c, bool must_ask)
{
    u32 count = 0;
    u64 number = 1, seconds = 5;
    const char *v = conf_get(c, -1, "timeout", 0);
    bool never = v && br_streq(v, "no");
    while (nth(c, count) >= 0)
        count++;
    if (!count) {
        complain("the configuration has no entry for %s", LOADER_ARCH_NAME);
        return -1;
    }
    if (v && !never && !br_number(v, br_strlen(v), &seconds))
        say("timeout: \"%s\" is neither seconds nor no; using 5", v);
    if (!v && count == 1)
        seconds = 0;
    v = conf_get(c, -1, "default_entry", 0);
    if (v && (!br_number(v, br_strlen(v), &number) || !number || number > count)) {
        say("default_entry: \"%s\"; wanted 1 to %u", v, count);
        number = 1;
    }
    u32 chosen = (u32)number - 1;
    if (never || must_ask)
        return interact(c, count, chosen, NULL);
    if (!seconds)
        return nth(c, chosen);
    show(c, chosen);
    say("booting entry %u in %u s", chosen + 1, (u32)seconds);
    struct efi_input_key k;
    return wait_key(&k, seconds * 1000) ? interact(c, count, chosen, &k) : nth(c, chosen);
}
