/// Names for addresses, from the ELF symbol table that the loader passed.
#include "kernel.h"

enum { SYM_SIZE = 24, STT_NOTYPE = 0, STT_OBJECT = 1, STT_FUNC = 2 };
static const u8 *symtab, *strtab;
static u64 symtab_len, strtab_len;

/// Copies the table: the original lies in memory that is reclaimed.
void symbols_start(void)
{
    u32 len;
    const struct bbp_symbols *s = bbp_find(k.info, BBP_TAG_SYMBOLS, &len);
    if (!s || !s->strtab_len || s->symtab_len + s->strtab_len > 4u << 20)
        return;
    u64 pages = (s->symtab_len + s->strtab_len + PAGE - 1) / PAGE;
    u64 phys = pmm_alloc(pages);
    if (!phys)
        return;
    u8 *copy = phys_ptr(phys);
    memcpy(copy, phys_ptr(s->symtab_phys), s->symtab_len);
    memcpy(copy + s->symtab_len, phys_ptr(s->strtab_phys), s->strtab_len);
    symtab = copy;
    strtab = copy + s->symtab_len;
    symtab_len = s->symtab_len;
    strtab_len = s->strtab_len;
}

const char *symbol_of(u64 addr, u64 *offset)
{
    u64 best = 0, link = addr - (k.info ? k.info->kaslr_slide : 0);
    const char *name = NULL;
    for (u64 i = 0; i + SYM_SIZE <= symtab_len; i += SYM_SIZE) {
        const u8 *s = symtab + i;
        u64 value = br_ld64(s + 8), size = br_ld64(s + 16);
        u32 str = br_ld32(s);
        u8 type = s[4] & 15;
        if (type > STT_FUNC || !br_ld16(s + 6) || value > link || value < best ||
            str >= strtab_len || !strtab[str] || strtab[str] == '$')
            continue;
        if (size ? link - value >= size : link - value > 4096)
            continue;
        best = value;
        name = (const char *)strtab + str;
    }
    if (name && offset)
        *offset = link - best;
    return name;
}

void print_address(u64 addr)
{
    u64 off = 0;
    const char *name = symbol_of(addr, &off);
    if (name)
        print("0x%016llx %s+0x%llx", (unsigned long long)addr, name, (unsigned long long)off);
    else
        print("0x%016llx", (unsigned long long)addr);
}
