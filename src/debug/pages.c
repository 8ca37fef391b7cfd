/// The catalogue of diagnoses, embedded from docs/diagnosis/[FLU]*.md when the program is built.
#include "debug/priv.h"
#include "debug/pages.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

const char *explain_page(const char *id)
{
    char *end;
    const char *digits = id;
    int letter = isalpha((unsigned char)*id) ? toupper((unsigned char)*digits++) : 'F';
    long n = strtol(digits, &end, 10);
    if (end == digits || *end)
        return NULL;
    for (const struct page *p = diagnosis_pages; p->id; p++)
        if (p->id[0] == letter && strtol(p->id + 1, NULL, 10) == n)
            return p->text;
    return NULL;
}

bool explain_entry(unsigned i, const char **id, const char **title)
{
    unsigned n = 0;
    for (const struct page *p = diagnosis_pages; p->id; p++)
        if (n++ == i) {
            *id = p->id;
            *title = p->title;
            return true;
        }
    return false;
}
