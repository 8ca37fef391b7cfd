extern char secondary_start[], vectors[];
struct lock work_lock, lock_b;
static volatile u64 online[MAXCPU], work[MAXCPU];
static volatile u64 total;
static volatile int go;
int cpu_id(void)
{
    u64 m = rd(mpidr_el1);
#if M_MPIDR_RAW
    return (int)(m & 0xffffffff) < 0 ? (int)(m & 0xffffffff) >> 8 : 0;
#else
    return (int)(m & 0xff);
#endif
}
u64 psci(u64 fn, u64 a, u64 b, u64 c)
{
    register u64 x0 __asm__("x0") = fn, x1 __asm__("x1") = a, x2 __asm__("x2") = b, x3 __asm__("x3") = c;
    if (board.smc)
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17");
    else
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17");
    return x0;
}
void smp_entry(u64 cpu)
{
    if (!IS(SECOND_VBAR)) {
        wr(vbar_el1, (u64)vectors);
        isb();
    }
    if (!IS(SECOND_CPACR)) {
        wr(cpacr_el1, 3 << 20);
        isb();
    }
    if (!IS(SECOND_GIC))
        gic_cpu_init((int)cpu);
    timer_init();
    printf("minik: cpu %lu is up\n", cpu);
    __asm__ volatile("msr daifclr, #2");
    online[cpu] = 1;
    __asm__ volatile("dsb ish");
    if (!IS(NO_SEV))
        __asm__ volatile("sev");
    while (!go)
        __asm__ volatile("yield");
    long d = fp_work((int)cpu + 10);
    for (int i = 0; i < 500; i++) {
        u64 f = irq_save();
        lock(&work_lock);
        if (IS(ABBA)) {
            for (volatile int d = 0; d < 3000; d++)
                ;
            lock(&lock_b);
        }
        total++;
        if (IS(ABBA))
            unlock(&lock_b);
        unlock(&work_lock);
        irq_restore(f);
    }
    while (ticks[cpu] < 3)
        __asm__ volatile("wfi");
    work[cpu] = 1 + (d == 0);
    dsb(ish);
    psci(0x84000002, 0, 0, 0);
    panic("CPU_OFF returned");
}
void smp_init(void)
{
    for (int i = 1; i < board.ncpu; i++) {
        u64 entry = va_to_pa(secondary_start);
        if (IS(CPU_ON_VA))
            entry = (u64)secondary_start;
        if (IS(CPU_ON_ODD))
            entry += 2;
        u64 r = psci(IS(CPU_ON_FN) ? 0x84000005 : 0xc4000003, IS(CPU_ON_MPIDR) ? (u64)i << 8 : board.mpidr[i], entry, (u64)i);
        if (r && !IS(CPU_ON_IGNORE) && !IS(CPU_ON_MPIDR))
            panic("CPU_ON of cpu %d: %ld", i, (long)r);
        while (!online[i]) {
            if (IS(SMP_WFE) || IS(NO_SEV))
                __asm__ volatile("wfe");
        }
    }
    go = 1;
    for (int i = 0; i < 500 && board.ncpu > 1; i++) {
        u64 f = irq_save();
        if (IS(ABBA)) {
            lock(&lock_b);
            for (volatile int d = 0; d < 3000; d++)
                ;
            lock(&work_lock);
        } else
            lock(&work_lock);
        total++;
        unlock(&work_lock);
        if (IS(ABBA))
            unlock(&lock_b);
        irq_restore(f);
    }
    for (int i = 1; i < board.ncpu; i++)
        while (!work[i])
            ;
    if (board.ncpu > 1 && total != 500ull * (u64)board.ncpu)
        panic("smp: %lu instead of %d", total, 500 * board.ncpu);
}
