/// Symbols of an ELF or a System.map of the user's.
#include "boot/boot.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    struct symtab *t = symtab_load(data, size, "input", &e);
    if (t == NULL)
        return 0;
    u64 n = symtab_count(t), off, sum = 0;
    for (u64 k = 0; k < n && k < 64; k++) {
        const struct sym *s = symtab_at(t, k);
        sum += strlen(s->name);
        symtab_by_addr(t, s->addr + sum % 8, &off);
        symtab_by_name(t, s->name);
    }
    symtab_free(t);
    return 0;
}
