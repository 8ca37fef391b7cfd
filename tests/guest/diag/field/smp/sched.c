struct thread *current;
bool preempt_on;
static struct thread boot_thread, *queue;
#if M_THREAD_STACK
#define TSTACK 1024
#else
#define TSTACK 8192
#endif
u64 irq_save(void)
{
    u64 f = rd(daif);
    __asm__ volatile("msr daifset, #2" ::: "memory");
    return f;
}
void irq_restore(u64 f) { wr(daif, f); }
void lock(struct lock *l)
{
    u32 v, s;
#if M_NO_LOCK_YET
    l->v = 1;
    return;
#endif
    __asm__ volatile("1: ldaxr %w0, [%2]\n cbnz %w0, 1b\n stxr %w1, %w3, [%2]\n cbnz %w1, 1b"
                     : "=&r"(v), "=&r"(s) : "r"(&l->v), "r"(1) : "memory");
}
void unlock(struct lock *l) { __asm__ volatile("stlr wzr, [%0]" ::"r"(&l->v) : "memory"); }
void switch_to(struct thread *from, struct thread *to);
void thread_start(void);
void thread_main(void)
{
    irq_restore(IS(THREAD_MASKED) ? 0x80 : 0);
    current->fn(current->arg);
    thread_exit();
}
struct thread *thread_new(void (*fn)(void *), void *arg)
{
    static int id;
    struct thread *t = kmalloc(sizeof *t);
    memset(t, 0, sizeof *t);
    t->id = ++id;
    t->fn = IS(FN_NULL) && id == 2 ? NULL : fn;
    t->arg = arg;
    t->stack = kmalloc(TSTACK);
    u64 *sp = (u64 *)(t->stack + TSTACK - 112);
    memset(sp, 0, 112);
    sp[11] = (u64)thread_start;
    sp[12] = 0x80;
    t->sp = (u64)sp;
    t->state = 1;
    u64 f = irq_save();
    t->next = queue;
    queue = t;
    irq_restore(f);
    return t;
}
static struct thread *pick(void)
{
    /* round robin */
    struct thread *t = current == &boot_thread || !current->next ? queue : current->next;
    for (int n = 0; n < 64; n++) {
        if (!t)
            t = queue;
        if (t && t->state == 1)
            return t;
        t = t ? t->next : NULL;
    }
    return &boot_thread;
}
void schedule(void)
{
    u64 f = irq_save();
    struct thread *from = current, *to = pick();
    if (from != to) {
        current = to;
        if (to->ttbr0 && !IS(NO_TTBR)) {
            wr(ttbr0_el1, to->ttbr0 | (IS(ASID_SAME) ? 1 : to->asid) << 48);
            if (!IS(NO_ISB_SWITCH))
                isb();
        }
        switch_to(from, to);
    }
    irq_restore(f);
}
void thread_exit(void)
{
    irq_save();
    current->state = 0;
#if M_FREE_STACK
    memset(current->stack, 0xdb, TSTACK);
#endif
    schedule();
    panic("a dead thread runs");
}
void sched_init(void)
{
    boot_thread.id = 0;
    boot_thread.state = 2;
    current = &boot_thread;
    queue = NULL;
}
void sched_run(void)
{
    preempt_on = true;
    schedule();
    for (;;) {
        bool any = false;
        u64 f = irq_save();
        for (struct thread *t = queue; t; t = t->next)
            any |= t->state == 1;
        irq_restore(f);
        if (!any)
            break;
        schedule();
    }
    preempt_on = false;
    queue = NULL;
}
