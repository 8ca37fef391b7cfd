/// Symbol tables of ELF files and System.map texts.
#include "boot/boot.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct err e = {0};
    struct symtab *t = symtab_load(data, len, "f", &e);
    u64 off;
    if (t == NULL) {
        FUZZ_CHECK(e.code == ERR_FORMAT && e.msg[0]);
        return 0;
    }
    for (u64 i = 0; i < symtab_count(t); i++) {
        const struct sym *s = symtab_at(t, i);
        const struct sym *by_name = symtab_by_name(t, s->name);
        FUZZ_CHECK(by_name && strcmp(by_name->name, s->name) == 0);
        const struct sym *by_addr = symtab_by_addr(t, s->addr, &off);
        FUZZ_CHECK(by_addr == NULL || by_addr->addr + off == s->addr);
        FUZZ_CHECK(i == 0 || symtab_at(t, i - 1)->addr <= s->addr);
    }
    symtab_free(t);
    return 0;
}
