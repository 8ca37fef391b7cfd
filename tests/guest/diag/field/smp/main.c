extern char vectors[];
static volatile int sum[4];
struct packed { u8 a; u64 b; u32 c; } __attribute__((packed));
#if M_NESTED_BUF
static int __attribute__((noinline)) deep(int n)
{
    volatile char b[512];
    for (int i = 0; i < 512; i++)
        b[i] = (char)n;
    return n ? deep(n - 1) + b[n] : b[0];
}
#endif
struct ops { void (*init)(void); int (*probe)(int); const char *name; };
static int probe_a(int x) { return x + 1; }
static int probe_b(int x) { return x + 2; }
const struct ops drivers[] = {{NULL, probe_a, "alpha"}, {NULL, probe_b, "beta"}};
static void worker(void *arg)
{
    int id = (int)(u64)arg;
    u64 acc[6] = {1, 2, 3, 4, 5, 6};
    long x = fp_work(id + 5), y = x;
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 6; k++)
            acc[k] = acc[k] * 3 + (u64)id;
        for (volatile int d = 0; d < 2000; d++)
            ;
        if (i % 4 == 0)
            schedule();
        if (y != fp_work(id + 5))
            panic("thread %d: floating point went wrong", id);
    }
    u64 want = 1;
    for (int i = 0; i < 40; i++)
        want = want * 3 + (u64)id;
    if (acc[0] != want)
        panic("thread %d: %lu instead of %lu", id, acc[0], want);
    sum[id] = id;
#if M_NESTED_BUF
    deep(40);
#endif
}
void trap(struct frame *f, int kind)
{
    u64 esr = rd(esr_el1), far = rd(far_el1);
    if ((kind & 3) == 1) {
        irq_handle(f);
        if (preempt_on)
            schedule();
        return;
    }
    if (kind == 8 && esr >> 26 == 0x15) {
        if (!IS(SVC_MASKED))
            __asm__ volatile("msr daifclr, #2");
        syscall(f);
        __asm__ volatile("msr daifset, #2");
        return;
    }
    if (kind == 8) {
        if (user_fault(f, esr, far))
            return;
        thread_exit();
    }
    panic("exception %d: esr %lx elr %lx far %lx sp %p", kind, esr, f->elr, far, (void *)f);
}
static void bss_clear(void)
{
#if M_BSS_IN_C
    extern char __bss_start[], __bss_end[];
    for (char *p = __bss_start; p < __bss_end; p++)
        *p = 0;
#endif
}
void kmain(u64 dtb)
{
    bss_clear();
    wr(vbar_el1, IS(VBAR_PA) ? va_to_pa(vectors) : IS(VBAR_ZERO) ? 0 : (u64)vectors);
    isb();
#if !M_CPACR
    wr(cpacr_el1, (IS(FPEN_EL0) ? 1 : 3) << 20);
#if !M_CPACR_ISB
    isb();
#endif
#endif
#if M_CPACR_ISB
    __asm__ volatile("fmov d0, xzr");
#endif
#if HIGH && !M_KEEP_LOW
    wr(ttbr0_el1, va_to_pa(pt_new()));
    isb();
    __asm__ volatile("tlbi vmalle1\n dsb ish\n isb");
#endif
    uart_init();
    printf("minik: el%d, %d KiB pages, %s half\n", (int)(rd(CurrentEL) >> 2), GRAN, HIGH ? "high" : "low");
#if M_SEMIHOST
    __asm__ volatile("mov w0, #0x18\n mov x1, #0\n hlt #0xf000" ::: "x0", "x1");
#endif
    dtb_parse(IS(STALE_DTB) ? (void *)dtb : pa_to_va(dtb));
    alloc_init();
    map_ram();
    vmap_test();
    for (unsigned i = 0; i < 2; i++) {
        const struct ops *o = &drivers[i];
        if (IS(NULL_OPS) || o->init)
            o->init();
        if (o->probe(1) != (int)i + 2)
            panic("driver %s", o->name);
    }
    u8 *raw = kmalloc(64);
    struct packed *pk = (struct packed *)(raw + 1);
    pk->b = 0x1122334455667788;
    pk->c = 7;
    if (IS(UNALIGNED_EXCL))
        __atomic_fetch_add((u32 *)(raw + 2), 1, __ATOMIC_RELAXED);
    long d = fp_work(20);
    printf("minik: sum %d\n", (int)d + (int)(pk->b & 0));
    gic_init();
    timer_init();
    if (!IS(IRQ_MASKED))
        __asm__ volatile("msr daifclr, #2");
    while (ticks[0] < 3)
        __asm__ volatile("wfi");
    printf("minik: the timer ticks\n");
    smp_init();
    sched_init();
    for (int i = 1; i < 4; i++)
        thread_new(worker, (void *)(u64)i);
    sched_run();
    if (sum[1] + sum[2] + sum[3] != 6)
        panic("threads: %d %d %d", sum[1], sum[2], sum[3]);
    printf("minik: threads done\n");
    user_init();
    printf("minik: all done\n");
#if M_RETURN_MAIN || M_FALL_OFF
    return;
#endif
    __asm__ volatile("msr daifset, #2");
    psci(IS(PSCI_FN) ? 0x8400000a : 0x84000008, 0, 0, 0);
    panic("SYSTEM_OFF returned");
}
