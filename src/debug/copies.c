/// Copies of code, by line: pages in a hash table, copies in an arena with a list of free ones. The guest's RAM is told
/// which pages have copies (they are looked at before they run, and at cache maintenance) and which have lines without
/// (which must be told before stores go unseen).
#include "debug/copies.h"

#include <stdlib.h>

enum { PAGES_MAX = 4096, PAGES_MAX_STRICT = 32768, CHUNK = 2048 };

struct copies {
    struct code_page **slot; ///< [slots]
    struct code_page *pages, *last; ///< all; the one asked for last
    unsigned slots, count, count_max;
    struct copy_line **chunk; ///< copies number n: chunk[n / CHUNK][n % CHUNK]; number 0 is not used
    unsigned chunks;
    u32 next, *spare; ///< never used so far; given back
    unsigned spares, spares_max;
};

void copies_free(struct explain *x)
{
    struct copies *s = x->copies;
    if (s == NULL)
        return;
    for (struct code_page *p = s->pages, *next; p; p = next) {
        next = p->next;
        mem_suspect_code(machine_mem(x->m), p->pa, 0);
        free(p->loaded);
        free(p);
    }
    for (unsigned k = 0; k < s->chunks; k++)
        free(s->chunk[k]);
    free(s->chunk);
    free(s->spare);
    free(s->slot);
    free(s);
    x->copies = NULL;
}

unsigned copies_pages(const struct explain *x) { return x->copies ? x->copies->count : 0; }
struct code_page *copies_first(const struct explain *x) { return x->copies ? x->copies->pages : NULL; }

static struct code_page **slot_of(struct copies *s, gpa_t page)
{
    unsigned k = (unsigned)((page >> GUEST_PAGE_SHIFT) * 2654435761u >> 8) % s->slots;
    while (s->slot[k] && s->slot[k]->pa != page)
        k = (k + 1) % s->slots;
    return &s->slot[k];
}

struct code_page *copies_find(struct explain *x, gpa_t pa)
{
    gpa_t page = align_down(pa, GUEST_PAGE);
    struct copies *s = x->copies;
    if (s == NULL)
        return NULL;
    if (s->last && s->last->pa == page)
        return s->last;
    struct code_page *p = *slot_of(s, page);
    if (p)
        s->last = p;
    return p;
}

struct code_page *copies_watch(struct explain *x, gpa_t pa)
{
    gpa_t page = align_down(pa, GUEST_PAGE);
    struct code_page *p = copies_find(x, pa);
    struct copies *s = x->copies;
    if (p)
        return p;
    if (s == NULL) {
        s = x->copies = xcalloc(1, sizeof *s);
        s->count_max = is_strict(x) ? PAGES_MAX_STRICT : PAGES_MAX;
        s->slots = 2 * s->count_max;
        s->slot = xcalloc(s->slots, sizeof(struct code_page *));
        s->next = 1;
    }
    const u8 *host = mem_host(machine_mem(x->m), page, GUEST_PAGE);
    if (host == NULL || s->count == s->count_max)
        return NULL;
    p = xcalloc(1, sizeof *p);
    p->pa = page;
    if (!x->is_linux)
        p->loaded = memcpy(xcalloc(1, GUEST_PAGE), host, GUEST_PAGE);
    p->next = s->pages;
    s->pages = s->last = *slot_of(s, page) = p;
    s->count++;
    mem_suspect_code(machine_mem(x->m), page, MEM_SUSPECT_OPEN);
    return p;
}

static struct copy_line *copy_at(const struct copies *s, u32 number) { return &s->chunk[number / CHUNK][number % CHUNK]; }

static u32 new_copy(struct copies *s)
{
    if (s->spares)
        return s->spare[--s->spares];
    if (s->next == s->chunks * CHUNK || s->chunks == 0) {
        s->chunk = xrealloc(s->chunk, (s->chunks + 1) * sizeof(struct copy_line *));
        s->chunk[s->chunks++] = xcalloc(CHUNK, sizeof(struct copy_line));
    }
    return s->next++;
}

static void tell_mem(struct explain *x, const struct code_page *p)
{
    u8 open = p->lines < COPY_LINES ? MEM_SUSPECT_OPEN : 0;
    mem_suspect_code(machine_mem(x->m), p->pa, open | (p->lines ? MEM_SUSPECT_RUN : 0));
}

static void forget(struct explain *x, struct code_page *p, u64 off)
{
    struct copies *s = x->copies;
    if (s->spares == s->spares_max) {
        s->spares_max += CHUNK;
        s->spare = xrealloc(s->spare, s->spares_max * sizeof *s->spare);
    }
    s->spare[s->spares++] = p->line[off / COPY_LINE];
    p->line[off / COPY_LINE] = 0;
    p->lines--;
    tell_mem(x, p);
}

void copies_keep(struct explain *x, struct code_page *p, u64 off, u64 len)
{
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    for (u64 at = align_down(off, COPY_LINE); host && at < off + len && at < GUEST_PAGE; at += COPY_LINE) {
        u32 *number = &p->line[at / COPY_LINE];
        if (*number)
            continue;
        *number = new_copy(x->copies);
        struct copy_line *l = copy_at(x->copies, *number);
        memcpy(l->icache, host + at, COPY_LINE);
        memcpy(l->clean, host + at, COPY_LINE);
        p->lines++;
        tell_mem(x, p);
    }
}

struct copy_line *copies_line(struct explain *x, const struct code_page *p, u64 off)
{
    u32 number = p->line[off / COPY_LINE];
    return number ? copy_at(x->copies, number) : NULL;
}

void copies_settle(struct explain *x, struct code_page *p, u64 off)
{
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    const struct copy_line *l = copies_line(x, p, off);
    off = align_down(off, COPY_LINE);
    if (l && host && mem_page_has_code(machine_mem(x->m), p->pa) && /* else stores may go unseen */
        memcmp(l->icache, host + off, COPY_LINE) == 0 && memcmp(l->clean, host + off, COPY_LINE) == 0)
        forget(x, p, off);
}

void copies_refresh(struct explain *x, struct code_page *p, u64 off, u64 len, bool icache, bool clean)
{
    const u8 *host = mem_host(machine_mem(x->m), p->pa, GUEST_PAGE);
    for (u64 at = align_down(off, COPY_LINE); host && at < off + len && at < GUEST_PAGE; at += COPY_LINE) {
        struct copy_line *l = copies_line(x, p, at);
        u64 lo = at < off ? off - at : 0, hi = at + COPY_LINE > off + len ? off + len - at : COPY_LINE;
        if (l == NULL)
            continue;
        if (icache)
            memcpy(l->icache + lo, host + at + lo, hi - lo);
        if (clean)
            memcpy(l->clean + lo, host + at + lo, hi - lo);
        copies_settle(x, p, at);
    }
}
