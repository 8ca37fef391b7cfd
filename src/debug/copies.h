/// Copies of what caches may hold of pages that hold written code, line by line, for lint_code.c. A line without
/// copies is as RAM is: caches and memory agree, and the next store to it will be told. Taken from the lock of the
/// explainer.
#ifndef BRUIN_DEBUG_COPIES_H
#define BRUIN_DEBUG_COPIES_H

#include "debug/priv.h"

enum { COPY_LINE = 64, COPY_LINES = GUEST_PAGE / COPY_LINE };

struct copy_line {
    u8 icache[COPY_LINE]; ///< what the instruction cache may hold: as of the last IC
    u8 clean[COPY_LINE];  ///< what memory holds: as of the last DC clean
};

struct code_page {
    gpa_t pa;
    u64 writer_pc;         ///< of the last store seen, or 0
    u32 writer;            ///< CPU that made it
    bool uncached;         ///< was written with the MMU off: what the caches hold is not known
    u8 *loaded;            ///< [GUEST_PAGE] before the first store; NULL: of Linux it does not matter
    u32 line[COPY_LINES];  ///< number of its copies; 0: none
    unsigned lines;        ///< that have some
    struct code_page *next; ///< of all
};

void copies_free(struct explain *x);
/// Pages that are or were watched.
unsigned copies_pages(const struct explain *x);
struct code_page *copies_first(const struct explain *x);
/// The record of a page; NULL: it is not watched.
struct code_page *copies_find(struct explain *x, gpa_t pa);
/// Watches a page from now on. ret  NULL: it is no RAM, or there are too many
struct code_page *copies_watch(struct explain *x, gpa_t pa);
/// Before [off, off+len) of the page changes: keeps what its lines hold now, where nothing is kept yet.
void copies_keep(struct explain *x, struct code_page *p, u64 off, u64 len);
/// The copies of the line at an offset of the page; NULL: it is as RAM is.
struct copy_line *copies_line(struct explain *x, const struct code_page *p, u64 off);
/// Maintenance of [off, off+len): the instruction cache, memory or both become what RAM is. Lines are settled.
void copies_refresh(struct explain *x, struct code_page *p, u64 off, u64 len, bool icache, bool clean);
/// Forgets the copies of a line that say what RAM says, if stores to it are told. (Of a store that another CPU makes at
/// this moment the line may be forgotten: it is a race of the guest's own.)
void copies_settle(struct explain *x, struct code_page *p, u64 off);

#endif
