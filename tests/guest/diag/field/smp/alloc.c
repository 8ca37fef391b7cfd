static u64 next, limit;
static void *freelist;
static struct lock alock;
extern char _end[];
void alloc_init(void)
{
    next = 0x41000000 + KOFF;
    limit = board.mem_base + board.mem_size + KOFF;
    if (limit > 0x44000000 + KOFF && !IS(ALLOC_HIGH))
        limit = 0x44000000 + KOFF;
#if M_HEAP_TOP
    next = 0x5ffff000 + KOFF, limit = 0x80000000 + KOFF;  /* 1 GiB, as on the developer's board */
#endif
#if M_ALLOC_OVER_KERNEL
    next = 0x40200000 + KOFF;
#endif
#if M_ALLOC_NULL
    limit = next + 3 * PAGE;
#endif
}
void *page_alloc(void)
{
    u64 f = irq_save();
    lock(&alock);
    void *p = freelist;
    if (p) {
        freelist = *(void **)p;
    } else if (next < limit) {
        p = (void *)next;
        next += PAGE;
    }
    unlock(&alock);
    irq_restore(f);
    if (!p) {
        if (IS(ALLOC_NULL))
            return NULL;
        panic("out of memory");
    }
    memset(p, 0, IS(ALLOC_NULL) ? 64 : PAGE);
    return p;
}
void page_free(void *p)
{
    u64 f = irq_save();
    lock(&alock);
    *(void **)p = freelist;
    freelist = p;
    unlock(&alock);
    irq_restore(f);
}
void *kmalloc(size_t n)
{
    /* never freed: a region of its own above the pages */
    static u64 cur;
    if (!cur)
        cur = 0x44000000 + KOFF;
    n = (n + 15) & ~(size_t)15;
    if (IS(KMALLOC_ALIGN))
        n |= 4;
    u64 f = irq_save();
    void *p = (void *)cur;
    cur += n;
    irq_restore(f);
    return p;
}
