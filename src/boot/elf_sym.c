/// Symbols of an ELF64 file (.symtab, else .dynsym) or of a System.map / kallsyms text. Names point
/// into one private copy of the string table; everything is checked against the bytes at hand.
#include "boot/boot.h"

#include <elf.h>
#include <stdlib.h>

enum { SYMS_MAX = 4 * 1024 * 1024, SYM_REACH = 16 * 1024 * 1024 };

struct symtab {
    struct sym *sym; ///< by address
    u64 count, room;
    u32 *by_name; ///< indices into sym, by name
    char *names;
    u64 names_len, names_room; ///< of symtab_add
};

static void add(struct symtab *t, u64 addr, u64 size, const char *name, char type)
{
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 1024;
        t->sym = xrealloc(t->sym, t->room * sizeof *t->sym);
    }
    t->sym[t->count++] = (struct sym){.addr = addr, .size = size, .name = name, .type = type};
}

/// Among equal addresses the symbol people mean comes last: sized before unsized, text before
/// other, and names without a leading '$', '.' or '_' before others.
static int rank(const struct sym *s)
{
    return (s->size != 0) * 8 + (s->type == 'T') * 4 + (s->name[0] != '_') * 2 + (s->name[0] != '.');
}

static int cmp_addr(const void *a, const void *b)
{
    const struct sym *x = a, *y = b;
    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    int d = rank(x) - rank(y);
    return d ? d : strcmp(y->name, x->name);
}

static int cmp_name(const void *a, const void *b, void *ctx)
{
    const struct symtab *t = ctx;
    u32 i = *(const u32 *)a, j = *(const u32 *)b;
    int d = strcmp(t->sym[i].name, t->sym[j].name);
    return d ? d : (i > j) - (i < j);
}

static void finish(struct symtab *t)
{
    if (t->count)
        qsort(t->sym, t->count, sizeof *t->sym, cmp_addr);
    t->by_name = xcalloc(t->count, sizeof *t->by_name);
    for (u64 i = 0; i < t->count; i++)
        t->by_name[i] = (u32)i;
    if (t->count)
        qsort_r(t->by_name, t->count, sizeof *t->by_name, cmp_name, t);
}

/// Finds the symbol section: .symtab outranks .dynsym. ret  false when there is none
static bool find_section(const u8 *p, u64 len, u64 *symoff, u64 *symlen, u64 *stroff, u64 *strlen_)
{
    u64 shoff = ld64(p + offsetof(Elf64_Ehdr, e_shoff));
    unsigned shentsize = ld16(p + offsetof(Elf64_Ehdr, e_shentsize));
    unsigned shnum = ld16(p + offsetof(Elf64_Ehdr, e_shnum));
    bool found = false;
    if (shentsize < sizeof(Elf64_Shdr) || !range_ok(shoff, (u64)shentsize * shnum, len))
        return false;
    for (unsigned i = 0; i < shnum; i++) {
        const u8 *sh = p + shoff + (u64)i * shentsize;
        u32 type = ld32(sh + offsetof(Elf64_Shdr, sh_type));
        u32 link = ld32(sh + offsetof(Elf64_Shdr, sh_link));
        if ((type != SHT_SYMTAB && (type != SHT_DYNSYM || found)) || link >= shnum)
            continue;
        const u8 *st = p + shoff + (u64)link * shentsize;
        u64 off = ld64(sh + offsetof(Elf64_Shdr, sh_offset)), size = ld64(sh + offsetof(Elf64_Shdr, sh_size));
        u64 names = ld64(st + offsetof(Elf64_Shdr, sh_offset)), names_size = ld64(st + offsetof(Elf64_Shdr, sh_size));
        if (!range_ok(off, size, len) || !range_ok(names, names_size, len))
            continue;
        *symoff = off, *symlen = size, *stroff = names, *strlen_ = names_size;
        found = true;
        if (type == SHT_SYMTAB)
            return true;
    }
    return found;
}

static char elf_sym_class(unsigned info)
{
    switch (ELF64_ST_TYPE(info)) {
    case STT_FUNC: return 'T';
    case STT_OBJECT: return 'D';
    default: return '?';
    }
}

static void load_elf(struct symtab *t, const u8 *p, u64 len)
{
    u64 symoff, symlen, stroff, names_len;
    if (!find_section(p, len, &symoff, &symlen, &stroff, &names_len))
        return;
    t->names = xcalloc(1, names_len + 1); /* the added zero ends the last name, whatever the file says */
    memcpy(t->names, p + stroff, names_len);
    u64 n = symlen / sizeof(Elf64_Sym);
    for (u64 i = 0; i < n && t->count < SYMS_MAX; i++) {
        const u8 *s = p + symoff + i * sizeof(Elf64_Sym);
        u32 name = ld32(s + offsetof(Elf64_Sym, st_name));
        u8 info = s[offsetof(Elf64_Sym, st_info)];
        u16 shndx = ld16(s + offsetof(Elf64_Sym, st_shndx));
        unsigned type = ELF64_ST_TYPE(info);
        if (name >= names_len || shndx == SHN_UNDEF || type > STT_FUNC)
            continue;
        const char *str = t->names + name;
        if (str[0] == 0 || str[0] == '$') /* mapping symbols of the ABI: $x, $d */
            continue;
        if (shndx == SHN_ABS && type == STT_NOTYPE && ld64(s + offsetof(Elf64_Sym, st_value)) < 4096)
            continue; /* constants, not addresses */
        add(t, ld64(s + offsetof(Elf64_Sym, st_value)), ld64(s + offsetof(Elf64_Sym, st_size)), str,
            elf_sym_class(info));
    }
}

