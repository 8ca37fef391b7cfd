/// Pages made by tools/embed_pages.py; the last has a NULL id.
#ifndef BRUIN_PAGES_H
#define BRUIN_PAGES_H

struct page {
    const char *id, *title, *text;
};
extern const struct page diagnosis_pages[];

#endif
