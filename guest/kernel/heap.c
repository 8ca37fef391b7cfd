/// A first-fit heap of blocks with headers; neighbours merge when freed. Headers carry a signature,
/// so that an overrun is noticed at the next free.
#include "kernel.h"

#define HEAP_SIGNATURE 0xCAFEB10Cu
enum { ALIGN = 16, GROW_PAGES = 16 };

struct block {
    u32 signature;
    u32 is_free;
    u64 size; ///< of the body
    struct block *next;
    u64 pad;
};

static struct block *first;
static u64 used;

static bool grow(u64 size)
{
    u64 pages = (size + sizeof(struct block) + PAGE - 1) / PAGE;
    pages = pages < GROW_PAGES ? GROW_PAGES : pages;
    u64 phys = pmm_alloc(pages);
    if (!phys)
        return false;
    struct block *b = phys_ptr(phys);
    *b = (struct block){HEAP_SIGNATURE, 1, pages * PAGE - sizeof *b, first, 0};
    first = b;
    return true;
}

static void split(struct block *b, u64 size)
{
    if (b->size < size + sizeof *b + ALIGN)
        return;
    struct block *rest = (void *)((u8 *)(b + 1) + size);
    *rest = (struct block){HEAP_SIGNATURE, 1, b->size - size - sizeof *rest, b->next, 0};
    b->size = size;
    b->next = rest;
}

void *heap_alloc(u64 size)
{
    size = br_up(size ? size : 1, ALIGN);
    for (int tries = 0; tries < 2; tries++) {
        for (struct block *b = first; b; b = b->next) {
            ASSERT(b->signature == HEAP_SIGNATURE);
            if (!b->is_free || b->size < size)
                continue;
            split(b, size);
            b->is_free = 0;
            used += b->size;
            return b + 1;
        }
        if (size > 1u << 30 || !grow(size))
            return NULL;
    }
    return NULL;
}

void heap_free(void *p)
{
    if (!p)
        return;
    struct block *b = (struct block *)p - 1;
    ASSERT(b->signature == HEAP_SIGNATURE && !b->is_free);
    b->is_free = 1;
    used -= b->size;
    for (b = first; b; b = b->next)
        while (b->is_free && b->next && b->next->is_free &&
               (u8 *)(b + 1) + b->size == (u8 *)b->next) {
            b->size += sizeof *b + b->next->size;
            b->next = b->next->next;
        }
}

u64 heap_used(void) { return used; }