/// "ffff800080000000 T _text", one a line. ret  false at the first line that is not like that
static bool load_map(struct symtab *t, const char *name, const u8 *p, u64 len, struct err *e)
{
    u64 line_no = 0;
    t->names = xcalloc(1, len + 1);
    memcpy(t->names, p, len);
    for (char *line = t->names, *end = t->names + len; line < end;) {
        char *nl = memchr(line, '\n', (size_t)(end - line)), *rest;
        char *next = nl ? nl + 1 : end;
        if (nl)
            *nl = 0;
        line_no++;
        u64 addr = strtoull(line, &rest, 16);
        if (line[0] && line[0] != '#') {
            if (rest == line || rest[0] != ' ' || rest[1] == 0 || rest[2] != ' ' || rest[3] <= ' ')
                return err_set(e, ERR_FORMAT,
                               "%s:%llu: wanted \"ADDRESS TYPE NAME\" as in System.map", name,
                               (unsigned long long)line_no);
            char type = rest[1] == 't' || rest[1] == 'T' || rest[1] == 'W' || rest[1] == 'w' ? 'T' : 'D';
            rest[3 + strcspn(rest + 3, " \t\r")] = 0;
            if (rest[3] != '$' && t->count < SYMS_MAX)
                add(t, addr, 0, rest + 3, type);
        }
        line = next;
    }
    return true;
}

struct symtab *symtab_load(const void *data, u64 len, const char *name, struct err *e)
{
    const u8 *p = data;
    struct symtab *t = xcalloc(1, sizeof *t);
    bool ok = true;
    if (len >= sizeof(Elf64_Ehdr) && memcmp(p, ELFMAG, SELFMAG) == 0) {
        if (p[EI_CLASS] != ELFCLASS64 || p[EI_DATA] != ELFDATA2LSB)
            ok = err_set(e, ERR_FORMAT, "%s: symbols are read from little-endian ELF64 files", name);
        else
            load_elf(t, p, len);
    } else if (len && boot_detect(p, len, NULL) == BOOT_TEXT) {
        ok = load_map(t, name, p, len, e);
    } else {
        ok = err_set(e, ERR_FORMAT, "%s: neither an ELF file nor a System.map", name);
    }
    if (!ok) {
        symtab_free(t);
        return NULL;
    }
    finish(t);
    return t;
}

struct symtab *symtab_new(u64 names_room)
{
    struct symtab *t = xcalloc(1, sizeof *t);
    t->names = xcalloc(1, names_room + 1);
    t->names_room = names_room;
    return t;
}

void symtab_add(struct symtab *t, u64 addr, u64 size, const char *name, char type)
{
    size_t n = strlen(name) + 1;
    if (n > t->names_room - t->names_len || t->count == SYMS_MAX)
        return;
    char *copy = memcpy(t->names + t->names_len, name, n);
    t->names_len += n;
    add(t, addr, size, copy, type);
}

void symtab_finish(struct symtab *t) { finish(t); }

void symtab_free(struct symtab *t)
{
    if (t == NULL)
        return;
    free(t->sym);
    free(t->by_name);
    free(t->names);
    free(t);
}

u64 symtab_count(const struct symtab *t) { return t ? t->count : 0; }
const struct sym *symtab_at(const struct symtab *t, u64 index)
{
    return index < symtab_count(t) ? &t->sym[index] : NULL;
}

const struct sym *symtab_by_addr(const struct symtab *t, u64 addr, u64 *off)
{
    u64 lo = 0, hi = symtab_count(t);
    while (lo < hi) {
        u64 mid = lo + (hi - lo) / 2;
        if (t->sym[mid].addr <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0)
        return NULL;
    /* Step over a nested or neighbouring symbol that ended before addr, for a few entries. */
    for (u64 i = lo, tries = 0; i > 0 && tries < 8; i--, tries++) {
        const struct sym *s = &t->sym[i - 1];
        if (s->size ? addr - s->addr < s->size : tries == 0 && addr - s->addr < SYM_REACH) {
            *off = addr - s->addr;
            return s;
        }
    }
    return NULL;
}

const struct sym *symtab_by_name(const struct symtab *t, const char *name)
{
    u64 lo = 0, hi = symtab_count(t);
    while (lo < hi) {
        u64 mid = lo + (hi - lo) / 2;
        int d = strcmp(t->sym[t->by_name[mid]].name, name);
        if (d == 0)
            return &t->sym[t->by_name[mid]];
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
